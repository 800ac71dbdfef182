"""A model's files that cannot be read: what is wrong with them, and what to do."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError
from safetensors import SafetensorError, safe_open
from transformers import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING

from hfft.errors import ModelError, SetupError
from hfft.io.hub_client import PERMISSION, hub_is_reachable

POINTER = b"version https://git-lfs.github.com/spec/"

POINTER_SIZE = 1024  # bytes; a pointer has about 130

OF_OTHERS = (".h5", ".msgpack", ".onnx", ".ot", ".tflite", ".gguf")  # no file of theirs is read


@contextlib.contextmanager
def explained(model: Any) -> Iterator[None]:
    """Turns what transformers raises for a missing or broken model into our errors.

    Args:
        model: A `hfft.models.pretrained.PretrainedSource`, of which name, place and perhaps the configuration are told.
    """
    try:
        yield
    except (ModelError, SetupError):
        raise
    except Exception as error:
        known = (OSError, ValueError, RuntimeError, KeyError, ImportError, EOFError, SafetensorError)
        fault = _fault_in_files(Path(model.place)) if model.is_folder else None
        if fault is not None:
            raise ModelError(f"model '{model.name}': {fault}") from error
        if isinstance(error, pickle.UnpicklingError):
            raise ModelError(
                f"model '{model.name}': its weights are a file of pickle (.bin) that torch refuses to load, because it "
                "holds more than tensors and may run code. Ask for model.safetensors, or, if you trust the file, "
                "load it with torch.load(weights_only=False) and save its tensors with safetensors.torch.save_file."
            ) from error
        if not isinstance(error, known):
            raise
        raise _told(model, error) from error


def _fault_in_files(folder: Path) -> str | None:
    """What is wrong with the files of a model that could not be loaded; None where nothing can be seen."""
    files = [file for file in sorted(folder.iterdir()) if file.is_file() and file.suffix not in OF_OTHERS]
    if any(file.suffix == ".safetensors" for file in files):
        files = [file for file in files if file.suffix != ".bin"]  # then nobody reads these
    for file in files:
        size = file.stat().st_size
        if size <= POINTER_SIZE and file.read_bytes().startswith(POINTER):
            return (
                f"{file} ({size} bytes) is a pointer of Git LFS and not the file itself, as git leaves it where "
                "git-lfs is not installed. Fetch the file: git lfs install, then git lfs pull in that folder."
            )
        if not size and file.suffix in (".safetensors", ".bin", ".json", ".model"):
            return f"{file} is empty. Copy it again."
        fault = _damage(file)
        if fault is not None:
            return f"{file} ({size} bytes) is damaged or cut off: {fault}. Copy it again."
    return None


def _damage(file: Path) -> str | None:
    """What is wrong with a file of weights; None where nothing can be seen, or it is none."""
    if file.suffix == ".bin" and _first_bytes(file) == b"PK" and not is_zipfile(file):
        return "its list of contents is missing"
    if file.suffix == ".safetensors":
        try:
            with safe_open(str(file), framework="pt"):
                return None
        except SafetensorError as error:
            return str(error)
    return None


def _first_bytes(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(2)


def _told(model: Any, error: Exception) -> ModelError | SetupError:
    """The error for what transformers raised."""
    name, message = model.name, " ".join(str(error).split())
    if "trust_remote_code" in message:
        return ModelError(f"model '{name}' brings code of its own. If you trust that code, add --trust.")
    if "timm" in message and isinstance(error, ImportError):
        return ModelError(
            f"model '{name}' is one of timm, which transformers reads with two more packages: pip install timm "
            "torchvision (the torchvision of your torch)."
        )
    if "image processor" in message:
        return ModelError(
            f"model '{name}' has no image processor (preprocessor_config.json). Copy it from the checkpoint that "
            "the model was made of; if it reads texts, give a model that sees."
        )
    if "tiktoken" in message:  # what transformers asks for where it has no sentencepiece, and where nothing is
        if type(model.config) in MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING:
            return ModelError(
                f"model '{name}' has no tokenizer, for it sees images ({model.config.model_type}). Give a model "
                "that reads texts, such as a BERT, or a task of images: image-classification."
            )
        return ModelError(
            f"model '{name}' has no tokenizer that can be read here. If it has a SentencePiece model: pip install "
            "sentencepiece protobuf; if a tiktoken file: pip install tiktoken; if neither, copy tokenizer.json and "
            "tokenizer_config.json from the checkpoint that the model was made of."
        )
    if model.is_folder:
        return ModelError(f"model '{name}': the folder {model.place} cannot be loaded: {message}")
    if isinstance(error, SafetensorError):
        return ModelError(
            f"model '{name}': its weights in the Hub's cache are damaged: {message}. Delete them there (hf cache rm "
            f"model/{name}), so that they are downloaded again."
        )
    if not hub_is_reachable():
        return SetupError(
            f"model is '{name}'. Tried: the folder {Path(name).absolute()}, which does not exist; the Hub's cache, "
            "which does not have it; the Hub, which cannot be reached. Give a local folder, or package://NAME/PATH."
        )
    return ModelError(
        f"model is '{name}'. Tried: the folder {Path(name).absolute()}, which does not exist; the Hub, which "
        f"{_answer_of_hub(error)}"
    )


def _answer_of_hub(error: BaseException) -> str:
    """What the Hub said, from the error of its client that lies under what transformers made of it."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, HfHubHTTPError):
        cause = cause.__cause__ or cause.__context__
    if cause is None or isinstance(cause, (EntryNotFoundError, RevisionNotFoundError)):
        return f"answered: {' '.join(str(error).split())}"
    answer = f"{cause.response.status_code} {cause.response.reason_phrase}"
    if isinstance(cause, RepositoryNotFoundError) or cause.response.status_code in (401, 403):
        return f"has no such model that you may read ({answer}). {PERMISSION}"
    return f"answered: {answer}. Try again later."
