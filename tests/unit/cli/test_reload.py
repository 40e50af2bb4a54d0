"""The verb `reload` where nothing runs, and with files that are another's."""

from pathlib import Path

import pytest

from daemons import write_site
from otgate.cli import main
from otgate.cli.renewing import closed


@pytest.mark.parametrize("file", [".", "bus/analytics.yaml"])
def test_where_nothing_runs_nothing_is_reloaded(
    tmp_path: Path, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    site = write_site(tmp_path, 1883)
    assert main(["reload", str(site / file)]) == 1
    assert "nobody answers" in capsys.readouterr().err


def test_a_bus_file_with_an_error_is_refused_before_anybody_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = write_site(tmp_path, 1883)
    with (site / "bus" / "analytics.yaml").open("a") as file:
        file.write("windw: 3\n")
    assert main(["reload", str(site)]) == 1
    assert "did you mean `window`?" in capsys.readouterr().err


def test_what_may_not_be_read_is_left_to_whose_it_is(tmp_path: Path) -> None:
    readable, gone = tmp_path / "a.yaml", tmp_path / "b.yaml"
    readable.touch()
    gone.symlink_to(tmp_path / "nowhere")
    assert closed([readable, gone]) == [gone]
