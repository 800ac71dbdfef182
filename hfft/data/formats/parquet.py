"""Tables in parquet files."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
from datasets import Dataset, Features
from datasets.exceptions import DatasetGenerationError

from hfft.data.checks import undecoded
from hfft.data.table import Table, require_unlike
from hfft.errors import DataError

VIEWS = {pyarrow.string_view(): pyarrow.large_string(), pyarrow.binary_view(): pyarrow.large_binary()}


def read_parquet(path: Path) -> Table:
    """Reads a file with the types that it names. Columns of types that `datasets` does not know are left out.

    Raises:
        DataError: It is broken, names a column twice, or no column can be read.
    """
    with _broken(path):
        schema = pyarrow.parquet.read_schema(path)  # datasets would print the traceback of a broken file
        if all(map(_is_known, schema)) and len(set(schema.names)) == len(schema):
            rows: Any = Dataset.from_parquet(glob.escape(str(path)))
            rows.data.table.validate(full=True)
            return Table(undecoded(rows))
        return _known(path, pyarrow.parquet.read_table(path))


def first_of_parquet(path: Path, count: int) -> tuple[Table, int]:
    """Reads the first rows of a file, and says how many there are.

    Raises:
        DataError: As `read_parquet`.
    """
    with _broken(path), pyarrow.parquet.ParquetFile(path) as file:
        batches = [next(file.iter_batches(count), None)]
        table = pyarrow.Table.from_batches([batch for batch in batches if batch is not None], file.schema_arrow)
        return _known(path, table), file.metadata.num_rows


def _known(path: Path, table: pyarrow.Table) -> Table:
    plain = [field.with_type(VIEWS.get(field.type, field.type)) for field in table.schema]
    table = table.cast(pyarrow.schema(plain, table.schema.metadata))
    require_unlike(table.column_names, str(path))
    left_out = {
        field.name: f"{path}: the column '{field.name}' is of the type {field.type}, which cannot be read."
        for field in table.schema
        if not _is_known(field)
    }
    if left_out and len(left_out) == table.num_columns:
        raise DataError(next(iter(left_out.values())))
    table.validate(full=True)
    kept = table.drop_columns(list(left_out))
    return Table(undecoded(Dataset(kept.replace_schema_metadata(None) if left_out else kept)), left_out)


def _is_known(field: pyarrow.Field) -> bool:
    try:
        Features.from_arrow_schema(pyarrow.schema([field]))
    except ValueError:
        return False
    return "_view" not in str(field.type)  # datasets knows them, and pyarrow cannot select their rows


@contextmanager
def _broken(path: Path) -> Iterator[None]:
    """Makes one error of all that a broken file can raise."""
    try:
        yield
    except DataError:
        raise
    except (pyarrow.ArrowException, DatasetGenerationError, ValueError, TypeError, KeyError) as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise DataError(f"{path} is not a readable parquet file: {reason[:300]}.") from error
