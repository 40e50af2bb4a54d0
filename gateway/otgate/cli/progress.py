"""Says on a terminal that work goes on, where it takes longer than a second."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import TextIO

from otgate.terminal import rewritable

PATIENCE_S = 1.0
"""Work that ends sooner says nothing."""
EVERY_S = 0.2
WIDTH = 24
CLEAR = "\r\x1b[K"


class Progress:
    """One piece of work; call it with what is under way and how much of how much is done."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._done, self._all = 0, 0
        self._begun_s = time.monotonic()

    def __call__(self, what: str, done: int = 0, of: int = 0) -> None:
        """Take note of the state; cheap enough for a call per device."""
        self._what, self._done, self._all = what, done, of

    def line(self) -> str:
        """Return the state in one line: a bar where an end is known."""
        elapsed = f"{time.monotonic() - self._begun_s:.0f} s"
        if not self._all:
            return f"{self._what}  {elapsed}"
        full = WIDTH * self._done // self._all
        bar = "#" * full + "." * (WIDTH - full)
        return f"{self._what}  [{bar}] {self._done:,} of {self._all:,}  {elapsed}"


@contextmanager
def progress(what: str, stream: TextIO | None = None) -> Iterator[Progress]:
    """Show the returned progress on standard error, if that is a terminal."""
    shown = sys.stderr if stream is None else stream
    state = Progress(what)
    if not rewritable(shown):
        yield state
        return
    ended = Event()
    teller = Thread(target=_tell, args=(state, shown, ended), daemon=True)
    teller.start()
    try:
        yield state
    finally:
        ended.set()
        teller.join()


def _tell(state: Progress, stream: TextIO, ended: Event) -> None:
    if ended.wait(PATIENCE_S):
        return
    while not ended.wait(EVERY_S):
        stream.write(f"{CLEAR}{state.line()}")
        stream.flush()
    stream.write(CLEAR)
    stream.flush()
