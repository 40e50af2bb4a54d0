"""The form of a mapping: how the columns of somebody's table become those of a point map."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from otgate.config.columns import COLUMNS
from otgate.config.forms import Entry, Name, Version, wrong
from otgate.config.nearest import did_you_mean
from otgate.config.site_file import DEFAULT_SCANS, Scans

INSERT = re.compile(r"\{([^{}]+)\}")
"""A column of the table within a text: ``hr {Register}``."""

Word = str | int | float | bool


class Written(Entry):
    """What a column of the point map says, where it is more than one column of the table."""

    column: Annotated[Name | None, Field(examples=["Register"])] = None
    """A column of the table, by its name or as `#C`."""
    write: Annotated[Name | None, Field(examples=["hr {Register}"])] = None
    """A text with columns of the table in it: `hr {Register}`."""
    value: Annotated[Word | None, Field(examples=["measurement"])] = None
    """The same for every point."""

    @model_validator(mode="after")
    def _one(self) -> "Written":
        given = [one for one in (self.column, self.write, self.value) if one is not None]
        if len(given) != 1:
            raise wrong(
                "wrong-value",
                "this says no cell, or more than one",
                "write one of `column`, `write` and `value`",
            )
        return self

    @property
    def sources(self) -> list[str]:
        """The columns of the table that it is made of."""
        if self.column is not None:
            return [self.column]
        return INSERT.findall(self.write or "")


def _spelled(given: Any) -> Any:
    """Read a bare text as a column, or where it has braces as a text to be written."""
    if isinstance(given, str):
        return {"write" if INSERT.search(given) else "column": given}
    return given


class Cells(Entry):
    """How the cells of one column of the table are read."""

    words: dict[Name, Word] = Field(default_factory=dict, examples=[{"INT16": "i16"}])
    """What a cell means: `{INT16: i16}`; others stay as they are."""
    add: float = 0.0
    """Added to a number: -40001 makes addresses of register numbers."""
    inverse: bool = False
    """Whether a number is divided into 1: a divisor of 10 is a scale of 0.1."""


def _known_column(name: str) -> str:
    if name not in COLUMNS:
        raise wrong(
            "unknown-column",
            f"a point map has no column `{name}`",
            did_you_mean(name, COLUMNS, otherwise="columns"),
        )
    return name


Spelled = Annotated[Written, BeforeValidator(_spelled, json_schema_input_type=str | Written)]
Column = Annotated[str, AfterValidator(_known_column)]


class MappingFile(Entry):
    """A mapping: `otgate import table FILE --mapping mapping.yaml`."""

    config_version: Version
    """The format of this file: 1."""
    sheet: Annotated[Name | None, Field(examples=["Points"])] = None
    """Of a workbook; the first that is to be seen when left out."""
    header: Annotated[Annotated[int, Field(ge=1, le=1000)] | None, Field(examples=[2])] = None
    """The row with the names of the columns; the first one when left out."""
    decimal: Annotated[Literal[".", ","] | None, Field(examples=[","])] = None
    """How the table writes numbers; `,` where `;` stands between its cells."""
    driver: Annotated[Name | None, Field(examples=["modbus"])] = None
    """The field protocol of its devices."""
    device: Annotated[Spelled | None, Field(examples=["RTU"])] = None
    """Which device a row is of; all of one when left out."""
    settings: dict[str, Any] = Field(
        default_factory=dict, examples=[{"url": "tcp://10.0.0.5", "base": 40001}]
    )
    """The driver's block of each device entry."""
    each: dict[Name, Spelled] = Field(default_factory=dict, examples=[{"unit": "Slave"}])
    """By key of the driver's block: what a device's first row says, `{unit: Slave}`."""
    scans: Scans = DEFAULT_SCANS
    """Scan classes: name and period in seconds."""
    columns: Annotated[
        dict[Column, Spelled],
        Field(min_length=1, examples=[{"id": "Tag", "address": "hr {Register}"}]),
    ]
    """By column of the point map: a column of the table, a text, or a value."""
    cells: dict[Name, Cells] = Field(
        default_factory=dict, examples=[{"Type": {"words": {"INT16": "i16"}}}]
    )
    """By column of the table: how its cells are read."""
    skip: dict[Name, list[Word]] = Field(
        default_factory=dict, examples=[{"Status": ["spare", "unused"]}]
    )
    """By column of the table: words of rows that are no points."""
