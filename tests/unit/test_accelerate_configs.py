"""The shipped Accelerate configs say on which machine, in keys that Accelerate knows, and nothing of what to learn."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file

from hfft.recipe import Recipe

FOLDER = Path(__file__).resolve().parents[2] / "accelerate_configs"
# machines, processes, precision, on the CPU
SAID = {
    "cpu": (1, 1, "no", True),
    "cpu_2proc": (1, 2, "no", True),
    "cpu_bf16": (1, 1, "bf16", True),
    "ddp_2gpu": (1, 2, "bf16", False),
    "ddp_8gpu": (1, 8, "bf16", False),
    "gpu_bf16": (1, 1, "bf16", False),
    "multi_node": (2, 16, "bf16", False),
}


def test_every_config_is_known_here():
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(SAID)


@pytest.mark.parametrize("name", SAID)
def test_accelerate_reads_what_the_file_says(name):
    config = load_config_from_file(str(FOLDER / f"{name}.yaml"))  # refuses keys it does not know
    assert isinstance(config, ClusterConfig)
    assert (config.num_machines, config.num_processes, config.mixed_precision, config.use_cpu) == SAID[name]
    assert config.distributed_type == ("NO" if config.num_processes == 1 else "MULTI_GPU")
    assert (config.main_process_ip is not None) == (config.num_machines > 1)


@pytest.mark.parametrize("name", SAID)
def test_the_file_says_what_it_is_for_and_no_setting_has_two_homes(name):
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert f"accelerate_configs/{name}.yaml " in text
    settings = {
        key for section in Recipe.model_json_schema()["$defs"].values() for key in section.get("properties", {})
    }
    assert not settings & set(yaml.safe_load(text))
