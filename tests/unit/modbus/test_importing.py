"""Configurations of other Modbus gateways: what is carried over, and what is said of the rest."""

import json
import time
from pathlib import Path

import pytest

from foreign_files import FOLDER, checked, report
from otgate.cli import main
from otgate.config.diagnostic import Severity
from otgate.config.site import check_sites
from otgate.driver import installed
from otgate.importer import Importer, importers
from otgate_modbus.importing.gathering import MAX_POINTS

FILES = {
    "telegraf": ("telegraf.conf",),
    "thingsboard": ("thingsboard.json",),
    "neuron": ("neuron.csv", "--url", "tcp://10.0.0.5"),
}


def words(name: str) -> list[str]:
    file, *options = FILES[name]
    return [name, str(FOLDER / file), *options]


def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str) -> str:
    file = tmp_path / "given"
    file.write_text(text, "utf-8")
    assert main(["import", name, str(file), "--output", str(tmp_path / "out")]) == 1
    assert not (tmp_path / "out").exists()
    return capsys.readouterr().err


@pytest.mark.parametrize("name", FILES)
def test_everything_written_and_said_is_as_it_was_read_by_a_person(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    checked(report(tmp_path, capsys, *words(name)), f"{name}.expected")


@pytest.mark.parametrize("name", FILES)
def test_a_starting_site_passes_the_check(tmp_path: Path, name: str) -> None:
    assert main(["import", *words(name), "--output", str(tmp_path), "--site", "lab"]) == 0
    (outcome,) = check_sites([tmp_path / "site.yaml"], installed())
    assert [one for one in outcome.diagnostics if one.severity is Severity.ERROR] == []


@pytest.mark.parametrize("name", FILES)
def test_an_importer_is_found_by_its_entry_point(name: str) -> None:
    assert isinstance(importers()[name], Importer)


@pytest.mark.parametrize("name", FILES)
def test_a_strict_import_of_a_file_with_losses_fails_having_written(
    tmp_path: Path, name: str
) -> None:
    assert main(["import", *words(name), "--output", str(tmp_path), "--strict"]) == 1
    assert list(tmp_path.glob("points/*.csv"))


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    once = ["import", *words("telegraf"), "--output", str(tmp_path)]
    assert [main(once), main(once), main([*once, "--force"])] == [0, 1, 0]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("text", ["", "\x00", "[[[[", "{}", '"' * 9, "a" * 99, "a,b\n1,2\n"])
def test_nonsense_is_refused_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    said = refused(tmp_path, capsys, name, text)
    assert said.startswith("otgate: ")
    assert "given" in said


@pytest.mark.parametrize("name", ["telegraf", "thingsboard"])
def test_nesting_without_end_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert "nested" in refused(tmp_path, capsys, name, "a = " * (name == "telegraf") + "[" * 99999)


def test_a_dotted_key_without_end_costs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = time.process_time()
    assert "32 parts" in refused(tmp_path, capsys, "telegraf", "a." * 400_000 + "a = 1")
    assert time.process_time() - before < 5  # reading it as TOML takes minutes


def test_a_variable_of_the_environment_is_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "[[inputs.modbus]]\nslave_id = ${UNIT}\n"
    assert "in the place of ${VARIABLES}" in refused(tmp_path, capsys, "telegraf", text)


def test_more_points_than_any_device_has_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = {"tag": "b", "type": "bits", "functionCode": 1, "objectsCount": 2000, "address": 0}
    slave = {"host": "h", "unitId": 1, "timeseries": [entry] * (MAX_POINTS // 2000 + 1)}
    text = json.dumps({"master": {"slaves": [slave]}})
    assert "split the file" in refused(tmp_path, capsys, "thingsboard", text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("telegraf", "[[inputs.modbus]]\n" * 1001),
        ("thingsboard", json.dumps({"master": {"slaves": [[]] * 1001}})),
    ],
)
def test_more_devices_than_any_gateway_has_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    assert "more than 1,000" in refused(tmp_path, capsys, name, text)


def test_the_older_format_of_thingsboard_is_read_too(tmp_path: Path) -> None:
    entry = {"tag": "v", "type": "int", "functionCode": 3, "registerCount": 2, "address": 1}
    device = {"unitId": 4, "deviceName": "M", "timeseries": [entry], "timeseriesPollPeriod": 700}
    server = {"host": "10.0.0.9", "port": 502, "byteOrder": "BIG", "wordOrder": "BIG"}
    file = tmp_path / "old.json"
    file.write_text(json.dumps({"server": {**server, "devices": [device]}}), "utf-8")
    assert main(["import", "thingsboard", str(file), "--output", str(tmp_path)]) == 0
    assert "hr 1,i32" in (tmp_path / "points" / "m.csv").read_text("utf-8")
    assert "normal: 0.7" in (tmp_path / "devices" / "m.yaml").read_text("utf-8")
