"""`otgate verify`: whether a subscriber receives everything, once, in order and fresh."""

import asyncio
import secrets
import signal
import sys
import time
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from typing import NoReturn

import msgspec

from otgate.cli.audit import Auditor, rendered, reported
from otgate.cli.broker import broker_arguments, source
from otgate.cli.command import FAILED, OK, USAGE, Command
from otgate.cli.duration import duration_s
from otgate.errors import Refused
from otgate.publish.errors import BrokerRefused
from otgate.publish.subscribe import Source, subscribe
from otgate.terminal import rewritable
from otgate.together import cancelled

DESCRIPTION = """\
Subscribe to a broker and account for every sequence number, per conduit, lane and epoch, for as
long as --for says, or until Ctrl-C. A number that is missing and was not announced as a gap is a
loss. It runs for days in a few megabytes and survives restarts of the broker; what a broker
without persistence loses of its session is told as unseen.

  otgate verify mqtt://localhost --for 60
  otgate verify mqtt://localhost --for 2d --progress

On a terminal a line tells how it stands. SIGUSR1 prints a report and goes on.

Exit code 0: nothing lost; 1: samples lost, nothing received, or no broker; 2: usage.
A loss can be the broker's: Mosquitto keeps max_queued_messages (1000 by default) for a slow
subscriber and drops the rest.
"""
LATE_S = 3.0
"""What is missing at the end may be under way for this long."""
LOOK_EVERY_S = 0.1
PROGRESS_S, TERMINAL_S = 60.0, 1.0
"""How often a line of progress is written: into a log, and on a terminal."""


async def _listen(origin: Source, auditor: Auditor, options: Namespace) -> None:
    """Book what arrives for so long, or until a signal.

    Raises:
        BrokerRefused: waiting does not help.
    """
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    loop.add_signal_handler(signal.SIGUSR1, lambda: _print(auditor, options))
    listening = asyncio.ensure_future(subscribe(origin, auditor, clock=time.time_ns))
    stopped = asyncio.ensure_future(over.wait())
    telling = asyncio.ensure_future(_progress(auditor, options))
    try:
        first = asyncio.FIRST_COMPLETED
        await asyncio.wait([listening, stopped], timeout=options.seconds, return_when=first)
        await _await_late(listening, auditor)
        if listening.done():
            listening.result()
    finally:
        await cancelled([listening, stopped, telling])


async def _await_late(listening: "asyncio.Future[NoReturn]", auditor: Auditor) -> None:
    for _ in range(round(LATE_S / LOOK_EVERY_S)):
        if listening.done() or not auditor.ledger.lost:
            break
        await asyncio.wait([listening], timeout=LOOK_EVERY_S)


async def _progress(auditor: Auditor, options: Namespace) -> None:
    """Tell now and then how it stands: over and over on one line of a terminal."""
    terminal = rewritable(sys.stderr)
    if not terminal and not options.progress:
        return
    begun_s = time.monotonic()
    try:
        while True:
            await asyncio.sleep(TERMINAL_S if terminal else PROGRESS_S)
            told = f"{_clock(time.monotonic() - begun_s)}  {auditor.brief()}"
            print(
                f"\r{told}\x1b[K" if terminal else told,
                end="" if terminal else "\n",
                file=sys.stderr,
                flush=True,
            )
    finally:
        if terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}"


def _print(auditor: Auditor, options: Namespace) -> None:
    told = msgspec.json.encode(reported(auditor)).decode() if options.json else rendered(auditor)
    print(told, flush=True)


def _judge(auditor: Auditor) -> int:
    if not auditor.connections:
        print(f"otgate verify: no broker: {auditor.reason or 'no answer'}", file=sys.stderr)
        return FAILED
    if not auditor.ledger.received:
        print("otgate verify: nothing was received: is a gateway publishing?", file=sys.stderr)
        return FAILED
    return FAILED if auditor.ledger.lost else OK


def _run(options: Namespace) -> int:
    try:
        origin = replace(source(options), session=f"otgate-verify-{secrets.token_hex(4)}")
    except Refused as refused:
        print(f"otgate verify: {refused}", file=sys.stderr)
        return USAGE
    auditor = Auditor()
    try:
        asyncio.run(_listen(origin, auditor, options))
    except BrokerRefused as refused:
        print(f"otgate verify: {refused}", file=sys.stderr)
        return FAILED
    _print(auditor, options)
    return _judge(auditor)


def _arguments(parser: ArgumentParser) -> None:
    broker_arguments(parser)
    parser.add_argument(
        "--for",
        dest="seconds",
        type=duration_s,
        metavar="DURATION",
        help="how long to listen: seconds, or 30s, 10m, 1.5h, 2d (default: until Ctrl-C)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a report")
    parser.add_argument(
        "--progress",
        action="store_true",
        help="a line a minute on standard error, also where that is no terminal",
    )


COMMAND = Command(
    "verify", "account for everything that arrives at a broker", _arguments, _run, DESCRIPTION
)
