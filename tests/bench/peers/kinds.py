"""The peers, each set up as its manual says for this load: blocks of 125 registers, QoS 1."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.fleet_load import LIBRARIES, built, host
from bench.fleet_site import Fleet, write_site
from bench.peers.environment import (
    Missing,
    asked,
    debian,
    npm,
    npm_version,
    pypi,
    pypi_versions,
)
from bench.peers.processes import Command
from bench.peers.thingsboard import thingsboard_platform
from bench.results import commit

HERE = Path(__file__).parent
BLOCK = 125
"""Registers in one read: Modbus Application Protocol V1.1b3, §6.4."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a peer has to carry, in a folder of its own."""

    fleet: Fleet
    server: int
    broker: int
    folder: Path

    def blocks(self, size: int = BLOCK) -> Iterator[tuple[int, int]]:
        """Yield the start and the count of each read of a device."""
        for first in range(0, self.fleet.registers, size):
            yield first, min(size, self.fleet.registers - first)

    def write(self, name: str, text: str) -> Path:
        """Write one file of a peer's configuration."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def write_json(self, name: str, content: Any) -> Path:
        """Write one JSON file of a peer's configuration."""
        return self.write(name, json.dumps(content))


@dataclass(frozen=True, slots=True)
class Installed:
    """A peer that can be started."""

    version: str
    start: Callable[[Load], Command]


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody else's way from Modbus to MQTT."""

    name: str
    how: str
    """How it is set up, for people."""
    topics: tuple[str, ...]
    mark: bytes
    """Stands once in a payload for each point; empty where a message is a point."""
    install: Callable[[], Installed]
    """Raises: Missing."""
    beside: Callable[[int], AbstractContextManager[None]] = lambda _broker: nullcontext()
    """What it needs from a platform, on the broker's port."""

    def points(self, payload: bytes) -> int:
        """Return how many points a message carries."""
        return payload.count(self.mark) if self.mark else 1


def otgate() -> Installed:
    def start(load: Load) -> Command:
        write_site(load.folder, load.fleet, load.server, load.broker)
        return command(load, sys.executable, "-m", "otgate", "run", load.folder)

    return Installed(f"otgate {commit()}", start)


def floor() -> Installed:
    def start(load: Load) -> Command:
        size = load.fleet.devices, load.fleet.registers, 3600
        program = built(load.folder, "fleet_floor", *LIBRARIES)
        return command(load, program, *map(str, (load.server, load.broker, *size)))

    if not Path("/usr/include/modbus/modbus.h").exists():
        raise Missing("apt-get install libmodbus-dev libmosquitto-dev")
    versions = asked(
        ["dpkg-query", "-W", "-f", "${Package} ${Version}, ", "libmodbus5", "libmosquitto1"]
    )
    return Installed(versions.strip(" ,\n"), start)


def minimal_python() -> Installed:
    programs = pypi("minimal", "pymodbus>=3.11", "paho-mqtt>=2.1")

    def start(load: Load) -> Command:
        size = load.fleet.devices, load.fleet.registers
        arguments = map(str, (load.server, load.broker, *size))
        return command(load, programs / "python", HERE / "pymodbus_paho.py", *arguments)

    return Installed(pypi_versions(programs, "pymodbus", "paho-mqtt"), start)


def modpoll() -> Installed:
    programs = pypi("modpoll", "modpoll")

    def start(load: Load) -> Command:
        file = load.write("modpoll.csv", "".join(modpoll_lines(load)))
        link = "--tcp", host(0), "--tcp-port", str(load.server)
        mqtt = "--mqtt-host", "127.0.0.1", "--mqtt-port", str(load.broker), "--mqtt-qos", "1"
        version = "--mqtt-version", "5.0"  # with 3.1.1 it gives `connect` an argument that is none
        pace = "--rate", "1", "--interval", "0", "--loglevel", "ERROR"
        return command(load, programs / "modpoll", "-d", "-f", file, *link, *mqtt, *version, *pace)

    return Installed(pypi_versions(programs, "modpoll", "pymodbus", "paho-mqtt"), start)


MODPOLL_BLOCK = 123
"""It takes no more in a read."""


def modpoll_lines(load: Load) -> Iterator[str]:
    """Yield its CSV; its one link carries the devices as unit ids."""
    for device in range(load.fleet.devices):
        yield f"device,d{device},{device + 1}\n"
        for first, count in load.blocks(MODPOLL_BLOCK):
            yield f"poll,input_register,{first},{count},BE_BE\n"
            for at in range(first, first + count):
                yield f"ref,p{at},{at},uint16,r\n"


