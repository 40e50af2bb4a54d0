"""What `otgate spool copy` says."""

from pathlib import Path

import pytest

from otgate.cli import main
from otgate.model import Lane
from otgate.spool.writer import SpoolWriter
from spools import AMPLE, QUICK, QuickFiles, batch, catalog, committed


def spool(directory: Path) -> Path:
    writer = SpoolWriter.open(directory, catalog(), AMPLE, files=QuickFiles(), pace=QUICK)
    assert committed(writer, writer.append(Lane.DATA, batch([1.0, 2.0])))
    writer.close()
    return directory


def test_once_says_how_much_was_carried_and_a_second_time_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = spool(tmp_path / "spool"), tmp_path / "copy"
    size = sum(path.stat().st_size for path in source.glob("*/*.seg"))
    for carried in (size, 0):
        assert main(["spool", "copy", str(source), str(target), "--once"]) == 0
        assert capsys.readouterr().out == f"{target}: {carried:,} bytes carried\n"


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("nothing", "copy", "there is no spool in {}/nothing"),
        ("spool", "spool", "{}/spool is the spool itself"),
        ("spool", "file", "{}/file: is no directory"),
        ("spool", "file/copy", "{}/file: is no directory"),
    ],
)
def test_a_mistake_is_one_sentence(
    source: str, target: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spool(tmp_path / "spool")
    (tmp_path / "file").touch()
    assert main(["spool", "copy", str(tmp_path / source), str(tmp_path / target), "--once"]) == 1
    assert capsys.readouterr().err == f"otgate: {said.format(tmp_path)}\n"


def test_a_copy_of_no_size_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spool", "copy", "here", "there", "--keep-mb", "0"]) == 1
    assert "--keep-mb is more than 0" in capsys.readouterr().err
