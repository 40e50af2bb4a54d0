from pathlib import Path

import pytest

from otgate.cli import main
from test_cases import fences

GUIDE = Path(__file__).parents[3] / "docs/guide/site-files.md"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    written, said = fences(GUIDE.read_text("utf-8"))
    for name, content in written.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path, said


def test_the_guides_site_has_no_mistake(
    files: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "site.yaml", "--strict"]) == 0
    assert capsys.readouterr().out == "site.yaml: 1 device, 2 points, 1 conduit: no errors\n"


def test_the_guides_mistake_looks_as_shown(
    files: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    directory, said = files
    points = directory / "points/feeder.csv"
    points.write_text(points.read_text().replace(",protection,", ",protecton,"))
    main(["check", "site.yaml"])
    assert capsys.readouterr().out.startswith(said)
