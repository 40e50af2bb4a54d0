"""A whole gateway whose every denied point is a token, and all places that the IT zone sees.

Two conduits: `analytics` compresses what it publishes and strips attributes, `operations` does
neither and carries points that analytics must not. Each has a relay before the broker.
"""

import asyncio
import csv
import io
import json
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Self

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

import canary_tokens as tokens
from brokers import Mosquitto
from canary_tokens import Found, found, numbers_and_texts, parts
from daemons import Process, said, wait_until
from otgate.observe.control import ask
from otgate.observe.scrape import fetched
from otgate.testing.relay import Relay

CONDUITS = ("analytics", "operations")
GROUPS = 16
"""Groups of three points in each device: a counter, a measurement, a text."""
DEVICES = ("f1", "f2")
HIDDEN, UNKNOWN = tokens.text(0xFFF, 0), tokens.text(0xFFE, 0)
"""A device of which nothing crosses, and one whose host there is not."""
FATES = ("open", "ops", "denied", "restricted", "setting", "unnamed", "swing", "open")
"""What becomes of a group, in turn: its tag, or the guard that stops it."""
COLUMNS = (
    "id", "name", "description", "substation", "voltage_level", "bay", "equipment", "phase",
    "unit", "owner", "external_id",
)  # fmt: skip
STRIPPED = {f"text {COLUMNS.index(name)}" for name in ("owner", "external_id")}
KINDS = (("counter", "u64"), ("measurement", "f64"), ("text", "string(16)"))
RULE, REASON = tokens.text(0xFFD, 0), tokens.text(0xFFD, 1)

SITE = """\
config_version: 1
site: {{id: sub7, name: Substation 7, gateway: gw1}}
devices:
{devices}defaults: {{sensitivity: internal, max_age_s: 5}}
spool: {{directory: spool, size_mb: 64, age_h: 24}}
policy: policy.yaml
"""
DEVICE = """\
  - id: {name}
    driver: modbus
    zone: {zone}
    points: points/{name}.csv
    scans: {{normal: {period_s}}}
    modbus: {{url: "tcp://{host}:{port}", unit: 1, base: 0, timeout_s: 0.3}}
"""
POLICY = """\
config_version: 1
policy: {{name: {reason}, version: {version}}}
vocabulary: {{tags: [open, ops, denied, swing, unnamed, nothing]}}
zones: {{bay: {{purdue: 1}}, vault: {{purdue: 0}}, it: {{purdue: 4}}}}
conduits:
  analytics: {{from: [bay], to: it, ceiling: internal, limits: {{strip: [owner, external_id]}}}}
  operations: {{from: [bay], to: it, ceiling: internal}}
rules:
  - {{name: open, effect: allow, match: {{tags_any: [open, denied{swing}]}}, why: {reason}}}
  - {{name: ops, effect: allow, conduits: [operations], match: {{tags_any: [{ops}]}}, why: a test}}
  - {{name: {rule}, effect: deny, match: {{tags_any: [denied]}}, why: {reason}}}
"""
BUS = """\
config_version: 1
conduit: {conduit}
brokers: ["mqtt://127.0.0.1:{port}"]
last: "on"
replay_s: 0.5
compress: {compress}
"""


class Misdeed(Enum):
    """How the device spoils its replies, with the values of denied points in them."""

    NONE = 0
    EXCEPTION = 1
    SHORT = 2
    """A byte count that is wrong."""
    FOREIGN = 3
    """Another transaction's number."""
    CLOSE = 4
    NOISE = 5
    """The values with no head before them."""


