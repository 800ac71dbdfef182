"""Publishing: one commit has it all, or nothing has changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError

from hfft.errors import SetupError
from hfft.hub.files import Publication, publication
from hfft.hub.repository import (
    OURS_TO_KEEP,
    AnotherModel,
    Target,
    address,
    open_target,
    put_by_hfft,
    require_same_model,
)
from hfft.io.console import Console
from hfft.io.hub_client import FAILURES, calm, plainly, told
from hfft.io.run_folder import RunFolder
from hfft.recipe import Recipe


@dataclass(frozen=True)
class Pushed:
    """What a push came to.

    Attributes:
        address: The page of the repository.
        commit: The newest commit.
        changed: Whether it is a new one; False where all was there already.
    """

    address: str
    commit: str
    changed: bool


def push(
    run: str | os.PathLike[str],
    repo: str,
    private: bool = False,
    revision: str | None = None,
    adapter: bool = False,
    overwrite: bool = False,
    console: Console | None = None,
) -> str:
    """Publishes a finished run on the Hub: weights, card, recipe and results, in one commit.

    Pushing it again makes no second commit; what an earlier push had and this one has not is deleted.

    Args:
        run: The run folder.
        repo: USER/NAME; made where it is not there yet.
        private: Make a new repository private.
        revision: A branch other than the main one; made where it is not there yet.
        adapter: Publish adapter/ rather than model/, where the run has both.
        overwrite: Replace another model that is there.
        console: Gets a line that says what happened.

    Returns:
        The address of its page.

    Raises:
        SetupError: There is no finished run; nobody is logged in, or has no right to write there; another model is
            there; or the Hub, or the way to it, failed. Nothing has changed there then, or the message says what has.
    """
    folder, api = RunFolder(run), HfApi()
    made = publication(folder, repo, revision, adapter)
    target = open_target(api, repo, revision, private)
    if not overwrite:
        require_same_model(target, made.recipe, made.rows, "give --overwrite (overwrite=True) to replace it")
    pushed = commit(api, target, made, private)
    if console is not None:
        said = "Published" if pushed.changed else "Nothing has changed since it was published"
        console.say(f"{said}: {pushed.address} (commit {pushed.commit[:8]})")
    return pushed.address


def publish_finished(folder: RunFolder, recipe: Recipe, console: Console) -> None:
    """Publishes a finished run where its recipe says, if it says so.

    Raises:
        SetupError: As `push`; the finished run stays as it is.
    """
    settings = recipe.publish
    if settings.to is None:
        return
    try:
        push(
            folder.path,
            settings.to,
            settings.private,
            settings.revision,
            settings.adapter,
            settings.overwrite,
            console=console,
        )
    except SetupError as error:
        options = [
            *(["--private"] if settings.private else []),
            *([f"--revision {settings.revision}"] if settings.revision else []),
            *(["--adapter"] if settings.adapter else []),
            *(["--overwrite"] if settings.overwrite or isinstance(error, AnotherModel) else []),
        ]
        again = " ".join(["hfft push", str(folder.path), settings.to, *options])
        raise SetupError(
            f"{error} The run in {folder.path} is finished all the same; `{again}` publishes it."
        ) from error


def commit(api: HfApi, target: Target, made: Publication, private: bool) -> Pushed:
    """Writes a publication into a repository in one commit, and makes repository and branch where they are missing.

    Args:
        api: The client.
        target: The repository, looked at and found right.
        made: What to write.
        private: Whether a new repository is private.

    Raises:
        SetupError: It failed. What was made for it is taken away again, unless something has arrived there.
    """
    doing = f"Publishing to {target.repo}"
    gone = sorted(put_by_hfft(target) - set(made.files))
    operations = [CommitOperationAdd(name, content) for name, content in made.files.items()]
    try:
        with calm(), told(doing, target.repo, target.revision), made_for_it(api, target, private) as parent:
            done = api.create_commit(
                target.repo,
                [*operations, *(CommitOperationDelete(name) for name in gone)],
                commit_message=made.title,
                revision=target.revision,
                parent_commit=parent,
            )
    except LeftBehind:
        raise
    except SetupError as error:
        raise SetupError(f"{error} {_standing(api, target)}") from error
    place = address(api, target.repo, target.revision)
    return Pushed(place, done.oid, changed=done.oid != target.head)


def _standing(api: HfApi, target: Target) -> str:
    """What has become of a repository after a failure: the answer to a commit that arrived may have been lost."""
    if target.head is None:
        return "Nothing of it is left there."
    try:
        head = api.model_info(target.repo, revision=target.revision).sha
    except FAILURES:
        return f"Do it again to find out whether it has arrived at {target.repo}: nothing is published twice."
    if head == target.head:
        return f"{target.repo} is as it was."
    return f"A commit has arrived at {target.repo} all the same: do it again, nothing is published twice."


class LeftBehind(SetupError):
    """Something that was made for a commit is there still."""


@contextmanager
def made_for_it(api: HfApi, target: Target, private: bool) -> Iterator[str | None]:
    """The repository and the branch are there while inside; gives the commit that the one to be made has to follow.

    On an error those made here go again, as long as nobody has put anything there.

    Args:
        api: The client.
        target: The repository, looked at.
        private: Whether a new repository is private.

    Raises:
        LeftBehind: What was made could not be taken away.
    """
    start: str | None = None  # what was made here began with
    try:
        if not target.exists:
            start = _make_repository(api, target, private)
        if target.new_branch:
            first = target.start or start
            _make_branch(api, target, first)
            start = first
        yield start or target.head
    except LeftBehind:
        raise
    except BaseException as error:
        if start is not None:
            _take_away(api, target, start, error)
        raise


def _make_repository(api: HfApi, target: Target, private: bool) -> str:
    """Makes the repository, and gives its first commit."""
    what = f"the repository {target.repo}"
    try:
        api.create_repo(target.repo, private=private)
    except HfHubHTTPError:  # an answer: it was not made
        raise
    except FAILURES as error:
        raise LeftBehind(
            f"{_said(error, target)} The repository may have been made, and is empty then; the next push takes it."
        ) from error
    try:
        info = api.model_info(target.repo)
    except FAILURES as error:
        raise LeftBehind(
            f"{_said(error, target)} It had made {what}, which is empty; the next push takes it."
        ) from error
    if info.sha is None or {file.rfilename for file in info.siblings or []} - {*OURS_TO_KEEP}:
        raise LeftBehind(
            f"Publishing to {target.repo}: somebody else has written to it since it was made for this. Do it again."
        )
    return info.sha


def _make_branch(api: HfApi, target: Target, start: str | None) -> None:
    assert target.revision is not None
    try:
        api.create_branch(target.repo, branch=target.revision, revision=start)
    except HfHubHTTPError:  # an answer: it was not made, or somebody else has made it
        raise
    except FAILURES as error:
        if not target.exists:  # it goes with the repository
            raise
        raise LeftBehind(
            f"{_said(error, target)} The branch {target.revision} may have been made, and has what the main one has "
            "then: delete it on its page, and do it again."
        ) from error


def _take_away(api: HfApi, target: Target, start: str, error: BaseException) -> None:
    """Deletes what was made for a commit that failed, unless a commit has arrived there, this one or another's.

    Raises:
        LeftBehind: It was not deleted.
    """
    new = f"the branch {target.revision} of {target.repo}" if target.exists else f"the repository {target.repo}"
    said = _said(error, target)
    try:
        refs = api.list_repo_refs(target.repo).branches
    except FAILURES:
        raise LeftBehind(
            f"{said} It had made {new}; what has become of it cannot be found out: look at its page."
        ) from error
    if any(ref.target_commit != start for ref in refs if not target.exists or ref.name == target.revision):
        raise LeftBehind(
            f"{said} It had made {new}, where a commit has arrived since: that stays. Do it again, nothing is "
            "published twice."
        ) from error
    try:
        if target.exists:
            assert target.revision is not None
            api.delete_branch(target.repo, branch=target.revision)
        else:
            api.delete_repo(target.repo, missing_ok=True)
    except FAILURES:
        raise LeftBehind(
            f"{said} It had made {new}, which is empty and could not be deleted again: delete it on its page."
        ) from error


def _said(error: BaseException, target: Target) -> str:
    return str(plainly(error, f"Publishing to {target.repo}", target.repo, target.revision))
