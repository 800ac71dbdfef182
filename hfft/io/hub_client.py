"""The Hub: addresses, downloads, whether it is reachable, and its refusals in plain words. No message holds a token."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import constants, get_token, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,  # pyright: ignore[reportPrivateImportUsage] (of httpx2, which is the client's own affair)
    LocalTokenNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
    get_session,
    validate_repo_id,
)
from huggingface_hub.utils import logging as client_logging

from hfft.errors import HfftError, SetupError

SCHEME = "hf://"

RECIPE = "hfft/recipe.yaml"  # where a repository that hfft published has the recipe

LOG_IN = "Log in with `hf auth login`, or set HF_TOKEN"

PERMISSION = "If it is private or gated, ask for access on its page, then log in with `hf auth login` or set HF_TOKEN."

FAILURES = (HfHubHTTPError, HTTPError, LocalTokenNotFoundError, OSError, ValueError, RuntimeError)
"""What the client raises when the Hub or the way to it fails; RuntimeError is that of uploads."""


def parted(address: str) -> tuple[str, str | None]:
    """Parts `USER/NAME[@REVISION]`, with or without hf:// before it, into name and revision.

    Raises:
        SetupError: It is of another form.

    >>> parted("hf://me/model@v1")
    ('me/model', 'v1')
    """
    name, at, revision = address.removeprefix(SCHEME).rstrip("/").partition("@")
    check_name(name, address)
    if at and not revision:
        raise SetupError(f"'{address}' ends with @ and names no revision: write USER/NAME@BRANCH, or leave @ out.")
    return name, revision or None


def check_name(name: str, shown: str) -> None:
    """Raises SetupError where a name is not of the form USER/NAME."""
    try:
        validate_repo_id(name)
    except HFValidationError:
        well_formed = False
    else:
        well_formed = name.count("/") == 1
    if not well_formed:
        raise SetupError(f"'{shown}' names no repository of the Hub: write USER/NAME, such as me/my-model.")


def local_recipe(path: str) -> Path:
    """The file of a recipe: that of a published run, fetched, for hf://USER/NAME[@REVISION]; else the path itself.

    Raises:
        SetupError: It cannot be fetched, or hfft has not published that repository.
    """
    if path.startswith("hf:/") and not path.startswith(SCHEME):  # pathlib makes one slash of two
        path = SCHEME + path.removeprefix("hf:/")
    return fetch(*parted(path), RECIPE) if path.startswith(SCHEME) else Path(path)


def fetch(repo: str, revision: str | None, file: str) -> Path:
    """Fetches a file of a repository that hfft published, or finds it in the cache.

    Raises:
        SetupError: There is no such repository, revision or file, it may not be read, or the Hub cannot be reached.
    """
    try:
        return Path(hf_hub_download(repo, file, revision=revision))
    except EntryNotFoundError as error:
        if isinstance(error.__cause__, HfHubHTTPError):
            raise plainly(error.__cause__, f"{SCHEME}{repo}", repo, revision) from error
        if not isinstance(error, HfHubHTTPError):  # neither reached nor in the cache
            offline = " (HF_HUB_OFFLINE=1 is set)" if constants.is_offline_mode() else ""
            raise SetupError(
                f"{SCHEME}{repo}: the Hub cannot be reached{offline}, and the local cache does not have {file} of it."
            ) from error
        raise SetupError(
            f"{repo} was not published by hfft: it has no {file}. `hfft predict {repo} ...` works with any model."
        ) from error
    except FAILURES as error:
        raise plainly(error, f"{SCHEME}{repo}", repo, revision) from error


def plainly(error: BaseException, doing: str, repo: str, revision: str | None = None) -> SetupError:
    """Says in plain words, and without a token, what the Hub or the way to it refused.

    Args:
        error: What the client raised.
        doing: What failed; stands first.
        repo: The repository.
        revision: Of it.
    """
    cause = _root(error)
    if isinstance(cause, LocalTokenNotFoundError):
        return SetupError(f"{doing}: there is no token. {LOG_IN}.")
    if isinstance(cause, HfHubHTTPError):
        return SetupError(f"{doing}: {_refusal(cause, repo, revision)}")
    if isinstance(cause, HTTPError):
        told = f" ({_clean(str(cause))})" if str(cause) else ""
        return SetupError(f"{doing}: the connection to the Hub broke{told}.")
    return SetupError(f"{doing}: {type(cause).__name__}: {_clean(str(cause))}")


def _root(error: BaseException) -> BaseException:
    """The failure of the network that stands behind an error; else the error itself."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, (HTTPError, LocalTokenNotFoundError)):
            return inner
        inner = inner.__cause__
    return error


def _refusal(error: HfHubHTTPError, repo: str, revision: str | None) -> str:
    status = error.response.status_code
    said = f" It says: {_clean(error.server_message)}" if error.server_message else ""
    if isinstance(error, RevisionNotFoundError):
        return f"{repo} has no branch, tag or commit '{revision}'."
    if isinstance(error, GatedRepoError):
        return f"{repo} is gated: ask for access on its page. {LOG_IN}."
    if isinstance(error, RepositoryNotFoundError):
        hint = "" if get_token() else f" {LOG_IN}, if it is private."
        return f"the Hub has no repository {repo} that you may read.{hint}"
    if status == 401:
        return f"the Hub does not accept the token (401).{said} {LOG_IN} to a token that is valid."
    if status == 403:
        return (
            f"the token has no right to do this to {repo} (403).{said} Take a token with the right to write, or a "
            "repository of your own."
        )
    if status in (409, 412):
        return f"{repo} changed in the meantime ({status}). Do it again."
    if status >= 500:
        return f"the Hub answered with error {status}; the fault is on its side.{said} Try again later."
    return f"the Hub refused it ({status}).{said}"


def _clean(text: str) -> str:
    """A message in one line, without the token."""
    token = get_token()
    line = " ".join(text.split())
    return line.replace(token, "***") if token else line


SECONDS = 5.0


@functools.cache
def hub_is_reachable() -> bool:
    """Whether the Hub answers anything within a few seconds; False in offline mode (HF_HUB_OFFLINE=1)."""
    if constants.is_offline_mode():
        return False
    try:
        get_session().head(constants.ENDPOINT, timeout=SECONDS)
    except Exception:  # whatever the client in use calls a failed connection
        return False
    return True


@contextmanager
def told(doing: str, repo: str, revision: str | None = None) -> Iterator[None]:
    """Turns what the client raises inside into a SetupError in plain words."""
    try:
        yield
    except HfftError:
        raise
    except FAILURES as error:
        raise plainly(error, doing, repo, revision) from error


@contextmanager
def calm() -> Iterator[None]:
    """The client says nothing of its own while inside, and shows progress to people only.

    It names signed addresses in its warnings; what fails in the end is said in plain words.
    """
    level, shown = client_logging.get_verbosity(), not are_progress_bars_disabled()
    client_logging.set_verbosity_error()
    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        yield
    finally:
        client_logging.set_verbosity(level)
        if shown:
            enable_progress_bars()
