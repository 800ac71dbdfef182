"""A name for the weights that a run starts from, which depends on what is in their files alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hfft.io.run_folder import sha256
from hfft.models.encoder_decoder import EncoderDecoder
from hfft.models.pretrained import Pretrained, PretrainedSource

SETTINGS = (".json", ".txt", ".model", ".spm", ".tiktoken", ".jinja", ".py")  # of model, tokenizer and processor

WEIGHTS = (".safetensors", ".bin")  # of which transformers takes the first that are there

WHOLE = 2**26  # bytes; of larger files, samples are read

SAMPLES, PIECE = 256, 2**14  # so many, of so many bytes


def origin_of(pretrained: Pretrained) -> dict[str, str]:
    """What is known of the files of a pretrained model: a digest of each, or the commit of the Hub they are of.

    A file above 64 MiB is known by its size, its first MiB and 256 pieces of 16 KiB spread over it: weights that were
    trained on differ in each of them, and a hash of all of it would take minutes where a model has many GB.
    """
    if isinstance(pretrained, EncoderDecoder):
        sides = {"encoder": pretrained.encoder, "decoder": pretrained.decoder}
        return {f"{side}/{name}": told for side, part in sides.items() for name, told in origin_of(part).items()}
    assert isinstance(pretrained, PretrainedSource)
    if not pretrained.is_folder:
        commit = getattr(pretrained.config, "_commit_hash", None)
        return {} if commit is None else {"commit": commit}
    files = [file for file in sorted(Path(pretrained.place).iterdir()) if file.is_file()]
    weights = next((kind for kind in WEIGHTS if any(file.suffix == kind for file in files)), None)
    kinds = (*SETTINGS, None if pretrained.from_scratch else weights)
    return {file.name: digest(file) for file in files if file.suffix in kinds}


def digest(file: Path, whole: int = WHOLE) -> str:
    """A hash of a file, or where it is larger than `whole` bytes, of its size and pieces of it."""
    size = file.stat().st_size
    if size <= whole:
        return sha256(file)
    found = hashlib.sha256(str(size).encode())
    with open(file, "rb") as opened:
        found.update(opened.read(2**20))  # names and shapes of safetensors
        for number in range(SAMPLES):
            opened.seek((size - PIECE) * number // (SAMPLES - 1))
            found.update(opened.read(PIECE))
    return f"samples {found.hexdigest()}"
