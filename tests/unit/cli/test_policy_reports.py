import csv
import io
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from otgate.cli import main
from otgate.cli.command import FAILED, OK

LAB = Path(__file__).parents[3] / "config" / "lab"
Printed = pytest.CaptureFixture[str]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return shutil.copytree(LAB, tmp_path / "lab")


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize("verb", ["matrix", "coverage", "evidence", "acl"])
def test_a_site_with_errors_is_not_reported_on(site: Path, verb: str, capsys: Printed) -> None:
    edited(site / "policy.yaml", "tags_all: [feeder]", "tags_all: [feedr]")
    more = ["--mosquitto"] if verb == "acl" else []
    assert main(["policy", verb, str(site), *more]) == FAILED
    printed = capsys.readouterr()
    assert "unknown-tag" in printed.err
    assert printed.out == ""


def test_the_matrix_is_the_same_in_every_format(capsys: Printed) -> None:
    printed = {}
    for form in ("text", "csv", "json", "html"):
        assert main(["policy", "matrix", str(LAB), "--format", form]) == OK
        printed[form] = capsys.readouterr().out
    rows = list(csv.DictReader(io.StringIO(printed["csv"])))
    told = json.loads(printed["json"])
    assert [row["point"] for row in rows] == [one["point"] for one in told]
    assert len(printed["text"].splitlines()) == len(rows) + 1
    assert printed["html"].count("<tr>") == len(rows) + 1
    for row, one in zip(rows, told, strict=True):
        for conduit in ("operations", "analytics"):
            assert row[conduit] == one["conduits"][conduit]["says"]
            assert row[conduit].startswith("crosses") is one["conduits"][conduit]["crosses"]


def test_coverage_fails_where_it_is_asked_to(site: Path, capsys: Printed) -> None:
    assert main(["policy", "coverage", str(site)]) == OK
    assert "t1/avr_target" in capsys.readouterr().out
    assert main(["policy", "coverage", str(site), "--fail-on", "points"]) == FAILED
    capsys.readouterr()
    assert main(["policy", "coverage", str(site), "--fail-on", "any", "--format", "json"]) == FAILED
    told = json.loads(capsys.readouterr().out)
    assert told["unmatched"] == ["t1/avr_target", "t1/avr_band"]
    assert [one["rule"] for one in told["rules"]] == ["no-protection"]


def test_evidence_names_every_grant_with_its_paperwork(site: Path, capsys: Printed) -> None:
    edited(site / "policy.yaml", "ticket: CR-1190", "ticket: CR-1190\n    approved_by: J. Doe")
    assert main(["policy", "evidence", str(site)]) == OK
    report = capsys.readouterr().out
    assert "| feeder-loads | analytics | kind: measurement; tags_all: feeder |" in report
    assert "| network planning | CR-1190 | J. Doe | - |" in report
    assert "Rules that name no approver: operations-sees-the-plant, asset-health" in report
    assert "| device f1 | modbus | the field side | tcp://10.7.0.11:502 |" in report
    assert "| conduit analytics | MQTT | the bus side | mqtt://127.0.0.1:1883 |" in report


def test_evidence_counts_what_crosses_as_the_matrix_does(capsys: Printed) -> None:
    main(["policy", "matrix", str(LAB), "--format", "json"])
    told = json.loads(capsys.readouterr().out)
    crossing = sum(one["conduits"]["analytics"]["crosses"] for one in told)
    main(["policy", "evidence", str(LAB)])
    assert f"{crossing} of {len(told)}" in capsys.readouterr().out


@pytest.mark.parametrize(("days", "code"), [(-1, FAILED), (1, OK)])
def test_an_overdue_review_is_shown_and_can_fail(
    site: Path, days: int, code: int, capsys: Printed
) -> None:
    day = (datetime.now(UTC) + timedelta(days=days)).date().isoformat()
    edited(site / "policy.yaml", "ticket: CR-1190", f"ticket: CR-1190\n    review_by: {day}")
    assert main(["policy", "evidence", str(site), "--fail-on", "overdue"]) == code
    assert (f"{day} (overdue)" in capsys.readouterr().out) is (days < 0)
    assert main(["policy", "evidence", str(site), "--format", "html"]) == OK
    assert capsys.readouterr().out.startswith("<!DOCTYPE html>")


def test_evidence_names_secrets_and_never_tells_them(site: Path, capsys: Printed) -> None:
    edited(site / "bus" / "analytics.yaml", "conduit: analytics", (
        "conduit: analytics\nusername: gw1-analytics\npassword: {credential: mqtt-password}"
    ))  # fmt: skip
    assert main(["policy", "evidence", str(site)]) == OK
    assert "| gw1-analytics | credential mqtt-password | none |" in capsys.readouterr().out


def test_a_broken_bus_file_is_said(site: Path, capsys: Printed) -> None:
    edited(site / "bus" / "analytics.yaml", "conduit: analytics", "conduitt: analytics")
    assert main(["policy", "evidence", str(site)]) == FAILED
    assert "unknown-key" in capsys.readouterr().err


def test_no_access_list_without_users(capsys: Printed) -> None:
    assert main(["policy", "acl", str(LAB), "--mosquitto"]) == FAILED
    printed = capsys.readouterr()
    assert "bus/analytics.yaml names no user: add `username`" in printed.err
    assert printed.out == ""


def test_the_access_list_has_the_topics_of_what_crosses(site: Path, capsys: Printed) -> None:
    for name in ("analytics", "operations"):
        edited(
            site / "bus" / f"{name}.yaml", f"conduit: {name}", f"conduit: {name}\nusername: {name}"
        )
    assert main(["policy", "acl", str(site), "--mosquitto"]) == OK
    lists = capsys.readouterr().out.split("\nuser ")
    analytics = next(one for one in lists if one.startswith("analytics\n"))
    assert "topic write otgate/v1/lab7/gw1/analytics/f1/data\n" in analytics
    assert "topic write otgate/v1/lab7/gw1/analytics/f1/event\n" in analytics
    assert "/p1/" not in analytics  # protection stays
    assert "#" not in analytics.replace("\n# Conduit", "")
