"""The image and compose.yaml: what they say, and what they do where root has buildah."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from brokers import Mosquitto
from daemons import wait_until
from images import COMPOSE, ROOT, Image, Service, built, services
from namespaces import BROKERS, DEVICES, IT, OT, TwoNetworks, two_networks
from otgate.config.bus import load_bus
from otgate.config.site import check_sites
from otgate.driver import installed

DOCKERFILE = (ROOT / "Dockerfile").read_text()
HARDENED = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
KNOWN = {
    *("image", "build", "command", "user", "read_only", "cap_drop", "security_opt", "tmpfs"),
    *("restart", "volumes", "networks", "depends_on", "healthcheck"),
}
"""Keys of a service that we use, all of the Compose Specification."""

SIDES = ("devices", "field", "bus")
IN_OT, IN_IT = {"devices", "field"}, {"bus", "broker"}


def compose() -> Mapping[str, Any]:
    read: Mapping[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return read


def mounts(service: str) -> Mapping[str, tuple[str, str]]:
    """Return a service's volumes: source to place and mode."""
    split = ((*entry.split(":"), "rw")[:3] for entry in services()[service]["volumes"])
    return {source: (place, mode) for source, place, mode in split}


def test_no_service_is_on_both_networks_and_neither_leads_out() -> None:
    for names, network in ((IN_OT, "ot"), (IN_IT, "it")):
        assert {name for name in services() if network in services()[name]["networks"]} == names
        assert compose()["networks"][network]["internal"] is True
    assert not any("ports" in service for service in services().values())


def test_the_bus_side_has_the_spool_read_only_and_nothing_else_of_the_field_side() -> None:
    field, bus = mounts("field"), mounts("bus")
    assert field["spool"] == ("/var/lib/otgate/spool", "rw")
    assert bus["spool"] == ("/var/lib/otgate/spool", "ro")
    assert field.keys() & bus.keys() == {"spool"}


def test_every_service_is_read_only_and_without_privileges() -> None:
    for service in services().values():
        assert service.keys() <= KNOWN
        assert {key: service[key] for key in HARDENED} == HARDENED


def test_sides_are_two_users_that_share_a_group() -> None:
    image = re.search(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    assert image is not None
    uid, _, gid = services()["bus"]["user"].partition(":")
    assert (uid != image[1], gid) == (True, image[2])
    for service, owner in (("field", image[1]), ("bus", uid)):
        assert f"uid={owner},gid={gid}" in services()[service]["tmpfs"][1]


def test_volumes_and_files_that_are_named_are_there() -> None:
    named = {source for name in services() for source in mounts(name) if source[0] != "."}
    assert named == compose()["volumes"].keys()
    for source in {source for name in services() for source in mounts(name)} - named:
        assert (ROOT / source).exists(), source


def test_the_site_of_the_lab_is_at_the_addresses_of_its_containers() -> None:
    (checked,) = check_sites([ROOT / "config/compose/field/site.yaml"], installed())
    assert checked.site is not None
    networks = {name: services()[name]["networks"] for name in ("devices", "field")}
    for device in checked.site.devices:
        assert networks["devices"]["ot"]["ipv4_address"] in device.settings.url
        assert device.via.address == networks["field"]["ot"]["ipv4_address"]
    assert str(checked.site.spool.directory) == mounts("field")["spool"][0]
    bus, _ = load_bus(ROOT / "config/compose/bus/analytics.yaml")
    assert bus is not None
    assert bus.brokers == ("mqtt://broker:1883",)
    assert bus.state.is_relative_to(mounts("bus")["bus-state"][0])


def test_a_linter_finds_nothing_in_the_dockerfile() -> None:
    linter = [Path(sys.executable).with_name("hadolint"), ROOT / "Dockerfile"]
    done = subprocess.run(linter, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_as_nobody_that_may_become_root_and_says_whether_it_is_well() -> None:
    stages = DOCKERFILE.split("\nFROM ")
    assert len(stages) == 3
    assert all(stage.startswith("${PYTHON}") for stage in stages[1:])
    last = stages[-1]
    assert re.search(
        r'^HEALTHCHECK .*\n.*CMD \["otgate", "metrics", "--health"', last, re.MULTILINE
    )
    assert not re.search(r"\b(curl|wget|apt-get|pip)\b", last)
    assert "COPY . " not in DOCKERFILE


@pytest.fixture
def networks(tmp_path: Path) -> Iterator[TwoNetworks]:
    with two_networks(tmp_path, subnet=1, near=2, far=10) as made:
        yield made


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    with built("lab") as made:
        yield made


def acknowledged(bus: Service) -> int:
    """Return how many samples the broker has acknowledged."""
    done = bus.run("otgate", "status", "--control", "/run/otgate", "--format", "json")
    if done.returncode:
        return 0
    lanes = json.loads(done.stdout)["bus-analytics"]["lanes"]
    return int(lanes["data"]["complete_through"])


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_the_lab_of_compose_runs_from_the_image_as_it_is_written(
    image: Image, networks: TwoNetworks, tmp_path: Path
) -> None:
    assert networks.script("up").returncode == 0
    hosts = tmp_path / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{networks.address('it', 10)} broker\n")
    broker = Mosquitto(
        tmp_path / "broker",
        host=networks.address("it", 10),
        port=1883,
        inside=networks.inside(BROKERS),
    )
    places = {"devices": DEVICES, "field": OT, "bus": IT}
    made = {
        name: Service(
            name,
            image,
            tmp_path / "volumes",
            networks.names[places[name]],
            tmp_path / f"{name}.log",
            hosts,
        )
        for name in SIDES
    }
    logs = [service.log for service in made.values()]
    with broker, ExitStack() as stack:
        devices = stack.enter_context(made["devices"])
        probe = services()["devices"]["healthcheck"]["test"]
        wait_until(lambda: not devices.run(*probe[1:]).returncode, *logs, limit_s=60)
        for name in ("field", "bus"):
            stack.enter_context(made[name])
        wait_until(lambda: acknowledged(made["bus"]) > 20, *logs, limit_s=60)
        for name in ("field", "bus"):
            healthy = made[name].run(*image.config["Healthcheck"]["Test"][1:])
            assert (healthy.returncode, healthy.stdout.endswith(": ok\n")) == (0, True), healthy
        spoilt = made["bus"].run("touch", "/var/lib/otgate/spool/analytics/mine")
        assert "Read-only file system" in spoilt.stderr
        for service in made.values():
            assert "Read-only file system" in service.run("touch", "/opt/otgate/mine").stderr
        assert not networks.reaches(IT, networks.address("ot", 10), 5502)
        assert not networks.reaches(OT, networks.address("it", 10), 1883)
    for name in ("field", "bus"):
        assert "sandbox_incomplete" not in made[name].log.read_text()
