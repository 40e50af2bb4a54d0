"""`otgate top`: what the running sides do, again and again."""

import select
import shutil
import sys
import termios
import time
import tty
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from otgate.cli.box import socket_directories
from otgate.cli.command import FAILED, OK, Command
from otgate.cli.duration import duration_s
from otgate.cli.glance import Look, lines
from otgate.cli.places import running_site_arguments, sides
from otgate.cli.status import SILENT, answer, refuse_closed
from otgate.errors import Refused
from otgate.terminal import rewritable

DESCRIPTION = """\
Show what the running sides of a site do, again each 2 s (--every): devices, those that are not
well first, conduits, and brokers with how far they are behind. q or Ctrl-C ends it. Where output
is no terminal, or with --once, it looks twice and prints that once.

`saved` is the share of polled samples that were no news, `held/s` what the policy kept back.

  otgate top site.yaml
  otgate top --control /run/otgate-field --once
"""

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
"""Another screen without a cursor, and back."""
HOME, REST_OF_LINE, REST = "\x1b[H", "\x1b[K", "\x1b[J"
ONCE_S = 1.0
"""Between the two looks of a single printing."""
QUITS = ("q", "Q", "\x04")
UNBOUNDED = 1 << 16


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    running_site_arguments(parser)
    parser.add_argument(
        "--every", type=duration_s, default=2.0, metavar="DURATION", help="between looks (2 s)"
    )
    parser.add_argument("--once", action="store_true", help="print once and end")


def execute(options: Namespace) -> int:
    """Run the verb."""
    directories = socket_directories(options.site, options.control)
    refuse_closed(directories)
    if options.once or not rewritable(sys.stdout):
        return once(directories)
    with keys() as quits, another_screen(sys.stdout):
        watched(directories, options.every, quits)
    return OK


def looked(directories: Sequence[Path]) -> Look:
    """Ask every side.

    Raises:
        Refused: none runs.
    """
    return Look(time.time(), {path.stem: answer(path) for path in sides(directories)})


def once(directories: Sequence[Path]) -> int:
    """Look twice and print what happened between."""
    before = looked(directories)
    time.sleep(ONCE_S)
    now = looked(directories)
    print("\n".join(lines(now, before, UNBOUNDED, UNBOUNDED)))
    return FAILED if any(SILENT in said for said in now.sides.values()) else OK


def watched(directories: Sequence[Path], every_s: float, quits: Callable[[float], bool]) -> None:
    """Look and show, until the user has had enough."""
    before: Look | None = None
    while True:
        width, height = shutil.get_terminal_size()
        try:
            now = looked(directories)
            shown = list(lines(now, before, width, height - 1))
        except Refused as refused:
            now, shown = None, [str(refused)[:width]]
        sys.stdout.write(screen(shown[: height - 1]))
        sys.stdout.flush()
        before = now
        if quits(every_s):
            return


def screen(shown: list[str]) -> str:
    """Return what writes lines over those that are there."""
    return HOME + "".join(f"{line}{REST_OF_LINE}\r\n" for line in shown) + REST


@contextmanager
def another_screen(stream: TextIO) -> Iterator[None]:
    """Leave what the terminal showed as it was."""
    stream.write(ENTER)
    try:
        yield
    finally:
        stream.write(LEAVE)
        stream.flush()


@contextmanager
def keys() -> Iterator[Callable[[float], bool]]:
    """Read single keys; yield what waits for some seconds and tells whether the user quits."""
    if not sys.stdin.isatty():
        yield never_within
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield quit_within
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def never_within(seconds: float) -> bool:
    """Wait, where there are no keys."""
    time.sleep(seconds)
    return False


def quit_within(seconds: float) -> bool:
    """Wait for a key that quits; another one asks for a look at once."""
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(ready) and sys.stdin.read(1) in {*QUITS, ""}


COMMAND = Command("top", "what the running sides do, live", arguments, execute, DESCRIPTION)
