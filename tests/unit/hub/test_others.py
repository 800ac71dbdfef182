"""What others have in a repository, or put there while hfft is at it, stays theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.hub.server import Meanwhile

ARGUMENTS = ("text-classification", "train.keep_best=accuracy", "train.epochs=1", "optim.lr=1e-2")
THEIRS = {"precious.safetensors": b"the work of a colleague"}


@pytest.fixture
def run(trained) -> Path:
    return trained(*ARGUMENTS)


def test_a_new_branch_of_another_model_has_this_one_alone(cli, server, run):
    foreign = {"config.json": b"{}", "pytorch_model.bin": b"old", "model.safetensors.index.json": b"{}"}
    server.put("me/foreign", foreign)
    assert cli.ask("push", run, "me/foreign", "--revision", "dev").code == 0
    assert server.files("me/foreign") == foreign
    assert len(server.titles("me/foreign", "dev")) == 2  # the one that it began with, and ours
    ours = set(server.files("me/foreign", "dev"))
    assert {path.name for path in (run / "model").iterdir()} == {name for name in ours if "/" not in name}
    assert cli.ask("push", run, "me/model").code == 0
    beside = {"adapter_config.json": b"{}", "model-00001-of-00002.safetensors": b"old", "LICENSE": b"mine"}
    listed = server.files("me/model")["hfft/files.json"].replace(b'"README.md"', b'"README.md", "old.json"')
    server.put("me/model", {**server.files("me/model"), **beside, "old.json": b"", "hfft/files.json": listed})
    assert cli.ask("push", run, "me/model", "--revision", "dev").code == 0
    assert set(server.files("me/model", "dev")) == {*ours, ".gitattributes", "LICENSE"}
    assert set(beside) < set(server.files("me/model"))
    assert cli.ask("push", run, "me/model", "--revision", "dev").out.startswith("Nothing has changed")


@pytest.mark.parametrize(
    ("request_of_ours", "revision"),
    [
        ("POST .*/branch/dev", "dev"),
        ("POST .*/preupload/", "dev"),
        ("POST .*/preupload/", None),
    ],
)
def test_a_branch_that_somebody_writes_to_meanwhile_is_left(cli, server, run, request_of_ours, revision):
    server.put("me/model", {"README.md": b"mine"})
    branch = revision or "main"
    server.meanwhile = [Meanwhile(request_of_ours, lambda: server.put("me/model", THEIRS, "colleague", branch))]
    said = cli.ask("push", run, "me/model", *(["--revision", revision] if revision else []))
    assert (said.code, said.out) == (2, "")
    assert "me/model changed in the meantime (412). Do it again." in said.err
    assert "A commit has arrived at me/model, this one or another: do it again" in said.err
    assert server.files("me/model", branch) == THEIRS
    assert server.titles("me/model", branch)[-1] == "colleague"


@pytest.mark.parametrize(
    ("request_of_ours", "told"),
    [
        ("POST .*/create", "somebody else has written to it in the meantime."),
        ("GET /api/models/me/new$", "somebody else has written to it in the meantime."),
        ("POST .*/preupload/", "me/new changed in the meantime (412). Do it again."),
    ],
)
def test_a_repository_that_somebody_writes_to_meanwhile_is_left(cli, server, run, request_of_ours, told):
    act = Meanwhile(request_of_ours, lambda: server.put("me/new", THEIRS, "colleague"))
    first = Meanwhile("POST .*/create", lambda: server.meanwhile.append(act))
    server.meanwhile = [act if "create" in request_of_ours else first]
    said = cli.ask("push", run, "me/new")
    assert (said.code, said.out) == (2, "")
    assert told in said.err
    assert server.files("me/new") == THEIRS
