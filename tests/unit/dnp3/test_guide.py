"""The examples and tables of docs/guide/dnp3.md are what the driver does."""

import csv
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dnp3_devices import device, point
from otgate.model import Kind, Point
from otgate.quality import names
from otgate_dnp3.address import WORDS, read_address
from otgate_dnp3.endpoint import endpoint
from otgate_dnp3.flags import ROWS
from otgate_dnp3.planner import plan
from otgate_dnp3.settings import Settings, settings_of

GUIDE = (Path(__file__).parents[3] / "docs" / "guide" / "dnp3.md").read_text("utf-8")


def fenced(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    return found[1]


def entry() -> dict[str, Any]:
    text = fenced("yaml").replace("time_sync: off", 'time_sync: "off"')  # YAML 1.1 is not ours
    block: dict[str, Any] = yaml.safe_load(text)["dnp3"]
    return block


def row(cells: dict[str, str]) -> Point:
    return point(
        cells["id"],
        cells["address"],
        type=cells["type"],
        kind=Kind(cells["kind"]),
        scale=float(cells["scale"] or 1),
        scan=cells["scan"],
    )


def test_the_device_entry_is_valid_and_names_every_setting_but_those_told_elsewhere() -> None:
    block = entry()
    assert settings_of(block).outstation == 10
    elsewhere = set(Settings.model_fields) - set(block)
    assert elsewhere == {"listen", "peers", "tls", "integrity_s"}
    assert all(f"`{name}" in GUIDE for name in elsewhere)


def test_the_defaults_it_states_are_the_defaults() -> None:
    block, plain = entry(), Settings(url="tcp://h", outstation=10)
    for key in ("master", "timeout_s", "keep_alive_s", "time_sync"):
        assert block[key] == getattr(plain, key)
    assert tuple(block["unsolicited"]) == plain.unsolicited
    assert block["event_poll_s"] == plain.class_period_s(1)
    assert plain.integrity_s == 3600


def test_the_point_map_can_be_planned() -> None:
    points = [row(cells) for cells in csv.DictReader(fenced("csv").splitlines())]
    scans = plan(device(*points, scans={"integrity": 3600, "fast": 1}))
    assert sum(len(scan.points) for scan in scans) == len(points) == 8


def test_every_type_of_point_is_in_its_table() -> None:
    shown = re.findall(r"^\| `([a-z]+ \d+)` \|", GUIDE, re.MULTILINE)
    assert {read_address(text).point_type for text in shown} == set(WORDS.values())


@pytest.mark.parametrize("url", re.findall(r"^\| `(\w+://[^`]+)` \|", GUIDE, re.MULTILINE))
def test_each_place_it_shows_is_one(url: str) -> None:
    endpoint(url)


def test_the_table_of_flags_is_the_driver_s() -> None:
    told = re.findall(r"^\| (?:not )?[A-Z_]+ \| [^|]+ \| ([^|]+) \|", GUIDE, re.MULTILINE)
    shown = [set(re.findall(r"[a-z_]+", text.replace("; still", ","))) for text in told]
    assert shown == [set(names(int(row.quality))) for row in ROWS]
