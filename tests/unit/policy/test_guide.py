import re
import shlex
from pathlib import Path

import pytest

from otgate.cli import main
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


@pytest.mark.parametrize(("command", "shown"), [one for one in SHOWN if one[1]])
def test_the_guide_shows_what_is_printed(
    command: str, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    main(shlex.split(command))
    assert capsys.readouterr().out == shown
