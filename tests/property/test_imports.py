"""Files of other tools, broken in every way: each importer reads or refuses, and says so."""

import copy
import csv
import json
import tomllib
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from foreign_files import FOLDER
from otgate.config.diagnostic import Diagnostics
from otgate.config.point_map import Ground, read_points
from otgate.config.source import Source
from otgate.config.written import point_map, written
from otgate.errors import Refused
from otgate.importer import Imported, importers
from otgate_modbus.importing import telegraf

FILES = {
    "telegraf": ("telegraf.conf",),
    "thingsboard": ("thingsboard.json",),
    "neuron": ("neuron.csv",),
    "dnp3-profile": ("profile.xml",),
    "table": ("list.csv", "--mapping", str(FOLDER / "list.yaml")),
}
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from([-1, 0, 1e999, 70000, "", "\x1b[2J", [], {}, [[]], {"a": []}, "9" * 500]),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
BYTES = st.one_of(
    st.binary(max_size=6), st.text("01.,;\"'<>&[]{}=-+e\n", max_size=6).map(str.encode)
)
pytestmark = pytest.mark.slow

FUZZ = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def options(name: str, file: Path) -> Namespace:
    parser = ArgumentParser()
    importers()[name].arguments(parser)
    return parser.parse_args([str(file), *FILES[name][1:]])


def same(imported: Imported) -> None:
    """Read the point maps back that an import would write."""
    for device in imported.devices:
        written(dict(device.settings))
        found, ground = Diagnostics(), Ground("", device.scans)
        text = point_map(device.points, device.said)
        again = read_points(Source("p.csv", text), ground, found)
        assert again is not None
        assert [one.message for one in found] == []
        meant = [structs.replace(one, scan=one.scan or ground.scan) for one in device.points]
        assert list(again.points) == meant


def read(name: str, file: Path) -> None:
    """Import a file, unless it is refused."""
    with suppress(Refused):
        same(importers()[name].read(options(name, file)))


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in inner:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def replaced(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(tree)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return changed


CONNECTOR = json.loads((FOLDER / "thingsboard.json").read_text("utf-8"))
TELEGRAF = tomllib.loads((FOLDER / "telegraf.conf").read_text("utf-8"))


@FUZZ
@given(st.sampled_from(list(places(CONNECTOR))), ANYTHING)
def test_any_value_in_a_connector_is_read_or_left_out(
    tmp_path: Path, path: tuple[Any, ...], value: Any
) -> None:
    file = tmp_path / "modbus.json"
    file.write_text(json.dumps(replaced(CONNECTOR, path, value)), "utf-8")
    read("thingsboard", file)


@FUZZ
@given(st.sampled_from(list(places(TELEGRAF))), ANYTHING.filter(lambda value: value is not None))
def test_any_value_in_a_configuration_is_read_or_left_out(
    tmp_path: Path, path: tuple[Any, ...], value: Any
) -> None:
    file = tmp_path / "telegraf.conf"
    file.write_text("", "utf-8")
    changed = replaced(TELEGRAF, path, value)
    with pytest.MonkeyPatch.context() as patch:  # TOML cannot be written by what reads it
        patch.setattr(telegraf, "parsed", lambda _text, _file: changed)
        read("telegraf", file)


@pytest.mark.parametrize("name", FILES)
@FUZZ
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, name: str, data: Any) -> None:
    raw = bytearray((FOLDER / FILES[name][0]).read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(raw) - 1))
        much = data.draw(st.integers(0, 40))
        raw[at : at + much] = data.draw(
            st.one_of(
                st.binary(max_size=6), st.text("01.,;\"'<>&[]{}=-+e\n", max_size=6).map(str.encode)
            )
        )
        raw = raw or bytearray(b" ")
    file = tmp_path / FILES[name][0]
    file.write_bytes(raw)
    read(name, file)


@FUZZ
@given(st.lists(st.lists(st.text(max_size=10), min_size=4, max_size=4), max_size=6))
def test_any_cells_of_a_table_make_a_point_map_that_reads_back(
    tmp_path: Path, rows: list[list[str]]
) -> None:
    file = tmp_path / "list.csv"
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(
        "config_version: 1\ndriver: modbus\nsettings: {url: 'tcp://h'}\n"
        "columns: {id: A, name: B, address: 'hr {N}', unit: C, kind: {value: measurement}}\n"
    )
    with file.open("w", encoding="utf-8", errors="replace", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["A", "B", "C", "D", "N"])
        writer.writerows([*row, number] for number, row in enumerate(rows))
    importer, parser = importers()["table"], ArgumentParser()
    importer.arguments(parser)
    with suppress(Refused):
        same(importer.read(parser.parse_args([str(file), "--mapping", str(mapping)])))
