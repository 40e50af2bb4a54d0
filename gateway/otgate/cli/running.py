"""What the verbs that run for long have in common: logs, control directory, parent."""

import os
import sys
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from otgate.app.confinement import Outgrown, Unconfined
from otgate.app.loop import run
from otgate.observe.logs import LEVELS, LogForm, configure


def running_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of a verb that runs until it is stopped."""
    parser.add_argument(
        "--control",
        type=Path,
        metavar="DIR",
        help="directory of the administration sockets (default: `run` beside the site file)",
    )
    default = LogForm.CONSOLE if sys.stderr.isatty() else LogForm.JSON
    parser.add_argument(
        "--log",
        choices=[str(form) for form in LogForm],
        default=str(default),
        help="form of the log on standard error (default: console on a terminal, else json)",
    )
    parser.add_argument("--log-level", choices=list(LEVELS), default="info", help="default: info")
    parser.add_argument("--parent", type=int, help=SUPPRESS)


def start_logs(options: Namespace, side: str) -> None:
    """Configure logging as the options say."""
    configure(LogForm(options.log), level=options.log_level, side=side)


def run_confined(side: Coroutine[Any, Any, int]) -> int:
    """Run a side in its sandbox; where that is required and cannot be had, it is not started.

    A side that has outgrown its sandbox ends in good order, and says so by its exit code.
    """
    try:
        return run(side)
    except Unconfined as unconfined:
        print(f"otgate: {unconfined}", file=sys.stderr)
        return os.EX_CONFIG
    except Outgrown as outgrown:
        print(f"otgate: {outgrown}", file=sys.stderr)
        return os.EX_TEMPFAIL
