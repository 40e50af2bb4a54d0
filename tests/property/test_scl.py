"""Whatever stands in an SCL file: a model or a refusal, never another exception, in bounds."""

from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otgate.config.diagnostic import Diagnostics
from otgate.config.point_map import Ground, read_points
from otgate.config.source import Source
from otgate.config.written import point_map, written
from otgate.config.yaml_text import read_yaml
from otgate.importer import Imported, ImportedDevice
from otgate_iec61850.address import read_reference
from otgate_iec61850.scl import SclRefused
from otgate_iec61850.scl.importer import SclImporter
from otgate_iec61850.scl.notes import MOST_NOTES
from otgate_iec61850.settings import Settings

BAY = (Path(__file__).parents[2] / "config" / "lab" / "bay.cid").read_bytes()
LINES = BAY.splitlines(keepends=True)
SNIPPETS = [
    *(b"<", b">", b"/>", b'"', b"&amp;", b"&x;", b"\0", b"\xff", b"]]>", b"<!--", b"<![CDATA["),
    *(b"<!DOCTYPE a>", b"<Private>", b"</DOType>", b'type="Vector"', b'type="WYE_A"', b'fc="ST"'),
    *(b'name=""', b'count="99999999"', b'max="-1"', b'xmlns="u"', b"x:", b'ix="4"', b"<LN/>"),
]
MOST_POINTS = 1000
"""Points that a file of 30 kB may become, however it is spoilt."""


def outcome(raw: bytes) -> Imported | None:
    """Import a file, None where it is refused."""
    with TemporaryDirectory() as directory:
        file = Path(directory) / "bay.cid"
        file.write_bytes(raw)
        options = Namespace(file=file, ied=None, access_point=None, data_sets_only=False)
        try:
            return SclImporter().read(options)
        except SclRefused as refused:
            assert_placed(refused, file)
            return None


def assert_placed(refused: SclRefused, file: Path) -> None:
    """Check that a refusal says where."""
    assert refused.line >= 1
    assert str(refused).startswith(f"{file}:{refused.line}:{refused.column}: ")


def assert_sound(imported: Imported | None) -> None:
    """Check what can be said of any import."""
    if imported is None:
        return
    assert len(imported.remarks) <= MOST_NOTES + 100
    for device in imported.devices:
        assert len(device.points) <= MOST_POINTS
        assert len({point.id for point in device.points}) == len(device.points)
        for point in device.points:
            read_reference(point.address)
        assert_checks(device)


def assert_checks(device: ImportedDevice) -> None:
    """Check that what would be written is read without a word, and that settings are right."""
    found = Diagnostics()
    source = Source("p.csv", point_map(device.points))
    read = read_points(source, Ground("", dict(device.scans)), found)
    assert list(found) == []
    assert read is not None
    assert len(read.points) == len(device.points)
    tree = read_yaml(Source("d.yaml", written(device.settings)), found)
    assert list(found) == []
    assert tree is not None
    Settings.model_validate(tree.value)


@pytest.mark.parametrize("first", [0, 25, 50, 75])
def test_a_file_cut_anywhere_is_refused_or_read(first: int) -> None:
    for at in range(first, len(BAY), 100):
        assert_sound(outcome(BAY[:at]))


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """Return the bay's file with a few bytes or words changed."""
    raw = BAY
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(raw)))
        stop = start + draw(st.integers(0, 40))
        raw = raw[:start] + draw(st.sampled_from(SNIPPETS) | st.binary(max_size=4)) + raw[stop:]
    return raw


@settings(max_examples=100, deadline=None)
@given(spoilt())
def test_a_spoilt_file_is_refused_or_read(raw: bytes) -> None:
    assert_sound(outcome(raw))


@st.composite
def reordered(draw: st.DrawFn) -> bytes:
    """Return the bay's file with lines dropped, doubled and moved: often well-formed still."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(lines) - 1))
        one = lines.pop(at)
        for _ in range(draw(st.integers(0, 2))):
            lines.insert(draw(st.integers(0, len(lines))), one)
    return b"".join(lines)


@settings(max_examples=100, deadline=None)
@given(reordered())
def test_lines_that_are_missing_or_elsewhere_are_refused_or_read(raw: bytes) -> None:
    assert_sound(outcome(raw))


NAMES = st.sampled_from(["A", "B", "C", "D", "E"])
TYPES = st.lists(
    st.tuples(st.sampled_from(["DOType", "DAType"]), NAMES, st.lists(NAMES, max_size=6)),
    max_size=8,
)


@settings(max_examples=100, deadline=None)
@given(TYPES)
def test_types_that_name_each_other_in_any_way_end(types: list[tuple[str, str, list[str]]]) -> None:
    text = "".join(map(declared, types))
    raw = (
        '<SCL><IED name="E"><AccessPoint name="P"><Server><LDevice inst="L">'
        '<LN lnClass="GGIO" inst="1" lnType="T"/></LDevice></Server></AccessPoint></IED>'
        '<DataTypeTemplates><LNodeType id="T"><DO name="a" type="A"/></LNodeType>'
        f"{text}</DataTypeTemplates></SCL>"
    )
    assert outcome(raw.encode()) is not None


def declared(one: tuple[str, str, list[str]]) -> str:
    tag, name, inner = one
    if tag == "DAType":
        members = (
            f'<BDA name="b{n}" bType="Struct" type="{t}"/><BDA name="c{n}" bType="INT8"/>'
            for n, t in enumerate(inner)
        )
    else:
        members = (
            f'<SDO name="s{n}" type="{t}"/><DA name="d{n}" fc="ST" bType="Struct" type="{t}"/>'
            for n, t in enumerate(inner)
        )
    return f'<{tag} id="{name}" cdc="X">{"".join(members)}</{tag}>'
