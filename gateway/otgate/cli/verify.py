"""`otgate verify`: whether a subscriber receives everything, once, in order and fresh."""

import asyncio
import secrets
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from dataclasses import replace
from typing import Any

import msgspec

from otgate.cli.broker import broker_arguments, source
from otgate.cli.command import FAILED, OK, USAGE, Command
from otgate.errors import Refused
from otgate.publish.errors import BrokerRefused
from otgate.publish.ledger import Account, Ledger, Stream
from otgate.publish.payload import GapNotice, GatewayStatus, Samples
from otgate.publish.subscribe import Joined, Received, Source, subscribe
from otgate.together import cancelled

DESCRIPTION = """\
Subscribe to a broker for N seconds and account for every sequence number, per conduit, lane
and epoch. A number that is missing and was not announced as a gap is a loss. It survives
restarts of the broker; what a broker without persistence loses of its session is told as unseen.

  otgate verify mqtt://localhost --for 60

Exit code 0: nothing lost; 1: samples lost, nothing received, or no broker; 2: usage.
A loss can be the broker's: Mosquitto keeps max_queued_messages (1000 by default) for a slow
subscriber and drops the rest.
"""
QUEUE_NOTE = """\
If the gateway's own counts show no loss, look at the broker: Mosquitto drops what exceeds
max_queued_messages (1000 by default) for a subscriber that is slow."""
AT_LEAST_NOTE = """\
A gap with >= may be larger: the field side was killed while its disk took nothing."""
UNSEEN_NOTE = """\
{} samples unseen: the broker lost our session, and they passed by before we were back."""
LATE_S = 3.0
"""What is missing at the end may be under way for this long."""
LOOK_EVERY_S = 0.1
SHOWN_HOLES = 5
UNSHOWN = frozenset({"site", "gateway", "conduit", "gap_at_least"})
"""Keys of a report's row that have no column of their own."""
HEADINGS = (
    "conduit",
    "lane",
    "epoch",
    "received",
    "lost",
    "unseen",
    "gap",
    "twice",
    "disorder",
    "replayed",
    "p50 ms",
    "p99 ms",
)


class Auditor:
    """Books everything that arrives."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.connections = 0
        self.unreadable: dict[str, str] = {}
        self.reason = ""

    def connected(self, joined: Joined) -> None:
        """Count a connection, and book what passed by where the broker forgot us."""
        self.connections += 1
        if joined is Joined.ANEW:
            self.ledger.cut_off()

    def lost(self, reason: str) -> None:
        """Remember why there is no connection."""
        self.reason = reason

    def malformed(self, topic: str, reason: str) -> None:
        """Remember a few messages that cannot be read."""
        if len(self.unreadable) < SHOWN_HOLES:
            self.unreadable[topic] = reason

    def received(self, received: Received) -> None:
        """Book a message."""
        match received.payload:
            case Samples() as samples:
                message_class = received.address.message_class
                self.ledger.samples(samples, message_class, received.arrived_ns // 1000)
            case GapNotice() as gap:
                self.ledger.gap(gap)
            case GatewayStatus() as status if received.retained:
                self.ledger.retained(status)
            case GatewayStatus() as status:
                self.ledger.status(status)


def _row(stream: Stream, account: Account) -> dict[str, Any]:
    return {
        "site": stream.site,
        "gateway": stream.gateway,
        "conduit": stream.conduit,
        "lane": stream.lane,
        "epoch": stream.epoch,
        "received": account.count,
        "lost": account.lost,
        "unseen": account.unseen,
        "gap": account.gaps,
        "gap_at_least": account.at_least,
        "duplicates": account.duplicates,
        "disorder": account.disorder,
        "replayed": account.replayed,
        "age_ms_p50": account.ages.percentile(0.50),
        "age_ms_p99": account.ages.percentile(0.99),
    }


def _report(auditor: Auditor) -> dict[str, Any]:
    accounts = [
        (stream, account)
        for stream, account in sorted(auditor.ledger.accounts.items())
        if account.count or account.lost or account.unseen or account.gaps
    ]
    return {
        "received": auditor.ledger.received,
        "lost": auditor.ledger.lost,
        "unseen": auditor.ledger.unseen,
        "connections": auditor.connections,
        "unreadable": auditor.unreadable,
        "streams": [_row(stream, account) for stream, account in accounts],
    }


def _table(report: dict[str, Any]) -> str:
    rows = [HEADINGS, *(_cells(row) for row in report["streams"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    place = f"{row['site']}/{row['gateway']}/{row['conduit']}"
    row = row | {"gap": f">={row['gap']}" if row["gap_at_least"] else row["gap"]}
    values = [value for key, value in row.items() if key not in UNSHOWN]
    return (place, *("-" if value is None else str(value) for value in values))


def _print(auditor: Auditor, report: dict[str, Any]) -> None:
    print(_table(report))
    for stream, account in sorted(auditor.ledger.accounts.items()):
        for start, end in account.losses()[:SHOWN_HOLES]:
            print(f"lost: {stream.conduit} {stream.lane} {stream.epoch} {start}..{end - 1}")
    for topic, reason in auditor.unreadable.items():
        print(f"unreadable: {topic}: {reason}")
    print(f"{report['received']} samples received, {report['lost']} lost")
    if any(row["gap_at_least"] for row in report["streams"]):
        print(AT_LEAST_NOTE)
    if report["unseen"]:
        print(UNSEEN_NOTE.format(report["unseen"]))
    if report["lost"]:
        print(QUEUE_NOTE)


def _judge(auditor: Auditor, report: dict[str, Any]) -> int:
    if not auditor.connections:
        print(f"otgate verify: no broker: {auditor.reason or 'no answer'}", file=sys.stderr)
        return FAILED
    if not report["received"]:
        print("otgate verify: nothing was received: is a gateway publishing?", file=sys.stderr)
        return FAILED
    return FAILED if report["lost"] else OK


async def _listen(origin: Source, auditor: Auditor, seconds: float) -> None:
    listening = asyncio.ensure_future(subscribe(origin, auditor, clock=time.time_ns))
    try:
        await asyncio.wait([listening], timeout=seconds)
        for _ in range(round(LATE_S / LOOK_EVERY_S)):
            if listening.done() or not auditor.ledger.lost:
                break
            await asyncio.wait([listening], timeout=LOOK_EVERY_S)
        if listening.done():
            listening.result()
    finally:
        await cancelled([listening])


def _run(options: Namespace) -> int:
    try:
        origin = replace(source(options), session=f"otgate-verify-{secrets.token_hex(4)}")
    except Refused as refused:
        print(f"otgate verify: {refused}", file=sys.stderr)
        return USAGE
    auditor = Auditor()
    try:
        asyncio.run(_listen(origin, auditor, options.seconds))
    except BrokerRefused as refused:
        print(f"otgate verify: {refused}", file=sys.stderr)
        return FAILED
    report = _report(auditor)
    if options.json:
        print(msgspec.json.encode(report).decode())
    else:
        _print(auditor, report)
    return _judge(auditor, report)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise ArgumentTypeError("a number of seconds above 0")
    return seconds


def _arguments(parser: ArgumentParser) -> None:
    broker_arguments(parser)
    parser.add_argument(
        "--for",
        dest="seconds",
        type=_seconds,
        required=True,
        metavar="SECONDS",
        help="how long to listen",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object at the end")


COMMAND = Command(
    "verify", "account for everything that arrives at a broker", _arguments, _run, DESCRIPTION
)
