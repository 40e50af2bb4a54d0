"""An inventory: a CSV with a row per site, whose columns are the parameters of a site template."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from otgate.config.columns import CODE, NUMBER, TRUTHS
from otgate.config.diagnostic import Diagnostics, Place
from otgate.config.nearest import did_you_mean
from otgate.config.source import Source
from otgate.config.table import Row, Table, table_of
from otgate.config.template import asked_for, wrong_with
from otgate.config.template_file import ParameterEntry

SITE = "site"
"""The column that names a site, and its folder."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One site of an inventory."""

    name: str
    values: Mapping[str, Any]
    line: int


def read_inventory(
    source: Source, parameters: Mapping[str, ParameterEntry], found: Diagnostics
) -> list[Listed]:
    """Return the sites of an inventory that are right, having said what is wrong."""
    table = table_of(source)
    rows = table.rows(found)
    head = next(rows, None)
    if head is None:
        found.say("empty-file", source.place(1, 1), f"`{source.name}` is empty", "one row per site")
        return []
    header = [name.strip() for name in head.cells]
    before = found.errors
    check_header(header, head, table, parameters, found)
    if found.errors > before:
        return []
    return list(Reading(table, header, parameters, found).read(rows))


def check_header(
    header: Sequence[str],
    head: Row,
    table: Table,
    parameters: Mapping[str, ParameterEntry],
    found: Diagnostics,
) -> None:
    """Hold the columns against the parameters of the template."""
    for number, name in enumerate(header):
        place = table.place(head.line, number)
        if name not in parameters:
            help_ = did_you_mean(name, parameters, otherwise="it has")
            found.say("unknown-column", place, f"the template has no parameter `{name}`", help_)
        elif name in header[:number]:
            found.say("duplicate-column", place, f"column `{name}` is given twice", "delete one")
    for name, parameter in parameters.items():
        if name not in header and parameter.default is None:
            place = table.source.place(head.line, 1)
            message = f"missing column `{name}`"
            found.say("missing-column", place, message, asked_for(parameter))


class Reading:
    """One pass over the rows of an inventory."""

    def __init__(
        self,
        table: Table,
        header: Sequence[str],
        parameters: Mapping[str, ParameterEntry],
        found: Diagnostics,
    ) -> None:
        self.table = table
        self.header = header
        self.parameters = parameters
        self.found = found
        self.lines: dict[str, int] = {}

    def read(self, rows: Iterator[Row]) -> Iterator[Listed]:
        """Yield each row that has no mistake."""
        for row in rows:
            before = self.found.errors
            if len(row.cells) != len(self.header):
                place = self.table.place(row.line, len(row.cells) - 1)
                message = f"{len(row.cells)} cells, but the header has {len(self.header)}"
                self.found.say("ragged-row", place, message, "empty cells count too")
                continue
            values: dict[str, Any] = {name: one.default for name, one in self.parameters.items()}
            for number, name in enumerate(self.header):
                self.take(
                    name, row.cells[number].strip(), self.table.place(row.line, number), values
                )
            self.identify(values[SITE], row)
            if self.found.errors == before:
                yield Listed(str(values[SITE]), values, row.line)

    def take(self, name: str, cell: str, place: Place, values: dict[str, Any]) -> None:
        """Take the value of a cell, or say what is wrong with it."""
        parameter = self.parameters[name]
        if not cell:
            if parameter.default is None:
                message = f"a site needs its `{name}`"
                self.found.say("missing-cell", place, message, asked_for(parameter))
            return
        values[name] = value = typed(cell, parameter, self.table.delimiter)
        for code, message, help_ in wrong_with(parameter, value):
            self.found.say(code, place, f"`{name}`: {message}", help_ or asked_for(parameter))

    def identify(self, name: Any, row: Row) -> None:
        """Refuse a second site of the same name."""
        first = self.lines.setdefault(name, row.line)
        if first != row.line and name:
            place = self.table.place(row.line, self.header.index(SITE))
            help_ = f"it is first listed on line {first}"
            self.found.say("duplicate-id", place, f"site `{name}` is listed twice", help_)


def typed(cell: str, parameter: ParameterEntry, delimiter: str) -> Any:
    """Return what a cell says to a parameter of its type; the text where it says nothing."""
    if parameter.type == "boolean":
        return TRUTHS.get(cell.lower(), cell)
    if parameter.type == "integer":
        return int(cell) if CODE.fullmatch(cell) else cell
    if parameter.type == "number":
        plain = cell.replace(",", ".", 1) if delimiter == ";" else cell
        return float(plain) if NUMBER.fullmatch(plain) else cell
    return cell
