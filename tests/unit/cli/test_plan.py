"""`otgate plan` on a small site."""

import json
from pathlib import Path

import pytest

from daemons import POINTS, POLICY, SITE
from otgate.cli import main


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "points").mkdir()
    (tmp_path / "points/f1.csv").write_text(POINTS)
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "site.yaml").write_text(SITE)
    return tmp_path


def slow_answers(site: Path, delay_s: float) -> None:
    """Let both devices share a link and answer after ``delay_s``."""
    text = SITE.replace("10.0.0.6", "10.0.0.5").replace("base: 0,", f"reply_delay_s: {delay_s},")
    (site / "site.yaml").write_text(text)


def test_each_scan_says_how_long_it_keeps_the_link(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", str(site)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1].split()[-2:] == ["busy", "load"]
    assert said[2].split() == ["fast", "0.1", "s", "3", "2", "3", "0", "10", "ms", "10", "%"]
    assert "link of f1: busy 15 % of the time" in said
    assert "  5 ms (assumed) from request to reply" in said


def test_devices_of_one_link_are_added_up_and_warned_of(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slow_answers(site, 0.03)
    assert main(["plan", str(site)]) == 0
    said = capsys.readouterr().out
    assert "link of f1, f2: busy 180 % of the time" in said
    assert "30 ms (`reply_delay_s`) from request to reply" in said
    assert said.count("warning: ") == 1


def test_what_devices_of_one_link_assume_differently_is_said_of_each(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slow_answers(site, 0.01)
    text = (site / "site.yaml").read_text()
    (site / "site.yaml").write_text(text.replace("reply_delay_s: 0.01", "reply_delay_s: 0.02", 1))
    assert main(["plan", str(site)]) == 0
    said = capsys.readouterr().out
    assert "  f1: 20 ms (`reply_delay_s`) from request to reply\n" in said
    assert "  f2: 10 ms (`reply_delay_s`) from request to reply\n" in said


def test_a_program_is_told_the_same(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slow_answers(site, 0.03)
    assert main(["plan", str(site), "--format", "json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first["link"] == second["link"]
    assert first["link"]["devices"] == ["f1", "f2"]
    assert first["link"]["load"] == pytest.approx(1.8)
    assert [each["code"] for each in first["link"]["warnings"]] == ["link-overloaded"]
    assert [scan["busy_s"] for scan in first["scans"]] == pytest.approx([0.06, 0.06])


def test_requests_are_listed_where_that_is_asked(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", str(site), "--requests"]) == 0
    assert "unit 1, function 4: 2 registers, ir 0 to ir 1" in capsys.readouterr().out


def test_a_site_with_errors_has_no_plan(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "points/f1.csv").write_text("id,kind,address\na,measurement,zz 1\n")
    assert main(["plan", str(site)]) == 1
    captured = capsys.readouterr()
    assert not captured.out
    assert "bad-address" in captured.err


def keep(site: Path, text: str) -> None:
    (site / "state/devices").mkdir(parents=True)
    (site / "state/devices/f1.json").write_text(text)


def test_what_a_device_has_taught_is_shown(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    splits = {
        "form": 1,
        "cuts": [["hr", 15]],
        "refused": [["hr", 37, 1], ["ir", 4, 2]],
        "apart": [["hr", 50, 1]],
        "sizes": {"registers": 40},
    }
    keep(site, json.dumps({"device": "tcp://10.0.0.5:502 unit 1", "splits": splits}))
    assert main(["plan", str(site)]) == 0
    assert (
        "  learned: takes at most 40 registers in one read; refuses hr 37, ir 4-5; "
        "does not answer to hr 50; takes no read that runs on to hr 15\n"
    ) in capsys.readouterr().out
    assert main(["plan", str(site), "--format", "json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert len(first["learned"]) == 4
    assert second["learned"] == []


def test_what_another_device_has_taught_is_not(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    splits = {"form": 1, "sizes": {"registers": 40}}
    keep(site, json.dumps({"device": "tcp://10.0.0.99:502 unit 1", "splits": splits}))
    assert main(["plan", str(site)]) == 0
    assert "learned" not in capsys.readouterr().out


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "\0"])
def test_a_state_that_cannot_be_read_is_said(
    site: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    keep(site, text)
    assert main(["plan", str(site)]) == 0
    assert "learned: unknown, " in capsys.readouterr().out
