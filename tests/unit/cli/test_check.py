import json
from hashlib import sha256
from pathlib import Path

import pytest

from otgate.cli import main
from sites import BUS, POLICY, SITE, written

MODBUS = SITE.replace("driver: fake", "driver: modbus").replace(
    "fake: {url: here}", "modbus: {url: 'tcp://h'}"
)
POINTS = "id,kind,address,type\nia,measurement,hr 0,u16\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return written(tmp_path / "one", site=MODBUS, points=POINTS, analytics=BUS)


def check(*arguments: object) -> int:
    return main(["check", *map(str, arguments)])


def test_a_clean_site_is_0(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(site) == 0
    assert capsys.readouterr().out == f"{site}: 1 device, 1 point, 1 conduit: no errors\n"


def test_a_folder_is_its_site_file(site: Path) -> None:
    assert check(site.parent) == 0


def test_errors_are_1(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site.write_text(MODBUS.replace("zone: bay", "zone: bays"))
    assert check(site) == 1
    assert "error[unknown-zone]" in capsys.readouterr().out


def test_warnings_are_0_unless_strict(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site.parent / "policy.yaml").write_text(POLICY.replace("ceiling: internal", "ceiling: public"))
    assert check(site) == 0
    assert "warning[empty-conduit]" in capsys.readouterr().out
    assert check(site, "--strict") == 1
    said = capsys.readouterr().out
    assert "error[empty-conduit]" in said
    assert "no errors" not in said


def test_a_file_that_is_not_there_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path / "absent.yaml") == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"otgate check: no file `{tmp_path / 'absent.yaml'}`\n")


def test_a_site_of_2_files_with_the_same_topics(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = written(tmp_path / "two", site=MODBUS, points=POINTS)
    assert check(site, other, "--format", "concise") == 1
    assert f"{other}:2:" in (said := capsys.readouterr().out)
    assert "error[topic-collision]" in said
    assert check(site, site) == 0


def test_json_is_a_list_whatever_is_found(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(site, "--format", "json") == 0
    assert json.loads(capsys.readouterr().out) == []
    (site.parent / "bus/analytics.yaml").write_text(BUS.replace("analytics", "analytic"))
    assert check(site, "--format", "json") == 1
    codes = [one["code"] for one in json.loads(capsys.readouterr().out)]
    assert codes == ["unknown-conduit", "missing-bus-file"]


def test_a_pipe_gets_no_colours(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site.write_text("[")
    check(site)
    assert "\x1b" not in capsys.readouterr().out


def test_a_terminal_gets_colours_unless_it_asks_for_none(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write_text("[")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    check(site)
    assert "\x1b[1;31merror" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    check(site)
    assert "\x1b" not in capsys.readouterr().out


def test_versions_and_hashes_are_shown_when_asked_for(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(site, "--versions") == 0
    said = capsys.readouterr().out
    digest = sha256(site.read_bytes()).hexdigest()
    assert f"policy `egress` version 1; SHA-256 of site {digest[:12]}, with maps" in said


def test_versions_go_before_diagnostics_in_json(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (site.parent / "policy.yaml").write_text(POLICY.replace("ceiling: internal", "ceiling: public"))
    assert check(site, "--versions", "--format", "json") == 0
    said = json.loads(capsys.readouterr().out)
    (one,) = said["sites"]
    assert (one["site"], one["policy_version"], len(one["map_sha256"])) == ("sub7", 1, 64)
    assert one["policy_sha256"] == sha256((site.parent / "policy.yaml").read_bytes()).hexdigest()
    assert [each["code"] for each in said["diagnostics"]] == ["empty-conduit"]


def test_a_mistake_in_a_template_that_sites_share_is_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/f.yaml").write_text(
        "config_version: 1\ndevice: {driver: modbus, zone: bay, points: f.csv,"
        ' modbus: {url: "tcp://h"}}\n'
    )
    (tmp_path / "templates/f.csv").write_text(POINTS.replace("u16", "u17"))
    entry = "  - {id: f3, template: f.yaml}\ntemplates: ../templates\n"
    start, end = MODBUS.index("  - id"), MODBUS.index("defaults")
    for name in ("a", "b"):
        text = MODBUS[:start] + entry + MODBUS[end:]
        written(tmp_path / name, site=text.replace("id: sub7", f"id: {name}"))
    assert check(tmp_path / "a", tmp_path / "b") == 1
    said = capsys.readouterr().out
    assert said.count("error[unknown-type]") == 1
    assert "a/site.yaml:4:10 (device f3), and 1 more instance" in said
