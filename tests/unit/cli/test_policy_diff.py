import json
import shutil
from pathlib import Path

import pytest

from otgate.cli import main
from otgate.cli.command import FAILED, OK

LAB = Path(__file__).parents[3] / "config" / "lab"
LOADS = "match: {kind: [measurement], tags_all: [feeder]}"
Printed = pytest.CaptureFixture[str]


@pytest.fixture
def wider(tmp_path: Path) -> Path:
    """Return a copy of the lab whose loads are those of transformers too."""
    site = Path(shutil.copytree(LAB, tmp_path / "lab"))
    text = (site / "policy.yaml").read_text(encoding="utf-8")
    assert LOADS in text
    new = LOADS.replace("tags_all: [feeder]", "tags_any: [feeder, transformer]")
    (site / "policy.yaml").write_text(text.replace(LOADS, new), encoding="utf-8")
    return site


def diff(*arguments: object) -> int:
    return main(["policy", "diff", *map(str, arguments)])


def test_two_sites_differ_by_points_and_by_kinds(wider: Path, capsys: Printed) -> None:
    assert diff(LAB, wider) == OK
    said = capsys.readouterr().out
    assert "t1/ia: allowed by feeder-loads; before: no rule allows it" in said
    assert "newly could cross analytics: by feeder-loads; before: no rule allows it" in said


def test_a_gain_can_be_an_exit_code(wider: Path, capsys: Printed) -> None:
    assert diff(LAB, wider, "--fail-on", "gain") == FAILED
    assert diff(LAB, LAB, "--fail-on", "gain") == OK
    assert "nothing crosses otherwise" in capsys.readouterr().out


def test_a_loss_is_no_gain(tmp_path: Path, capsys: Printed) -> None:
    text = (LAB / "policy.yaml").read_text(encoding="utf-8")
    narrower = tmp_path / "policy.yaml"
    narrower.write_text(text.replace("tags_any: [protection], kind:", "kind:"), encoding="utf-8")
    assert diff(LAB, narrower, "--fail-on", "gain") == OK
    assert "loses on analytics" in capsys.readouterr().out


def test_a_limit_that_goes_with_its_rule_is_a_gain_for_what_crosses_by_others(
    wider: Path, capsys: Printed
) -> None:
    assert diff(wider, LAB, "--fail-on", "gain") == FAILED
    said = capsys.readouterr().out
    assert "t1/tap: quantize 0.5 -> none, by nothing" in said
    assert "t1/ia: no rule allows it; before: allowed by feeder-loads" in said


def test_a_policy_alone_is_held_against_the_points_of_the_other(
    wider: Path, capsys: Printed
) -> None:
    for pair in ((LAB, wider / "policy.yaml"), (LAB / "policy.yaml", wider)):
        diff(*pair, "--format", "json")
        told = json.loads(capsys.readouterr().out)
        assert {one["change"] for one in told["points"]} >= {"gains"}
        assert {one["point"] for one in told["points"]} >= {"t1/ia"}


def test_of_two_policies_alone_only_kinds_are_compared(wider: Path, capsys: Printed) -> None:
    diff(LAB / "policy.yaml", wider / "policy.yaml", "--format", "json")
    told = json.loads(capsys.readouterr().out)
    assert told["points"] == []
    [kind] = told["kinds"]
    assert (kind["conduit"], kind["by"]) == ("analytics", "feeder-loads")
    assert kind["points"]["tags_all"] == ["transformer"]


def test_a_site_with_errors_is_not_compared(wider: Path, capsys: Printed) -> None:
    (wider / "policy.yaml").write_text("rules: {}\n", encoding="utf-8")
    assert diff(LAB, wider) == FAILED
    printed = capsys.readouterr()
    assert "error[" in printed.err
    assert printed.out == ""
