"""hfft push: what is published, what it says when it cannot, and that nothing half-published is left."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard, snapshot_download
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

import hfft
from hfft.errors import SetupError
from hfft.hub.files import publication
from hfft.io.run_folder import RunFolder
from tests.unit.hub.conftest import LILY
from tests.unit.hub.server import TOKEN, Fault, Meanwhile, User

ARGUMENTS = ("text-classification", "train.keep_best=accuracy", "train.epochs=1", "optim.lr=1e-2")
BESIDE = ["environment.json", "files.json", "metrics.jsonl", "parameters.json", "recipe.yaml", "results.json"]


@pytest.fixture
def run(trained) -> Path:
    return trained(*ARGUMENTS)


@pytest.fixture
def snapshot(server, tmp_path, monkeypatch):
    """Downloads a repository with the client alone, in this process, and gives the folder."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    return lambda repo: snapshot_download(repo, endpoint=server.endpoint, cache_dir=tmp_path / "cache", token=TOKEN)


def rows(run: Path, split: str = "test") -> list[dict]:
    return [json.loads(line) for line in (run / "predictions" / f"{split}.jsonl").read_text("utf-8").splitlines()]


def texts(run: Path) -> list[str]:
    recipe = hfft.Recipe.load(run / "recipe.yaml")
    assert recipe.data.files is not None
    lines = Path(recipe.data.root, str(recipe.data.files["test"])).read_text("utf-8").splitlines()[1:]
    return [line.rsplit(",", 1)[0] for line in lines]


def test_what_is_published_gives_the_answers_of_the_run_with_plain_transformers(cli, server, run, snapshot):
    said = cli.ask("push", run, "me/model")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"Published: {server.endpoint}/me/model (commit ")
    assert len(server.titles("me/model")) == 2  # the Hub's own first one, and one more
    folder = snapshot("me/model")
    inputs = texts(run)
    for answer, row in zip(pipeline("text-classification", model=folder, device="cpu")(inputs), rows(run), strict=True):
        assert answer["label"] == row["answer"]
        assert answer["score"] == pytest.approx(row["score"], abs=1e-5)
    files = server.files("me/model")
    model = {path.name for path in (run / "model").iterdir()}
    assert set(files) == {".gitattributes", *model, *(f"hfft/{name}" for name in BESIDE)}
    again = cli.ask("push", run, "me/model")
    assert again.code == 0
    assert again.out.startswith("Nothing has changed since it was published: ")
    assert len(server.titles("me/model")) == 2


def test_an_adapter_is_published_for_peft_and_gives_the_answers_of_the_run(cli, server, trained, snapshot):
    run = trained("text-classification", LILY, "optim.lr=1e-2", "train.epochs=1")
    assert cli.ask("push", run, "me/adapter").code == 0
    folder, names = snapshot("me/adapter"), ["bad", "good", "odd"]
    base = hfft.Recipe.load(run / "recipe.yaml").model.name
    plain = AutoModelForSequenceClassification.from_pretrained(str(base), num_labels=3)
    model, processor = PeftModel.from_pretrained(plain, folder).eval(), AutoTokenizer.from_pretrained(folder)
    logits = model(**processor(texts(run), padding=True, return_tensors="pt")).logits.softmax(-1)
    assert [names[int(row.argmax())] for row in logits] == [row["answer"] for row in rows(run)]
    assert logits.max(-1).values.tolist() == pytest.approx([row["score"] for row in rows(run)], abs=1e-5)
    card = server.files("me/adapter")["README.md"].decode()
    assert 'PeftModel.from_pretrained(base, "me/adapter")' in card
    assert "path/to/adapter" not in card
    assert json.loads(server.files("me/adapter")["hfft/files.json"])["kind"] == "adapter"


