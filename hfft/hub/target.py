"""The repository that a run goes to: who may write there, what is there already, and whether that is this model."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from huggingface_hub import HfApi, ModelCard, ModelCardData, get_token
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
from huggingface_hub.utils import logging as client_logging

from hfft.card.portable import portable
from hfft.errors import HfftError, RecipeError, SetupError
from hfft.hub.publication import LISTED
from hfft.hub_access import FAILURES, LOG_IN, RECIPE, check_name, fetch, plainly
from hfft.network import hub_is_reachable
from hfft.recipe import Recipe

WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx", ".gguf")
CONFIGS = ("config.json", "adapter_config.json")
LISTED_ROWS = 5  # differences of recipes in a message
OURS_TO_KEEP = (".gitattributes",)  # what the Hub itself puts into a repository


@dataclass(frozen=True)
class Target:
    """A repository as it stands.

    Attributes:
        repo: Its name.
        revision: The branch, None for the main one.
        exists: Whether there is such a repository.
        head: The newest commit of the branch; None where there is no such branch.
        files: What is in it.
        private: Whether only some may read it.
    """

    repo: str
    revision: str | None
    exists: bool = False
    head: str | None = None
    files: frozenset[str] = frozenset()
    private: bool = False

    @property
    def holds_model(self) -> bool:
        """Whether there are weights, or a configuration of some."""
        return any(name in CONFIGS or PurePosixPath(name).suffix in WEIGHTS for name in self.files)


def open_target(api: HfApi, repo: str, revision: str | None, private: bool) -> Target:
    """Looks at a repository that is to be written to. Nothing is changed there.

    Raises:
        SetupError: Nobody is logged in, the token has no right to write there, the Hub cannot be reached, or the
            repository is public and is to be private.
    """
    _require_name(api, repo)
    if get_token() is None:
        raise SetupError(f"Publishing to {repo} needs a token of the Hub, and there is none. {LOG_IN}.")
    if not hub_is_reachable():
        raise SetupError(f"Publishing to {repo}: the Hub cannot be reached. Check the network, and HF_HUB_OFFLINE.")
    with told(f"Publishing to {repo}", repo, revision):
        _require_writer(api.whoami(), repo)
        target = _look(api, repo, revision)
        if target.exists:
            api.auth_check(repo, write=True)
    if target.exists and private and not target.private:
        raise SetupError(
            f"{repo} is there already, and everybody may read it: private has no effect. Make it private on its page, "
            "in its settings, or take another name."
        )
    return target


def _require_name(api: HfApi, repo: str) -> None:
    try:
        check_name(repo, repo)
    except SetupError as error:
        if "/" in repo or get_token() is None or not hub_is_reachable():
            raise
        with told(f"{error} Asking who you are", repo):
            user = api.whoami().get("name")
        raise SetupError(f"{error} You are logged in as {user}: is it {user}/{repo}?") from None


def _require_writer(me: dict[str, Any], repo: str) -> None:
    """Raises SetupError where the token says that it cannot write there."""
    user, owner = str(me.get("name")), repo.partition("/")[0]
    role = ((me.get("auth") or {}).get("accessToken") or {}).get("role")
    if role == "read":
        raise SetupError(f"Publishing to {repo}: the token may only read. {LOG_IN} to one that may write.")
    owners = [user, *(str(group.get("name")) for group in me.get("orgs") or [])]
    if role != "fineGrained" and owner not in owners:
        raise SetupError(
            f"Publishing to {repo}: the token is that of {user}, who has no right to write to what belongs to {owner}. "
            f"It may write to {', '.join(f'{name}/...' for name in owners)}."
        )


def _look(api: HfApi, repo: str, revision: str | None) -> Target:
    try:
        info = api.model_info(repo)
    except RepositoryNotFoundError:
        return Target(repo, revision)
    private = bool(info.private)
    try:
        head = api.model_info(repo, revision=revision).sha if revision else info.sha
    except RevisionNotFoundError:
        return Target(repo, revision, exists=True, private=private)
    tree = api.list_repo_tree(repo, recursive=True, revision=head)
    files = frozenset(entry.path for entry in tree if isinstance(entry, RepoFile))
    return Target(repo, revision, exists=True, head=head, files=files, private=private)


def require_same_model(target: Target, recipe: Recipe, how: str) -> None:
    """Raises SetupError where the repository holds a model that hfft has not published from this recipe.

    Args:
        target: Where to.
        recipe: Of the run.
        how: What to do to write all the same.
    """
    if not target.holds_model:
        return
    if RECIPE not in target.files:
        raise SetupError(f"{target.repo} holds a model that hfft has not published. Take another name, or {how}.")
    from hfft.resume import of_another_run  # which brings torch

    try:
        theirs = Recipe.load(fetch(target.repo, target.head, RECIPE))
    except HfftError as error:
        said = f"The recipe of the model in {target.repo} cannot be read: {error}"
        raise SetupError(f"{said} Take another name, or {how}.") from error
    rows = of_another_run(theirs, portable(recipe))
    if rows:
        listed = "; ".join(f"{key} is {new!r}, there {old!r}" for key, old, new in rows[:LISTED_ROWS])
        listed += f"; and {len(rows) - LISTED_ROWS} more" if len(rows) > LISTED_ROWS else ""
        raise SetupError(f"{target.repo} holds a model of another recipe: {listed}. Take another name, or {how}.")


def put_by_hfft(target: Target) -> frozenset[str]:
    """The files that an earlier push put there; all but the Hub's own where another model is overwritten."""
    if LISTED not in target.files:
        return target.files - {*OURS_TO_KEEP} if target.holds_model else frozenset()
    try:
        listed = json.loads(fetch(target.repo, target.head, LISTED).read_text(encoding="utf-8"))
        return target.files & {str(name) for name in listed["files"]}
    except (ValueError, KeyError, TypeError) as error:
        raise SetupError(f"{LISTED} of {target.repo} is damaged: delete it there, and do it again.") from error


def check_before_training(recipe: Recipe) -> None:
    """Finds out whether a run can be published where its recipe says, before it is trained.

    Raises:
        SetupError: As `open_target`, or another model is there.
        RecipeError: The Hub takes no such licence or language.
    """
    publish = recipe.publish
    if publish.to is None:
        return
    api = HfApi()
    target = open_target(api, publish.to, publish.revision, publish.private)
    later = "leave publish.to out, and `hfft push RUN USER/NAME --overwrite` when the run is finished"
    require_same_model(target, recipe, later)
    put_by_hfft(target)
    data = ModelCardData(license=publish.license, language=publish.languages or None, tags=["hfft"])
    with told(f"Publishing to {publish.to}", publish.to):
        try:
            ModelCard(f"---\n{data.to_yaml()}\n---\n").validate()
        except ValueError as error:
            said = " ".join(str(error).split())
            raise RecipeError(f"The Hub does not take publish.license or publish.language: {said}") from error


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


def address(api: HfApi, repo: str, revision: str | None) -> str:
    """The page of a repository."""
    return f"{api.endpoint}/{repo}" + (f"/tree/{revision}" if revision else "")
