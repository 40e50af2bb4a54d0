"""One cell of the point map that cannot be right."""

from otgate.errors import Mistake, OtgateError


class BadCell(OtgateError):
    """What is wrong with a point's ``column``, and what to write instead."""

    def __init__(self, code: str, column: str, message: str, help_text: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.column = column
        self.message = message
        self.help_text = help_text

    def mistake(self, point: str) -> Mistake:
        """Return it as a mistake of ``point``."""
        return Mistake(self.code, self.message, point, self.column, self.help_text)
