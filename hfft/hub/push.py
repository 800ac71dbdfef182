"""Publishing: one commit has it all, or none of it is there."""

from __future__ import annotations

import os
from dataclasses import dataclass

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

from hfft.errors import SetupError
from hfft.hub.files import Publication, publication
from hfft.hub.repository import (
    AnotherModel,
    Target,
    address,
    look,
    make_where_missing,
    open_target,
    put_by_hfft,
    require_same_model,
)
from hfft.io.console import Console
from hfft.io.hub_client import FAILURES, calm, told
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
            there; or the Hub, or the way to it, failed. The message then says what stands there.
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
        SetupError: It failed; the message says what stands there now. Nothing is deleted to undo it.
    """
    gone = sorted(put_by_hfft(target) - set(made.files))
    operations = [CommitOperationAdd(name, content) for name, content in made.files.items()]
    try:
        with calm(), told(f"Publishing to {target.repo}", target.repo, target.revision):
            ready = make_where_missing(api, target, private)
            done = api.create_commit(
                target.repo,
                [*operations, *(CommitOperationDelete(name) for name in gone)],
                commit_message=made.title,
                revision=target.revision,
                parent_commit=ready.head or ready.start,
            )
    except SetupError as error:
        raise SetupError(f"{error} {_standing(api, target)}") from error
    place = address(api, target.repo, target.revision)
    return Pushed(place, done.oid, changed=done.oid != target.head)


def _standing(api: HfApi, before: Target) -> str:
    """What stands there after a failure: an answer may have been lost, or somebody else have written to it."""
    repo = before.repo
    try:
        now = look(api, repo, before.revision)
    except FAILURES:
        return f"Do it again to find out whether it has arrived at {repo}: nothing is published twice."
    if not now.exists:
        return f"There is no repository {repo} yet."
    if before.exists and now.head == before.head:
        return f"{repo} is as it was."
    if not before.exists and now.is_empty:
        return f"The repository {repo} was made and is empty: do it again, and it is used."
    if before.exists and now.new_branch:
        return f"The branch {now.revision} of {repo} was made and has what the main one has: do it again."
    return f"A commit has arrived at {repo}, this one or another: do it again, nothing is published twice."