def test_nothing_published_names_a_path_of_the_machine_or_holds_a_token_or_an_example(cli, server, run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    results = json.loads((copy / "results.json").read_text("utf-8"))
    before = "/home/jo/runs/x/checkpoints/step-00000002"  # where the run lay when it was trained
    results["warnings"] = [f"The checkpoint {copy}/checkpoints/step-00000001 is damaged.", f"No {before}: passed over."]
    (copy / "results.json").write_text(json.dumps(results), "utf-8")
    with open(copy / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps({"step": 4, "event": "publish", "failed": f"no space: '{before}'"}) + "\n")
    card = copy / "model" / "README.md"
    card.write_text(card.read_text("utf-8") + f"\n- {copy}/checkpoints/step-00000001 is damaged.\n", "utf-8")
    assert cli.ask("push", copy, "me/model", "--revision", "dev").code == 0
    for name, content in server.files("me/model", "dev").items():
        if not name.endswith((".safetensors", "tokenizer.json")):
            text = content.decode()
            assert not re.search(rf"{re.escape(str(tmp_path.parents[1]))}|{TOKEN}|/home/jo", text), name
            assert not any(len(given) > 12 and given in text for given in texts(run)), name
    files = server.files("me/model", "dev")
    assert "RUN/checkpoints/step-00000001" in files["hfft/results.json"].decode()
    assert '"No step-00000002: passed over."' in files["hfft/results.json"].decode()
    assert "no space: 'step-00000002'" in files["hfft/metrics.jsonl"].decode()
    assert "- RUN/checkpoints/step-00000001 is damaged." in files["README.md"].decode()
    recipe = yaml.safe_load(files["hfft/recipe.yaml"])
    assert recipe["data"]["root"] == "."
    assert recipe["model"]["name"] == "./model"
    assert files["hfft/recipe.yaml"].decode().startswith("# The data were local files: ")
    card = ModelCard(files["README.md"].decode())
    assert 'model="me/model", revision="dev"' in card.text
    assert "python -m hfft.run hf://me/model@dev" in card.text
    assert card.data.get("pipeline_tag") == "text-classification"
    assert server.titles("me/model") == ["initial commit"]  # the main branch is left alone


def test_what_is_no_longer_in_a_run_vanishes_in_the_same_commit_and_what_others_put_there_stays(
    cli, server, run, tmp_path
):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "model" / "extra.json").write_text("{}")
    assert cli.ask("push", tmp_path / "run", "me/model").code == 0
    server.put("me/model", {**server.files("me/model"), "LICENSE": b"mine", "photo.png": b"..."}, "by hand")
    (tmp_path / "run" / "model" / "extra.json").unlink()
    assert cli.ask("push", tmp_path / "run", "me/model").code == 0
    assert len(server.titles("me/model")) == 4
    assert "extra.json" not in server.files("me/model")
    assert {"LICENSE", "photo.png"} < set(server.files("me/model"))


def test_several_seeds_publish_the_best_one_and_it_can_be_pulled_and_pushed_again(cli, server, trained, tmp_path):
    run = trained("text-classification", "train.seeds=[0,1]", "train.epochs=1")
    assert cli.ask("push", run, "me/seeds").code == 0
    files, best = server.files("me/seeds"), json.loads((run / "results.json").read_text("utf-8"))["best_seed"]
    assert files["model.safetensors"] == (run / f"seed-{best}" / "model" / "model.safetensors").read_bytes()
    assert json.loads(files["hfft/environment.json"])["seed"] == best
    assert "## Seeds" in files["README.md"].decode()
    assert cli.ask("pull", "me/seeds", "--output", tmp_path / "pulled").code == 0
    assert cli.ask("push", tmp_path / "pulled", "me/seeds").out.startswith("Nothing has changed")
    assert cli.ask("push", tmp_path / "pulled", "me/copy").code == 0
    assert set(server.files("me/copy")) == set(files)
    assert server.files("me/copy")["README.md"] == files["README.md"].replace(b"me/seeds", b"me/copy")


