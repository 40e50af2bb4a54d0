"""`otgate spool copy`: carry a spool to where its bus side runs, one way."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from otgate.app.loop import run
from otgate.cli.command import OK, Command
from otgate.errors import Refused, in_words
from otgate.spool.copying import Copier
from otgate.together import in_step

EVERY_S = 1.0

DESCRIPTION = """\
Carry the spool of one conduit to another directory, segment by segment in the order in which they
were written, and go on as it grows, until a signal stops it. FROM is only read. A bus side reads TO
as it would read FROM. Killed at any moment, the next one goes on where the last one ended.

  otgate spool copy /var/lib/otgate/spool/analytics /mnt/diode/analytics
  otgate spool copy /var/lib/otgate/spool/analytics /mnt/outbox/analytics --whole
  otgate spool copy spool/analytics /mnt/stick/analytics --once

Exit: 0 carried, and stopped; 1 there is no spool, or TO is another spool's or cannot be written.
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("source", metavar="FROM", type=Path, help="the directory of one spool")
    parser.add_argument("target", metavar="TO", type=Path, help="the directory of its copy")
    parser.add_argument("--once", action="store_true", help="carry what there is, and end")
    parser.add_argument(
        "--whole", action="store_true", help="carry a segment once it has ended, and never a part"
    )
    parser.add_argument(
        "--keep-mb", type=float, default=1024, metavar="N", help="of the copy (default: 1024)"
    )


def execute(options: Namespace) -> int:
    """Run the verb."""
    if not options.keep_mb > 0:
        raise Refused("--keep-mb is more than 0")
    try:
        copier = Copier.open(
            options.source, options.target, int(options.keep_mb * 1e6), whole=options.whole
        )
    except OSError as error:
        raise Refused(unwritable(error, options.target)) from error
    try:
        return once(copier) if options.once else run(following(copier))
    finally:
        copier.close()


def once(copier: Copier) -> int:
    """Carry what there is.

    Raises:
        Refused: the copy cannot be written.
    """
    try:
        carried = copier.carry()
    except OSError as error:
        raise Refused(unwritable(error, copier.target)) from error
    print(f"{copier.target}: {carried:,} bytes carried{dropped(copier)}")
    return OK


async def following(copier: Copier) -> int:
    """Carry for ever; where the copy cannot be written, say so once and try again."""
    refused = ""
    while True:
        try:
            copier.carry()
            said = dropped(copier)
        except OSError as error:
            said = f": {in_words(error)}; trying again"
        if said != refused:
            print(f"otgate: {copier.target}{said or ': carried again'}", file=sys.stderr)
        refused = said
        await in_step(EVERY_S)


def unwritable(error: OSError, target: Path) -> str:
    """Say why a copy cannot be written."""
    why = "is no directory" if isinstance(error, FileExistsError) else in_words(error)
    return f"{error.filename or target}: {why}"


def dropped(copier: Copier) -> str:
    """Say what the copy had no room for; nothing where it had."""
    return f", {copier.removed} segments dropped: --keep-mb is reached" if copier.removed else ""


COMMAND = Command("copy", "carry a spool somewhere else, one way", arguments, execute, DESCRIPTION)
