"""The header of a table: which column is called what."""

import re

from otgate.config.nearest import nearest
from otgate.foreign.names import one_line, quoted
from otgate.foreign.sheet import Row, Sheet, Spoilt, letters
from otgate.foreign.text import ForeignRefused

BY_LETTER = re.compile("#([A-Z]{1,2})")


class Heading:
    """The columns of a table by name, or by letter as `#C`."""

    def __init__(self, sheet: Sheet, row: Row) -> None:
        self.sheet = sheet
        self.row = row
        self.names = {
            at: one_line(cell) for at, cell in row.cells.items() if not isinstance(cell, Spoilt)
        }
        self._by_name: dict[str, list[int]] = {}
        for at, name in self.names.items():
            self._by_name.setdefault(name, []).append(at)
        self._by_letter = {letters(at): at for at in range(row.width)}

    def column(self, name: str) -> int:
        """Return the column that a mapping names.

        Raises:
            ForeignRefused: there is none, or more than one.
        """
        by_letter = BY_LETTER.fullmatch(name)
        if by_letter and by_letter[1] in self._by_letter:
            return self._by_letter[by_letter[1]]
        found = self._by_name.get(one_line(name)) or self.folded(name)
        if len(found) == 1:
            return found[0]
        if found:
            twice = " and ".join(f"`#{letters(at)}`" for at in found[:5])
            message = f"more than one column is called {quoted(name)}: write {twice} instead"
        else:
            message = f"the header has no column {quoted(name)}; {self.suggestion(name)}"
        raise ForeignRefused(self.sheet.file, message, self.row.number)

    def suggestion(self, name: str) -> str:
        """Say which column was probably meant, or which there are."""
        folded = {known.casefold(): known for known in self._by_name}
        close = nearest(name.casefold(), folded)
        if close is not None:
            return f"did you mean {quoted(folded[close])}?"
        return f"it has {', '.join(map(quoted, list(self._by_name)[:12]))}"

    def folded(self, name: str) -> list[int]:
        """Return the columns whose names differ in capitals alone."""
        wanted = one_line(name).casefold()
        return [at for at, known in self.names.items() if known.casefold() == wanted]


def heading_of(sheet: Sheet, number: int | None) -> Heading:
    """Return the header: the row of this number, or the first that is not empty.

    Raises:
        ForeignRefused: there is none.
    """
    if not sheet.rows:
        raise ForeignRefused(sheet.file, "the table is empty")
    if number is None:
        return Heading(sheet, sheet.rows[0])
    for row in sheet.rows:
        if row.number == number:
            return Heading(sheet, row)
    raise ForeignRefused(
        sheet.file, "there is nothing in the row that the mapping calls header", number
    )
