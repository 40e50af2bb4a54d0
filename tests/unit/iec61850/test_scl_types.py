"""Types: nested, shared, missing, endless, multiplying."""

from pathlib import Path

import pytest

from otgate_iec61850.address import Fc
from otgate_iec61850.scl.model import Attribute
from otgate_iec61850.scl.templates import MAX_LEAVES
from otgate_iec61850.scl.values import value_of
from scl_texts import GGIO_NODE, MV, SPS, node, read, said, scl_text, server

ENDLESS = (
    '<DOType id="D1" cdc="X"><DA name="x" bType="Struct" type="A" fc="ST"/></DOType>'
    '<DAType id="A"><BDA name="y" bType="Struct" type="A"/></DAType>'
)
TWICE = (
    '<DOType id="D1" cdc="X"><DA name="a" bType="BOOLEAN" fc="ST"/>'
    '<DA name="a" bType="INT32" fc="ST"/></DOType>'
)


def one_do(types: str, type_id: str) -> str:
    return f'<LNodeType id="G" lnClass="GGIO"><DO name="D" type="{type_id}"/></LNodeType>{types}'


def paths(tmp_path: Path, types: str, type_id: str) -> list[str]:
    return [leaf.path for leaf in node(tmp_path, scl_text(types=one_do(types, type_id))).leaves()]


def notes(tmp_path: Path, types: str, type_id: str) -> list[str]:
    return said(read(tmp_path, scl_text(types=one_do(types, type_id))))


def test_sub_objects_and_structures_keep_the_order_of_their_type(tmp_path: Path) -> None:
    wye = (
        '<DOType id="W" cdc="WYE"><SDO name="phsA" type="MV"/>'
        '<SDO name="phsB" type="SPS"/></DOType>'
    )
    assert paths(tmp_path, wye + MV + SPS, "W") == [
        *("D.phsA.mag.f", "D.phsA.q", "D.phsA.t", "D.phsA.units.SIUnit", "D.phsA.units.multiplier"),
        *("D.phsB.stVal", "D.phsB.q", "D.phsB.t"),
    ]


def test_a_leaf_has_the_constraint_of_its_attribute(tmp_path: Path) -> None:
    leaves = list(node(tmp_path, scl_text(types=one_do(MV, "MV"))).leaves())
    assert [(leaf.fc, leaf.attribute.b_type) for leaf in leaves[:1]] == [(Fc.MX, "FLOAT32")]
    assert leaves[-1].fc is Fc.CF


def test_an_attribute_has_its_triggers_default_and_states(tmp_path: Path) -> None:
    enum = (
        '<DOType id="E" cdc="ENS"><DA name="stVal" bType="Enum" type="B" fc="ST" dchg="true">'
        '<Val>on</Val></DA></DOType><EnumType id="B"><EnumVal ord="1">on</EnumVal>'
        '<EnumVal ord="x">off</EnumVal></EnumType>'
    )
    (leaf,) = node(tmp_path, scl_text(types=one_do(enum, "E"))).leaves()
    assert leaf.attribute.states == {1: "on"}
    assert leaf.attribute.value == "on"
    assert leaf.attribute.triggers == {"dchg"}
    assert notes(tmp_path, enum, "E") == ["EnumType `B` has an ordinal that is no number"]


def test_an_endless_enum_is_cut(tmp_path: Path) -> None:
    values = "".join(f'<EnumVal ord="{n}">l{n}</EnumVal>' for n in range(300))
    types = (
        '<DOType id="E" cdc="ENS"><DA name="stVal" bType="Enum" type="B" fc="ST"/></DOType>'
        f'<EnumType id="B">{values}</EnumType>'
    )
    (leaf,) = node(tmp_path, scl_text(types=one_do(types, "E"))).leaves()
    assert len(leaf.attribute.states) == 256
    assert notes(tmp_path, types, "E") == ["EnumType `B` has 300 values; the first 256 are taken"]


@pytest.mark.parametrize(("count", "meant"), [("4", 4), ("0", 0), ("maxPts", -1), ("", 0)])
def test_arrays_are_marked(tmp_path: Path, count: str, meant: int) -> None:
    har = (
        f'<DOType id="H" cdc="HMV"><DA name="har" bType="INT32" fc="MX" count="{count}"/></DOType>'
    )
    (leaf,) = node(tmp_path, scl_text(types=one_do(har, "H"))).leaves()
    assert (leaf.attribute.count, leaf.array) == (meant, meant != 0)


