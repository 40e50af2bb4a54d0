"""A dump of registers is read as the device that it was taken from."""

import asyncio
from argparse import ArgumentParser
from pathlib import Path

import pytest

from otgate.cli import main
from otgate.importer import ImportedDevice, Importer, importers
from otgate_modbus.sunspec.dump import registers
from sunspec_devices import Served, browsed, inverter, serving


def dumped(tmp_path: Path, text: str, *words: str) -> int:
    file = tmp_path / "dump.txt"
    file.write_text(text, "utf-8")
    return main(["import", "sunspec", str(file), "--output", str(tmp_path / "out"), *words])


def points(tmp_path: Path) -> str:
    return (tmp_path / "out" / "points" / "device.csv").read_text("utf-8")


def lines(held: dict[int, int]) -> str:
    return "".join(f"{at},{word}\n" for at, word in held.items())


def rows_of_8(held: dict[int, int]) -> str:
    groups = [sorted(held)[n : n + 8] for n in range(0, len(held), 8)]
    return "\n".join(f"{g[0]}: {' '.join(f'0x{held[at]:04x}' for at in g)}" for g in groups)


def as_mbpoll(held: dict[int, int]) -> str:
    shown = (f"[{at + 1}]: \t{word} ({word - 0x10000})" for at, word in held.items())
    return "-- Polling slave 1...\n" + "\n".join(shown)


def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> str:
    assert dumped(tmp_path, text) == 1
    assert not (tmp_path / "out").exists()
    return capsys.readouterr().err


def test_the_importer_is_found_by_its_entry_point() -> None:
    assert isinstance(importers()["sunspec"], Importer)


@pytest.mark.parametrize("written", [lines, rows_of_8, as_mbpoll])
def test_a_dump_is_read_however_it_is_written(tmp_path: Path, written: object) -> None:
    assert callable(written)
    assert dumped(tmp_path, written(inverter())) == 0
    plain = tmp_path / "plain"
    plain.mkdir()
    assert dumped(plain, lines(inverter())) == 0
    assert points(tmp_path) == points(plain)
    assert "m103_a,Amps" in points(tmp_path)


def read(file: Path, url: str) -> ImportedDevice:
    importer, parser = importers()["sunspec"], ArgumentParser()
    importer.arguments(parser)
    (device,) = importer.read(parser.parse_args([str(file), "--url", url])).devices
    return device


async def test_a_dump_has_the_points_that_browsing_finds(tmp_path: Path) -> None:
    file = tmp_path / "dump.txt"
    file.write_text(lines(inverter()), "utf-8")
    async with serving(Served(inverter())) as where:
        found = await browsed(where)
    device = await asyncio.to_thread(read, file, f"tcp://{where[0]}:{where[1]}?unit=1")
    assert found.device is not None
    assert list(device.points) == list(found.device.points)
    assert device.settings == found.device.settings


def test_a_dump_that_counts_from_one_is_said_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dumped(tmp_path, lines(inverter(40001))) == 0
    assert "counts from 1" in capsys.readouterr().err


def test_registers_that_a_dump_lacks_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = inverter()
    for at in range(40080, 40083):
        del held[at]
    assert dumped(tmp_path, lines(held)) == 0
    assert "lacks 3 of its registers" in capsys.readouterr().err


def test_a_dump_cut_short_says_where_the_chain_breaks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = {at: word for at, word in inverter().items() if at < 40120}
    assert dumped(tmp_path, lines(held)) == 0
    assert "the chain has no end" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no `SunS`"),
        ("40000,1,2\n", "no `SunS`"),
        ("x\n1:2\n70000,1\n", "dump.txt:3:1: 1 at 70000 is no register"),
        ("1,70000\n", "is no register"),
        ("1,-40000\n", "is no register"),
        ("a9\n", "dump.txt:1:1: this is no address"),
        ("1," + "9" * 5000, "is no register"),
        ("65535,1,2\n", "is no register"),
    ],
)
def test_what_is_no_dump_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    assert said in refused(tmp_path, capsys, text)


def test_comments_and_headings_are_passed_over() -> None:
    text = "address;value\n# a comment 5\n7;-1 # high\n\n-- 3\n8 = 0x10\n"
    assert dict(registers(text, "f")) == {7: 0xFFFF, 8: 16}