def thingsboard() -> Installed:
    programs = pypi(
        "thingsboard", "thingsboard-gateway", "pymodbus==3.9.2"
    )  # it installs that itself

    def start(load: Load) -> Command:
        load.write_json("tb_gateway.json", thingsboard_settings(load.broker))
        load.write_json("logs.json", QUIET_LOGS)
        load.write_json("modbus.json", {"master": {"slaves": list(thingsboard_devices(load))}})
        return command(load, programs / "thingsboard-gateway", TB_GW_CONFIG_DIR=str(load.folder))

    return Installed(
        pypi_versions(programs, "thingsboard-gateway", "tb-mqtt-client", "pymodbus"), start
    )


QUIET_LOGS = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler", "level": "ERROR"}},
    "root": {"level": "ERROR", "handlers": ["console"]},
    "loggers": {},
}


def thingsboard_settings(broker: int) -> Mapping[str, Any]:
    """Return its own example's settings without the extras, with larger packets and no limits."""
    return {
        "thingsboard": {
            "host": "127.0.0.1",
            "port": broker,
            "remoteShell": False,
            "remoteConfiguration": False,
            "statistics": {"enable": False},
            "deviceFiltering": {"enable": False},
            "maxPayloadSizeBytes": 65_536,
            "minPackSendDelayMS": 10,
            "minPackSizeToSend": 500,
            "checkConnectorsConfigurationInSeconds": 600,
            "security": {"type": "accessToken", "accessToken": "bench"},
            "qos": 1,
            "checkingDeviceActivity": {"checkDeviceInactivity": False},
        },
        "storage": {"type": "memory", "read_records_count": 1000, "max_records_count": 1_000_000},
        "grpc": {"enabled": False},
        "connectors": [{"type": "modbus", "name": "modbus", "configuration": "modbus.json"}],
    }


def thingsboard_devices(load: Load) -> Iterator[Mapping[str, Any]]:
    """Yield its devices; a range of addresses is read in blocks."""
    points = {
        "tag": "p${address}",
        "type": "16uint",
        "functionCode": 4,
        "objectsCount": 1,
        "address": f"0-{load.fleet.registers - 1}",
        "maxRegistersPerRequest": BLOCK,
    }
    for device in range(load.fleet.devices):
        yield {
            "host": host(device),
            "port": load.server,
            "type": "tcp",
            "method": "socket",
            "unitId": 1,
            "deviceName": f"d{device}",
            "timeout": 3,
            "byteOrder": "BIG",
            "wordOrder": "BIG",
            "retries": 1,
            "pollPeriod": 1000,
            "connectAttemptTimeMs": 1000,
            "connectAttemptCount": 5,
            "waitAfterFailedAttemptsMs": 1000,
            "attributes": [],
            "timeseries": [points],
            "attributeUpdates": [],
            "rpc": [],
        }


def collectd() -> Installed:
    root = debian("collectd", "collectd-core")

    def start(load: Load) -> Command:
        text = "".join(collectd_lines(load, root))
        file = load.write("collectd.conf", text)
        return command(load, root / "usr" / "sbin" / "collectd", "-f", "-C", file)

    version = next(root.glob("collectd-core_*.deb")).name.split("_")[1]
    return Installed(f"collectd {version}", start)


def collectd_lines(load: Load, root: Path) -> Iterator[str]:
    """Yield its configuration; it reads one value a request and sends one a message."""
    yield f"""\
BaseDir "{load.folder}"
PIDFile "{load.folder}/pid"
PluginDir "{root}/usr/lib/collectd"
TypesDB "{root}/usr/share/collectd/types.db"
Interval 1
ReadThreads 8
LoadPlugin mqtt
LoadPlugin modbus
<Plugin mqtt>
<Publish "bench">
Host "127.0.0.1"
Port "{load.broker}"
QoS 1
</Publish>
</Plugin>
<Plugin modbus>
"""
    for at in range(load.fleet.registers):
        yield f'<Data "p{at}">\nRegisterBase {at}\nRegisterType Uint16\nRegisterCmd ReadInput\n'
        yield f'Type gauge\nInstance "p{at}"\n</Data>\n'
    for device in range(load.fleet.devices):
        yield f'<Host "d{device}">\nAddress "{host(device)}"\nPort "{load.server}"\n'
        yield "Interval 1\n<Slave 1>\n"
        yield from (f'Collect "p{at}"\n' for at in range(load.fleet.registers))
        yield "</Slave>\n</Host>\n"
    yield "</Plugin>\n"


