"""The machine a run has: the accelerator it uses, and what environment.json says of it."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, InitProcessGroupKwargs

from hfft.errors import SetupError
from hfft.training.processes import TOGETHER, meet

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h

TAKEN = "hfft trains with distributed_type NO or MULTI_GPU (and kin) so far"

PACKAGES = ("hfft", "torch", "transformers", "accelerate", "datasets", "peft", "safetensors", "tokenizers", "numpy")


def make_accelerator(given: Accelerator | None = None) -> Accelerator:
    """Gives the Accelerator that the launcher's settings ask for; on the CPU where there is no other device.

    Args:
        given: One to take instead.

    Raises:
        SetupError: Processes that know nothing of each other, accumulation by Accelerate itself, or sharded weights.
    """
    _refuse_sharding()
    patience = InitProcessGroupKwargs(timeout=TOGETHER)
    accelerator = given or Accelerator(cpu=not torch.accelerator.is_available(), kwargs_handlers=[patience])
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if started != accelerator.num_processes:
        raise SetupError(
            f"The launcher started {started} processes, but Accelerate knows of {accelerator.num_processes}: each "
            "would train alone and overwrite the others. For several CPU processes use a config with "
            "'distributed_type: MULTI_GPU' and 'use_cpu: true' (accelerate_configs/cpu_2proc.yaml)."
        )
    if accelerator.gradient_accumulation_steps != 1:
        raise SetupError(
            f"Accelerate's gradient_accumulation_steps is {accelerator.gradient_accumulation_steps}. Leave it at 1: "
            "hfft derives accumulation from train.batch_size and train.micro_batch_size."
        )
    kind = accelerator.distributed_type.value
    if kind != "NO" and not kind.startswith("MULTI_"):
        raise SetupError(f"Accelerate's distributed_type is {kind}; {TAKEN}.")
    meet(accelerator)
    return accelerator


def _refuse_sharding() -> None:
    """On a CPU Accelerate takes no notice of these, but transformers would load half of a model only."""
    for kind in ("FSDP", "DEEPSPEED", "MEGATRON_LM"):
        if os.environ.get(f"ACCELERATE_USE_{kind}", "false").lower() in ("true", "1"):
            raise SetupError(f"Accelerate's configuration asks for {kind}; {TAKEN}.")


def precision_warnings(accelerator: Accelerator) -> list[str]:
    """Warns where the CPU has no instructions for bfloat16: there a matrix product took 30 times that of float32."""
    slow = accelerator.device.type == "cpu" and accelerator.mixed_precision == "bf16"
    if not slow or not torch.backends.mkldnn.is_available() or torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return []
    return ["This CPU has no instructions for bfloat16: mixed_precision 'bf16' is many times slower here than 'no'."]


def require_compiler() -> None:
    """Raises SetupError where there is no C++ compiler, which torch.compile calls."""
    names = [os.environ["CXX"]] if "CXX" in os.environ else ["g++", "clang++", "c++", "cl"]
    if not any(map(shutil.which, names)):
        raise SetupError(
            f"train.compile needs a C++ compiler, and there is none here ({', '.join(names)}): install one (apt-get "
            "install g++), or leave train.compile out."
        )


def keep_freed_memory() -> None:
    """Tells glibc's allocator to keep memory that is freed, for what is allocated next. Once for the whole process.

    A training step frees and allocates the same large tensors again and again: the gradient of a vocabulary alone has
    tens of MB. By default each goes back to the system and comes again page by page, zeroed (measured: 14 % of a step
    of a 22M-parameter encoder on two cores, in bfloat16; the peak of memory stayed the same). Elsewhere than on
    glibc this does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, -1)


def describe(
    accelerator: Accelerator,
    seed: int,
    fingerprints: dict[str, str],
    trust: bool = False,
    origin: dict[str, str] | None = None,
) -> dict[str, Any]:
    """What environment.json holds. Nothing in it names a user, a host or a path.

    Args:
        accelerator: The run's.
        seed: The run's.
        fingerprints: SHA-256 of the rows of each split.
        trust: Whether code that the recipe names or the model brings was allowed to run.
        origin: What the files of the pretrained model are known by.
    """
    return {
        "versions": versions(),
        "platform": platform.platform(),
        "processor": _processor(),
        "devices": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "processes": accelerator.num_processes,
        "threads": torch.get_num_threads(),
        "accelerate": {
            "device": accelerator.device.type,
            "distributed_type": accelerator.distributed_type.value,
            "mixed_precision": accelerator.mixed_precision,
        },
        "seed": seed,
        "trust": trust,
        "git_commit": _git_commit(),
        "data": fingerprints,
        **({"base": origin} if origin else {}),
    }


def versions() -> dict[str, str]:
    """The versions of Python and of what hfft stands on."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _git_commit() -> str | None:
    try:
        command = ["git", "rev-parse", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
