import json
from pathlib import Path

import pytest

from otgate.cli import main


def test_a_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "site"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert "modbus" in schema["$defs"]["DeviceEntry"]["properties"]


def test_without_a_name_the_names_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert capsys.readouterr().out.split()[:8] == [
        "site",
        "template",
        "site-template",
        "policy",
        "bus",
        "points",
        "mapping",
        "data",
    ]


def test_one_or_all_are_written(tmp_path: Path) -> None:
    assert main(["schema", "bus", "--write", str(tmp_path / "one")]) == 0
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["bus.json"]
    assert main(["schema", "--write", str(tmp_path / "all")]) == 0
    assert len(list((tmp_path / "all").iterdir())) > 5


def test_an_unknown_name_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "sight"]) == 2
    assert "did you mean `site`?" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["schema", "--write", str(tmp_path / "file")]) == 1
    assert "cannot write" in capsys.readouterr().err
