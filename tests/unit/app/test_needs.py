"""What sides need of the system, by what their files say."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemons import BUS, write_site
from otgate.app.field import within
from otgate.app.needs import beyond, bus_needs, bus_own, field_needs
from otgate.config.bus import load_bus
from otgate.config.bus_side import BusFile
from otgate.config.site import Loaded, Site, load_site
from otgate.driver import Driver, Reaching, installed
from otgate.errors import Refused
from otgate.via import Via


@pytest.fixture(scope="module")
def drivers() -> dict[str, Driver]:
    return installed()


def bus_of(folder: Path, *lines: str, brokers: str = "mqtt://127.0.0.1:1883") -> BusFile:
    path = folder / "bus/analytics.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = BUS.format(port=1883).replace("mqtt://127.0.0.1:1883", brokers)
    path.write_text("\n".join([text, *lines, ""]))
    bus, found = load_bus(path)
    assert bus is not None, found
    return bus


def site_of(folder: Path, drivers: dict[str, Driver], url: str = "tcp://10.0.0.5:502") -> Site:
    path = write_site(folder, 1883) / "site.yaml"
    path.write_text(path.read_text().replace("tcp://10.0.0.5:502", url))
    site = load_site(path, drivers).site
    assert site is not None
    return site


def test_a_bus_side_connects_to_its_brokers_alone(tmp_path: Path) -> None:
    bus = bus_of(tmp_path, brokers='mqtt://127.0.0.1:1883", "mqtt://[::1]:1884')
    needs = bus_needs(bus)
    assert (needs.connect, needs.listen, needs.unix) == (
        frozenset({1883, 1884}),
        frozenset(),
        False,
    )
    assert not needs.datagrams


def test_a_broker_by_name_takes_datagrams_and_the_files_of_names(tmp_path: Path) -> None:
    bus = bus_of(tmp_path, brokers="mqtt://localhost:1883")
    assert bus_needs(bus).datagrams
    assert Path("/etc/resolv.conf") in bus_own(bus)
    assert Path("/etc/resolv.conf") not in bus_own(bus_of(tmp_path))


@pytest.mark.parametrize(
    ("named", "granted"),
    [
        ("ca.pem", "bus"),  # beside the bus file: what replaces it is found
        ("/keys/ca.pem", "/keys"),
        ("../ca.pem", "ca.pem"),  # beside the site file: the file, not the folder
        ("../spool/ca.pem", "spool/ca.pem"),
    ],
)
def test_a_key_stands_for_its_folder_where_nothing_else_lies(
    tmp_path: Path, named: str, granted: str
) -> None:
    bus = bus_of(tmp_path, f"tls: {{ca: {named}}}", brokers="mqtts://10.0.0.9:8883")
    keys = {path.resolve() for path in bus_needs(bus).read} - {bus.spool.resolve()}
    assert keys == {tmp_path / granted}


def test_credentials_are_read_where_both_kinds_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/otgate")
    needs = bus_needs(bus_of(tmp_path, "credentials: /etc/otgate/keys"))
    assert {Path("/etc/otgate/keys"), Path("/run/credentials/otgate")} <= {*needs.read}


def test_a_field_side_connects_to_its_devices_alone(
    tmp_path: Path, drivers: dict[str, Driver]
) -> None:
    needs = field_needs(site_of(tmp_path, drivers, "tcp://10.0.0.5:1502"), drivers, tmp_path)
    assert (needs.connect, needs.listen, needs.devices) == (frozenset({502, 1502}), frozenset(), [])


def test_a_serial_line_is_looked_for_under_any_name(
    tmp_path: Path, drivers: dict[str, Driver]
) -> None:
    needs = field_needs(site_of(tmp_path, drivers, "serial:///dev/ttyS7"), drivers, tmp_path)
    assert (needs.connect, needs.devices) == (frozenset({502}), [Path("/dev")])


@pytest.fixture(scope="module")
def lab(drivers: dict[str, Driver]) -> Site:
    site = load_site(Path(__file__).parents[3] / "config/lab/site.yaml", drivers).site
    assert site is not None
    return site


@pytest.mark.parametrize(
    ("driver", "settings", "reached"),
    [
        ("modbus", {"url": "tcp://h:1502", "backup": "serial:///dev/x", "unit": 1, "base": 0},
         ([1502], [], ["/dev/x"])),
        ("modbus", {"url": "udp://h:1502", "unit": 1, "base": 0}, ([], [], [])),
        ("dnp3", {"url": "tcp://h", "backup": "tcp://h:1", "outstation": 10},
         ([20000, 1], [], [])),
        ("dnp3", {"listen": "tcp://0.0.0.0:2000", "outstation": 10}, ([], [2000], [])),
        ("dnp3", {"url": "serial:///dev/x", "outstation": 10}, ([], [], ["/dev/x"])),
        ("iec61850", {"url": "mms://h", "backup": "mms://h:1102"}, ([102, 1102], [], [])),
    ],
)  # fmt: skip
def test_every_driver_says_what_its_links_need(
    drivers: dict[str, Driver], lab: Site, driver: str, settings: dict[str, Any], reached: object
) -> None:
    device = next(one for one in lab.wired if one.driver == driver)
    saying = drivers[driver]
    assert isinstance(saying, Reaching)
    found = saying.reach(replace(device, settings=settings))
    assert ([*found.connect], [*found.listen], [*found.files]) == reached


class Silent:
    """Somebody's driver that does not say what its links need."""

    def __init__(self, driver: Driver) -> None:
        self.link_key, self.plan, self.connect = driver.link_key, driver.plan, driver.connect
        self.settings, self.housekeeping = driver.settings, driver.housekeeping


def test_a_driver_that_says_nothing_leaves_every_port(
    tmp_path: Path, drivers: dict[str, Driver]
) -> None:
    silent: dict[str, Driver] = {"modbus": Silent(drivers["modbus"])}
    site = site_of(tmp_path, drivers)
    needs = field_needs(site, silent, tmp_path)
    assert (needs.connect, needs.listen, needs.devices) == (None, None, [Path("/dev")])
    assert not beyond(site, drivers, needs)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("tcp://10.0.0.5:1502", "`f1` needs to connect to TCP port 1502"),
        ("serial:///dev/ttyS7", "`f1` needs a serial line"),
        ("tcp://10.0.0.7:502", ""),
        ("udp://10.0.0.5:1502", ""),  # which no kernel withholds
    ],
)
def test_a_reload_that_the_sandbox_would_break_is_refused(
    tmp_path: Path, drivers: dict[str, Driver], url: str, what: str
) -> None:
    held = field_needs(site_of(tmp_path, drivers), drivers, tmp_path)
    new = Loaded(site_of(tmp_path, drivers, url), ())
    assert beyond(new.site or site_of(tmp_path, drivers), drivers, held) == what
    if not what:
        assert within(held, drivers, lambda: new) is new
        return
    with pytest.raises(Refused, match=what):
        within(held, drivers, lambda: new)


def test_a_reload_that_gives_a_device_an_address_to_come_from_is_refused(
    tmp_path: Path, drivers: dict[str, Driver]
) -> None:
    site = site_of(tmp_path, drivers)
    held = field_needs(site, drivers, tmp_path)
    devices = [replace(device, via=Via(address="10.0.0.2")) for device in site.devices]
    bound = replace(site, devices=devices)
    with pytest.raises(Refused, match="`f1` needs to come from an address"):
        within(held, drivers, lambda: Loaded(bound, ()))
    assert not beyond(bound, drivers, field_needs(bound, drivers, tmp_path))
