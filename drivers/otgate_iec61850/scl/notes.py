"""What is said of an SCL file: notes, which leave it usable, and the refusal, which does not."""

from collections.abc import Iterator
from dataclasses import dataclass

from otgate.errors import Refused

MOST_NOTES = 1000
"""Notes kept of one file; a damaged one could say as many as it has elements."""


class SclRefused(Refused):
    """A file is not SCL that can be read. The message begins with its place."""

    def __init__(self, file: str, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(f"{file}:{line}:{column}: {message}")
        self.file = file
        self.line = line
        self.column = column
        self.message = message


@dataclass(frozen=True, slots=True)
class Note:
    """One oddity of a file, and what was made of it."""

    line: int
    message: str


class Notes:
    """Everything noted of one file, each message once."""

    def __init__(self) -> None:
        self._said: dict[str, Note] = {}
        self.unsaid = 0

    def __len__(self) -> int:
        return len(self._said)

    def __iter__(self) -> Iterator[Note]:
        return iter(self._said.values())

    def say(self, line: int, message: str) -> None:
        """Keep a note at its first line; count it where there are too many."""
        if message in self._said:
            return
        if len(self._said) >= MOST_NOTES:
            self.unsaid += 1
            return
        self._said[message] = Note(line, message)
