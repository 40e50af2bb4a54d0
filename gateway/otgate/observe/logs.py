"""Structured logs on standard error: JSON for machines, a console form for people."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import Any, TextIO, cast

import structlog

from otgate.terminal import coloured


class LogForm(StrEnum):
    """How a log line is written."""

    JSON = "json"
    CONSOLE = "console"


class StandardError:
    """Standard error as it is now; a line that nobody can read stops no side."""

    def write(self, text: str) -> int:
        """Write ``text``, or drop it where standard error is closed."""
        with suppress(OSError, ValueError, AttributeError):
            return sys.stderr.write(text)
        return 0

    def flush(self) -> None:
        """Flush what was written."""
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.flush()


STANDARD_ERROR = cast(TextIO, StandardError())  # noqa: TC006  a name in quotes looks unused
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure(form: LogForm, *, level: str = "info", side: str = "") -> None:
    """Send every structlog event to standard error, each with UTC time and ``side``."""
    structlog.contextvars.clear_contextvars()
    if side:
        structlog.contextvars.bind_contextvars(side=side)
    structlog.configure(
        processors=[
            Threshold(LEVELS[level]),
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderers(form),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(min(LEVELS[level], LEVELS["info"])),
        logger_factory=structlog.WriteLoggerFactory(file=STANDARD_ERROR),
        cache_logger_on_first_use=False,
    )


class Threshold:
    """Drops events below a level, behind those who listen to all."""

    def __init__(self, least: int) -> None:
        self._least = least

    def __call__(
        self, _logger: object, level: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        """Return ``event``, or drop it."""
        if LEVELS.get(level, self._least) < self._least:
            raise structlog.DropEvent
        return event


Listener = Callable[[str, str, Mapping[str, Any]], None]
"""Told level, name and fields of each event; must not raise, and must not log."""


@contextmanager
def overheard(listener: Listener) -> Iterator[None]:
    """Tell ``listener`` of every event from level info on, whatever level is shown."""

    def tell(
        _logger: object, level: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        listener(level, str(event.get("event", "")), event)
        return event

    before = structlog.get_config()["processors"]
    structlog.configure(processors=[tell, *before])
    try:
        yield
    finally:
        structlog.configure(processors=before)


def renderers(form: LogForm) -> tuple[structlog.typing.Processor, ...]:
    """Return what turns an event into a line of ``form``."""
    if form is LogForm.JSON:
        return structlog.processors.format_exc_info, structlog.processors.JSONRenderer()
    return (
        structlog.dev.ConsoleRenderer(
            colors=coloured(sys.stderr), exception_formatter=structlog.dev.plain_traceback
        ),
    )
