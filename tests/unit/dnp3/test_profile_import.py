"""Device profiles as point maps: one of our own, one that a foreign outstation writes of itself."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import yaml
from py1815.profile import device_profile
from py1815.profile.binding import Binding
from py1815.profile.model import Kind as Foreign
from py1815.profile.model import Point as ForeignPoint
from py1815.profile.model import PointMap as ForeignMap
from py1815.profile.outstation import DerOutstation

from foreign_files import FOLDER, checked, report
from otgate.cli import main
from otgate.config.diagnostic import Severity
from otgate.config.site import check_sites
from otgate.driver import installed
from otgate.importer import Importer, importers
from otgate_dnp3 import importing

PROFILE = FOLDER / "profile.xml"


def imported(tmp_path: Path, text: str, *words: str) -> int:
    file = tmp_path / "given.xml"
    file.write_text(text, "utf-8")
    return main(["import", "dnp3-profile", str(file), "--output", str(tmp_path / "out"), *words])


def points(tmp_path: Path) -> list[list[str]]:
    (path,) = (tmp_path / "out" / "points").iterdir()
    return [line.split(",") for line in path.read_text("utf-8").splitlines()]


def block(tmp_path: Path) -> dict[str, object]:
    (path,) = (tmp_path / "out" / "devices").iterdir()
    (entry,) = yaml.safe_load(path.read_text("utf-8"))
    found = entry["dnp3"]
    assert isinstance(found, dict)
    return found


def listed(inner: str, config: str = "") -> str:
    lists = f"<dataPointsList>{inner}</dataPointsList>"
    inside = f"<configuration>{config}</configuration>{lists}"
    root = "DNP3DeviceProfileDocument"
    return f"<{root}><referenceDevice>{inside}</referenceDevice></{root}>"


def analogs(*texts: str) -> str:
    rows = "".join(f"<analogInput>{text}</analogInput>" for text in texts)
    return f"<analogInputPoints><dataPoints>{rows}</dataPoints></analogInputPoints>"


def test_everything_written_and_said_is_as_it_was_read_by_a_person(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checked(report(tmp_path, capsys, "dnp3-profile", str(PROFILE)), "profile.expected")


def test_the_importer_is_found_by_its_entry_point() -> None:
    assert isinstance(importers()["dnp3-profile"], Importer)


def test_a_starting_site_passes_the_check(tmp_path: Path) -> None:
    words = ["import", "dnp3-profile", str(PROFILE), "--output", str(tmp_path), "--site", "lab"]
    assert main(words) == 0
    (outcome,) = check_sites([tmp_path / "site.yaml"], installed())
    assert [one for one in outcome.diagnostics if one.severity is Severity.ERROR] == []


def foreign_profile() -> str:
    """Return what an independent outstation writes of itself."""
    served = (
        ForeignPoint(Foreign.BI, 3, "Alarm", event_class=1, states=("normal", "alarm")),
        ForeignPoint(Foreign.AI, 7, "Power", event_class=2, multiplier=0.1, units="W"),
        ForeignPoint(Foreign.CTR, 0, "Energy"),
    )
    binding = Binding()
    for point in served:
        binding.read(point.kind, point.index, lambda: 0)
    mapped = ForeignMap({(point.kind, point.index): point for point in served})
    outstation = DerOutstation(mapped, binding, strict=False)
    identity = device_profile.Identity(host="10.0.0.4", port=20005)
    session = outstation.session(outstation_address=33)
    built = device_profile.build(outstation, session, identity, today=date(2026, 1, 1))
    return device_profile.render(built)


def test_what_a_foreign_outstation_writes_of_itself_is_read(tmp_path: Path) -> None:
    assert imported(tmp_path, foreign_profile()) == 0
    rows = points(tmp_path)
    at = {name: rows[0].index(name) for name in ("address", "kind", "name", "states")}
    found = {row[at["address"]]: row for row in rows[1:]}
    assert {"bi 3", "ai 7", "ctr 0"} <= set(found)
    assert found["bi 3"][at["states"]] == "0=normal|1=alarm"
    assert found["ai 7"][rows[0].index("scale")] == "0.1"
    assert found["ctr 0"][at["kind"]] == "counter"
    assert block(tmp_path)["outstation"] == 33
    assert block(tmp_path)["url"] == "tcp://10.0.0.4:20005"


def test_the_command_line_says_what_the_profile_does_not(tmp_path: Path) -> None:
    text = listed(analogs("<index>0</index>"))
    where = ["--url", "tcp://h:1", "--outstation", "5", "--master", "4"]
    assert imported(tmp_path, text, *where) == 0
    assert block(tmp_path) == {"url": "tcp://h:1", "outstation": 5, "master": 4}


def test_one_address_for_both_ends_is_not_written(tmp_path: Path) -> None:
    assert imported(tmp_path, listed(analogs("<index>0</index>")), "--outstation", "1") == 0
    assert (block(tmp_path)["outstation"], block(tmp_path)["master"]) == (1, 2)


@pytest.mark.parametrize("number", ["70000", "-1"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, number: str) -> None:
    text = listed(analogs("<index>0</index>"))
    assert imported(tmp_path, text, "--outstation", number) == 1


@pytest.mark.parametrize(
    "index", ["", "-1", "1e3", "65536", "99999999999", "\u0966", "<a>1</a>", "\u00b2"]
)
def test_what_is_no_index_is_left_out(tmp_path: Path, index: str) -> None:
    good = "<index>1</index>"
    assert imported(tmp_path, listed(analogs(f"<index>{index}</index>", good))) == 0
    assert [row[3] for row in points(tmp_path)[1:]] == ["ai 1"]


@pytest.mark.parametrize("number", ["nan", "inf", "1e999", "x", "1,5"])
def test_what_is_no_number_is_left_out_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], number: str
) -> None:
    text = listed(analogs(f"<index>1</index><scaleFactor>{number}</scaleFactor>"))
    assert imported(tmp_path, text) == 0
    assert "is no number" in capsys.readouterr().err
    assert "scale" not in points(tmp_path)[0]


def test_more_elements_than_any_profile_has_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "PROFILE", replace(importing.PROFILE, most_elements=5))
    assert imported(tmp_path, listed(analogs(*["<index>1</index>"] * 3))) == 1
    assert "more than 5 elements" in capsys.readouterr().err


def test_an_index_on_one_line_counts_once(tmp_path: Path) -> None:
    assert imported(tmp_path, listed(analogs(*["<index>1</index>"] * 3))) == 0
    assert len(points(tmp_path)) == 2


def test_a_profile_without_points_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert imported(tmp_path, listed("")) == 0
    assert not (tmp_path / "out").exists()
    assert "lists no point" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no element"),
        ("<SCL/>", "begins with `SCL`"),
        ("<DNP3DeviceProfileDocument>", "not XML"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><DNP3DeviceProfileDocument/>', "document type"),
        ("<DNP3DeviceProfileDocument>" + "<a>" * 99, "nested deeper"),
        ("<DNP3DeviceProfileDocument" + " a='1'" * 400_000 + "/>", "more than 1 MB"),
    ],
)  # fmt: skip
def test_what_is_no_profile_is_refused_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    assert imported(tmp_path, text) == 1
    error = capsys.readouterr().err
    assert said in error
    assert "given.xml:1:" in error
