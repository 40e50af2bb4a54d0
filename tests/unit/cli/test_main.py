from pathlib import Path

import pytest

from otgate.cli import BUILT_IN, main


def test_an_interrupt_while_a_verb_is_imported_ends_quietly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "interrupted_verb.py").write_text("raise KeyboardInterrupt\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(BUILT_IN, "run", "interrupted_verb")
    assert main(["run", "site"]) == 130
    assert capsys.readouterr() == ("", "")
