"""Columns that name files: texts, or the structs of bytes and path in which images lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow
import pyarrow.compute


def renamed(values: Any, rename: Callable[[str], str]) -> Any:
    """Replaces the names of files in an arrow array, which may be chunked, and leaves all else as it is.

    Empty names and null stay, and so do names beside bytes: where the bytes are given, no file is opened. An array that
    names no files is returned itself.

    Args:
        values: Texts, structs of `bytes` and `path`, or anything else.
        rename: Gives the new name.
    """
    if isinstance(values, pyarrow.ChunkedArray):
        old = values.chunks
        new = [renamed(chunk, rename) for chunk in old]
        same = all(one is other for one, other in zip(new, old, strict=True))
        return values if same else pyarrow.chunked_array(new, values.type)
    if _is_text(values.type):
        return pyarrow.array([rename(name) if name else name for name in values.to_pylist()], values.type)
    if not _is_file(values.type):
        return values
    compute: Any = pyarrow.compute
    parts = {field.name: compute.struct_field(values, field.name) for field in values.type}
    alone = parts["bytes"].is_null() if "bytes" in parts else pyarrow.array([True] * len(values))
    if not compute.any(compute.and_(alone, parts["path"].is_valid())).as_py():
        return values
    named = zip(parts["path"].to_pylist(), alone.to_pylist(), strict=True)
    names = [rename(name) if name and is_alone else name for name, is_alone in named]
    parts["path"] = pyarrow.array(names, parts["path"].type)
    return pyarrow.StructArray.from_arrays(list(parts.values()), fields=list(values.type), mask=values.is_null())


def _is_text(kind: Any) -> bool:
    return pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)


def _is_file(kind: Any) -> bool:
    if not pyarrow.types.is_struct(kind):
        return False
    kinds = {field.name: field.type for field in kind}
    return "path" in kinds and kinds.keys() <= {"bytes", "path"} and _is_text(kinds["path"])
