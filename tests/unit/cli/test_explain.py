import pytest

from otgate.cli import main
from otgate.config.codes import registry


def test_a_code_is_explained_with_a_wrong_and_a_right_example(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["explain", "unknown-key"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("error[unknown-key]: ")
    assert "wrong:\n    dedband: 0.5\n" in said
    assert said.endswith("right:\n    deadband: 0.5\n")


def test_without_a_code_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == sorted(registry())


def test_an_unknown_code_is_2_and_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "unkown-key"]) == 2
    assert "did you mean `unknown-key`?" in capsys.readouterr().err


@pytest.mark.parametrize("code", sorted(registry()))
def test_every_code_is_written_in_sentences(code: str) -> None:
    entry = registry()[code]
    assert entry.about.endswith(".")
    assert not entry.why or entry.why.endswith((".", "`"))
    assert entry.wrong != entry.right
    assert entry.severity in {"error", "warning"}
