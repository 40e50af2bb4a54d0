"""Cells that a spreadsheet would compute: written behind an apostrophe, and read without it.

`=E01-Q1` is a designation of IEC 81346 to us, and a formula to a spreadsheet that opens the CSV.
What begins like one, after any apostrophes, is written with one more; reading takes one away.
"""

import re

from otgate.config.columns import NUMBER

GUARDED = re.compile("'+[=+@-]")
FORMULA = re.compile("'*[=+@-]")


def guarded(cell: str) -> str:
    """Return a cell that no spreadsheet computes."""
    if FORMULA.match(cell) and not NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def unguarded(cell: str) -> str:
    """Return what a cell was before it was guarded."""
    return cell[1:] if GUARDED.match(cell) else cell
