"""What the running sides did between two looks, as lines of tables."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from otgate.cli.status import SILENT
from otgate.terminal import printable

Status: TypeAlias = Mapping[str, Any]
Row: TypeAlias = Sequence[str]

DEVICES = ("device", "state", "last good", "scans/s", "failed", "skipped", "news/s", "saved", "")
CONDUITS = ("conduit", "open", "points", "in/s", "held/s", "dropped", "spool MB", "state", "")
BROKERS = (
    "conduit",
    "connected",
    "samples/s",
    "messages/s",
    "in flight",
    "behind",
    "unread MB",
    "",
)
NUMBERS = frozenset({
    "last good", "scans/s", "failed", "skipped", "news/s", "saved", "points", "in/s", "held/s",
    "dropped", "spool MB", "samples/s", "messages/s", "in flight", "behind", "unread MB",
})  # fmt: skip
"""Columns that stand to the right."""
GAP = "  "


@dataclass(frozen=True, slots=True)
class Look:
    """What every side said at one moment, by its name."""

    at_s: float
    """Of the wall clock."""
    sides: Mapping[str, Status]


@dataclass(frozen=True, slots=True)
class Since:
    """One status and the same one of an earlier look, where there was one."""

    now: Status
    before: Status
    seconds: float

    def rate(self, *path: str) -> str:
        """Return how fast a count grows; a dash where nothing is to be compared."""
        now, before = found(self.now, path), found(self.before, path)
        if now is None or before is None or now < before or self.seconds <= 0:
            return "-"
        return f"{(now - before) / self.seconds:.1f}"

    def of(self, *path: str) -> "Since":
        """Return a part of it."""
        now, before = found(self.now, path), found(self.before, path)
        return Since(now or {}, before or {}, self.seconds)


def found(status: Any, path: Iterable[str]) -> Any:
    """Return what stands at ``path``, or None."""
    for key in path:
        status = status.get(key) if isinstance(status, Mapping) else None
    return status


def lines(now: Look, before: Look | None, width: int, height: int) -> Iterator[str]:
    """Yield the lines of all tables, cut to what a terminal shows; devices give way."""
    sides = [
        (name, since(now, before, name))
        for name in sorted(now.sides, key=lambda name: (name != "field", name))
    ]
    silent = [f"{name}: {one.now[SILENT]}" for name, one in sides if SILENT in one.now]
    field = next((one for name, one in sides if name == "field"), None)
    below = [*table(BROKERS, brokers(one for _, one in sides)), *silent]
    if field is not None and SILENT not in field.now:
        below = ["", *table(CONDUITS, conduits(field)), *(["", *below] if below else [])]
        shown = [*table(DEVICES, devices(field, now.at_s))]
        room = max(height - len(below), 3)
        below = [*fitting(shown, room), *below]
    yield from (printable(line)[:width].rstrip() for line in below)


def since(now: Look, before: Look | None, name: str) -> Since:
    """Return what changed at one side."""
    if before is None:
        return Since(now.sides[name], {}, 0.0)
    return Since(now.sides[name], before.sides.get(name, {}), now.at_s - before.at_s)


def fitting(shown: Sequence[str], room: int) -> Sequence[str]:
    """Cut a table to its first rows, and say how many are left out."""
    if len(shown) <= room:
        return shown
    return [*shown[: room - 1], f"and {len(shown) - room + 1} more"]


def devices(field: Since, now_s: float) -> Iterator[Row]:
    """Yield a row per device; those that are not well come first."""
    told: Mapping[str, Status] = field.now.get("devices", {})
    for name in sorted(told, key=lambda name: (told[name]["state"] == "good", name)):
        one = field.of("devices", name)
        good_ns = one.now["last_good_ns"]
        yield (
            name,
            str(one.now["state"]),
            f"{max(now_s - good_ns / 1e9, 0):.1f} s" if good_ns else "never",
            one.rate("scans"),
            str(one.now["failures"]),
            str(one.now["overruns"]),
            one.rate("passed"),
            share(one.now["suppressed"], one.now["passed"]),
            str(one.now["error"]),
        )


def conduits(field: Since) -> Iterator[Row]:
    """Yield a row per conduit, as the field side sees it."""
    for name in field.now.get("conduits", {}):
        one = field.of("conduits", name)
        spool = one.now["spool"]
        whole = Since(counted(one.now), counted(one.before), one.seconds)
        yield (
            name,
            "no" if one.now["shut"] else "yes",
            str(one.now["crossing_points"]),
            whole.rate("in"),
            one.rate("withheld"),
            str(sum(spool["dropped"].values())),
            f"{spool['disk_bytes'] / 1e6:.1f}",
            str(spool["state"]),
            str(one.now["shut"] or spool["error"]),
        )


def counted(conduit: Status) -> Status:
    """Return how many samples a conduit's spool was given."""
    lanes = found(conduit, ("spool", "samples"))
    return {} if lanes is None else {"in": sum(lanes.values())}


def brokers(sides: Iterable[Since]) -> Iterator[Row]:
    """Yield a row per bus side."""
    for one in sides:
        if one.now.get("side") != "bus":
            continue
        lanes = one.now["lanes"].values()
        yield (
            str(one.now["conduit"]),
            "yes" if one.now["connected"] else "no",
            one.rate("samples"),
            one.rate("messages"),
            str(one.now["in_flight"]),
            f"{max(lane['behind_s'] for lane in lanes):.1f} s",
            f"{sum(lane['unread_bytes'] for lane in lanes) / 1e6:.1f}",
            str(one.now["error"] or one.now["held"] or ""),
        )


def share(part: int, rest: int) -> str:
    """Return a part of a whole in percent; a dash of nothing."""
    return f"{100 * part / (part + rest):.0f} %" if part + rest else "-"


def table(columns: Sequence[str], rows: Iterable[Row]) -> list[str]:
    """Return the lines of a table with its heading; nothing without rows."""
    whole = [columns, *rows]
    if len(whole) == 1:
        return []
    widths = [max(len(row[at]) for row in whole) for at in range(len(columns))]
    return [
        GAP.join(
            cell.rjust(width) if column in NUMBERS else cell.ljust(width)
            for cell, column, width in zip(row, columns, widths, strict=True)
        ).rstrip()
        for row in whole
    ]