def test_another_model_is_not_overwritten_unless_told(cli, server, run, trained, tmp_path):
    server.put("me/foreign", {"config.json": b"{}", "pytorch_model.bin": b"old", "notes.txt": b"old"})
    said = cli.ask("push", run, "me/foreign")
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        "Error: me/foreign holds a model that hfft has not published. Take another name, or give --overwrite "
        "(overwrite=True) to replace it.\n"
    )
    assert cli.ask("push", run, "me/other").code == 0
    other = trained("text-classification", LILY, "optim.lr=1e-2", "train.epochs=1")
    said = cli.ask("push", other, "me/other")
    assert said.code == 2
    assert said.err.startswith("Error: me/other holds a model of another recipe: ")
    assert "train.keep_best is False, there 'accuracy'" in said.err
    assert len(server.titles("me/foreign")) == 1
    assert len(server.titles("me/other")) == 2
    elsewhere = tmp_path / "elsewhere"  # the same recipe, as others may have it, trained on other rows
    shutil.copytree(run, elsewhere)
    environment = json.loads((run / "environment.json").read_text("utf-8"))
    environment["data"]["train"] = "0" * 64
    (elsewhere / "environment.json").write_text(json.dumps(environment), "utf-8")
    said = cli.ask("push", elsewhere, "me/other")
    assert said.err == (
        "Error: me/other holds a model of the same recipe and other data: the rows of train differ. Take another name, "
        "or give --overwrite (overwrite=True) to replace it.\n"
    )
    code = (
        "import hfft; from hfft.hub.push import publish_finished; from hfft.io.run_folder import RunFolder\n"
        f"recipe = hfft.Recipe.load({str(run / 'recipe.yaml')!r}, 'publish.to=me/other')\n"
        f"try: publish_finished(RunFolder({str(elsewhere)!r}), recipe, None)\n"
        "except hfft.errors.SetupError as error: print(error)"
    )
    assert f"`hfft push {elsewhere} me/other --overwrite` publishes it." in cli.run(code).out
    assert cli.ask("push", elsewhere, "me/other", "--overwrite").code == 0
    assert cli.ask("push", run, "me/foreign", "--overwrite").code == 0
    assert "pytorch_model.bin" not in server.files("me/foreign")  # or it would be loaded beside the new weights
    assert cli.ask("push", other, "me/other", "--overwrite").code == 0
    assert "model.safetensors" not in server.files("me/other")


def test_who_may_not_is_told_before_anything_is_made(cli, server, run):
    server.users |= {"hf_reader": User("me", "read"), "hf_stranger": User("you", "fineGrained")}
    server.put("me/closed", {"README.md": b""})
    for token, repo, told in (
        ("", "me/model", "needs a token of the Hub, and there is none. Log in with `hf auth login`, or set HF_TOKEN."),
        ("hf_wrong", "me/model", "the Hub does not accept the token (401). Log in with `hf auth login`"),
        ("hf_reader", "me/model", "the token may only read"),
        ("hf_stranger", "me/closed", "the token has no right to do this to me/closed (403)"),
        ("hf_stranger", "me/model", "the token has no right to do this to me/model (403)"),
        (TOKEN, "them/model", "no right to write to what belongs to them. It may write to me/..."),
        (TOKEN, "model", "write USER/NAME, such as me/my-model. You are logged in as me: is it me/model?"),
        (TOKEN, "a/b/c", "'a/b/c' names no repository of the Hub"),
    ):
        said = cli.ask("push", run, repo, settings={"HF_TOKEN": token})
        assert (said.code, said.out) == (2, ""), token
        assert told in said.err
        assert said.err.count("\n") == 1
        assert not token or token not in said.err
    cli.ask("tasks", settings={"HF_TOKEN": TOKEN})
    assert set(server.repositories) == {"me/closed"}


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("results.json", b"{", "is no JSON"),
        (
            "results.json",
            b'{"eval": {"f1": 1}, "eval_examples": 3}',
            "is not what a run writes: eval.f1 is a whole number, expected an object.",
        ),
        ("environment.json", b'{"data": []}', "is not what a run writes: data is a list, expected an object."),
        ("parameters.json", b'[{"lr": 1e999}]', "is damaged: it is no JSON."),
        ("metrics.jsonl", b'{"step": "\xff"}', "is damaged: it is no text in UTF-8."),
        ("model/README.md", b"\xff", "is damaged: it is no text in UTF-8."),
    ],
)
def test_a_damaged_file_is_named(run, tmp_path, file, content, told):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / file).write_bytes(content)
    with pytest.raises(SetupError, match=re.escape(f"{tmp_path / 'run' / file} {told}")):
        publication(RunFolder(tmp_path / "run"), "me/model", None, False)


