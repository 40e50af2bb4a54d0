import json
import subprocess
import sys
from pathlib import Path

import pytest

from otgate.cli import BUILT_IN, main, unseen


def test_an_interrupt_while_a_verb_is_imported_ends_quietly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "interrupted_verb.py").write_text("raise KeyboardInterrupt\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(BUILT_IN, "run", "interrupted_verb")
    assert main(["run", "site"]) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("verb", ["run", "bus"])
def test_a_side_holds_nothing_of_the_lab_and_the_lab_finds_it(verb: str) -> None:
    code = (
        f"import sys; from otgate.cli import built_in; built_in({verb!r}); import structlog\n"
        "assert not [name for name in sys.modules if name.partition('.')[0] == 'rich']\n"
        "import rich.console"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert not done.returncode, done.stderr


def test_what_is_loaded_already_stays_to_be_found() -> None:
    with unseen("json"):
        assert sys.modules["json"] is json
    assert sys.modules["json"] is json
