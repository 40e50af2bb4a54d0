"""The forms that samples are exported in: JSON Lines, CSV and Parquet."""

from collections.abc import Callable, Mapping
from typing import IO, Any, Protocol

import msgspec

from otgate.cli.spool.rows import VALUE_TYPES, Row, as_json, plain, spelled
from otgate.config.csv_rows import Rows
from otgate.errors import Refused

GROUP = 1 << 16
"""Rows of Parquet that are written together."""
NEEDED = "Parquet needs the package pyarrow: pip install 'otgate[parquet]'"


class Writer(Protocol):
    """Takes rows."""

    def write(self, row: Row) -> None:
        """Write one."""

    def close(self) -> None:
        """Write what is left; the stream stays open."""


class JsonLines:
    """A JSON object a line, without what is empty."""

    def __init__(self, stream: IO[Any]) -> None:
        self._stream = stream
        self._encode = msgspec.json.Encoder().encode

    def write(self, row: Row) -> None:
        """Write one."""
        self._stream.write(self._encode(as_json(row)).decode() + "\n")

    def close(self) -> None:
        """Do nothing: every line is whole."""


class Csv:
    """A line of column names, then a line for each row; what is empty stays so."""

    def __init__(self, stream: IO[Any]) -> None:
        self._rows = Rows(stream)
        self._rows.write(Row._fields)

    def write(self, row: Row) -> None:
        """Write one."""
        told = row._asdict()
        value = plain(row.v)
        told["v"] = None if value is None else spelled(value)
        told["q"] = " ".join(row.q or ())
        self._rows.write(told.values())

    def close(self) -> None:
        """Do nothing: every line is whole."""


class Parquet:
    """Columns; the value stands in the one of its type, ``v_f64`` to ``v_text``."""

    def __init__(self, stream: IO[Any]) -> None:
        try:
            import pyarrow as pa  # noqa: PLC0415  optional
            from pyarrow import parquet  # noqa: PLC0415
        except ImportError as error:
            raise Refused(NEEDED) from error
        self._pa = pa
        self._schema = schema(pa)
        self._file = parquet.ParquetWriter(stream, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def write(self, row: Row) -> None:
        """Write one."""
        told = row._asdict()
        value = told.pop("v")
        if row.type is not None:
            told[f"v_{row.type}"] = value
        told["q"] = None if row.q is None else " ".join(row.q)
        self._rows.append(told)
        if len(self._rows) == GROUP:
            self._flush()

    def close(self) -> None:
        """Write what is left, and what makes the file readable."""
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        self._file.write_table(self._pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows = []


def schema(pa: Any) -> Any:
    """Return the columns of `Row` as Parquet has them."""
    moment, text, number = pa.timestamp("us", tz="UTC"), pa.string(), pa.uint64()
    special = {"seq": number, "samples": number}
    values = dict(
        zip(VALUE_TYPES, (pa.float64(), pa.int64(), number, pa.bool_(), text), strict=True)
    )
    columns: list[tuple[str, Any]] = []
    for name in Row._fields:
        if name == "v":
            columns += [(f"v_{kind}", type_) for kind, type_ in values.items()]
        else:
            columns.append((name, moment if name.endswith("_us") else special.get(name, text)))
    return pa.schema(columns)


FORMS: Mapping[str, Callable[[IO[Any]], Writer]] = {
    "jsonl": JsonLines,
    "csv": Csv,
    "parquet": Parquet,
}
