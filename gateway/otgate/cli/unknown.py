"""What a verb says of a name that does not exist."""

import sys
from collections.abc import Sequence

from otgate.cli.command import USAGE
from otgate.config.nearest import did_you_mean


def unknown(what: str, word: str, known: Sequence[str]) -> int:
    """Say that there is no such thing, and what was probably meant; return the exit code."""
    print(f"otgate: no {what} `{word}`: {did_you_mean(word, known)}", file=sys.stderr)
    return USAGE
