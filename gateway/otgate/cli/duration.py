"""Durations on a command line: seconds, or a number with its unit."""

import re
from argparse import ArgumentTypeError

UNITS_S = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")


def duration_s(text: str) -> float:
    """Read ``90``, ``30s``, ``10m``, ``1.5h`` or ``2d`` as seconds.

    Raises:
        ArgumentTypeError: it is none of these, or nothing.
    """
    found = DURATION.fullmatch(text)
    seconds = float(found[1]) * UNITS_S[found[2]] if found else 0.0
    if not seconds:
        raise ArgumentTypeError(f"{text!r} is no duration above 0: write 90, 30s, 10m, 1.5h or 2d")
    return seconds
