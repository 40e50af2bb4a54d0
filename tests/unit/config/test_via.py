"""Which way out a device or a bus side is given."""

import subprocess
import sys
from pathlib import Path

import pytest

from otgate.app import bus as bus_app
from otgate.app.needs import bus_needs
from otgate.config.bus import load_bus
from otgate.config.site import load_site
from otgate.driver import Driver
from otgate.model import Device
from otgate.publish.settings import Keys
from otgate.via import ANY_WAY, Via
from sites import BUS, FAKE, SITE, Fake, codes, written

OURS = Via("eth1", "10.1.0.2")
DEFAULT = "defaults: {via: {interface: eth1, address: 10.1.0.2}, "


class FakeBound(Fake):
    def hosts(self, _: Device) -> list[str]:
        return ["10.1.0.5"]


BOUND: dict[str, Driver] = {"fake": FakeBound()}


def way(directory: Path, site: str, **overrides: dict[str, str]) -> Via:
    loaded = load_site(written(directory, site), BOUND, overrides=overrides)
    assert loaded.site is not None, loaded.diagnostics
    return loaded.site.devices[0].via


@pytest.mark.parametrize(
    ("own", "expected"),
    [("", OURS), ("    via: {interface: eth2}\n", Via("eth2")), ("    via: {}\n", ANY_WAY)],
)
def test_a_devices_own_way_replaces_the_default_as_a_whole(
    tmp_path: Path, own: str, expected: Via
) -> None:
    site = SITE.replace("defaults: {", DEFAULT).replace("    zone: bay\n", f"    zone: bay\n{own}")
    assert way(tmp_path, site) == expected


def test_a_device_that_is_elsewhere_is_reached_as_the_system_routes(tmp_path: Path) -> None:
    site = SITE.replace("defaults: {", DEFAULT)
    assert way(tmp_path, site, f3={"url": "simulated"}) == ANY_WAY


def test_a_driver_that_cannot_be_bound_is_refused_instead_of_going_another_way(
    tmp_path: Path,
) -> None:
    site = SITE.replace("defaults: {", DEFAULT)
    assert codes(load_site(written(tmp_path, site), FAKE)) == ["impossible-via"]


def test_brokers_are_reached_by_the_way_of_the_bus_file(tmp_path: Path) -> None:
    path = tmp_path / "analytics.yaml"
    path.write_text(
        BUS.replace("127.0.0.1", "10.1.0.9") + "plain: accepted\nvia: {address: 10.1.0.2}\n"
    )
    bus, _ = load_bus(path)
    assert bus is not None
    assert bus_app.settings(bus, Keys()).via == Via(address="10.1.0.2")


def test_a_confined_bus_side_may_bind_the_address_that_it_comes_from(tmp_path: Path) -> None:
    path = tmp_path / "analytics.yaml"
    for way_out, ports in (("{address: 127.0.0.1}", {0}), ("{interface: lo}", set())):
        path.write_text(f"{BUS}via: {way_out}\n")
        bus, _ = load_bus(path)
        assert bus is not None
        assert bus_needs(bus).listen == ports


def test_a_bus_side_imports_no_numpy_before_it_can_keep_it_from_starting_threads() -> None:
    """Threads that run already stay outside the sandbox."""
    looked = "import otgate.cli.bus, sys; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", looked], check=True, timeout=20)
