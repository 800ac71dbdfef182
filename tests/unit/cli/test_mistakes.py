"""What the command line says to beginners' mistakes, before anything heavy is imported."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hfft.cli import main
from tests.tiny import write_csv

MISTAKES = {
    "train": r"Missing argument 'RECIPE'",
    "train --epochs 3 r.yaml": r"No such option: --epochs\. .* without dashes: train\.epochs=3$",
    "train r.yaml --lr=3e-5": r"without dashes: optim\.lr=3e-5$",
    "train r.yaml --learning-rate 3e-5": r"without dashes: optim\.lr=3e-5$",
    "train r.yaml --per_device_train_batch_size 8": r"without dashes: train\.batch_size=8$",
    "train r.yaml --output_dir out": r"Here it is --output out\.",
    "train r.yaml --batchsize 8": r"Did you mean 'batch_size'\? Settings .* without dashes",
    "train r.yaml --zzz": r"No such option: --zzz\. hfft train --help tells them",
    "train --data rows.csv": r"takes a recipe, which names the data; hfft init --data rows\.csv writes one",
    "plan rows.csv": r"rows\.csv is a file of data, and no recipe\. hfft init --data rows\.csv writes a recipe for it",
    "plan r.yml": r"There is no recipe r\.yml\. Did you mean 'r\.yaml'",
    "plan nothing/at/all.yaml": r"There is no recipe nothing/at/all\.yaml",
    "plan open.yaml": r"open\.yaml is not valid YAML: expected .* in line 2, column 5 .*which begins in line 1\)\.$",
    "plan tab.yaml": r"tab\.yaml is not valid YAML: found character '\\t' .* in line 2, column 1",
    "plan list.yaml": r"list\.yaml holds list; a recipe is a mapping",
    "plan empty.yaml": r"empty\.yaml holds nothing; a recipe is a mapping",
    "plan r.yaml train.epoch=3": r"train\.epoch is not a known key\. Did you mean 'epochs'",
    "plan r.yaml train.epochs=lots": r"train\.epochs",
    "plan r.yaml epochs=3": r"epochs is not a known key",
    "plan r.yaml train.epochs": r"is not of the form section\.key=value",
    "plan r.yaml data.files.train=row.csv": r"train is 'row\.csv', but there is no file .* mean 'rows\.csv'",
    "plan r.yaml data.root=elsewhere": r"there is no file .*elsewhere/rows\.csv\. There is no folder",
    "train r.yaml --quiet --verbose": r"--quiet and --verbose ask for less and for more",
    "sweep r.yaml": r"There is nothing to try: give a sweep\.space in the recipe, --space FILE, or --set",
    "sweep r.yaml --set optim.lrr=1e-5,1e-4": r"optim\.lrr is not a known key\. Did you mean 'lr'",
    "sweep r.yaml --set optim.lr=log:0..1": r"sweep\.space\.optim\.lr .* begins at 0, which has no logarithm",
    "sweep r.yaml --set optim.lr=1e-5...1e-3": r"'1e-5\.\.\.1e-3' is no range\. Write A\.\.B",
    "sweep r.yaml --set optim.lr": r"--set optim\.lr is not of the form KEY=VALUES",
    "sweep r.yaml --set data.holdout=0.1,0.2": r"data\.holdout cannot be tried: all trials are scored on the same rows",
    "sweep r.yaml --space spaces.yaml": r"There is no file spaces\.yaml with a space\. Did you mean 'space\.yaml'",
    "sweep r.yaml --space space.yaml": r"^Error: space\.yaml, line 1: sweep\.space\.optim\.lr .* is empty",
    "sweep r.yaml --set optim.lr=1,2 --time soon": r"sweep\.time_limit .* 'soon' is no time",
    "sweep r.yaml --set optim.lr=1..2 --method grid": r"a grid has countable values, and optim\.lr is a range",
    "sweep r.yaml --trails 3": r"No such option: --trails\. Possible options: --trials",
    "predict runs/request hello": r"There is no run or model runs/request\. Did you mean 'runs/requests'",
    "predict requests hello": r"There is no run or model requests\. Did you mean 'runs/requests'",
    "evaluate runs/request --data rows.csv": r"Did you mean 'runs/requests'",
    "evaluate runs/requests": r"Missing option '--data'",
    "predict runs/requests --outptu x hello": r"No such option: --outptu\. Possible options: --output",
    "predict runs/requests - more": r"- reads the inputs from standard input",
    "report runs/requests": r"runs/requests",
    "list nowhere": r"There is no folder nowhere\. hfft list DIR",
    "list runs/requests": r"There is no run in runs/requests",
    "tran r.yaml": r"No such command 'tran'",
}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a recipe, data, and what goes wrong in recipes."""
    write_csv(tmp_path / "rows.csv", [{"text": "w1", "label": "good"}])
    (tmp_path / "runs" / "requests").mkdir(parents=True)
    texts = {
        "r.yaml": "task: {name: text-classification}\ndata: {files: {train: rows.csv}}\nmodel: bert\n",
        "open.yaml": "task: {name: text-classification\ndata: [\n",
        "tab.yaml": "task:\n\tname: text-classification\n",
        "list.yaml": "- task\n",
        "space.yaml": "optim.lr: 1..0\n",
        "empty.yaml": "",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


SAYING = """
import contextlib, io, json, sys
from hfft.cli import main
said = {}
for line in json.load(sys.stdin):
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            main(line.split())
    except SystemExit as stop:
        said[line] = [stop.code, out.getvalue(), "torch" in sys.modules]
json.dump(said, sys.stdout)
"""


def test_a_mistake_is_answered_before_anything_heavy_is_imported(desk, project):
    asked = {"input": json.dumps(list(MISTAKES)), "capture_output": True, "text": True, "check": True, "cwd": desk}
    code = f"import sys; sys.path.insert(0, {str(project)!r})\n{SAYING}"
    said: dict[str, Any] = json.loads(subprocess.run([sys.executable, "-c", code], **asked).stdout)
    assert list(said) == list(MISTAKES)
    for line, (code, out, heavy) in said.items():
        assert (code, heavy) == (2, False), f"hfft {line}: {out}"
        assert re.search(MISTAKES[line], out.strip(), re.DOTALL), f"hfft {line}: {out}"
        assert "Traceback" not in out


def test_each_command_has_help_with_two_examples(capsys):
    main_help = told(capsys, "-h")
    names = re.findall(r"^  ([a-z]+) ", main_help.partition("Commands:")[2], re.MULTILINE)
    assert {"init", "plan", "train", "predict", "list"} < set(names)
    for name in names:
        examples = told(capsys, name, "--help").partition("Examples:\n")[2].strip().splitlines()
        assert [line.split()[:2] for line in examples] == [["hfft", name]] * 2
    assert told(capsys, "--version").startswith("hfft 0.")


def told(capsys: Any, *arguments: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    assert not stop.value.code
    return capsys.readouterr().out


def test_runs_are_listed_with_score_time_and_size(capsys, tiny, run_of, desk):
    run = run_of(tiny("text-classification"), "train.epochs=1")
    (desk / "runs" / "broken").mkdir()
    (desk / "runs" / "broken" / "recipe.yaml").write_text("{", encoding="utf-8")
    (desk / "runs" / "several").mkdir()
    (desk / "runs" / "several" / "seed-1").symlink_to(run)
    listed = told(capsys, "list")
    assert "runs/several/seed-1" in listed
    assert re.search(r"test accuracy \d\.\d+", listed)
    assert "cannot be read" in listed
    assert "MiB" in listed


def test_output_auto_takes_the_next_free_name(tiny, desk):
    import hfft

    recipe = {**tiny("text-classification"), "name": "requests"}
    recipe["train"] = {"epochs": None, "steps": 2}
    assert hfft.train(recipe, output="auto", quiet=True).folder == Path("runs/requests-2")
    assert hfft.train(recipe, output="auto", quiet=True).folder == Path("runs/requests-3")
