"""`otgate watch`: what arrives at a broker, one line per sample."""

import asyncio
import contextlib
import sys
import time
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from fnmatch import fnmatchcase

import msgspec

from otgate.cli.broker import broker_arguments, source
from otgate.cli.command import FAILED, OK, USAGE, Command
from otgate.cli.duration import duration_s
from otgate.errors import Refused
from otgate.publish.errors import BrokerRefused
from otgate.publish.payload import DeviceMeta, GapNotice, GatewayStatus, PointMeta, Sample, Samples
from otgate.publish.subscribe import Joined, Received, Source, subscribe
from otgate.publish.topics import Address

DESCRIPTION = """\
Subscribe to a broker and print what gateways publish, one line per sample:
time, conduit, device/point, value and unit, quality, age on arrival.

  otgate watch mqtt://localhost
  otgate watch mqtts://reader@broker.example --ca ca.pem --filter 'f3/*'
"""


class Printer:
    """Prints samples, with name and unit from the meta messages."""

    def __init__(self, wanted: str, style: str) -> None:
        self._wanted = wanted
        self._style = style
        self._points: dict[tuple[str, str, str], dict[str, PointMeta]] = {}
        self._said = ""

    def connected(self, joined: Joined) -> None:  # noqa: ARG002  one of a sink's
        """Say nothing: lines follow."""
        self._said = ""

    def lost(self, reason: str) -> None:
        """Say once that the broker is gone."""
        if not self._said:
            print(f"no broker, trying again: {reason}", file=sys.stderr)
        self._said = reason

    def malformed(self, topic: str, reason: str) -> None:
        """Say which message cannot be read."""
        print(f"unreadable: {topic}: {reason}", file=sys.stderr)

    def received(self, received: Received) -> None:
        """Print a message, or learn from it."""
        match received.payload:
            case DeviceMeta() as meta:
                self._learn(received.address, meta)
            case Samples() as samples:
                self._samples(received, samples)
            case GapNotice() | GatewayStatus() as notice:
                self._notice(notice)

    def _learn(self, address: Address, meta: DeviceMeta) -> None:
        place = address.gateway, address.conduit, address.device
        self._points[place] = {point.id: point for point in meta.points}

    def _samples(self, received: Received, samples: Samples) -> None:
        place = samples.gateway, samples.conduit, samples.device
        metas = self._points.get(place, {})
        for number, sample in enumerate(samples.points):
            if fnmatchcase(f"{samples.device}/{sample.id}", self._wanted):
                line = self._json if self._style == "json" else _line
                print(line(received, samples, number, metas.get(sample.id)), flush=True)

    def _notice(self, notice: GapNotice | GatewayStatus) -> None:
        if self._style == "json":
            print(msgspec.json.encode(notice).decode(), flush=True)
        elif isinstance(notice, GapNotice):
            count = f"at least {notice.count}" if notice.at_least else notice.count
            text = f"{count} samples of lane {notice.lane} from {notice.seq}: {notice.reason}"
            print(f"gap  {notice.conduit}  {text}", flush=True)

    @staticmethod
    def _json(received: Received, samples: Samples, number: int, meta: PointMeta | None) -> str:
        sample = samples.points[number]
        entry = {
            "time_us": _time_us(samples, sample),
            "gateway": samples.gateway,
            "conduit": samples.conduit,
            "device": samples.device,
            "point": sample.id,
            "value": sample.v,
            "unit": meta.unit if meta else "",
            "quality": sample.q,
            "age_ms": _age_ms(received, samples),
            "replayed": samples.replayed,
            "lane": samples.lane,
            "epoch": samples.epoch,
            "seq": samples.seq + number,
        }
        return msgspec.json.encode(entry).decode()


def _line(received: Received, samples: Samples, number: int, meta: PointMeta | None) -> str:
    sample = samples.points[number]
    stamp = datetime.fromtimestamp(_time_us(samples, sample) / 1e6, UTC)
    point = f"{samples.device}/{sample.id}"
    name = f"  {meta.name}" if meta and meta.name else ""
    late = "  replayed" if samples.replayed else ""
    return (
        f"{stamp:%H:%M:%S}.{stamp.microsecond // 1000:03d}  {samples.conduit}  {point:<28} "
        f"{_shown(sample, meta):>16}  {' '.join(sample.q):<12} "
        f"{_age_ms(received, samples):>7.0f} ms{late}{name}"
    )


def _shown(sample: Sample, meta: PointMeta | None) -> str:
    if sample.v is None:
        return "-"
    unit = f" {meta.unit}" if meta and meta.unit else ""
    named = label(sample.v, meta) if meta else None
    return f"{sample.v} ({named})" if named else f"{sample.v}{unit}"


def label(value: object, meta: PointMeta) -> str | None:
    """Return what a code means, or the names of the bits that are set."""
    if isinstance(value, str) and meta.bits and value.isdecimal():  # an integer beyond 2^53
        value = int(value)
    if not isinstance(value, int):
        return None
    if meta.bits:
        return ", ".join(label for bit, label in meta.bits.items() if value >> int(bit) & 1)
    return meta.states.get(str(int(value)))


def _time_us(samples: Samples, sample: Sample) -> int:
    return samples.time_us if sample.t_us is None else sample.t_us


def _age_ms(received: Received, samples: Samples) -> float:
    return round((received.arrived_ns // 1000 - samples.received_us) / 1000, 1)


async def _watch(origin: Source, printer: Printer, seconds: float | None) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await subscribe(origin, printer, clock=time.time_ns)


def _run(options: Namespace) -> int:
    try:
        origin = source(options)
    except Refused as refused:
        print(f"otgate watch: {refused}", file=sys.stderr)
        return USAGE
    printer = Printer(options.filter, "json" if options.json else "human")
    try:
        asyncio.run(_watch(origin, printer, options.seconds))
    except BrokerRefused as refused:
        print(f"otgate watch: {refused}", file=sys.stderr)
        return FAILED
    return OK


def _arguments(parser: ArgumentParser) -> None:
    broker_arguments(parser)
    parser.add_argument(
        "--filter", default="*", metavar="DEVICE/POINT", help="only these; * and ? are wild"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument(
        "--for",
        dest="seconds",
        type=duration_s,
        metavar="DURATION",
        help="stop after this long: seconds, or 30s, 10m, 1.5h, 2d",
    )


COMMAND = Command("watch", "show what arrives at a broker", _arguments, _run, DESCRIPTION)
