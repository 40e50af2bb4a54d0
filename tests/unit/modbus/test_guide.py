"""The examples of docs/guide/modbus.md are ones that the driver takes."""

import csv
import re
from pathlib import Path

import pytest
import yaml

from modbus_peers import device, point
from otgate.model import Point
from otgate_modbus.address import read_address
from otgate_modbus.encoding import read_type
from otgate_modbus.endpoint import USUAL_PORTS, endpoint
from otgate_modbus.planner import plan
from otgate_modbus.settings import Quirks, Settings, settings_of

GUIDE = (Path(__file__).parents[3] / "docs" / "guide" / "modbus.md").read_text("utf-8")

ADDRESSES = GUIDE.partition("## Addresses")[2]
LINKS = re.findall(r"^\| `([a-z+]+://[^`]+)` \|", GUIDE, re.MULTILINE)


def fenced(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    return found[1]


def number(cell: str) -> float | None:
    return float(cell) if cell else None


def row(cells: dict[str, str]) -> Point:
    ranges = {name: number(cells[name]) for name in ("raw_lo", "raw_hi", "eu_lo", "eu_hi")}
    return point(
        cells["id"],
        cells["address"],
        cells["type"],
        order=cells["order"],
        scale=number(cells["scale"]) or 1.0,
        scan=cells["scan"],
        **ranges,
    )


def test_the_device_entry_is_valid_and_names_every_setting() -> None:
    block = yaml.safe_load(fenced("yaml"))["modbus"]
    assert settings_of(block).unit == 1
    assert set(block) == set(Settings.model_fields)


def test_the_defaults_it_states_are_the_defaults() -> None:
    block = yaml.safe_load(fenced("yaml"))["modbus"]
    plain = Settings(url="tcp://h")
    for key in (
        "unit",
        "base",
        "order",
        "timeout_s",
        "gap",
        "max_registers",
        "max_bits",
        "pipeline",
    ):
        assert block[key] == getattr(plain, key)


def test_the_point_map_can_be_planned() -> None:
    points = [row(cells) for cells in csv.DictReader(fenced("csv").splitlines())]
    scans = plan(device(*points, scans={"fast": 0.5, "slow": 60.0}))
    assert sum(len(scan.points) for scan in scans) == len(points) == 7


@pytest.mark.parametrize("url", LINKS)
def test_each_link_it_shows_is_one(url: str) -> None:
    endpoint(url)


def test_it_shows_every_kind_of_link_and_every_quirk() -> None:
    assert {url.partition(":")[0] for url in LINKS} == {*USUAL_PORTS, "serial"}
    for quirk, field in Quirks.model_fields.items():
        default = field.default
        said = str(default).lower() if isinstance(default, bool) else f"{default:g}"
        assert f"| `{quirk}` | {said} |" in GUIDE


@pytest.mark.parametrize("address", re.findall(r"^\| `([^`]+)` \|", ADDRESSES, re.MULTILINE)[:9])
def test_each_address_it_shows_is_one(address: str) -> None:
    read_address(address, 0)


@pytest.mark.parametrize("name", re.findall(r"`([a-z0-9()]+ na[^`]*)`", GUIDE))
def test_each_type_with_a_missing_value_is_one(name: str) -> None:
    encoding = read_type(name)
    assert encoding.missing or encoding.lacking
