"""`otgate commission`: an engineer at the device, and every point on its way out."""

import asyncio
import csv
import getpass
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from otgate.cli.broker import broker_arguments, source
from otgate.cli.command import FAILED, OK, USAGE, Command
from otgate.cli.commission_report import write_report
from otgate.cli.hops import Arrivals, Hops
from otgate.cli.loading import loaded
from otgate.cli.places import control_argument, site_argument, socket_of
from otgate.config.render import counted, visible
from otgate.config.site import Site
from otgate.driver import installed
from otgate.errors import Refused
from otgate.live.agreement import Findings, Seen, Way, doubts, spelled
from otgate.live.record import Entry, Record, Verdict
from otgate.model import Device, Point
from otgate.observe.logs import LogForm, configure
from otgate.publish.subscribe import subscribe
from otgate.together import cancelled

DESCRIPTION = """\
Walk the points of a running gateway with an engineer: each is read at the device, passed on, and
looked for in the spools and at the broker; what the policy keeps back has to be absent there. Type
what you expect (a number, a state, a text; nothing: what the device says) and pass, fail or skip.
Verdicts are written down at once: start it again and it goes on where you left.

  otgate commission site.yaml mqtt://broker --device f3 --tester "A. Engineer"
  otgate commission site.yaml mqtt://broker --auto --report commissioning
  otgate commission site.yaml mqtt://broker --answers expected.csv

--auto passes what agrees at every place and fails the rest. --answers takes a CSV with the columns
point, expected and, where wanted, verdict and note. --report writes report.csv, .xlsx, .md and
.html, with the hashes of point map, policy and report.
Exit: 0 every point passed; 1 something failed or is left; 2 the command line cannot be understood.
"""
CONNECT_S = 10.0
Points = Sequence[tuple[Device, Point]]


