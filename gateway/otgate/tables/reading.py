"""The rows of one device, read as its point map and planned by its driver."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from otgate.config.diagnostic import Diagnostics, Place, Severity
from otgate.config.guard import guarded
from otgate.config.point_map import Ground, PointMap, read_table
from otgate.config.render import counted
from otgate.config.source import Source
from otgate.config.table import Row, Table
from otgate.driver import Driver, Exemplary
from otgate.errors import Mistakes
from otgate.foreign.names import Ids, one_line, quoted
from otgate.foreign.sheet import Sheet
from otgate.importer import ImportedDevice, Remark
from otgate.model import Device, Kind, Point
from otgate.tables.translation import Translated, Translation

MOST_REMARKS = 1000
DEFAULTED = ("sensitivity", "max_age_s")
"""Columns whose plainest value is another than that of a site's defaults: bcsi, never stale."""

WHOLE = re.compile("[0-9]{1,9}")
ALWAYS = ("id", "kind", "address")


class Report:
    """What is said of a table, at its cells."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self._said: dict[Remark, None] = {Remark(text): None for text in sheet.remarks}
        self._more = 0

    def say(self, row: int | None, text: str, column: int | None = None) -> None:
        """Say something of a row or a cell, or of the whole."""
        self.say_at("" if row is None else self.sheet.place(row, column), text)

    def say_at(self, place: str, text: str) -> None:
        """Say something at a place."""
        if len(self._said) < MOST_REMARKS:
            self._said[Remark(text, place=place)] = None
        else:
            self._more += 1

    def remarks(self) -> Sequence[Remark]:
        """Return everything that was said."""
        more = [Remark(f"{self._more:,} more remarks are not listed")] if self._more else []
        return [*self._said, *more]


class DeviceTable(Table):
    """The rows of one device as the table of a point map; places are the original's."""

    def __init__(self, device_id: str, translation: Translation, report: Report) -> None:
        super().__init__(Source(device_id, ""), ";" if translation.comma else ",")
        self.id = device_id
        self.translation = translation
        self.report = report
        self.taken: list[Translated] = []
        self.left_out: Counter[str] = Counter()
        self.ids = Ids()
        self.first: dict[str, int] = {}
        """The row in which a name of that id stood first."""
        self.header = list(dict.fromkeys((*ALWAYS, *translation.columns)))

    def take(self, made: Translated) -> None:
        """Take one row, or say why it is left out."""
        for column, why in made.lost:
            self.report.say(made.row.number, why, column)
        if made.hopeless:
            self.left_out["a cell that could not be used"] += 1
        elif not made.cells.get("address"):
            self.left_out["no address"] += 1
            self.report.say(made.row.number, "left out: it says no address")
        else:
            self.identify(made)
            self.classify(made)
            self.taken.append(made)

    def identify(self, made: Translated) -> None:
        """Make the id one that a point can have; the original stays beside it."""
        cells, row = made.cells, made.row.number
        original = one_line(cells.get("id") or cells.get("name") or cells["address"])
        cells["id"] = self.ids.give(original)
        first = self.first.setdefault(Ids().give(original), row)
        if first != row:
            text = f"{quoted(original)} stands in row {first} too: here it became `{cells['id']}`"
            self.report.say(row, text)
        if cells["id"] != original:
            for name in ("name", "external_id"):
                if not cells.get(name):
                    cells[name] = original[:200]
                    if name not in self.header:
                        self.header.append(name)

    def classify(self, made: Translated) -> None:
        """Give a point a kind where the table says none."""
        if made.cells.get("kind"):
            return
        made.cells["kind"] = str(kind_of(made.cells.get("type", "")))
        if "kind" not in self.translation.columns:
            text = "the mapping says no `kind`: bits became statuses, texts texts, all else"
            self.report.say(None, f"{text} measurements; counters need to be named")

    def rows(self, found: Diagnostics) -> Iterator[Row]:  # noqa: ARG002  quoting is not of this table
        """Yield the header, then the rows by their places in ``taken``."""
        yield Row(self.header, 0, 0)
        for line, made in enumerate(self.taken, 1):
            cells = [guarded(made.cells.get(name, "")) for name in self.header]
            yield Row(cells, line, line)

    def place(self, line: int, column: int) -> Place:
        """Return the place of a cell in the original table."""
        if not line:
            return Place(self.translation.sheet.file)
        name = self.header[column] if column < len(self.header) else "id"
        sources = self.translation.sources.get(name)
        row = self.taken[line - 1].row.number
        return Place(self.translation.sheet.place(row, sources[0] if sources else None), line)

    def device(
        self, name: str, driver: Driver, settings: Mapping[str, Any], scans: Mapping[str, float]
    ) -> ImportedDevice | None:
        """Return the device with the points that its driver can read."""
        scans = self.scanned(scans)
        found = Diagnostics()
        read = read_table(self, Ground("", scans), found) if self.taken else None
        self.say_all(found)
        block, checked = self.settled(name, driver, {**settings, **self.own_settings()})
        points = [] if read is None else list(self.readable(read, driver, name, checked, scans))
        if not points:
            if self.taken:
                self.report.say(None, f"{quoted(self.id)}: no point was carried over")
            return None
        return ImportedDevice(
            id=self.id,
            driver=name,
            source=self.translation.sheet.file,
            settings=block,
            files={},
            scans=scans,
            points=points,
            left_out=dict(self.left_out),
            said=dict(self.said()),
        )

    def said(self) -> Iterator[tuple[str, Collection[str]]]:
        """Yield the points that say themselves what a site's defaults could say of them."""
        for made in self.taken:
            columns = [name for name in DEFAULTED if made.cells.get(name)]
            if columns:
                yield made.cells["id"], columns

    def own_settings(self) -> Mapping[str, Any]:
        """Return what the rows say of the driver's block: the first one, and that others differ."""
        own: dict[str, str] = {}
        for made in self.taken:
            for key, said in made.settings.items():
                first = own.setdefault(key, said)
                if said not in {first, ""}:
                    text = (
                        f"{key} is {quoted(said)} here, but {quoted(first)}, as above, was written"
                    )
                    self.report.say(made.row.number, text)
        return {key: number_or_text(said) for key, said in own.items() if said}

    def scanned(self, scans: Mapping[str, float]) -> Mapping[str, float]:
        """Return the scan classes, with those that rows name and nobody has given a period."""
        named = dict.fromkeys(made.cells.get("scan", "") for made in self.taken)
        missing = [name for name in named if name and name not in scans]
        ids = Ids()
        given = {name: ids.give(name) for name in missing}
        for made in self.taken:
            scan = made.cells.get("scan", "")
            made.cells["scan"] = given.get(scan, scan)
        if missing:
            names = ", ".join(quoted(name) for name in missing[:8])
            self.report.say(None, f"scan classes without a period, 2 s was written: {names}")
        return {**scans, **dict.fromkeys(given.values(), 2.0)}

    def say_all(self, found: Diagnostics) -> None:
        """Say what the reader of point maps found, at the original's cells."""
        lines = set()
        for one in found.sorted():
            help_ = f"; {one.help}" if one.help else ""
            self.report.say_at(one.file, f"{one.message}{help_}")
            if one.severity is Severity.ERROR and one.line not in lines:
                lines.add(one.line)
                self.left_out[f"{one.code}"] += 1

    def settled(
        self, name: str, driver: Driver, settings: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], Any]:
        """Return the driver's block and the settings it makes; an example's where it lacks any."""
        try:
            return settings, driver.settings.model_validate(settings)
        except ValidationError as wrong:
            if isinstance(driver, Exemplary):
                block = {**driver.example.settings, **settings}
                text = f"`{name}` of the device entry is an example's: complete it"
                self.report.say(None, f"{text} ({counted(wrong.error_count(), 'mistake')} without)")
                return block, valid(driver, block)
            return settings, None

    def readable(
        self,
        read: PointMap,
        driver: Driver,
        name: str,
        settings: Any,
        scans: Mapping[str, float],
    ) -> Iterator[Point]:
        """Yield the points that the driver can plan; say of the others why it cannot."""
        refused = set()
        if settings is not None:
            device = Device(self.id, name, "", read.points, scans, settings)
            refused = self.refused(read, driver, device)
        for at, point in enumerate(read.points):
            if at not in refused:
                yield point

    def refused(self, read: PointMap, driver: Driver, device: Device) -> set[int]:
        """Return the points that the driver cannot plan, having said why."""
        try:
            driver.plan(device)
        except Mistakes as wrong:
            numbers = {point.id: at for at, point in enumerate(device.points)}
            refused = set()
            for mistake in wrong.mistakes:
                at = numbers.get(mistake.point or "")
                help_ = f"; {mistake.help}" if mistake.help else ""
                place = "" if at is None else read.place(at, mistake.field).file
                self.report.say_at(place, f"{mistake.message}{help_}")
                if at is not None and at not in refused:
                    refused.add(at)
                    self.left_out[mistake.code] += 1
            return refused
        return set()


def number_or_text(said: str) -> int | str:
    """Return a cell as a setting: whole numbers as such."""
    return int(said) if WHOLE.fullmatch(said) else said


def valid(driver: Driver, block: Mapping[str, Any]) -> Any:
    """Return the settings that a block makes, or None."""
    try:
        return driver.settings.model_validate(block)
    except ValidationError:
        return None


def kind_of(written: str) -> Kind:
    """Return what a type says that a point is to people."""
    name = written.lower()
    if name in {"bool", "bit", "binary"}:
        return Kind.STATUS
    return Kind.TEXT if name.startswith(("string", "text", "latin1", "chars")) else Kind.MEASUREMENT