@dataclass
class Meter:
    """A Modbus server whose every value is a token that counts."""

    misdeed: Misdeed = Misdeed.NONE
    asked: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(EOFError, OSError):
            while True:
                request = struct.unpack(">HHHBBHH", await reader.readexactly(12))
                reply = self.answer(*request)
                if not reply or writer.is_closing():
                    break
                writer.write(reply)
        writer.close()

    def answer(
        self, tid: int, _: int, __: int, unit: int, function: int, first: int, count: int
    ) -> bytes:
        self.asked += 1
        content = registers(first, count, self.asked)
        if self.misdeed is Misdeed.CLOSE:
            return b""
        if self.misdeed is Misdeed.NOISE:
            return content
        if self.misdeed is Misdeed.EXCEPTION:
            return struct.pack(">HHHBBB", tid, 0, 3, unit, function | 0x80, 2)
        tid ^= self.misdeed is Misdeed.FOREIGN
        size = len(content) - 2 * (self.misdeed is Misdeed.SHORT)
        return struct.pack(">HHHBBB", tid, 0, 3 + len(content), unit, function, size) + content


def registers(first: int, count: int, asked: int) -> bytes:
    """Return the registers of a read: eight to a point, of which four are used, or all."""
    begin, away = divmod(first - tokens.FIRST_ADDRESS, tokens.REGISTERS_EACH)
    points = range(begin, begin + (away + count) // tokens.REGISTERS_EACH + 1)
    held = b"".join(value(point, asked).ljust(16, b"\0") for point in points)
    return held[2 * away : 2 * (away + count)]


def value(point: int, asked: int) -> bytes:
    """The value of a point: a whole number, a real one or a text, in turn."""
    if point % 3 == 2:
        return tokens.text(point, 15).encode() + b"%06x" % (asked & 0xFFFFFF)
    return tokens.number((tokens.WHOLE, tokens.REAL)[point % 3], point, asked)


def fate(point: int) -> str:
    """What becomes of a point."""
    return FATES[point // 3 % len(FATES)]


def points_of(device: int) -> range:
    return range(device * GROUPS * 3, (device + 1) * GROUPS * 3)


def point_map(device: int) -> str:
    """Write the map of a device: every cell a token."""
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow([*COLUMNS, "kind", "type", "address", "tags", "sensitivity"])
    for point in points_of(device):
        kind, type_ = KINDS[point % 3]
        tag = fate(point)
        kind = "setting" if tag == "setting" else kind
        secret = "restricted" if tag == "restricted" else ""
        tags = tag if tag in {"ops", "denied", "swing", "unnamed"} else "open"
        cells = [tokens.text(point, column) for column in range(len(COLUMNS))]
        table.writerow([*cells, kind, type_, f"hr {tokens.address(point)}", tags, secret])
    return stream.getvalue()


def site_of(port: int, period_s: float) -> str:
    """Write the site file."""
    places = [(name, "bay", f"127.0.1.{at}", port) for at, name in enumerate(DEVICES, 1)]
    places += [(HIDDEN, "vault", "127.0.1.9", port), (UNKNOWN, "vault", f"{UNKNOWN}.invalid", 502)]
    keys = ("name", "zone", "host", "port")
    entries = (dict(zip(keys, place, strict=True)) for place in places)
    return SITE.format(devices="".join(DEVICE.format(period_s=period_s, **one) for one in entries))


def policy_of(version: int, *, swing: str = "", ops: str = "ops") -> str:
    """Write the policy; ``swing`` is what else the first rule allows, ``ops`` all of the second."""
    return POLICY.format(version=version, swing=swing, ops=ops, rule=RULE, reason=REASON)


def write(folder: Path, port: int, relays: Mapping[str, int], period_s: float) -> Path:
    """Write the site with its bus files; return its folder."""
    files = {"site.yaml": site_of(port, period_s), "policy.yaml": policy_of(1)}
    for at, name in enumerate((*DEVICES, HIDDEN, UNKNOWN)):
        files[f"points/{name}.csv"] = point_map(at)
    for conduit, relay in relays.items():
        compress = "zstd" if conduit == "analytics" else "none"
        files[f"bus/{conduit}.yaml"] = BUS.format(conduit=conduit, port=relay, compress=compress)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


class Beside:
    """The meter and the relays, on a loop of their own beside the test."""

    def __init__(self, broker_port: int) -> None:
        self.meter = Meter()
        self.port = 0
        self.relays = {conduit: Relay(("127.0.0.1", broker_port)) for conduit in CONDUITS}
        self._ready = Event()
        self._thread = Thread(target=asyncio.run, args=(self._run(),))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)

    async def _run(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        async with AsyncExitStack() as stack:
            server = await asyncio.start_server(self.meter.serve, "0.0.0.0", 0)
            self.port = server.sockets[0].getsockname()[1]
            stack.callback(server.close)
            for relay in self.relays.values():
                await relay.start()
                stack.push_async_callback(relay.stop)
            self._ready.set()
            await self._ended.wait()


class Ear:
    """An independent subscriber to everything; looks at each message as it comes."""

    def __init__(self, port: int) -> None:
        self.tokens: dict[str, Found] = {conduit: set() for conduit in CONDUITS}
        self.told: dict[str, Found] = {conduit: set() for conduit in CONDUITS}
        """The same without messages that are empty: they clear what a broker retains."""
        self.crossings: Counter[str] = Counter()
        self.lock = Lock()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda *_: self._client.subscribe("#", 1)
        self._client.on_message = self._message
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)

    def __enter__(self) -> Self:
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _message(self, _: object, __: object, message: mqtt.MQTTMessage) -> None:
        said = message.topic.encode() + b"\n" + message.payload
        seen = found(said)
        samples = sum(part.count(b'"v":') for part in parts(message.payload, 1))
        with self.lock:
            conduit = message.topic.split("/")[4]
            self.tokens[conduit] |= seen
            self.told[conduit] |= seen if message.payload else set()
            self.crossings[conduit] += samples


@dataclass
class World:
    """The gateway, its broker, and what the IT zone has seen of it so far."""

    site: Path
    beside: Beside
    broker: Mosquitto
    ear: Ear
    field: Process
    buses: Mapping[str, Process]
    version: int = 1
    patience_s: float = 20.0
    """How long a device may take to misbehave, and to recover."""
    wires: dict[str, Found] = field(default_factory=lambda: {one: set() for one in CONDUITS})

    def seen(self, conduit: str) -> dict[str, Found]:
        """Return what stands where the IT zone could look, by place."""
        relay = self.beside.relays[conduit]
        self.wires[conduit] |= found(bytes(relay.sent))
        with self.ear.lock:
            messages = set(self.ear.tokens[conduit])
        status = said(self.site, f"bus-{conduit}")
        assert status, self.buses[conduit].log.read_text()
        _, metrics = fetched(self.site / "run" / f"bus-{conduit}.metrics.sock", "/metrics")
        return {
            "messages": messages,
            "wire": self.wires[conduit],
            "spool": in_files(self.site / "spool" / conduit),
            "state": in_files(self.site / "state" / "bus" / conduit),
            "log": found(self.buses[conduit].log.read_bytes()),
            "status": found(json.dumps(status).encode()),
            "metrics": found(metrics.encode()),
            "memory": in_memory(self.buses[conduit].pid),
        }

    def forget_wires(self) -> None:
        """Look at what went over the wires and let go of it, but for a message that goes on."""
        for conduit, relay in self.beside.relays.items():
            sent = bytes(relay.sent)
            self.wires[conduit] |= found(sent)
            del relay.sent[: max(0, len(sent) - LONGEST_MESSAGE)]

    def crossings(self, conduit: str) -> int:
        with self.ear.lock:
            return self.ear.crossings[conduit]

    def await_crossings(self, more: int = 20, limit_s: float = 20.0) -> None:
        """Return once so many more samples have arrived over each conduit."""
        due = {conduit: self.crossings(conduit) + more for conduit in CONDUITS}
        wait_until(
            lambda: all(self.crossings(one) >= due[one] for one in CONDUITS),
            *self.logs,
            limit_s=limit_s,
        )

    @property
    def logs(self) -> list[Path]:
        return [self.field.log, *(bus.log for bus in self.buses.values())]

    def spoil(self, misdeed: Misdeed) -> None:
        """Let the devices misbehave until they are seen to, and recover."""
        self.beside.meter.misdeed = misdeed
        well = ("good", None)
        wait_until(lambda: self.state("f1") not in well, *self.logs, limit_s=self.patience_s)
        self.beside.meter.misdeed = Misdeed.NONE
        self.await_good()

    def await_good(self) -> None:
        wait_until(lambda: self.state("f1") == "good", *self.logs, limit_s=self.patience_s)

    def state(self, device: str) -> str | None:
        told: Mapping[str, Any] = said(self.site, "field").get("devices", {}).get(device, {})
        return told.get("state")

    def kill(self, *sides: Process) -> None:
        """Kill sides, and start them again."""
        for side in sides:
            side.kill()
        for side in sides:
            side.start()

    def reload(self, *, swing: str = "", ops: str = "ops", allow_gain: bool = False) -> None:
        """Load another version of the policy, made as `policy_of` does."""
        self.version += 1
        (self.site / "policy.yaml").write_text(policy_of(self.version, swing=swing, ops=ops))
        ask(self.site / "run" / "field.sock", "reload", timeout_s=60, allow_gain=allow_gain)


LONGEST_MESSAGE = 1 << 20


def of_fate(*fates: str) -> set[int]:
    """Return the points of the devices that the policy knows of, with one of these fates."""
    return {point for at in range(len(DEVICES)) for point in points_of(at) if fate(point) in fates}


def leaks(conduit: str, seen: Found) -> Found:
    """Return what of ``seen`` the first policy does not let through a conduit."""
    allowed = of_fate("open") if conduit == "analytics" else of_fate("open", "ops")
    secret = {"address"} | (STRIPPED if conduit == "analytics" else set())
    return {(point, what) for point, what in seen if point not in allowed or what in secret}


def in_files(folder: Path) -> Found:
    """Return whose tokens stand in the names or the content of files that may come and go."""
    tokens: Found = set()
    for path in folder.rglob("*"):
        tokens |= found(str(path.relative_to(folder)).encode())
        with suppress(FileNotFoundError, IsADirectoryError):
            tokens |= found(path.read_bytes())
    return tokens


def in_memory(pid: int) -> Found:
    """Return whose tokens stand in what a process has written of its memory."""
    tokens: Found = set()
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in lines:
            span, modes, *_ = line.split()
            if modes.startswith("rw"):
                begin, end = (int(one, 16) for one in span.split("-"))
                with suppress(OSError):  # unmapped meanwhile
                    memory.seek(begin)
                    tokens |= numbers_and_texts(memory.read(end - begin))
    return tokens


@contextmanager
def world(folder: Path, period_s: float = 0.1) -> Iterator[World]:
    """Run the gateway: a field side and a bus side per conduit, each a process of its own."""
    refusing = folder / "refusing.acl"
    refusing.parent.mkdir(parents=True, exist_ok=True)
    refusing.write_text("topic readwrite #\ntopic deny otgate/v1/sub7/gw1/operations/f2/data\n")
    with ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(folder / "broker", options=[f"acl_file {refusing}"]))
        beside = stack.enter_context(Beside(broker.port))
        relays = {conduit: relay.port for conduit, relay in beside.relays.items()}
        site = write(folder / "site", beside.port, relays, period_s)
        ear = stack.enter_context(Ear(broker.port))
        logged = ("--log", "json", "--log-level", "debug")
        field_side = stack.enter_context(
            Process(site / "field.log", "run", site, "--field", *logged)
        )
        buses = {
            conduit: stack.enter_context(
                Process(site / f"{conduit}.log", "bus", site / "bus" / f"{conduit}.yaml", *logged)
            )
            for conduit in CONDUITS
        }
        running = World(site, beside, broker, ear, field_side, buses)
        running.await_crossings(1)
        yield running
