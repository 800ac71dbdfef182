"""The machine a run has: launchers that would train twice are refused, and what is written names nobody."""

from __future__ import annotations

import getpass
import json
import platform
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

from hfft.errors import SetupError
from hfft.workflows.environment import PACKAGES, describe, make_accelerator


def test_one_process_is_made_of_plain_settings():
    accelerator = make_accelerator()
    assert (accelerator.num_processes, accelerator.gradient_accumulation_steps) == (1, 1)


def test_processes_that_know_nothing_of_each_other_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SetupError, match=r"started 2 processes, but Accelerate knows of 1:.*use_cpu: true.*cpu_2proc"):
        make_accelerator()


def test_accumulation_by_accelerate_is_refused(monkeypatch):
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    with pytest.raises(SetupError, match=r"gradient_accumulation_steps is 4\. Leave it at 1.*train.micro_batch_size"):
        make_accelerator()


@pytest.mark.parametrize("kind", ["FSDP", "DEEPSPEED", "MEGATRON_LM"])
def test_sharding_is_refused_on_a_cpu_too(monkeypatch, kind):
    monkeypatch.setenv(f"ACCELERATE_USE_{kind}", "true")
    with pytest.raises(SetupError, match=f"configuration asks for {kind}; hfft trains with distributed_type NO or MUL"):
        make_accelerator()


def test_the_description_is_json_and_says_what_the_numbers_depend_on():
    told = json.loads(json.dumps(describe(Accelerator(cpu=True), seed=3, fingerprints={"train": "ab"})))
    assert told["versions"].keys() == {"python", *PACKAGES}
    assert told["versions"]["python"] == platform.python_version()
    assert (told["processes"], told["threads"], told["seed"]) == (1, torch.get_num_threads(), 3)
    assert told["accelerate"] == {"device": "cpu", "distributed_type": "NO", "mixed_precision": "no"}
    assert told["data"] == {"train": "ab"}
    assert told["trust"] is False
    assert told["processor"]


def test_the_description_names_no_user_host_or_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = describe(Accelerator(cpu=True), seed=0, fingerprints={})
    assert told["git_commit"] is None  # the folder is in no repository
    text = json.dumps({key: value for key, value in told.items() if key not in ("versions", "processor")})
    assert not [word for word in (str(Path.home()), str(tmp_path), platform.node(), getpass.getuser()) if word in text]
