"""Completion as a shell sees it: what stands behind the cursor after a tab."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from otgate.cli import main

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent

TAB = """
tab() {
    COMP_LINE="$1" COMP_POINT=${#1} COMP_TYPE=9
    COMPREPLY=()
    _python_argcomplete otgate
    echo "${COMPREPLY[@]}"
}
"""


def after_tab(tmp_path: Path, *lines: str) -> list[set[str]]:
    """Return what bash offers for each line."""
    code = subprocess.check_output([BIN / "otgate", "completion", "bash"], text=True)
    script = tmp_path / "tabs.sh"
    script.write_text(code + TAB + "".join(f"tab '{line}'\n" for line in lines))
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    said = subprocess.check_output(["bash", script], text=True, cwd=ROOT, env=env)
    return [set(line.split()) for line in said.splitlines()]


def test_bash_completes_verbs_options_and_what_a_site_has(tmp_path: Path) -> None:
    verbs, options, forms, points, conduits, codes = after_tab(
        tmp_path,
        "otgate che",
        "otgate check --st",
        "otgate check --format ",
        "otgate policy explain config/lab f1/i",
        "otgate policy stop config/lab ",
        "otgate explain bad-or",
    )
    assert verbs == {"check"}
    assert options == {"--strict"}
    assert forms == {"full", "concise", "json", "github"}
    assert points == {"f1/ia", "f1/ib", "f1/ic", "f1/in"}
    assert {"operations", "analytics"} < conduits
    assert codes == {"bad-order"}


def test_a_site_that_is_not_there_offers_nothing_and_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("{")
    absent, broken = after_tab(
        tmp_path, "otgate policy explain nowhere f1/", f"otgate policy explain {tmp_path} f1/"
    )
    assert absent == broken == set()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_its_own_code(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    code = capsys.readouterr().out
    assert "otgate" in code
    assert ("complete" if shell != "zsh" else "compdef") in code


def test_without_the_library_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "argcomplete.shell_integration", None)
    monkeypatch.setitem(sys.modules, "argcomplete", None)
    assert main(["completion", "bash"]) == 1
    assert "pip install 'otgate[complete]'" in capsys.readouterr().err