@pytest.mark.parametrize(
    ("types", "type_id", "note"),
    [
        ("", "gone", "DOType `gone` is not in the file; what has it is left out"),
        (
            '<DOType id="D1" cdc="MV"><DA name="mag" bType="Struct" type="no" fc="MX"/></DOType>',
            "D1",
            "DAType `no` is not in the file; what has it is left out",
        ),
        (
            '<DOType id="D1" cdc="ENS"><DA name="a" bType="Enum" type="no" fc="ST"/></DOType>',
            "D1",
            "EnumType `no` is not in the file; its codes have no labels",
        ),
        (
            '<DOType id="D1" cdc="X"><SDO name="x" type="D1"/></DOType>',
            "D1",
            "DOType `D1` contains itself; it is left out there",
        ),
        (
            ENDLESS,
            "D1",
            "DAType `A` contains itself; it is left out there",
        ),
        (
            '<DOType id="D1" cdc="X"><DA name="a b" bType="BOOLEAN" fc="ST"/></DOType>',
            "D1",
            "DA `a b` is no name; it is left out",
        ),
        (
            '<DOType id="D1" cdc="X"><DA name="a" bType="BOOLEAN" fc="zz"/></DOType>',
            "D1",
            "attribute `a` has no known fc; it is left out",
        ),
        (
            SPS + SPS,
            "SPS",
            "DOType `SPS` is declared twice; the first counts",
        ),
        (
            TWICE,
            "D1",
            "`a` is declared twice in one type",
        ),
    ],
)
def test_what_cannot_be_resolved_is_noted(
    tmp_path: Path, types: str, type_id: str, note: str
) -> None:
    assert note in notes(tmp_path, types, type_id)


def test_types_that_multiply_are_left_out_before_anything_walks_them(tmp_path: Path) -> None:
    levels = "".join(
        f'<DAType id="A{n}">'
        + "".join(f'<BDA name="b{m}" bType="Struct" type="A{n + 1}"/>' for m in range(10))
        + "</DAType>"
        for n in range(10)
    )
    types = (
        f'{levels}<DAType id="A10"><BDA name="x" bType="INT8"/></DAType>'
        '<DOType id="D1" cdc="X"><DA name="x" bType="Struct" type="A0" fc="ST"/></DOType>'
    )
    assert len(paths(tmp_path, types, "D1")) <= MAX_LEAVES
    assert any("has more than" in note for note in notes(tmp_path, types, "D1"))


def test_empty_structures_that_multiply_are_left_out_too(tmp_path: Path) -> None:
    levels = "".join(
        f'<DOType id="T{n}" cdc="X">'
        + "".join(f'<SDO name="s{m}" type="T{n + 1}"/>' for m in range(10))
        + "</DOType>"
        for n in range(10)
    )
    types = f'{levels}<DOType id="T10" cdc="X"/>'
    assert paths(tmp_path, types, "T0") == []
    assert any("has more than" in note for note in notes(tmp_path, types, "T0"))


def test_a_chain_of_types_as_deep_as_the_file_is_no_recursion_error(tmp_path: Path) -> None:
    chain = "".join(
        f'<DAType id="A{n}"><BDA name="b" bType="Struct" type="A{n + 1}"/></DAType>'
        for n in range(5000)
    )
    types = (
        f'{chain}<DOType id="D1" cdc="X"><DA name="x" bType="Struct" type="A0" fc="ST"/></DOType>'
    )
    assert any("is deeper than" in note for note in notes(tmp_path, types, "D1"))


def test_nodes_of_one_type_share_it(tmp_path: Path) -> None:
    text = scl_text(GGIO_NODE + GGIO_NODE.replace('inst="1"', 'inst="2"'))
    _, first, second = server(tmp_path, text).devices[0].nodes
    assert first.objects is second.objects


@pytest.mark.parametrize(
    ("b_type", "text", "value"),
    [
        *(("BOOLEAN", "true", True), ("BOOLEAN", "0", False), ("BOOLEAN", "maybe", None)),
        *(("INT32", "-5", -5), ("INT32", "x", None), ("FLOAT32", "1.5", 1.5)),
        *(("Dbpos", "on", 2), ("Dbpos", "10", 2), ("Dbpos", "3", 3), ("Enum", "b", 7)),
        *(("Enum", "7", 7), ("Enum", "?", None), ("VisString255", " a ", "a")),
    ],
)
def test_a_configured_value_is_read_by_its_type(b_type: str, text: str, value: object) -> None:
    states = {7: "b"} if b_type == "Enum" else {2: "on"}
    assert value_of(Attribute("x", b_type, states=states), text) == value
