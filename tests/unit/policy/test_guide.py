import re
import shlex
from pathlib import Path

import pytest

from otgate.cli import main
from otgate.cli.command import FAILED
from otgate.config.diagnostic import Diagnostics, Place
from otgate.config.policy import read_policy
from otgate.policy.language import Policy

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs/guide/policy.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    return found[1]


def guide_policy(directory: Path) -> Policy:
    file = directory / "policy.yaml"
    file.write_text(block("yaml"), encoding="utf-8")
    found = Diagnostics()
    reading = read_policy(file, Place("site.yaml"), found)
    assert reading is not None
    reading.judge((), {}, found)
    assert found.sorted() == []
    assert reading.policy is not None
    return reading.policy


def test_the_guides_policy_is_sound(tmp_path: Path) -> None:
    policy = guide_policy(tmp_path)
    assert [rule.name for rule in policy.rules] == ["feeder-loads", "no-protection"]


SHOWN = re.findall(r"```console\n\$ otgate (.*)\n((?:.*\n)*?)```", GUIDE)
OF_THE_LAB = [(command, shown) for command, shown in SHOWN if shown and "config/lab" in command]


@pytest.mark.parametrize(("command", "shown"), OF_THE_LAB)
def test_the_guide_shows_what_is_printed(
    command: str, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    main(shlex.split(command))
    assert capsys.readouterr().out == shown


SITE = """
config_version: 1
site: {id: sub7, gateway: gw1}
devices:
  - {id: f3, driver: modbus, zone: bay, points: f3.csv, modbus: {url: "tcp://10.0.0.5"}}
defaults: {sensitivity: internal, tags: [feeder]}
policy: policy.yaml
"""
TRIP = "id,kind,address,type,tags\ntrip,measurement,hr 0,u16,feeder protection\n"


def test_the_guide_shows_the_difference_that_a_change_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = block("yaml")
    without_deny = rules[: rules.index("  - name: no-protection")]
    proposed = without_deny.replace("quantize: 0.5", "quantize: 0.1")
    for name, policy in (("deployed", rules), ("proposed", proposed)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "site.yaml").write_text(SITE, encoding="utf-8")
        (tmp_path / name / "f3.csv").write_text(TRIP, encoding="utf-8")
        (tmp_path / name / "policy.yaml").write_text(policy, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    [(command, shown)] = [one for one in SHOWN if "deployed/" in one[0]]
    assert main(shlex.split(command)) == FAILED
    assert capsys.readouterr().out == shown
