"""The repository that a run goes to: who may write there, what is there already, and whether that is this model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from huggingface_hub import HfApi, ModelCard, ModelCardData, get_token
from huggingface_hub.constants import DEFAULT_REVISION
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.hf_api import RepoFile

from hfft.errors import HfftError, RecipeError, SetupError
from hfft.hub.files import ENVIRONMENT, LISTED
from hfft.hub.portable import portable
from hfft.io.hub_client import LOG_IN, RECIPE, check_name, fetch, hub_is_reachable, told
from hfft.io.run_files import read_environment
from hfft.recipe import Recipe
from hfft.recipe.recipe import of_another_run

WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx", ".gguf")

CONFIGS = ("config.json", "adapter_config.json")

OVERWRITE = "say publish.overwrite: true to replace it"

LISTED_ROWS = 5  # differences of recipes in a message

FROM_THE_HUB = (".gitattributes",)  # what the Hub itself puts into a repository


@dataclass(frozen=True)
class Target:
    """A repository as it stands.

    Attributes:
        repo: Its name.
        revision: The branch, None for the main one.
        exists: Whether there is such a repository.
        head: The newest commit of the branch; None where there is no such branch.
        start: The newest commit of the main branch, with which a new one begins; None where `revision` is the main one.
        files: What is in the branch; of a new one, what it begins with.
        private: Whether only some may read it.
    """

    repo: str
    revision: str | None
    exists: bool = False
    head: str | None = None
    start: str | None = None
    files: frozenset[str] = frozenset()
    private: bool = False

    @property
    def new_branch(self) -> bool:
        """Whether the branch is to be made, or was made and has no commit of its own yet."""
        return self.revision is not None and self.head in (None, self.start)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing but what the Hub itself puts there."""
        return self.files <= {*FROM_THE_HUB}

    @property
    def holds_model(self) -> bool:
        """Whether there are weights, or a configuration of some."""
        return any(map(_of_model, self.files))


class AnotherModel(SetupError):
    """A repository holds a model that is not this run's."""


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
        target = look(api, repo, revision)
        if target.exists:
            api.auth_check(repo, write=True)
            _require_private(target, private)
    return target


def make_where_missing(api: HfApi, target: Target, private: bool) -> Target:
    """Makes the repository and the branch where they are missing, and gives them as they then stand.

    Raises:
        SetupError: Somebody else has made the repository meanwhile, and put something there or lets everybody read it.
    """
    if not target.exists:
        api.create_repo(target.repo, private=private, exist_ok=True)
        target = look(api, target.repo, target.revision)
        _require_private(target, private)
        if not target.is_empty:
            raise SetupError(f"Publishing to {target.repo}: somebody else has written to it in the meantime.")
    if target.revision is not None and target.head is None:
        api.create_branch(target.repo, branch=target.revision, revision=target.start, exist_ok=True)
    return target


def _require_private(target: Target, private: bool) -> None:
    if private and not target.private:
        raise SetupError(
            f"{target.repo} is there already, and everybody may read it: private has no effect. Make it private on its "
            "page, in its settings, or take another name."
        )


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


def look(api: HfApi, repo: str, revision: str | None) -> Target:
    """The repository as it stands, whoever may write to it."""
    try:
        info = api.model_info(repo)
    except RepositoryNotFoundError:
        return Target(repo, revision)
    head = info.sha
    if revision is not None:
        try:
            head = api.model_info(repo, revision=revision).sha
        except RevisionNotFoundError:
            head = None
    start = None if revision in (None, DEFAULT_REVISION, head) else info.sha
    tree = api.list_repo_tree(repo, recursive=True, revision=head or start)
    files = frozenset(entry.path for entry in tree if isinstance(entry, RepoFile))
    return Target(repo, revision, True, head, start, files, bool(info.private))


