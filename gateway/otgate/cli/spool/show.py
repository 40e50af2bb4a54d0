"""`otgate spool show`: the frames at a place of a spool, or the newest."""

import json
import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from otgate.cli.command import FAILED, OK, Command
from otgate.cli.places import format_argument
from otgate.cli.spool.rows import Picked, Row, as_json, of_gap, rows, spelled
from otgate.cli.spool.subject import subject_arguments, the_one
from otgate.cli.times import exact, lasting
from otgate.config.render import counted, visible
from otgate.model import Lane
from otgate.spool.cursor import Place
from otgate.spool.epoch import epoch_number, epoch_text
from otgate.spool.items import Frame, Gap
from otgate.spool.survey import count, survey
from otgate.spool.walk import Walk, Walked

DESCRIPTION = """\
Show frames of a spool as they were written: from a place on, or the newest of each lane. A place is
LANE/EPOCH/SEQ, as `otgate spool ls` and every payload have it. Gaps are shown where samples are
not there.

  otgate spool show site.yaml --conduit analytics
  otgate spool show site.yaml --conduit analytics data/01JD3K7Q/18231 --count 3
  otgate spool show site.yaml --conduit analytics --point f3/ia --format json

Exit: 0 shown; 1 nothing is there.
"""

ALL = Picked([])


class At(NamedTuple):
    """A place in a lane."""

    lane: Lane
    place: Place


def at(text: str) -> At:
    """Read ``data/01JD3K7Q/18231``.

    Raises:
        ArgumentTypeError: it is no place.
    """
    found = re.fullmatch(r"(data|event)/(\w{8})/(\d{1,20})", text)
    try:
        if found is not None:
            return At(Lane(found[1]), Place(epoch_number(found[2]), int(found[3])))
    except ValueError:
        pass
    raise ArgumentTypeError(f"{text!r} is no place: write LANE/EPOCH/SEQ, data/01JD3K7Q/18231")


def some(text: str) -> int:
    """Read a number from 1 on.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    subject_arguments(parser)
    parser.add_argument("place", metavar="PLACE", nargs="?", type=at, help="LANE/EPOCH/SEQ")
    parser.add_argument("--count", type=some, default=5, metavar="N", help="frames; default: 5")
    parser.add_argument(
        "--point", action="append", default=[], metavar="DEVICE/POINT", help="this one, or f3/i*"
    )
    format_argument(parser)


def execute(options: Namespace) -> int:
    """Run the verb."""
    directory = the_one(options).directory
    survey(directory)  # says what is wrong with it, if anything
    found = list(chosen(directory, options))
    if not found:
        where = "" if options.place is None else " at that place or behind it"
        print(f"nothing is there{where}")
        return FAILED
    picked = Picked(options.point)
    for item in found:
        told = list(rows(item, picked))
        if options.format == "json":
            print("\n".join(json.dumps(as_json(row), ensure_ascii=False) for row in told))
        else:
            print("\n".join(map(visible, lines(item, told))))
    return OK


def chosen(directory: Path, options: Namespace) -> Iterator[Frame | Gap]:
    """Yield the frames and gaps that are asked for."""
    picked = Picked(options.point)
    if options.place is not None:
        lane, place = options.place
        behind = (
            each for each in items(Walk(directory, lane).at(place)) if ends_behind(each, place)
        )
        yield from islice(with_points(behind, picked), options.count)
        return
    for lane in Lane:
        newest = with_points(items(Walk(directory, lane).newest()), picked)
        yield from deque(newest, maxlen=options.count)


def items(walked: Iterable[Walked]) -> Iterator[Frame | Gap]:
    """Yield the frames and gaps of a walk."""
    return (each.item for each in walked if isinstance(each.item, Frame | Gap))


def with_points(found: Iterable[Frame | Gap], picked: Picked) -> Iterator[Frame | Gap]:
    """Yield what has a wanted point, and every gap."""
    for item in found:
        if next(rows(item, picked), None) is not None:
            yield item


def ends_behind(item: Frame | Gap, place: Place) -> bool:
    """Tell whether an item reaches beyond ``place``."""
    return (item.epoch, item.seq + count(item)) > place


def lines(item: Frame | Gap, told: Iterable[Row]) -> Iterator[str]:
    """Say for a person what a frame holds, or that it is a gap."""
    where = f"{item.lane}/{epoch_text(item.epoch)}/{item.seq}"
    if isinstance(item, Gap):
        span = f"{exact(item.from_ns)} to {exact(item.to_ns)}"
        yield f"{where}  gap of {counted(item.count, 'sample')}: {of_gap(item).gap}  {span}"
        return
    batch = item.batch
    waited = lasting_ms(item.spooled_ns - batch.received_ns)
    what = f"{counted(len(batch), 'sample')}, {batch.value_type.name.lower()}"
    times = f"received {exact(batch.received_ns)}, spooled {waited} later"
    yield f"{where}  {batch.device}  {what}, {batch.origin.name.lower()}  {times}"
    for row in told:
        stamp = (
            f"  {row.clock} {exact((row.t_us or 0) * 1000)}" if row.t_us != row.received_us else ""
        )
        value = "-" if row.v is None else spelled(row.v)
        yield f"  {row.seq:<10} {row.point:<24} {value:<18} {' '.join(row.q or ())}{stamp}"


def lasting_ms(ns: int) -> str:
    """Write a short span."""
    return f"{ns / 1e6:.1f} ms" if abs(ns) < 10**9 else lasting(ns)


COMMAND = Command("show", "frames at a place, or the newest", arguments, execute, DESCRIPTION)
