"""docs/guide/importing.md: every file and every command that it shows, with what is printed."""

import re
import shlex
from pathlib import Path

import pytest

from otgate.cli import main
from otgate.config.columns import COLUMNS
from otgate.config.mapping_file import MappingFile
from otgate.importer import importers

GUIDE = (Path(__file__).parents[3] / "docs" / "guide" / "importing.md").read_text("utf-8")
FILES = dict(re.findall(r"```(?:csv|yaml) (\S+)\n(.*?)```", GUIDE, re.DOTALL))
CONSOLES = re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL)
WRITTEN = "sub7/points/list.csv"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        if name != WRITTEN:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_prints_what_the_guide_shows(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for console in CONSOLES:
        for command, shown in re.findall(
            r"^\$ otgate (.*)\n((?:(?!\$ ).*\n)*)", console, re.MULTILINE
        ):
            assert main(shlex.split(command)) == 0
            printed = capsys.readouterr()
            assert printed.out + printed.err == shown
    assert (folder / WRITTEN).read_text("utf-8") == FILES[WRITTEN]


def test_it_names_every_format() -> None:
    table = GUIDE.partition("| format | file |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `([a-z0-9-]+)`", table, re.MULTILINE)) == set(importers())


def test_it_names_every_key_of_a_mapping() -> None:
    table = re.findall(r"^\| (`[^|]*`) \|", GUIDE, re.MULTILINE)
    named = {key for cell in table for key in re.findall(r"`([a-z_]+)`", cell)}
    assert set(MappingFile.model_fields) - {"config_version"} <= named


def test_what_it_maps_are_columns_of_a_point_map() -> None:
    assert set(re.findall(r"^  ([a-z_]+): [A-Z]", FILES["mapping.yaml"], re.MULTILINE)) <= {
        *COLUMNS, "Type",
    }  # fmt: skip
