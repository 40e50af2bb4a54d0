import json
import shutil
from pathlib import Path

import pytest

from otgate.cli import main
from otgate.cli.command import FAILED, OK, USAGE

LAB = Path(__file__).parents[3] / "config" / "lab"
Printed = pytest.CaptureFixture[str]


def test_a_crossing_point_is_explained_for_every_conduit(capsys: Printed) -> None:
    assert main(["policy", "explain", str(LAB), "f1/ia"]) == OK
    said = capsys.readouterr().out
    assert "operations: crosses, allowed by operations-sees-the-plant" in said
    assert "limit quantize 0.5, set by rule feeder-loads" in said


def test_a_point_that_stays_is_explained_too(capsys: Printed) -> None:
    assert main(["policy", "explain", str(LAB / "site.yaml"), "p1/trip"]) == OK
    assert "analytics: does not cross, denied by no-protection-outside" in capsys.readouterr().out


def test_one_conduit_can_be_asked_for(capsys: Printed) -> None:
    main(["policy", "explain", str(LAB), "f1/ia", "--conduit", "analytics", "--format", "json"])
    [only] = json.loads(capsys.readouterr().out)["conduits"]
    assert (only["conduit"], only["crosses"]) == ("analytics", True)
    assert only["limits"]["quantize"] == 0.5


@pytest.mark.parametrize("wrong", ["f1/iaa", "f1", "f9/ia", "/", ""])
def test_an_unknown_point_is_a_usage_error(wrong: str, capsys: Printed) -> None:
    assert main(["policy", "explain", str(LAB), wrong]) == USAGE
    printed = capsys.readouterr()
    assert f"no point `{wrong}`" in printed.err
    assert printed.out == ""


def test_a_near_miss_is_answered_with_the_point_that_was_meant(capsys: Printed) -> None:
    main(["policy", "explain", str(LAB), "f1/iaa"])
    assert "did you mean `f1/ia`?" in capsys.readouterr().err


def test_an_unknown_conduit_is_a_usage_error(capsys: Printed) -> None:
    assert main(["policy", "explain", str(LAB), "f1/ia", "--conduit", "analytcs"]) == USAGE
    assert "no conduit `analytcs`: did you mean `analytics`?" in capsys.readouterr().err


def test_a_site_with_errors_is_not_explained(tmp_path: Path, capsys: Printed) -> None:
    site = shutil.copytree(LAB, tmp_path / "lab")
    policy = (site / "policy.yaml").read_text(encoding="utf-8")
    (site / "policy.yaml").write_text(policy.replace("tags_all: [feeder]", "tags_all: [feedr]"))
    assert main(["policy", "explain", str(site), "f1/ia"]) == FAILED
    printed = capsys.readouterr()
    assert "unknown-tag" in printed.err
    assert printed.out == ""


def test_the_verb_alone_is_a_usage_error(capsys: Printed) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["policy"])
    assert stopped.value.code == USAGE
