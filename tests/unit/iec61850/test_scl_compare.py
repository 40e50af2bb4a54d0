"""Points against SCL: each difference is said at its point, with what to write."""

import re
from pathlib import Path

import pytest

from otgate.errors import Mistake
from otgate.model import Kind, Point
from otgate_iec61850.scl.compare import compare
from scl_texts import GGIO, scl_text, server

PAGE = Path(__file__).parent / "cases" / "compare.md"
CASE = re.compile(r"^## (.+)\n+```csv\n(.*)\n```\n+```text\n(.*?)```$", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^## ", re.MULTILINE)
NODES = '<LN lnClass="GGIO" inst="1" lnType="G"/><LN lnClass="GGIO" inst="2" lnType="A"/>'
TYPES = GGIO + (
    '<LNodeType id="A" lnClass="GGIO"><DO name="Har" type="H"/>'
    '<DO name="Set" type="S"/></LNodeType>'
    '<DOType id="H" cdc="HMV"><DA name="har" bType="INT32" fc="MX" count="4"/></DOType>'
    '<DOType id="S" cdc="ING"><DA name="setVal" bType="INT32" fc="SE"/></DOType>'
)


def cases() -> list[tuple[str, str, str]]:
    blocks = BLOCK.split(PAGE.read_text("utf-8"))[1:]
    found = [CASE.fullmatch(f"## {block.strip()}") for block in blocks]
    return [(one[1], one[2], one[3]) for one in found if one is not None]


def point(line: str) -> Point:
    name, address, type_ = line.split(",")
    return Point(name, Kind.STATUS, address=address, type=type_)


def shown(one: Mistake) -> str:
    help_ = f"  help: {one.help}\n" if one.help else ""
    return f"{one.code} at {one.point}.{one.field}: {one.message}\n{help_}"


@pytest.mark.parametrize(
    ("row", "expected"), [pytest.param(row, text, id=claim) for claim, row, text in cases()]
)
def test_a_case_holds(tmp_path: Path, row: str, expected: str) -> None:
    found = compare([point(row)], server(tmp_path, scl_text(NODES, TYPES)))
    assert "".join(map(shown, found)) == expected


def test_every_case_of_the_page_is_read() -> None:
    assert len(cases()) == len(BLOCK.findall(PAGE.read_text("utf-8")))
