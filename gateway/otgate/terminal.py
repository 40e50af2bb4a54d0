"""What may be done to a terminal: colour, and lines that are written over."""

import os
from typing import TextIO


def rewritable(stream: TextIO) -> bool:
    """Tell whether ``stream`` is a terminal whose last line can be written again."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def coloured(stream: TextIO) -> bool:
    """Tell whether ``stream`` is a terminal whose user takes colours (no-color.org)."""
    return rewritable(stream) and not os.environ.get("NO_COLOR")


def printable(text: str) -> str:
    """Return text as a terminal may show it: what devices and brokers send moves no cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
