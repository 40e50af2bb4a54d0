"""Each side in a network of its own, as config/namespaces makes them, and the spool between."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from brokers import Mosquitto
from daemons import BUS, POINTS, POLICY, SITE, Process, events, said, wait_until
from namespaces import BROKERS, DEVICES, IT, NAMESPACES, OT, TwoNetworks, ip, two_networks

SCRIPT = NAMESPACES / "otgate-namespaces"
DEVICES_PORT, BROKER_PORT = 5502, 1883


@pytest.fixture
def networks(tmp_path: Path) -> Iterator[TwoNetworks]:
    with two_networks(tmp_path) as made:
        yield made


def site_of(networks: TwoNetworks) -> Path:
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
def devices(networks: TwoNetworks, site: Path) -> Iterator[None]:
    words = ("--port-base", str(DEVICES_PORT), "--listen", networks.address("ot", 2))
    log, control = site / "sim.log", site / "sim.sock"
    inside = networks.inside(DEVICES)
    with Process(log, "sim", site, *words, "--control", control, prefix=inside):
        wait_until(control.exists, log)
        yield


def published(site: Path) -> int:
    lanes = said(site, "bus-analytics").get("lanes", {})
    return int(lanes.get("data", {}).get("complete_through", 0))


def read_only(directory: Path) -> list[str]:
    """Return the command that runs another one to which a directory is mounted read-only."""
    directory.mkdir()
    mounting = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", mounting, str(directory)]


@pytest.mark.slow
def test_each_side_reaches_its_own_network_and_only_that(networks: TwoNetworks) -> None:
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
        Process(bus_log, *bus, prefix=[*networks.inside(IT), *read_only(site / "spool")]),
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
    networks: TwoNetworks,
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
        assert f"NetworkNamespacePath=/run/netns/{namespace}" in (NAMESPACES / file).read_text()
        assert f"_NAMESPACE={namespace}" in script
    with suppress(FileNotFoundError):
        subprocess.run(["shellcheck", SCRIPT], check=True, timeout=20)
