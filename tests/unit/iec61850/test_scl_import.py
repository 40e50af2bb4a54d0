"""`otgate import scl`: files that `otgate check` accepts, and a word on what is not in them."""

import json
from pathlib import Path

import pytest
import yaml

from otgate.cli import main
from otgate.config.diagnostic import Severity
from otgate.importer import Importer, importers
from otgate_iec61850.scl.importer import SclImporter
from otgate_iec61850.settings import Settings
from scl_driver import checked
from scl_texts import scl_text

BAY = Path(__file__).parents[3] / "config" / "lab" / "bay.cid"


def imported(tmp_path: Path, file: Path, *options: str) -> dict[str, list[str]]:
    assert main(["import", "scl", str(file), "--output", str(tmp_path), *options]) == 0
    return {
        path.stem: path.read_text("utf-8").splitlines() for path in tmp_path.glob("points/*.csv")
    }


def entry(tmp_path: Path, device: str) -> dict[str, object]:
    (one,) = yaml.safe_load((tmp_path / "devices" / f"{device}.yaml").read_text("utf-8"))
    assert isinstance(one, dict)
    return one


def addressed(line: str) -> str:
    return next((cell for cell in line.split(",") if cell.endswith("]")), "")


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


def test_the_importer_is_found_by_its_entry_point() -> None:
    assert isinstance(importers()["scl"], SclImporter)
    assert isinstance(importers()["scl"], Importer)


def test_a_starting_site_passes_the_check(tmp_path: Path) -> None:
    imported(tmp_path, BAY, "--site", "lab7")
    errors = [one for one in checked(tmp_path / "site.yaml") if one.severity is Severity.ERROR]
    assert errors == []


def test_nothing_unclassified_leaves_a_starting_site(tmp_path: Path) -> None:
    imported(tmp_path, BAY, "--site", "lab7")
    assert [one.code for one in checked(tmp_path / "site.yaml")] == ["empty-conduit"]


def test_a_bay_has_the_points_that_its_reports_carry(tmp_path: Path) -> None:
    whole = imported(tmp_path / "whole", BAY)["f3q1"]
    listed = imported(tmp_path / "listed", BAY, "--data-sets-only")["f3q1"]
    assert {addressed(line) for line in listed} < {addressed(line) for line in whole}
    assert any("F3Q1CTRL/XCBR1.Pos.stVal [ST]" in line for line in listed)


def test_the_device_entry_has_address_selectors_and_reports(tmp_path: Path) -> None:
    imported(tmp_path, BAY)
    block = entry(tmp_path, "f3q1")["iec61850"]
    settings = Settings.model_validate(block)
    assert settings.url == "mms://10.7.0.51"
    assert settings.called.ap_title == "1.1.9999.1"
    assert settings.called.t_selector == "0001"
    assert [one.rcb for one in settings.reports] == [
        "F3Q1LD0/LLN0.BR.brcbIo01",
        "F3Q1CTRL/LLN0.BR.brcbPositions02",  # the first is SCADA's
        "F3Q1MEAS/LLN0.BR.brcbEnergy",
        "F3Q1PROT/LLN0.BR.brcbTrips01",
        "F3Q1MEAS/LLN0.RP.urcbLoads01",
    ]


def test_the_scl_is_named_relative_to_the_site(tmp_path: Path) -> None:
    file = tmp_path / "station.scd"
    file.write_text(scl_text())
    imported(tmp_path / "site", file)
    assert Settings.model_validate(entry(tmp_path / "site", "e1")["iec61850"]).scl == (
        "../station.scd"
    )


def test_an_import_overwrites_nothing_unless_told_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    imported(tmp_path, BAY)
    again = ["import", "scl", str(BAY), "--output", str(tmp_path)]
    capsys.readouterr()
    assert main(again) == 1
    assert "is there already; nothing was written" in said(capsys)
    assert main([*again, "--force"]) == 0


def test_the_summary_for_programs_counts_what_was_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    imported(tmp_path, BAY, "--format", "json")
    found = json.loads(capsys.readouterr().out)
    (device,) = found["devices"]
    assert device["points"] == 59
    assert device["left_out"]["controls: this gateway sends no commands"] == 54
    assert [Path(name).name for name in found["files"]] == ["f3q1.csv", "f3q1.yaml"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ied", "E9"], "has no IED `E9`; it has: E1"),
        (["--ied", "E1", "--access-point", "P9"], "has no server `P9`; it has: P1"),
    ],
)
def test_what_the_file_lacks_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    file = tmp_path / "station.scd"
    file.write_text(scl_text())
    assert main(["import", "scl", str(file), "--output", str(tmp_path), *options]) == 1
    assert message in said(capsys)


def test_a_hostile_file_is_refused_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.scd"
    file.write_text("<?xml version='1.0'?>\n<!DOCTYPE SCL>\n<SCL/>")
    assert main(["import", "scl", str(file)]) == 1
    assert f"{file}:2:14: a document type (DTD) is declared" in said(capsys)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name="E1"', 'name="E1"', "the file gives no address of IED `E1`"),
        ("<Server>", "<X>", "IED `E1` has no server"),
        ('lnType="G"', 'lnType="no"', "IED `E1` has no value to read"),
        (
            "</IED>",
            '<AccessPoint name="P2"><ServerAt apName="P1"/></AccessPoint></IED>',
            "IED `E1` has servers besides `P1`: `P2`; --access-point chooses",
        ),
    ],
)
def test_what_a_person_should_know_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, message: str
) -> None:
    file = tmp_path / "station.scd"
    file.write_text(
        scl_text().replace(old, new).replace("</Server>", "</Server>" if new != "<X>" else "</X>")
    )
    assert main(["import", "scl", str(file), "--output", str(tmp_path / "out")]) == 0
    assert message in said(capsys)


def test_more_points_than_a_station_has_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("otgate_iec61850.scl.importer.MAX_POINTS", 58)
    assert main(["import", "scl", str(BAY), "--output", str(tmp_path)]) == 1
    assert "holds more than 58 points; import one IED at a time" in said(capsys)
    assert list(tmp_path.iterdir()) == []


def test_a_client_of_every_instance_is_a_remark(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ln0 = (
        '<DataSet name="ds">'
        '<FCDA ldInst="LD0" lnClass="GGIO" lnInst="1" doName="Ind1" fc="ST"/></DataSet>'
        '<ReportControl name="rc" datSet="ds"><RptEnabled max="1"><ClientLN iedName="SCADA"/>'
        "</RptEnabled></ReportControl>"
    )
    file = tmp_path / "station.scd"
    file.write_text(scl_text(ln0=ln0))
    imported(tmp_path / "out", file)
    assert "is meant for a client; the last, of `SCADA`, was taken" in said(capsys)


def test_without_a_format_the_verb_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import"]) == 2
    assert "otgate import FORMAT" in said(capsys)