def test_what_is_no_finished_run_is_not_published(cli, run, tmp_path):
    started = tmp_path / "started"
    started.mkdir()
    shutil.copy(run / "recipe.yaml", started)
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("recipe.yaml", "results.json"):
        shutil.copy(run / name, bare)
    for place, told in (
        (tmp_path / "strated", "There is no run folder"),
        (run / "model", "is a model and no run: give the run folder, the one above it."),
        (tmp_path, "is no run folder: it has no recipe.yaml."),
        (started, "is not finished: it has no results.json yet. `hfft train` with the same recipe"),
        (bare, "has no weights: neither model/ nor an adapter."),
    ):
        said = cli.ask("push", place, "me/model")
        assert said.code == 2
        assert told in said.err
    assert "Did you mean 'started'?" in cli.ask("push", tmp_path / "strated", "me/model").err
    assert "has no adapter/: leave --adapter out" in cli.ask("push", run, "me/model", "--adapter").err


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault("POST .*/create", 500), "the Hub answered with error 500; the fault is on its side."),
        (Fault("POST .*/commit/", 500), "the Hub answered with error 500; the fault is on its side."),
        (Fault("POST .*/preupload/", 503), "the Hub answered with error 503; the fault is on its side."),
        (Fault("PUT /storage", 500), "the Hub answered with error 500; the fault is on its side."),
        (Fault("PUT /storage"), "the connection to the Hub broke"),
        (Fault("POST .*/commit/"), "the connection to the Hub broke"),
    ],
    ids=lambda value: re.sub(r"\W+", "-", value.pattern) + str(value.status) if isinstance(value, Fault) else "",
)
def test_after_a_fault_nothing_is_half_published_and_nothing_deleted(cli, server, run, fault, told):
    made = "create" not in fault.pattern
    theirs = {"README.md": b"mine", "pytorch_model.bin": b"old"}
    for blob in server.blobs.iterdir():
        blob.unlink()  # so that weights are sent again
    server.faults = [fault]
    said = cli.ask("push", run, "me/model")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"Error: Publishing to me/model: {told}")
    stands = "The repository me/model was made and is empty: do it again, and it is used."
    assert said.err.endswith(f"{stands if made else 'There is no repository me/model yet.'}\n")
    assert said.err.count("\n") == 1
    assert fault.seen
    assert [set(server.files(repo)) for repo in server.repositories] == ([{".gitattributes"}] if made else [])
    server.put("me/model", theirs)
    said = cli.ask("push", run, "me/model", "--revision", "dev")
    assert said.code == (2 if made else 0)
    if made:
        assert said.err.endswith("The branch dev of me/model was made and has what the main one has: do it again.\n")
        assert server.files("me/model", "dev") == theirs
        assert cli.ask("push", run, "me/model", "--revision", "dev").err.endswith("me/model is as it was.\n")
    server.faults = []
    said = cli.ask("push", run, "me/model", "--revision", "dev")
    assert (said.code, said.err) == (0, "")
    assert server.files("me/model") == theirs
    assert {path.name for path in (run / "model").iterdir()} == {
        name for name in server.files("me/model", "dev") if "/" not in name
    }
    assert not any(request.startswith("DELETE") for request in server.requests)