def a_share(text: str) -> float:
    """Read percent as a share."""
    try:
        share = float(text) / 100
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise ArgumentTypeError(f"`{text}` is no percentage from 0 to 99")
    return share


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    site_argument(parser)
    broker_arguments(parser)
    parser.add_argument("--device", metavar="DEVICE", help="this one alone")
    parser.add_argument(
        "--point", default="*", metavar="DEVICE/POINT", help="only these; * is wild"
    )
    parser.add_argument("--tester", default="", metavar="NAME", help="default: the user")
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="default: commissioning.jsonl beside the site"
    )
    parser.add_argument("--again", action="store_true", help="also what has a verdict already")
    parser.add_argument(
        "--tolerance", type=a_share, default=0.02, metavar="PERCENT", help="default: 2"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--auto", action="store_true", help="ask nothing")
    how.add_argument("--answers", type=Path, metavar="FILE", help="ask nothing: a CSV knows")
    parser.add_argument("--report", type=Path, metavar="DIR", help="write the report there")
    parser.add_argument(
        "--endpoints", type=Path, metavar="FILE", help="where devices are, as `otgate sim --map`"
    )
    control_argument(parser)


def execute(options: Namespace) -> int:
    """Walk the points.

    Raises:
        Refused: no gateway runs, there is no broker, or a file cannot be used.
    """
    site = loaded(options.site, options.endpoints)
    if site is None:
        return FAILED
    wanted = chosen(site, options)
    if not wanted:
        print("otgate commission: no point of the site is meant", file=sys.stderr)
        return USAGE
    configure(LogForm.CONSOLE, level="error")
    record = Record(options.record or site.path.parent / "commissioning.jsonl")
    paths = [path_of(*one) for one in wanted]
    left = [one for one in wanted if options.again or not record.of(path_of(*one), site.map_hash)]
    if left:
        print(f"{counted(len(left), 'point')} of {len(wanted)} to do", file=sys.stderr)
        asyncio.run(Walk(site, record, options).walk(left))
    entries = record.entries(paths)
    if options.report is not None:
        write_report(options.report, site, entries)
    passed = sum(entry.verdict == Verdict.PASS for entry in entries)
    print(f"{passed} of {counted(len(wanted), 'point')} passed")
    return OK if passed == len(wanted) else FAILED


def chosen(site: Site, options: Namespace) -> Points:
    """Return the points that are meant."""
    return [
        (device, point)
        for device in site.wired
        if options.device in {None, device.id}
        for point in device.points
        if fnmatchcase(path_of(device, point), options.point)
    ]


def path_of(device: Device, point: Point) -> str:
    """Return `device/point`."""
    return f"{device.id}/{point.id}"


class Answers:
    """What a CSV expects, by point."""

    def __init__(self, path: Path) -> None:
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                read = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise Refused(f"{path} cannot be read: {error}") from error
        if read and "point" not in read[0]:
            raise Refused(f"{path}:1: a column `point` is needed, then `expected`")
        self._by_point: dict[str, Mapping[str, str]] = {row["point"]: row for row in read}
        for number, row in enumerate(read, 2):
            if (row.get("verdict") or Verdict.PASS) not in set(Verdict):
                raise Refused(f"{path}:{number}: the verdict is pass, fail or skip")

    def of(self, path: str) -> tuple[str, str, str]:
        """Return what is expected, the verdict where it is given, and the note."""
        row = self._by_point.get(path, {"verdict": Verdict.SKIP})
        return row.get("expected") or "", row.get("verdict") or "", row.get("note") or ""


class Stopped(Exception):
    """The engineer wants to stop here."""


class Walk:
    """One sitting."""

    def __init__(self, site: Site, record: Record, options: Namespace) -> None:
        self._site = site
        self._record = record
        self._options = options
        self._answers = Answers(options.answers) if options.answers else None
        self._tester = options.tester or getpass.getuser()

    async def walk(self, points: Points) -> None:
        """Look at every point and write its verdict down.

        Raises:
            Refused: no gateway runs, or there is no broker.
        """
        arrivals = Arrivals(self._site.id, self._site.gateway)
        listening = asyncio.ensure_future(
            subscribe(source(self._options), arrivals, clock=time.time_ns)
        )
        socket = socket_of(self._options.site, self._options.control, "field")
        hops = Hops(self._site, installed(), socket, arrivals)
        try:
            await self._connected(arrivals, listening)
            for number, (device, point) in enumerate(points, 1):
                found = await hops.look(device, point)
                heading = f"[{number}/{len(points)}] {path_of(device, point)}  {point.name}"
                for line in shown(heading.rstrip(), found):
                    print(visible(line), file=sys.stderr)
                self._record.add(await asyncio.to_thread(self._judged, device, found))
        except Stopped:
            print("stopped; start it again to go on", file=sys.stderr)
        finally:
            hops.close()
            await cancelled([listening])

    async def _connected(self, arrivals: Arrivals, listening: "asyncio.Future[Any]") -> None:
        standing = asyncio.ensure_future(arrivals.standing.wait())
        first = asyncio.FIRST_COMPLETED
        waited: list[asyncio.Future[Any]] = [standing, listening]
        await asyncio.wait(waited, timeout=CONNECT_S, return_when=first)
        if listening.done():
            listening.result()
        if not arrivals.standing.is_set():
            await cancelled([standing])
            raise Refused(f"no broker: {arrivals.trouble or 'no answer'}")

    def _judged(self, device: Device, found: Findings) -> Entry:
        expected, verdict, note = self._asked(path_of(device, found.point), found)
        said = list(doubts(found, expected, self._options.tolerance))
        for line in said:
            print(visible(f"  ! {line}"), file=sys.stderr)
        verdict = verdict or self._decided(said)
        return Entry(
            point=path_of(device, found.point),
            name=found.point.name,
            unit=found.point.unit,
            expected=expected,
            device=told(found.point, found.device) if not found.failure else found.failure,
            conduits={way.conduit: way_cells(found.point, way) for way in found.ways},
            verdict=verdict,
            doubts=said,
            note=note or self._noted(verdict),
            tester=self._tester,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            map_hash=self._site.map_hash,
            policy_hash=self._site.policy_hash,
        )

    @property
    def _asks(self) -> bool:
        return not self._options.auto and self._answers is None

    def _asked(self, path: str, found: Findings) -> tuple[str, str, str]:
        if self._answers is not None:
            return self._answers.of(path)
        if not self._asks:
            return "", "", ""
        device = told(found.point, found.device)
        return prompt(f"  expected value (Enter: {device}; q: stop here) "), "", ""

    def _decided(self, said: Sequence[str]) -> str:
        proposed = Verdict.FAIL if said else Verdict.PASS
        if not self._asks:
            return proposed
        letters = {verdict[0]: verdict for verdict in Verdict}
        while True:
            typed = prompt(f"  pass, fail or skip (Enter: {proposed}; q: stop here) ").casefold()
            if not typed or typed[0] in letters:
                return letters[typed[0]] if typed else proposed

    def _noted(self, verdict: str) -> str:
        return prompt("  note ") if self._asks and verdict != Verdict.PASS else ""


def prompt(text: str) -> str:
    """Ask on the terminal.

    Raises:
        Stopped: the answer is `q`, or there is nobody any more.
    """
    print(text, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line or line.strip().casefold() == "q":
        raise Stopped
    return line.strip()


def told(point: Point, seen: Seen) -> str:
    """Return a value as it is shown, with its quality where that is not good."""
    if not seen.there:
        return f"no value ({', '.join(seen.quality[1:])})" if seen.quality else "-"
    quality = f" ({', '.join(seen.quality)})" if seen.quality not in {("good",), ()} else ""
    return f"{spelled(point, seen.value)}{quality}"


def way_cells(point: Point, way: Way) -> dict[str, str]:
    """Return what became of a point on a conduit, by place."""
    if way.barred and not (way.spool.there or way.broker.there):
        return {"absent": way.barred}
    return {"spool": told(point, way.spool), "broker": told(point, way.broker)}


def shown(heading: str, found: Findings) -> Iterator[str]:
    """Write a point for the engineer."""
    yield heading
    yield f"  device      {found.failure or told(found.point, found.device)}"
    for way in found.ways:
        cells = way_cells(found.point, way).items()
        yield f"  {way.conduit:<11} {', '.join(f'{place}: {text}' for place, text in cells)}"


COMMAND = Command("commission", "walk the points with an engineer", arguments, execute, DESCRIPTION)