def require_same_model(target: Target, recipe: Recipe, rows: Mapping[str, str] | None, how: str) -> None:
    """Raises SetupError where the branch holds a model other than that of this recipe and these rows.

    A new branch has none of its own: what it begins with stays on the main one.

    Args:
        target: Where to.
        recipe: Of the run.
        rows: The fingerprint of each split, as environment.json has them; None where they are not known yet.
        how: What to do to write all the same.
    """
    if target.new_branch or not target.holds_model:
        return
    if RECIPE not in target.files:
        raise AnotherModel(f"{target.repo} holds a model that hfft has not published. Take another name, or {how}.")
    try:
        theirs = Recipe.load(fetch(target.repo, target.head, RECIPE))
    except HfftError as error:
        said = f"The recipe of the model in {target.repo} cannot be read: {error}"
        raise AnotherModel(f"{said} Take another name, or {how}.") from error
    different = of_another_run(theirs, portable(recipe))
    if different:
        listed = "; ".join(f"{key} is {new!r}, there {old!r}" for key, old, new in different[:LISTED_ROWS])
        listed += f"; and {len(different) - LISTED_ROWS} more" if len(different) > LISTED_ROWS else ""
        raise AnotherModel(f"{target.repo} holds a model of another recipe: {listed}. Take another name, or {how}.")
    try:
        other = _other_rows(target, rows or {})
    except SetupError as error:
        raise AnotherModel(f"{ENVIRONMENT} of {target.repo} is damaged. Take another name, or {how}.") from error
    if other:
        raise AnotherModel(
            f"{target.repo} holds a model of the same recipe and other data: the rows of {', '.join(other)} differ. "
            f"Take another name, or {how}."
        )


def _other_rows(target: Target, rows: Mapping[str, str]) -> list[str]:
    """The splits whose rows are not those of the model that is there; none where it does not say."""
    if not rows or ENVIRONMENT not in target.files:
        return []
    theirs = read_environment(fetch(target.repo, target.head, ENVIRONMENT)).get("data", {})
    return [split for split in {**theirs, **rows} if theirs.get(split) != rows.get(split)]


def put_by_hfft(target: Target) -> frozenset[str]:
    """The files that go unless they are written anew: those of an earlier push.

    Of another model that is overwritten all go but the Hub's own. On a new branch the weights and configurations that
    others put beside those of hfft go too, or they would be loaded in their place.
    """
    if LISTED not in target.files:
        return target.files - {*FROM_THE_HUB} if target.holds_model else frozenset()
    foreign = {name for name in target.files if target.new_branch and _of_model(name)}
    try:
        listed = json.loads(fetch(target.repo, target.head or target.start, LISTED).read_text(encoding="utf-8"))
        return target.files & {*foreign, *(str(name) for name in listed["files"])}
    except (ValueError, KeyError, TypeError) as error:
        raise SetupError(f"{LISTED} of {target.repo} is damaged: delete it there, and do it again.") from error


def _of_model(name: str) -> bool:
    """Whether a file has weights, or says which there are."""
    return name in CONFIGS or PurePosixPath(name).suffix in WEIGHTS or name.endswith(".index.json")


def check_rows_before_training(recipe: Recipe, rows: Mapping[str, str]) -> None:
    """Finds out, once the data are read, whether the model that is there was trained on other rows.

    Raises:
        SetupError: It was, and the recipe does not say that it may be replaced.
    """
    publish = recipe.publish
    if publish.to is not None and not publish.overwrite:
        target = open_target(HfApi(), publish.to, publish.revision, publish.private)
        require_same_model(target, recipe, rows, OVERWRITE)


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
    if not publish.overwrite:
        require_same_model(target, recipe, None, OVERWRITE)
    put_by_hfft(target)
    data = ModelCardData(license=publish.license, language=publish.languages or None, tags=["hfft"])
    with told(f"Publishing to {publish.to}", publish.to):
        try:
            ModelCard(f"---\n{data.to_yaml()}\n---\n").validate()
        except ValueError as error:
            said = " ".join(str(error).split())
            raise RecipeError(f"The Hub does not take publish.license or publish.language: {said}") from error


def address(api: HfApi, repo: str, revision: str | None) -> str:
    """The page of a repository."""
    return f"{api.endpoint}/{repo}" + (f"/tree/{revision}" if revision else "")
