"""The lab's live table: every point with its newest value, and where it may cross."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from otgate.model import Point
from otgate.publish.payload import Samples
from otgate_sim.lab.tally import Name, Stream, percentile
from otgate_sim.lab.verdicts import Verdicts, denial

PAGE_S = 6.0
"""How long one page of a table that is taller than the screen stays."""
FRAME_LINES = 8
"""Lines of the table that are no points."""
NEWEST = 2000
"""Samples whose latency is looked at."""
OLD_S = 30.0


@dataclass(frozen=True, slots=True)
class Shown:
    """The newest sample of a point on one conduit."""

    value: object
    quality: Sequence[str]
    time_us: int


@dataclass(slots=True)
class Board:
    """What arrived last, point by point and conduit by conduit."""

    verdicts: Verdicts
    note: str = ""
    clock: Callable[[], int] = time.time_ns
    newest: dict[tuple[str, Name], Shown] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    gaps: int = 0
    latencies_ms: list[float] = field(default_factory=list)

    def show(self, samples: Samples, arrived_ns: int) -> None:
        """Take a message's samples; an older one does not replace a newer."""
        conduit = samples.conduit
        self.counts[conduit] = self.counts.get(conduit, 0) + len(samples.points)
        age_ms = (arrived_ns / 1000 - samples.received_us) / 1000
        names = [Name(samples.device, sample.id) for sample in samples.points]
        self.latencies_ms += [age_ms for name in names if not self.verdicts.holds(conduit, name)]
        del self.latencies_ms[:-NEWEST]
        for name, sample in zip(names, samples.points, strict=True):
            time_us = sample.t_us if sample.t_us is not None else samples.time_us
            place = conduit, name
            known = self.newest.get(place)
            if known is None or known.time_us <= time_us:
                self.newest[place] = Shown(sample.v, sample.q, time_us)

    def announce(self, stream: Stream, seq: int, count: int) -> None:
        """Take a published gap."""
        del stream, seq
        self.gaps += count

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Show one page of the table, as many points as the screen has lines for."""
        rows = [
            (device.id, point) for device in self.verdicts.site.devices for point in device.points
        ]
        height = max(5, (options.height or console.height) - FRAME_LINES)
        pages = -(-len(rows) // height)
        page = int(self.clock() / 1e9 / PAGE_S) % pages
        table = self.empty_table(f"page {page + 1} of {pages}")
        for device, point in rows[page * height : (page + 1) * height]:
            table.add_row(*self.row(Name(device, point.id), point))
        yield table

    def empty_table(self, page: str) -> Table:
        """Return the table's frame: columns, counts and latency."""
        site = self.verdicts.site
        counts = "  ".join(f"{name} {self.counts.get(name, 0)}" for name in self.verdicts.conduits)
        half, most = (percentile(self.latencies_ms, share) for share in (0.5, 0.99))
        latency = "" if half is None else f"  latency {half} / {most} ms"
        gaps = f"  gaps {self.gaps}" if self.gaps else ""
        table = Table(
            title=f"{site.name or site.id}  {self.note}",
            caption=f"samples: {counts}{latency}{gaps}  {page}  Ctrl-C stops",
            expand=True,
        )
        table.add_column("point", no_wrap=True)
        table.add_column("value", justify="right", no_wrap=True)
        table.add_column("unit")
        table.add_column("quality")
        table.add_column("age", justify="right", no_wrap=True)
        for conduit in self.verdicts.conduits:
            table.add_column(conduit, no_wrap=True)
        return table

    def row(self, name: Name, point: Point) -> list[Text | str]:
        """Return one point's cells."""
        seen = [self.newest.get((conduit, name)) for conduit in self.verdicts.conduits]
        newest = max((one for one in seen if one), key=lambda one: one.time_us, default=None)
        crossing = [
            self.crossing(conduit, name, one)
            for conduit, one in zip(self.verdicts.conduits, seen, strict=True)
        ]
        if newest is None:
            return [f"{name.device}/{name.point}", "", point.unit, "", "", *crossing]
        good = tuple(newest.quality) == ("good",)
        return [
            f"{name.device}/{name.point}",
            spelled(newest.value, point),
            point.unit,
            Text(" ".join(newest.quality), style="green" if good else "red"),
            self.age(newest),
            *crossing,
        ]

    def crossing(self, conduit: str, name: Name, shown: Shown | None) -> Text:
        """Say whether a point crosses a conduit, and why not."""
        verdict = self.verdicts.of[conduit, name]
        if verdict.crosses:
            return Text("crossed" if shown else "waiting", style="green" if shown else "dim")
        if shown:
            return Text("CROSSED, THOUGH DENIED", style="bold red")
        return Text(f"denied: {denial(verdict)}", style="yellow")

    def age(self, shown: Shown) -> Text:
        """Say how old a sample is."""
        seconds = max(0.0, self.clock() / 1e9 - shown.time_us / 1e6)
        return Text(f"{seconds:.1f} s", style="dim" if seconds > OLD_S else "")


def spelled(value: object, point: Point) -> str:
    """Write a value as a person reads it: a state by its label, a number not too long."""
    match value:
        case None:
            return "-"
        case bool() | int() if int(value) in point.states:
            return point.states[int(value)]
        case float():
            return f"{value:.6g}"
        case _:
            return str(value)
