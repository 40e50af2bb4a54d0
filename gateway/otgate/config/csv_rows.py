"""Rows of cells as lines of CSV, the same for every Python."""

import csv
from collections.abc import Iterable
from typing import IO


class Rows:
    """Writes rows of cells as CSV, each on a line that ends with a line feed."""

    def __init__(self, file: IO[str], delimiter: str = ",") -> None:
        self._plain = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        self._quoting = csv.writer(
            file, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL
        )

    def write(self, cells: Iterable[object]) -> None:
        """Write one row."""
        row = list(cells)
        # before Python 3.13 a carriage return is left without quotes where it ends no line
        returns = any(isinstance(cell, str) and "\r" in cell for cell in row)
        (self._quoting if returns else self._plain).writerow(row)
