import json
from pathlib import Path

import pytest

from otgate.cli import main
from otgate.cli.command import FAILED, OK, USAGE

LAB = Path(__file__).parents[3] / "config" / "lab"
Printed = pytest.CaptureFixture[str]


@pytest.mark.parametrize("subject", [LAB, LAB / "site.yaml", LAB / "policy.yaml"])
def test_a_site_or_a_policy_alone_is_proved(subject: Path, capsys: Printed) -> None:
    assert main(["policy", "prove", str(subject), "never tags_any=protection on analytics"]) == OK
    said = capsys.readouterr().out
    assert said.startswith("proved: never tags_any=protection on analytics\n")
    assert "it rests on deny no-protection-outside" in said


def test_one_refuted_sentence_of_several_fails(capsys: Printed) -> None:
    asked = ["never kind=setting", "never tags_any=asset-health"]
    assert main(["policy", "prove", str(LAB), *asked, "--format", "json"]) == FAILED
    outcomes = [one["outcome"] for one in json.loads(capsys.readouterr().out)]
    assert outcomes == ["proved", "refuted"]


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("never tags_any=protectoin", "unknown tag `protectoin` in `never tags_any=protectoin`"),
        ("never on analytcs", "did you mean `analytics`?"),
        ("never device=f1 point=f2/*", "the assertion speaks of no point"),
        ("whenever", "begins with `never`"),
    ],
)
def test_a_sentence_that_says_nothing_is_a_usage_error(
    sentence: str, said: str, capsys: Printed
) -> None:
    assert main(["policy", "prove", str(LAB), sentence]) == USAGE
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.out == ""


def edited(directory: Path, more: str) -> Path:
    rules, _, _ = (LAB / "policy.yaml").read_text(encoding="utf-8").partition("assertions:")
    policy = directory / "other.yaml"
    policy.write_text(rules + more, encoding="utf-8")
    return policy


def test_without_a_sentence_the_policys_own_assertions_are_proved(
    tmp_path: Path, capsys: Printed
) -> None:
    policy = edited(tmp_path, "assertions:\n  - never: {kind: [control]}\n    on: [operations]\n")
    assert main(["policy", "prove", str(policy)]) == OK
    assert "proved: never kind=control on operations" in capsys.readouterr().out


def test_a_policy_without_assertions_has_to_be_asked_something(
    tmp_path: Path, capsys: Printed
) -> None:
    assert main(["policy", "prove", str(edited(tmp_path, ""))]) == USAGE
    assert "the policy asserts nothing" in capsys.readouterr().err


def test_a_policy_that_fails_its_own_assertion_is_refused_with_a_witness(
    tmp_path: Path, capsys: Printed
) -> None:
    policy = edited(tmp_path, "assertions:\n  - never: {tags_any: [revenue]}\n    on: all\n")
    assert main(["policy", "prove", str(policy), "never kind=setting"]) == FAILED
    printed = capsys.readouterr()
    assert "error[unproved-assertion]" in printed.err
    assert printed.out == ""


@pytest.mark.parametrize("text", ["", "- a list\n", "config_version: 1\nrules: []\n", "\x00"])
def test_a_file_that_is_neither_is_said_to_have_errors(
    text: str, tmp_path: Path, capsys: Printed
) -> None:
    (tmp_path / "site.yaml").write_text(text, encoding="utf-8")
    assert main(["policy", "prove", str(tmp_path), "never"]) == FAILED
    assert "error[" in capsys.readouterr().err
    assert main(["policy", "prove", str(tmp_path / "none.yaml"), "never"]) == FAILED
    assert "error[unreadable-file]" in capsys.readouterr().err
