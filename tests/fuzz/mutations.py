"""Recipes and files as people would never write them, drawn by hypothesis."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pyarrow
import pyarrow.parquet
import yaml
from hypothesis import strategies as st

WORDS = [
    *(
        "auto",
        "all",
        "none",
        "null",
        "yes",
        "off",
        "1e-3",
        "3e-5",
        "50%",
        "-1",
        "0",
        "1",
        "2",
        ".inf",
        ".nan",
        "2026-01-01",
    ),
    *(
        "train",
        "train[:3]",
        "train[5:2]",
        "eval",
        "test",
        "text",
        "label",
        "accuracy",
        "mcc",
        "loss",
        "[PAD]",
        "[0]",
        "{}",
    ),
    *("~", "'", '"', "é", "e\u0301", "\u200b", "名", "\x00", chr(0xD83D), "../x", "a:b", "os:system", "package://x/y"),
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 40),
    st.sampled_from([10**9, 10**18, 2**63, -(2**70), 0.5, -0.0, 1e-300, 1e300, float("inf"), float("nan")]),
    st.floats(0, 2),
    st.sampled_from(WORDS),
    st.text(max_size=8),
)
VALUES = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=3),
    st.dictionaries(st.one_of(st.sampled_from(WORDS), SCALARS), SCALARS, max_size=2),
)


KINDS = {
    "null": st.none(),
    "boolean": st.booleans(),
    "integer": st.integers(0, 12),
    "number": st.one_of(st.floats(0, 1), st.integers(0, 12)),
    "string": st.sampled_from(
        ["text", "label", "train", "eval", "test", "accuracy", "source", "target", "tokens", "a"]
    ),
    "array": st.lists(st.sampled_from(["text", "label", "good", "bad", 0, 1, 2]), min_size=1, max_size=3),
    "object": st.just({}),
}


def settings_of_schema(schema: dict[str, Any], prefix: str = "") -> dict[str, st.SearchStrategy[Any]]:
    """The settings of a JSON schema by their dotted key, those of its sections included, each with values that fit."""

    def inside(part: dict[str, Any], prefix: str) -> dict[str, st.SearchStrategy[Any]]:
        found: dict[str, st.SearchStrategy[Any]] = {}
        for name, told in part.get("properties", {}).items():
            options = [_resolved(option, schema) for option in told.get("anyOf", told.get("oneOf", [told]))]
            fitting = [_fitting(option) for option in options]
            found[f"{prefix}{name}"] = st.one_of(*fitting)
            for option in options:
                found |= inside(option, f"{prefix}{name}.")
        return found

    return inside(schema, prefix)


def _resolved(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    return schema["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part


def _fitting(option: dict[str, Any]) -> st.SearchStrategy[Any]:
    chosen = option.get("enum", [option["const"]] if "const" in option else [])
    return st.sampled_from(chosen) if chosen else KINDS[option.get("type", "string")]


@st.composite
def recipes(draw: st.DrawFn, recipe: dict[str, Any], settings: dict[str, st.SearchStrategy[Any]]) -> bytes:
    """A recipe with one to three things changed: a setting, its name, or the text of the file itself."""
    changed = json.loads(json.dumps(recipe))
    for _ in range(draw(st.integers(1, 3))):
        setting = draw(st.sampled_from(sorted(settings)))
        *sections, key = setting.split(".")
        place = changed
        for name in sections:
            inner = place.get(name)
            place[name] = place = dict(inner) if isinstance(inner, dict) else {}
        how = draw(st.sampled_from(["fitting", "fitting", "fitting", "fitting", "any", "drop", "misspell"]))
        if how in ("fitting", "any"):
            place[key] = draw(VALUES if how == "any" else settings[setting])
        else:
            value = place.pop(key, None)
            if how == "misspell":
                place[draw(st.sampled_from([key + "s", key[:-1], key.upper(), key.replace("_", "-")]))] = value
    try:
        text = yaml.safe_dump(changed, sort_keys=False, allow_unicode=True).encode("utf-8", "surrogatepass")
    except yaml.YAMLError:
        text = json.dumps(changed).encode()
    return draw(garbled(text)) if draw(st.integers(0, 7)) == 0 else text


SNIPPETS = [
    *(
        b'"',
        b"'",
        b",",
        b";",
        b"\t",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\x00",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\x92",
        b"\xe9",
    ),
    *(b"{", b"}", b"[", b"]", b":", b"- ", b"#", b"&a ", b"*a", b"|", b"\\", b"\\ud83d", b"\\n", b"NaN", b"Infinity"),
    *(b"null", b"true", b"-1", b"1e999", b"9" * 40, b"3,5", b"[" * 3000, b'{"a":' * 600, b'"text": "x", ', b"</s>"),
    *("é".encode(), "e\u0301".encode(), "\u2028".encode(), "\ufeff".encode(), "名".encode(), b"\xed\xa0\xbd"),
]


@st.composite
def garbled(draw: st.DrawFn, content: bytes, changes: int = 3) -> bytes:
    """Bytes with a few places changed: bits, snippets, lines, the end."""
    for _ in range(draw(st.integers(1, changes))):
        place = draw(st.integers(0, max(len(content) - 1, 0)))
        how = draw(
            st.sampled_from(["snippet", "snippet", "byte", "cut", "end", "line twice", "no line", "lines swapped"])
        )
        if how == "snippet":
            content = content[:place] + draw(st.sampled_from(SNIPPETS)) + content[place:]
        elif how == "byte":
            content = content[:place] + bytes([draw(st.integers(0, 255))]) + content[place + 1 :]
        elif how == "cut":
            content = content[:place] + content[place + draw(st.integers(1, 40)) :]
        elif how == "end":
            content = content[:place]
        else:
            lines = content.splitlines(keepends=True) or [b""]
            first, second = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
            if how == "line twice":
                lines.insert(second, lines[first])
            elif how == "no line":
                del lines[first]
            else:
                lines[first], lines[second] = lines[second], lines[first]
            content = b"".join(lines)
    return content


def as_csv(rows: list[dict[str, Any]], delimiter: str = ",") -> bytes:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, rows[0], delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode("utf-8", "surrogatepass")


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    return table_bytes(pyarrow.Table.from_pylist(rows))


def table_bytes(table: pyarrow.Table) -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(table, file)
    return file.getvalue()


FORMATS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "csv": as_csv,
    "tsv": lambda rows: as_csv(rows, "\t"),
    "json": lambda rows: json.dumps(rows).encode(),
    "jsonl": lambda rows: "".join(json.dumps(row) + "\n" for row in rows).encode(),
    "parquet": as_parquet,
    "txt": lambda rows: "".join(f"{row['text']}\n" for row in rows).encode(),
}
CELLS = st.one_of(
    SCALARS, st.sampled_from(["good", "bad", "Good", "good ", "['a', 'b']", "a|b", "3,5", "12.5.2026", ""])
)
TYPES = [
    *(pyarrow.int8(), pyarrow.uint64(), pyarrow.float16(), pyarrow.float64(), pyarrow.bool_(), pyarrow.binary()),
    *(pyarrow.decimal128(12, 2), pyarrow.date32(), pyarrow.timestamp("ns"), pyarrow.large_string(), pyarrow.null()),
    *(pyarrow.list_(pyarrow.int64()), pyarrow.dictionary(pyarrow.int8(), pyarrow.string()), pyarrow.duration("s")),
    *(pyarrow.struct({"a": pyarrow.int32()}), pyarrow.time32("s"), pyarrow.large_list(pyarrow.float32())),
]


@st.composite
def files(draw: st.DrawFn, kind: str, rows: list[dict[str, Any]]) -> bytes:
    """A file of rows some of whose cells are odd, or whose bytes are; of parquet also one with odd types."""
    how = draw(st.sampled_from(["bytes", "cells", "column", "both"]))
    rows = [dict(row) for row in rows]
    column = draw(st.sampled_from(["text", "label", "more"]))
    if how in ("cells", "both"):
        for _ in range(draw(st.integers(1, 4))):
            draw(st.sampled_from(rows))[column] = draw(CELLS)
    if how == "column":
        values = draw(st.lists(CELLS, min_size=2, max_size=4))
        for number, row in enumerate(rows):
            row[column] = values[number % len(values)]
    try:
        content = FORMATS[kind](rows)
    except (pyarrow.ArrowException, UnicodeError, OverflowError, TypeError):  # no parquet file holds such
        table = pyarrow.Table.from_pylist([{"text": str(row["text"])[:0] + "a", "label": "b"} for row in rows])
        odd = pyarrow.array([None] * len(rows)).cast(draw(st.sampled_from(TYPES)), safe=False)
        content = table_bytes(table.set_column(0, draw(st.sampled_from(["text", "label", "more"])), odd))
    return draw(garbled(content)) if how in ("bytes", "both") else content
