"""Conditions that a caller acts on; each class is one reaction, never a message text."""

import os
from collections.abc import Sequence
from dataclasses import dataclass


class OtgateError(Exception):
    """Anything otgate raises on purpose."""


class LinkLost(OtgateError):
    """The link as a whole is gone; the supervisor reconnects with back-off."""


class Unusable(OtgateError):
    """The device or its settings can never work as they are; a person has to act."""


class NotDurable(OtgateError):
    """A commit did not reach the disk in time; do not confirm to the device."""


class SpoolUnusable(OtgateError):
    """A spool directory cannot be used: locked, foreign, or of another format."""


class Refused(OtgateError):
    """An input was refused; the message is a sentence for the person who wrote it."""


def in_words(error: OSError) -> str:
    """Say what the system refused, ``Connection refused``, where Python adds addresses to it.

    Not for TLS: its errors carry numbers of their own.
    """
    if error.errno and error.errno > 0:  # what a resolver says is numbered below zero
        return os.strerror(error.errno)
    return error.strerror or str(error) or "the other end closed the connection"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong with one entry of a device, found without the device.

    ``point`` is a point id, or None where the device entry itself is wrong. ``field`` is the
    point map's column or the dotted key below the device entry (``modbus.url``).
    """

    code: str
    message: str
    point: str | None = None
    field: str | None = None
    help: str = ""


MOST_MISTAKES = 1000
"""Ten times what is told of one file: after so many a plan need not look for more."""


class Mistakes(OtgateError):
    """Everything that a driver's plan found wrong, all at once, or the first `MOST_MISTAKES`."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("; ".join(mistake.message for mistake in mistakes))
        self.mistakes = tuple(mistakes)
