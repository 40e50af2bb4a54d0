"""Formats that do not exist yet, so that the first real one finds its way."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from otgate.cli import main
from otgate.cli.migrate import migrate
from otgate.config.forms import NEWEST
from otgate.config.migration import STEPS, Kind, Step
from otgate.config.yaml_text import Tree
from sites import BUS, POLICY

ROOT = Path(__file__).parents[3]

SITE = """\
# the site of the north  \N{SNOWMAN}
config_version: 1   # do not touch
site: {id: sub7, gateway: gw1}

devices:  # two feeders
  - id: f3
    driver: modbus
    zone: bay
    points: points/f3.csv
    modbus: {url: "tcp://10.0.0.5"}
policy: policy.yaml
"""


def renamed(old: str, new: str, *path: str | int) -> "Rename":
    return Rename(old, new, path)


class Rename:
    """Renames a key, and nothing else of the file."""

    def __init__(self, old: str, new: str, path: tuple[str | int, ...]) -> None:
        self.old, self.new, self.path = old, new, path

    def __call__(self, tree: Tree) -> str:
        place = tree.key(*self.path, self.old)
        lines = tree.source.text.split("\n")
        line = lines[place.line - 1]
        lines[place.line - 1] = line[: place.column - 1] + line[place.column - 1 :].replace(
            self.old, self.new, 1
        )
        return "\n".join(lines)


ONE = (Step("zones are called areas", {Kind.SITE: renamed("zone", "area", "devices", 0)}),)
TWO = (*ONE, Step("titles are called heads", {Kind.POLICY: renamed("policy", "head")}))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "bus").mkdir()
    (tmp_path / "bus/analytics.yaml").write_text(BUS)
    return tmp_path / "site.yaml"


def test_every_format_leads_to_the_newest() -> None:
    assert len(STEPS) + 1 == NEWEST


def test_files_of_the_newest_format_are_left_alone(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in site.parent.rglob("*.yaml")}
    assert main(["migrate", str(site.parent), "--write"]) == 0
    assert "every file is in format 1, the newest: nothing to do" in capsys.readouterr().err
    assert before == {path: path.read_bytes() for path in site.parent.rglob("*.yaml")}


def test_a_difference_is_shown_and_nothing_written(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert migrate(site, ONE, writing=False) == 1
    said = capsys.readouterr()
    assert f"--- {site} (format 1)\n+++ {site} (format 2)\n" in said.out
    assert "-    zone: bay\n" in said.out
    assert "+    area: bay\n" in said.out
    assert said.err == "- zones are called areas\nnothing was written: --write does\n"
    assert site.read_text("utf-8") == SITE


def test_comments_and_layout_stay(site: Path) -> None:
    site.chmod(0o640)
    assert migrate(site, ONE, writing=True) == 0
    wanted = SITE.replace("zone: bay", "area: bay").replace(
        "config_version: 1", "config_version: 2"
    )
    assert site.read_text("utf-8") == wanted
    assert site.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in site.parent.iterdir() if path.name.startswith(".")] == []


def test_every_file_gets_the_newest_number_over_several_formats(site: Path) -> None:
    assert migrate(site, TWO, writing=True) == 0
    for path in site.parent.rglob("*.yaml"):
        assert yaml.safe_load(path.read_text("utf-8"))["config_version"] == 3
    assert "head: {name: egress, version: 1}" in (site.parent / "policy.yaml").read_text()


def test_a_file_may_be_a_step_ahead(site: Path) -> None:
    assert migrate(site, ONE, writing=True) == 0
    assert migrate(site, TWO, writing=True) == 0
    assert site.read_text("utf-8").count("area") == 1
    assert migrate(site, TWO, writing=False) == 0


def test_line_ends_of_windows_stay(site: Path) -> None:
    site.write_bytes(SITE.replace("\n", "\r\n").encode())
    assert migrate(site, ONE, writing=True) == 0
    assert re.findall(rb"(?<!\r)\n", site.read_bytes()) == []
    assert b"config_version: 2   # do not touch\r\n" in site.read_bytes()


def test_a_signed_file_has_to_be_signed_again(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (site.parent / "policy.yaml.sig").write_text("signed")
    migrate(site, TWO, writing=False)
    assert f"{site.parent / 'policy.yaml'} is signed: sign it again" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("config_version: 9", "error[newer-version]: written for a newer otgate"),
        ("config_version: 0", "error[wrong-value]: there is no format 0"),
        ("config_version: one", "error[wrong-value]: there is no format one"),
        ("name: x", "error[missing-key]: missing key `config_version`"),
        ("config_version: {", "error[bad-yaml]"),
    ],
)
def test_one_file_that_cannot_be_carried_forward_keeps_all(
    version: str, said: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = site.parent / "policy.yaml"
    policy.write_text(POLICY.replace("config_version: 1", version))
    assert migrate(site, ONE, writing=True) == 1
    told = capsys.readouterr().err
    assert said in told
    assert f"{policy}:" in told
    assert site.read_text("utf-8") == SITE


def test_an_absent_site_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", str(tmp_path / "site.yaml")]) == 1
    assert "unreadable-file" in capsys.readouterr().err


def test_the_hook_refuses_a_commit_of_a_broken_site(tmp_path: Path) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert main(["new", "site", str(tmp_path)]) == 0
    written = [path for path in tmp_path.rglob("*") if path.suffix in {".yaml", ".csv"}]
    wanted = re.compile(hook["files"])
    assert [p for p in written if not wanted.search(p.relative_to(tmp_path).as_posix())] == []
    entry = [str(Path(sys.executable).parent / "otgate"), *hook["entry"].split()[1:], *hook["args"]]
    assert subprocess.run(entry, cwd=tmp_path, check=False, capture_output=True).returncode == 0
    (tmp_path / "policy.yaml").write_text("config_version: 1\n")
    assert subprocess.run(entry, cwd=tmp_path, check=False, capture_output=True).returncode == 1


def test_the_templates_that_a_site_names_are_carried_too(site: Path) -> None:
    template = "config_version: 1\ndevice: {driver: modbus, zone: bay}\n"
    (site.parent / "templates").mkdir()
    (site.parent / "templates/feeder.yaml").write_text(template)
    entry = "  - {id: f4, template: feeder.yaml}\n  - {id: f5, template: feeder.yaml}\n"
    site.write_text(SITE.replace("policy:", f"{entry}templates: templates\npolicy:"))
    steps = (Step("zones are areas", {Kind.TEMPLATE: renamed("zone", "area", "device")}),)
    assert migrate(site, steps, writing=True) == 0
    carried = (site.parent / "templates/feeder.yaml").read_text()
    assert carried == "config_version: 2\ndevice: {driver: modbus, area: bay}\n"
