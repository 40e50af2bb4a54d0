"""Structured logs on standard error: JSON for machines, a console form for people."""

import sys
from contextlib import suppress
from enum import StrEnum
from typing import TextIO, cast

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
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderers(form),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=STANDARD_ERROR),
        cache_logger_on_first_use=False,
    )


def renderers(form: LogForm) -> tuple[structlog.typing.Processor, ...]:
    """Return what turns an event into a line of ``form``."""
    if form is LogForm.JSON:
        return structlog.processors.format_exc_info, structlog.processors.JSONRenderer()
    return (
        structlog.dev.ConsoleRenderer(
            colors=coloured(sys.stderr), exception_formatter=structlog.dev.plain_traceback
        ),
    )
