"""`otgate spool export`: samples of a spool as JSON Lines, CSV or Parquet."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from otgate.cli.command import FAILED, OK, Command
from otgate.cli.progress import Progress, progress
from otgate.cli.spool.forms import FORMS, Writer
from otgate.cli.spool.rows import Picked, Row, rows
from otgate.cli.spool.subject import Subject, subject_arguments, the_one
from otgate.cli.times import moment_ns
from otgate.config.render import counted
from otgate.errors import Refused
from otgate.model import Lane
from otgate.spool.cursor import CursorFile, LaneCursor
from otgate.spool.files import OS
from otgate.spool.items import Frame, Gap
from otgate.spool.survey import spooled_ns, survey
from otgate.spool.walk import Walk, Walked

DESCRIPTION = """\
Write the samples of a spool as JSON Lines, CSV or Parquet, a row for each sample and a row for each
gap: samples that have numbers and are not there. Values, qualities and times are as they were
spooled; all times are integer microseconds since the Unix epoch, UTC.

  otgate spool export site.yaml --conduit analytics --from 2h > samples.jsonl
  otgate spool export site.yaml --conduit analytics --format csv --point 'f3/i*' --output f3.csv
  otgate spool export site.yaml --conduit analytics --from 2026-11-26T06:00 --to 2026-11-26T07:00
  otgate spool export /mnt/old-box/spool/analytics --unacknowledged \\
      --cursor /mnt/old-box/state/bus/analytics --format parquet --output rest.parquet

--from and --to are about when samples were spooled. --unacknowledged is what the bus side would
send next; it takes its cursor. Parquet takes the package pyarrow: pip install 'otgate[parquet]'.

Exit: 0 written; 1 no such point, or no spool.
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    subject_arguments(parser)
    parser.add_argument("--format", choices=list(FORMS), default="jsonl")
    parser.add_argument("--output", type=Path, metavar="FILE", help="default: standard output")
    parser.add_argument("--force", action="store_true", help="overwrite FILE")
    parser.add_argument("--lane", choices=[str(lane) for lane in Lane], help="default: both")
    when = "2026-11-26T12:00 (UTC), or how long ago: 2h"
    parser.add_argument("--from", dest="from_ns", type=moment_ns, metavar="TIME", help=when)
    parser.add_argument("--to", dest="to_ns", type=moment_ns, metavar="TIME")
    parser.add_argument("--device", action="append", default=[], metavar="DEVICE")
    parser.add_argument(
        "--point", action="append", default=[], metavar="DEVICE/POINT", help="this one, or f3/i*"
    )
    parser.add_argument(
        "--unacknowledged", action="store_true", help="what the bus side has still to send"
    )


def execute(options: Namespace) -> int:
    """Run the verb.

    Raises:
        Refused: nothing can be written to where it should, or there is no cursor.
        SpoolUnusable: there is no spool, or it is of a newer format.
    """
    subject = the_one(options)
    catalog = survey(subject.directory).catalog
    picked = Picked([*options.point, *(f"{device}/*" for device in options.device)])
    with opened(options, subject) as writer, progress("exporting") as step:
        written = 0
        for row in wanted(subject, options, picked, step):
            writer.write(row)
            written += 1
    told = f"{counted(written, 'row')} of {catalog.conduit if catalog else subject.conduit}"
    print(f"exported {told}", file=sys.stderr)
    if picked.patterns and not picked.met:
        print("otgate: no point of the spool is so named", file=sys.stderr)
        return FAILED
    return OK


def wanted(subject: Subject, options: Namespace, picked: Picked, step: Progress) -> Iterator[Row]:
    """Yield the rows that are asked for."""
    from_ns = 0 if options.from_ns is None else options.from_ns
    to_ns = options.to_ns
    for lane in lanes_of(options):
        for walked in walks(subject, lane, options):
            step(f"exporting {lane}", walked.segment, walked.segments)
            item = walked.item
            if not isinstance(item, Frame | Gap) or spooled_ns(item) < from_ns:
                continue
            begun_ns = item.from_ns if isinstance(item, Gap) else item.spooled_ns
            if to_ns is None or begun_ns < to_ns:
                yield from rows(item, picked)


def lanes_of(options: Namespace) -> Sequence[Lane]:
    """Return the lanes that are asked for."""
    return list(Lane) if options.lane is None else [Lane(options.lane)]


def walks(subject: Subject, lane: Lane, options: Namespace) -> Iterator[Walked]:
    """Walk a lane from where it has to be read."""
    walk = Walk(subject.directory, lane)
    if options.unacknowledged:
        return walk.unacknowledged(cursor_of(subject, lane))
    return walk.everything() if options.from_ns is None else walk.since(options.from_ns)


def cursor_of(subject: Subject, lane: Lane) -> LaneCursor:
    """Return the cursor of a lane as its bus side left it.

    Raises:
        Refused: there is none.
    """
    cursors = {each: LaneCursor() for each in Lane}
    if subject.state is None or not CursorFile(subject.state, OS).look(cursors):
        raise Refused(
            "no cursor found: without one nothing is acknowledged. Leave --unacknowledged out, or "
            "say where the bus side keeps it: --cursor DIR"
        )
    return cursors[lane]


@contextmanager
def opened(options: Namespace, subject: Subject) -> Iterator[Writer]:
    """Yield what rows are written to.

    Raises:
        Refused: it cannot be written.
    """
    if options.output is None:
        if options.format == "parquet":
            raise Refused("Parquet is no text: say where to write, --output FILE")
        writer = FORMS[options.format](sys.stdout)
        yield writer
        writer.close()
        return
    refuse_place(options.output, subject, overwrite=options.force)
    with made(options.output, binary=options.format == "parquet") as stream:
        writer = FORMS[options.format](stream)
        yield writer
        writer.close()


def refuse_place(path: Path, subject: Subject, *, overwrite: bool) -> None:
    """Let nothing be overwritten unasked, and nothing be written into a spool.

    Raises:
        Refused: it would be.
    """
    if path.exists() and not overwrite:
        raise Refused(f"{path} is there already: --force overwrites it")
    if path.absolute().resolve().is_relative_to(subject.directory.absolute().resolve()):
        raise Refused("write outside the spool: its files belong to the field side")


@contextmanager
def made(path: Path, *, binary: bool) -> Iterator[IO[Any]]:
    """Open a file for writing.

    Raises:
        Refused: it cannot be written.
    """
    try:
        with path.open("wb") if binary else path.open("w", encoding="utf-8") as stream:
            yield stream
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}") from error


COMMAND = Command("export", "samples as JSON Lines, CSV, Parquet", arguments, execute, DESCRIPTION)
