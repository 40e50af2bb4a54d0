"""What of a server becomes a point, and what each is called."""

from collections import Counter
from pathlib import Path

import pytest

from otgate.config.columns import ID
from otgate.foreign.names import Ids, prose
from otgate.model import Kind, Point
from otgate_iec61850.scl.naming import phase_of
from otgate_iec61850.scl.points import points_of
from scl_texts import MMXU, MV, scl_text, server


def points(
    tmp_path: Path, cdc: str, attributes: str, doi: str = "", *, transient: str = ""
) -> dict[str, Point]:
    types = (
        f'<LNodeType id="G" lnClass="GGIO"><DO name="D" type="D" {transient}/></LNodeType>'
        f'<DOType id="D" cdc="{cdc}">{attributes}</DOType>{MV}'
    )
    nodes = f'<LN lnClass="GGIO" inst="1" lnType="G">{doi}</LN>'
    found = points_of(server(tmp_path, scl_text(nodes, types)), Counter())
    return {one.address.removeprefix("E1LD0/GGIO1.D."): one for one in found}


def da(name: str, b_type: str, fc: str, rest: str = "") -> str:
    return f'<DA name="{name}" bType="{b_type}" fc="{fc}" {rest}/>'


SEVERAL = (
    '<DAType id="V"><BDA name="mag" bType="Struct" type="AV"/>'
    '<BDA name="ang" bType="Struct" type="AV"/></DAType>'
)


@pytest.mark.parametrize(
    ("cdc", "attributes", "address", "kind"),
    [
        ("SPS", da("stVal", "BOOLEAN", "ST"), "stVal [ST]", Kind.STATUS),
        ("DPS", da("stVal", "Dbpos", "ST"), "stVal [ST]", Kind.STATUS),
        ("INS", da("stVal", "INT32", "ST"), "stVal [ST]", Kind.STATUS),
        ("ACT", da("general", "BOOLEAN", "ST"), "general [ST]", Kind.EVENT),
        ("ACD", da("dirGeneral", "BOOLEAN", "ST"), "dirGeneral [ST]", Kind.EVENT),
        ("BCR", da("actVal", "INT64", "ST"), "actVal [ST]", Kind.COUNTER),
        ("SEC", da("cnt", "INT32U", "ST"), "cnt [ST]", Kind.COUNTER),
        ("VSS", da("stVal", "VisString255", "ST"), "stVal [ST]", Kind.TEXT),
        ("SPG", da("setVal", "BOOLEAN", "SP"), "setVal [SP]", Kind.SETTING),
        ("ING", da("setVal", "INT32", "SE"), "setVal [SG]", Kind.SETTING),
        ("ASG", da("setMag", "Struct", "SP", 'type="AV"'), "setMag.f [SP]", Kind.SETTING),
        ("MV", da("mag", "Struct", "MX", 'type="AV"'), "mag.f [MX]", Kind.MEASUREMENT),
        ("SAV", da("instMag", "Struct", "MX", 'type="AV"'), "instMag.f [MX]", Kind.MEASUREMENT),
        ("XYZ", da("thing", "INT32", "ST"), "thing [ST]", Kind.STATUS),
        ("XYZ", da("thing", "INT32", "MX"), "thing [MX]", Kind.MEASUREMENT),
    ],
)
def test_a_class_decides_what_is_read_and_its_kind(
    tmp_path: Path, cdc: str, attributes: str, address: str, kind: Kind
) -> None:
    found = points(tmp_path, cdc, attributes)
    assert {where: one.kind for where, one in found.items()} == {address: kind}


@pytest.mark.parametrize("cdc", ["SPC", "DPC", "INC"])
def test_a_control_is_its_status_alone(tmp_path: Path, cdc: str) -> None:
    attributes = (
        da("stVal", "BOOLEAN", "ST")
        + da("stSeld", "BOOLEAN", "ST")
        + da("q", "Quality", "ST")
        + da("t", "Timestamp", "ST")
        + da("ctlModel", "INT8", "CF")
        + da("Oper", "Struct", "CO", 'type="AV"')
    )
    assert list(points(tmp_path, cdc, attributes)) == ["stVal [ST]"]


def test_a_transient_status_is_an_event(tmp_path: Path) -> None:
    found = points(tmp_path, "SPS", da("stVal", "BOOLEAN", "ST"), transient='transient="true"')
    assert found["stVal [ST]"].kind is Kind.EVENT


def test_what_is_left_out_is_counted_by_its_reason(tmp_path: Path) -> None:
    text = scl_text('<LN lnClass="MMXU" inst="1" lnType="X"/>', MMXU)
    left_out = Counter[str]()
    found = list(points_of(server(tmp_path, text), left_out))
    assert len(found) == 1
    assert sorted(left_out.values()) == [2, 2]


