"""A gateway of the canary site, and all places of it that the IT zone sees.

A field side, a bus side per conduit with a relay before the broker, and an ear at the broker.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Self

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from brokers import Mosquitto
from canary_devices import Beside, Misdeed
from canary_site import CONDUITS, NAMED, STRIPPED, Layout, policy_of, write
from canary_tokens import Found, found, numbers_and_texts, parts
from daemons import Process, said, wait_until
from otgate.observe.control import ask
from otgate.observe.scrape import fetched


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
    layout: Layout
    beside: Beside
    broker: Mosquitto
    ear: Ear
    field: Process
    buses: Mapping[str, Process]
    version: int = 1
    watched: frozenset[str] = frozenset({"f1"})
    """Devices whose misbehaviour and recovery is waited for."""
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

    def leaks(self, conduit: str, seen: Found) -> Found:
        """Return what of ``seen`` the first policy does not let through a conduit."""
        allowed = self.layout.of_fate("open", *(("ops",) if conduit == "operations" else ()))
        secret = ADDRESSES | (STRIPPED if conduit == "analytics" else set())
        return {(point, what) for point, what in seen if point not in allowed or what in secret}

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
        """Let the devices misbehave until those watched have and are seen to, and recover."""
        self.beside.behave(misdeed)
        ill = set[str]()

        def felt() -> bool:
            ill.update(name for name, state in self.states().items() if state != "good")
            return ill > set() and self.beside.spoilt() >= self.watched

        wait_until(felt, *self.logs, limit_s=self.patience_s)
        self.beside.behave(Misdeed.NONE)
        self.await_good()

    def await_good(self) -> None:
        wait_until(
            lambda: set(self.states().values()) == {"good"}, *self.logs, limit_s=self.patience_s
        )

    def states(self) -> Mapping[str, str]:
        """Return the states of the devices that are watched."""
        told: Mapping[str, Any] = said(self.site, "field").get("devices", {})
        return {name: told[name]["state"] if name in told else "" for name in self.watched}

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
ADDRESSES = {"address", f"text {NAMED}"}
"""What no conduit tells of any point."""


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
def world(folder: Path, layout: Layout | None = None, period_s: float = 0.1) -> Iterator[World]:
    """Run the gateway: a field side and a bus side per conduit, each a process of its own."""
    layout = layout or Layout()
    refusing = folder / "refusing.acl"
    refusing.parent.mkdir(parents=True, exist_ok=True)
    refusing.write_text("topic readwrite #\ntopic deny otgate/v1/sub7/gw1/operations/f2/data\n")
    with ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(folder / "broker", options=[f"acl_file {refusing}"]))
        beside = stack.enter_context(Beside(layout, broker.port))
        relays = {conduit: relay.port for conduit, relay in beside.relays.items()}
        site = write(folder / "site", layout, beside.ports, relays, period_s)
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
        running = World(site, layout, beside, broker, ear, field_side, buses)
        running.await_crossings(1)
        yield running
