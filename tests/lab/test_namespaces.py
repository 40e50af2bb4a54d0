"""Each side in a network of its own, as config/namespaces makes them, and the spool between."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from brokers import Mosquitto
from daemons import BUS, POINTS, POLICY, SITE, Process, events, said, wait_until
from namespaces import ip, needs_namespaces

CONFIG = Path(__file__).parents[2] / "config" / "namespaces"
SCRIPT = CONFIG / "otgate-namespaces"
DEVICES_PORT, BROKER_PORT = 5502, 1883

REACH = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)"


@dataclass
class Networks:
    """Two networks that share this box and nothing else: devices on one, a broker on the other."""

    number: int
    folder: Path

    @property
    def names(self) -> list[str]:
        return [f"{name}{self.number}" for name in ("otgT-ot", "otgT-it", "otgT-dev", "otgT-brk")]

    @property
    def config(self) -> Path:
        return self.folder / "namespaces.conf"

    def address(self, network: str, host: int) -> str:
        return f"10.{ {'ot': 77, 'it': 78}[network] }.{self.number}.{host}"

    def build(self) -> None:
        """Lay a cable from the box to each network, as two interfaces of the box."""
        _, _, devices, brokers = self.names
        for namespace, network in ((devices, "ot"), (brokers, "it")):
            ip("netns", "add", namespace)
            far = ("type", "veth", "peer", "name", "far0", "netns", namespace)
            ip("link", "add", f"{network}{self.number}", *far)
            ip("-n", namespace, "addr", "add", f"{self.address(network, 2)}/24", "dev", "far0")
            for device in ("far0", "lo"):
                ip("-n", namespace, "link", "set", device, "up")
        self.config.write_text(
            f"OT_NAMESPACE={self.names[0]} IT_NAMESPACE={self.names[1]}\n"
            f"OT_INTERFACE=ot{self.number} OT_ADDRESS={self.address('ot', 1)}/24\n"
            f"IT_INTERFACE=it{self.number} IT_ADDRESS={self.address('it', 1)}/24\n"
        )

    def script(self, verb: str) -> subprocess.CompletedProcess[str]:
        command = ["sh", str(SCRIPT), verb, str(self.config)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)

    def remove(self) -> None:
        self.script("down")
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        for network in ("ot", "it"):
            link = f"{network}{self.number}"
            subprocess.run(["ip", "link", "del", link], capture_output=True, check=False)

    def inside(self, which: int) -> list[str]:
        return ["ip", "netns", "exec", self.names[which]]

    def reaches(self, which: int, host: str, port: int) -> bool:
        """Tell whether a program in a namespace reaches a server."""
        command = [*self.inside(which), sys.executable, "-c", REACH, host, str(port)]
        done = subprocess.run(command, capture_output=True, check=False, timeout=20)
        return done.returncode == 0


OT, IT, DEVICES, BROKERS = range(4)


@pytest.fixture
def networks(tmp_path: Path) -> Iterator[Networks]:
    needs_namespaces()
    made = Networks(os.getpid() % 250, tmp_path)
    try:
        made.build()
    except subprocess.CalledProcessError as error:
        made.remove()
        pytest.skip(f"no network namespaces here: {error.stderr.decode().strip()}")
    yield made
    made.remove()


def site_of(networks: Networks) -> Path:
    """Write a site whose devices and broker are on the two networks, each by its interface."""
    folder = networks.folder / "site"
    way_ot = f"via: {{interface: ot{networks.number}, address: {networks.address('ot', 1)}}}"
    way_it = f"via: {{interface: it{networks.number}, address: {networks.address('it', 1)}}}"
    site = SITE.replace("defaults: {", f"defaults: {{{way_ot}, ")
    for number, host in ((0, "10.0.0.5:502"), (1, "10.0.0.6:502")):
        there = f"{networks.address('ot', 2)}:{DEVICES_PORT + number}"
        site = site.replace(host, there)
    bus = BUS.format(port=BROKER_PORT).replace("127.0.0.1", networks.address("it", 2))
    for name, text in {
        "site.yaml": site,
        "points/f1.csv": POINTS,
        "policy.yaml": POLICY,
        "bus/analytics.yaml": f"{bus}plain: accepted\n{way_it}\n",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@contextmanager
def devices(networks: Networks, site: Path) -> Iterator[None]:
    words = ("--port-base", str(DEVICES_PORT), "--listen", networks.address("ot", 2))
    log, control = site / "sim.log", site / "sim.sock"
    inside = networks.inside(DEVICES)
    with Process(log, "sim", site, *words, "--control", control, prefix=inside):
        wait_until(control.exists, log)
        yield


def published(site: Path) -> int:
    lanes = said(site, "bus-analytics").get("lanes", {})
    return int(lanes.get("data", {}).get("complete_through", 0))


@pytest.mark.slow
def test_each_side_reaches_its_own_network_and_only_that(networks: Networks) -> None:
    done = networks.script("up")
    assert (done.returncode, done.stderr) == (0, "")
    assert networks.script("up").returncode == 0, "a second time changes nothing"
    site = site_of(networks)
    ours = f"{networks.address('ot', 1)}/24"
    wire = ("dev", f"ot{networks.number}")
    ip("-n", networks.names[OT], "addr", "del", ours, *wire)
    broker = Mosquitto(
        networks.folder / "broker",
        host=networks.address("it", 2),
        port=BROKER_PORT,
        inside=networks.inside(BROKERS),
    )
    run_log, bus_log = site / "run.log", site / "bus.log"
    field = ("run", site, "--field", "--log", "json")
    bus = ("bus", site / "bus/analytics.yaml", "--log", "json")
    with (
        devices(networks, site),
        broker,
        Process(run_log, *field, prefix=networks.inside(OT)),
        Process(bus_log, *bus, prefix=networks.inside(IT)),
    ):
        missing = f"this machine does not have address {networks.address('ot', 1)}"
        wait_until(lambda: missing in run_log.read_text(), run_log)
        ip("-n", networks.names[OT], "addr", "add", ours, *wire)
        wait_until(lambda: published(site) > 20, run_log, bus_log, limit_s=40)
        broker_at = (networks.address("it", 2), BROKER_PORT)
        devices_at = (networks.address("ot", 2), DEVICES_PORT)
        assert networks.reaches(IT, *broker_at)
        assert networks.reaches(OT, *devices_at)
        assert not networks.reaches(OT, *broker_at)
        assert not networks.reaches(IT, *devices_at)
        assert not networks.reaches(IT, networks.address("ot", 1), DEVICES_PORT)
    assert not [one for one in events(bus_log) if one["event"] == "sandbox_incomplete"]


def test_a_file_that_says_too_little_is_refused_before_anything_is_moved(
    networks: Networks,
) -> None:
    whole = networks.config.read_text()
    for wrong, said_of_it in (
        (whole.partition("IT_INTERFACE")[0], "does not say IT_INTERFACE"),
        (whole.replace("=it", "=ot"), "both sides have interface"),
    ):
        networks.config.write_text(wrong)
        done = networks.script("up")
        assert done.returncode == 1
        assert said_of_it in done.stderr
        listed = subprocess.run(
            ["ip", "-j", "netns", "list"], capture_output=True, text=True, check=True
        )
        assert networks.names[OT] not in {one["name"] for one in json.loads(listed.stdout)}


def test_drop_ins_name_the_namespaces_that_the_script_makes() -> None:
    script = SCRIPT.read_text()
    for file, namespace in (("field.conf", "otgate-ot"), ("bus.conf", "otgate-it")):
        assert f"NetworkNamespacePath=/run/netns/{namespace}" in (CONFIG / file).read_text()
        assert f"_NAMESPACE={namespace}" in script
    with suppress(FileNotFoundError):
        subprocess.run(["shellcheck", SCRIPT], check=True, timeout=20)