def test_a_fault_leaves_what_was_there(cli, server, run):
    server.put("me/model", {"README.md": b"mine"})
    before = server.files("me/model")
    server.faults = [Fault("POST .*/commit/")]
    said = cli.ask("push", run, "me/model")
    assert said.err.endswith("me/model is as it was.\n")
    assert server.files("me/model") == before
    server.faults = [Fault("POST .*/commit/", late=True)]
    said = cli.ask("push", run, "me/model")
    assert (said.code, said.out) == (2, "")
    assert said.err.endswith(
        "A commit has arrived at me/model, this one or another: do it again, nothing is published twice.\n"
    )
    server.faults = []
    assert cli.ask("push", run, "me/model").out.startswith("Nothing has changed")
    assert len(server.titles("me/model")) == 2


def test_what_has_arrived_in_a_new_repository_stays_though_its_answer_was_lost(cli, server, run):
    server.faults = [Fault("POST .*/commit/", late=True)]
    said = cli.ask("push", run, "me/model")
    assert (said.code, said.out) == (2, "")
    assert said.err.endswith(
        "A commit has arrived at me/model, this one or another: do it again, nothing is published twice.\n"
    )
    server.faults = []
    assert cli.ask("push", run, "me/model").out.startswith("Nothing has changed")


def test_a_connection_that_is_cut_once_is_taken_up_again(cli, server, run):
    for blob in server.blobs.iterdir():
        blob.unlink()
    server.faults = [Fault("PUT /storage", times=1), Fault("POST .*/preupload/", 500, times=2)]
    said = cli.ask("push", run, "me/model")
    assert (said.code, said.err) == (0, "")
    assert [fault.seen for fault in server.faults] == [1, 2]
    assert server.files("me/model")["model.safetensors"] == (run / "model" / "model.safetensors").read_bytes()


def test_where_nobody_can_look_what_stands_there_is_not_claimed(cli, server, run):
    server.faults = [Fault("POST .*/commit/", 500)]
    server.meanwhile = [Meanwhile("POST .*/commit/", lambda: server.faults.append(Fault("GET /api/models/", 500)))]
    said = cli.ask("push", run, "me/model")
    assert said.code == 2
    assert said.err.endswith(
        "Do it again to find out whether it has arrived at me/model: nothing is published twice.\n"
    )
    assert set(server.files("me/model")) == {".gitattributes"}


def test_a_repository_whose_making_was_not_answered_is_used(cli, server, run):
    server.faults = [Fault("POST .*/create", late=True)]
    said = cli.ask("push", run, "me/model")
    assert said.code == 2
    assert said.err.endswith("The repository me/model was made and is empty: do it again, and it is used.\n")
    assert cli.ask("push", run, "me/model").code == 0


def test_a_repository_that_somebody_makes_meanwhile_is_used_while_it_is_empty(cli, server, run):
    server.meanwhile = [Meanwhile("POST .*/create", lambda: server.put("me/model", {".gitattributes": b""}))]
    assert cli.ask("push", run, "me/model").code == 0
    server.meanwhile = [Meanwhile("POST .*/create", lambda: server.put("me/secret", {".gitattributes": b""}))]
    said = cli.ask("push", run, "me/secret", "--private")
    assert said.code == 2
    assert "everybody may read it: private has no effect" in said.err


def test_private_is_for_a_new_repository(cli, server, run):
    assert cli.ask("push", run, "me/secret", "--private").code == 0
    assert server.repositories["me/secret"].private
    assert cli.ask("push", run, "me/secret", "--private").code == 0
    server.repositories["me/secret"].private = False
    assert "everybody may read it: private has no effect" in cli.ask("push", run, "me/secret", "--private").err


def test_the_python_interface_gives_the_address(cli, server, run):
    code = (
        f"from pathlib import Path; from hfft.api import Result; print(Result(Path({str(run)!r}), {{}}).push('me/m'))"
    )
    assert cli.run(code).out == f"{server.endpoint}/me/m\n"
