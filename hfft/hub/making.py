"""The repository and the branch that a commit needs: made, and taken away again where the commit fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from hfft.errors import SetupError
from hfft.hub.target import OURS_TO_KEEP, Target
from hfft.hub_access import FAILURES, plainly


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