@pytest.mark.parametrize(
    ("unit", "multiplier", "shown"),
    [
        *(("A", "k", "kA"), ("5", "3", "kA"), ("V", "", "V"), ("VAr", "M", "Mvar")),
        *(("ohm", "", "Ω"), ("33", "0", "Hz"), ("", "k", ""), ("998", "", ""), ("m/s", "", "m/s")),
    ],
)
def test_a_unit_has_its_multiplier(tmp_path: Path, unit: str, multiplier: str, shown: str) -> None:
    doi = (
        f'<DOI name="D"><SDI name="units"><DAI name="SIUnit"><Val>{unit}</Val></DAI>'
        f'<DAI name="multiplier"><Val>{multiplier}</Val></DAI></SDI></DOI>'
    )
    attributes = da("mag", "Struct", "MX", 'type="AV"') + da("units", "Struct", "CF", 'type="U"')
    assert points(tmp_path, "MV", attributes, doi)["mag.f [MX]"].unit == shown


def test_a_vector_is_a_magnitude_and_an_angle_in_degrees(tmp_path: Path) -> None:
    found = points(
        tmp_path, "CMV", da("cVal", "Struct", "MX", 'type="V"') + "</DOType>" + SEVERAL + "<DOType>"
    )
    assert {one.id: one.unit for one in found.values()} == {
        "ld0_ggio1_d": "",
        "ld0_ggio1_d_ang": "°",
    }


def test_an_integer_is_scaled_as_the_file_says(tmp_path: Path) -> None:
    doi = (
        '<DOI name="D"><SDI name="sVC"><DAI name="scaleFactor"><Val>0.1</Val></DAI>'
        '<DAI name="offset"><Val>-4</Val></DAI></SDI></DOI>'
    )
    attributes = (
        da("mag", "Struct", "MX", 'type="I"')
        + '</DOType><DAType id="I"><BDA name="i" bType="INT32"/></DAType><DOType>'
    )
    (found,) = points(tmp_path, "MV", attributes, doi).values()
    assert (found.scale, found.offset) == (0.1, -4)


def test_a_description_of_the_instance_names_the_point(tmp_path: Path) -> None:
    (found,) = points(
        tmp_path, "SPS", da("stVal", "BOOLEAN", "ST"), '<DOI name="D" desc="Door"/>'
    ).values()
    assert found.name == "LD0 Door (D)"


def test_a_unicode_description_comes_first(tmp_path: Path) -> None:
    doi = '<DOI name="D" desc="Door"><DAI name="dU"><Val>Tür</Val></DAI></DOI>'
    (found,) = points(tmp_path, "SPS", da("stVal", "BOOLEAN", "ST"), doi).values()
    assert found.name == "LD0 Tür (D)"


def test_labels_fit_into_a_cell(tmp_path: Path) -> None:
    attributes = da("stVal", "Enum", "ST", 'type="E"') + (
        '</DOType><EnumType id="E"><EnumVal ord="1">a|b=c</EnumVal><EnumVal ord="2">x</EnumVal>'
        '<EnumVal ord="3">x</EnumVal><EnumVal ord="4"/></EnumType><DOType>'
    )
    (found,) = points(tmp_path, "ENS", attributes).values()
    assert found.states == {1: "a/b c", 2: "x", 3: "x (3)", 4: "4"}


def test_ids_are_unique_and_fit() -> None:
    ids = Ids()
    given = [
        ids.give(*parts) for parts in [("A", "b.c"), ("a", "B.C"), ("x" * 99,), ("X" * 99,), ("",)]
    ]
    assert given[:2] == ["a_b_c", "a_b_c_2"]
    assert len(set(given)) == len(given)
    assert all(ID.fullmatch(one) for one in given)


def test_the_same_parts_give_the_same_ids_in_every_run() -> None:
    parts = [("LD0", "x" * 80), ("LD0", "y")]
    assert [Ids().give(*one) for one in parts] == [Ids().give(*one) for one in parts]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("=cmd|' /c'!A1", "cmd|' /c'!A1"),
        ("#REF!", "REF!"),
        ("a\n\x1b[31m b", "a [31m b"),
        ("-", ""),
    ],
)
def test_foreign_text_is_one_harmless_line(text: str, line: str) -> None:
    assert prose(text) == line


@pytest.mark.parametrize(
    ("path", "phase"),
    [
        ("A.phsA.cVal.mag.f", "A"),
        ("PPV.phsAB.cVal", "AB"),
        ("A.neut.cVal", "N"),
        ("Op.general", ""),
    ],
)
def test_a_path_says_its_phase(path: str, phase: str) -> None:
    assert phase_of(path, "") == phase