def node_red() -> Installed:
    folder = npm("node-red", "node-red@4", "node-red-contrib-modbus@5.23.3")

    def start(load: Load) -> Command:
        load.write_json("flows.json", list(node_red_nodes(load)))
        load.write("settings.js", NODE_RED_SETTINGS.format(nodes=folder / "node_modules"))
        program = folder / "node_modules" / "node-red" / "red.js"
        return command(load, "node", program, "-u", load.folder, "-s", load.folder / "settings.js")

    names = "node-red", "node-red-contrib-modbus", "modbus-serial", "mqtt"
    versions = ", ".join(npm_version(folder, name) for name in names)
    return Installed(f"{versions}, Node.js {asked(['node', '--version']).strip()}", start)


NODE_RED_SETTINGS = """\
module.exports = {{
  flowFile: "flows.json", credentialSecret: false,
  uiPort: 0, httpAdminRoot: false, httpNodeRoot: false,
  nodesDir: "{nodes}/node-red-contrib-modbus", logging: {{ console: {{ level: "error" }} }},
}};
"""
NAMED = """\
const values = msg.payload, points = {}, first = %d;
for (let at = 0; at < values.length; at++) points["p" + (first + at)] = values[at];
return { topic: "nodered/d%d", payload: points };
"""


def node_red_nodes(load: Load) -> Iterator[Mapping[str, Any]]:
    """Yield the flow: a read node a block, a function that names the points, one MQTT node."""
    yield {"id": "tab", "type": "tab", "label": "bench"}
    yield {
        "id": "broker",
        "type": "mqtt-broker",
        "broker": "127.0.0.1",
        "port": str(load.broker),
        "clientid": "nodered",
        "autoConnect": True,
        "protocolVersion": "4",
        "keepalive": "60",
        "cleansession": True,
    }
    yield {"id": "out", "type": "mqtt out", "z": "tab", "qos": "1", "broker": "broker", "wires": []}
    for device in range(load.fleet.devices):
        yield node_red_client(device, load.server)
        for first, count in load.blocks():
            yield from node_red_read(device, first, count)


def node_red_client(device: int, server: int) -> Mapping[str, Any]:
    return {
        "id": f"c{device}",
        "type": "modbus-client",
        "clienttype": "tcp",
        "bufferCommands": True,
        "tcpHost": host(device),
        "tcpPort": str(server),
        "tcpType": "DEFAULT",
        "unit_id": 1,
        "commandDelay": 1,
        "clientTimeout": 1000,
        "reconnectOnTimeout": True,
        "reconnectTimeout": 2000,
        "parallelUnitIdsAllowed": True,
    }


def node_red_read(device: int, first: int, count: int) -> Iterator[Mapping[str, Any]]:
    reader, namer = f"r{device}x{first}", f"f{device}x{first}"
    yield {
        "id": reader,
        "type": "modbus-read",
        "z": "tab",
        "unitid": "1",
        "dataType": "InputRegister",
        "adr": str(first),
        "quantity": str(count),
        "rate": "1",
        "rateUnit": "s",
        "server": f"c{device}",
        "wires": [[namer], []],
    }
    yield {
        "id": namer,
        "type": "function",
        "z": "tab",
        "func": NAMED % (first, device),
        "outputs": 1,
        "wires": [["out"]],
    }


def command(load: Load, *words: str | Path, **environment: str) -> Command:
    """Return a command that runs in the load's folder."""
    return Command(words, environment, load.folder)


PEERS = (
    Peer(
        "floor: libmodbus, libmosquitto",
        "tests/bench/fleet_floor.c: one thread, a message a device",
        ("floor/#",),
        b'"id":',
        floor,
    ),
    Peer(
        "otgate",
        "both sides and their parent; policy, quality, spool",
        tuple(f"otgate/v1/+/+/+/+/{name}" for name in ("data", "event", "replay")),
        b'{"id":',
        otgate,
    ),
    Peer(
        "pymodbus, paho-mqtt",
        "tests/bench/peers/pymodbus_paho.py: asyncio, a task and a message a device",
        ("minimal/#",),
        b'"p',
        minimal_python,
    ),
    Peer(
        "modpoll",
        "one link, a unit id a device; polls of 123, its most; --rate 1; a message a device",
        ("modpoll/+/data",),
        b'"p',
        modpoll,
    ),
    Peer(
        "thingsboard-gateway",
        "address range, maxRegistersPerRequest 125; 64 KiB packets, no rate limits",
        ("v1/gateway/telemetry",),
        b'"p',
        thingsboard,
        thingsboard_platform,
    ),
    Peer(
        "Node-RED",
        "modbus-read of 125 each second, a function that names the points, mqtt out",
        ("nodered/#",),
        b'"p',
        node_red,
    ),
    Peer(
        "collectd",
        "modbus and mqtt plug-ins: one value a request, one a message; there is no other way",
        ("collectd/#",),
        b"",
        collectd,
    ),
)
