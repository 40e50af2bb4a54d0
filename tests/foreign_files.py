"""Files of other tools, imported on the command line, and everything that came of it as text."""

from pathlib import Path

import pytest

from otgate.cli import main

FOLDER = Path(__file__).parent / "foreign"


def report(tmp_path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Import, and return what was said and written, in the order of the files' names."""
    code = main(["import", *words, "--output", str(tmp_path)])
    said = capsys.readouterr().err.replace(f"{tmp_path}/", "")
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    texts = [f"== {path.relative_to(tmp_path)}\n{path.read_text('utf-8')}" for path in files]
    return "".join([f"exit code {code}\n{said}", *texts])


def checked(text: str, golden: str) -> None:
    """Compare with the golden file of this name; write it where there is none yet."""
    path = FOLDER / golden
    if not path.exists():
        path.write_text(text, "utf-8")
        pytest.fail(f"{path} was written: read it, then run the test again")
    assert text == path.read_text("utf-8")
