"""IEDs, access points, logical devices and nodes, their values, addresses and places."""

from pathlib import Path

import pytest

from otgate_iec61850.scl import SclRefused
from otgate_iec61850.scl.model import NOWHERE
from otgate_iec61850.scl.units import Settled
from scl_texts import GGIO, GGIO_NODE, NAMESPACE, node, read, said, scl_text, server

PLANT = """\
<Substation name="AA1"><VoltageLevel name="E1"><Bay name="Q1">
 <LNode iedName="E1" ldInst="LD0" lnClass="GGIO" lnInst="1"/>
 <ConductingEquipment name="QA1" type="CBR">{inside}</ConductingEquipment>
</Bay></VoltageLevel></Substation>
"""
REFERENCE = '<LNode iedName="E1" ldInst="LD0" lnClass="GGIO" lnInst="1"/>'


@pytest.mark.parametrize(
    ("root", "edition"),
    [
        ("", "1"),
        (f'xmlns="{NAMESPACE}"', "1"),
        ('version="2007" revision="A"', "2"),
        ('version="2007" revision="B"', "2"),
        ('version="2007" revision="B" release="4"', "2.1"),
        ('version="2007" revision="C" release="5"', "2.1"),
    ],
)
def test_the_edition_is_known(tmp_path: Path, root: str, edition: str) -> None:
    assert read(tmp_path, scl_text(root=root)).edition == edition


def test_a_domain_is_the_name_of_the_ied_and_the_instance(tmp_path: Path) -> None:
    assert server(tmp_path, scl_text()).devices[0].domain == "E1LD0"


def test_an_ld_name_replaces_the_domain(tmp_path: Path) -> None:
    assert server(tmp_path, scl_text(device='inst="LD0" ldName="FUNC"')).devices[0].domain == "FUNC"


def test_a_node_is_named_by_prefix_class_and_instance(tmp_path: Path) -> None:
    text = scl_text('<LN prefix="Q0" lnClass="GGIO" inst="12" lnType="G"/>')
    assert node(tmp_path, text, "Q0GGIO12").cls == "GGIO"


def test_a_value_of_an_instance_is_found_by_its_path(tmp_path: Path) -> None:
    types = (
        '<LNodeType id="G" lnClass="CSWI"><DO name="Pos" type="D"/></LNodeType>'
        '<DOType id="D" cdc="DPC">'
        '<DA name="ctlModel" bType="Enum" type="C" fc="CF"><Val>status-only</Val></DA></DOType>'
        '<EnumType id="C"><EnumVal ord="0">status-only</EnumVal>'
        '<EnumVal ord="4">sbo</EnumVal></EnumType>'
    )
    set_here = '<DOI name="Pos"><DAI name="ctlModel"><Val>4</Val></DAI></DOI>'
    for doi, label in ((set_here, "sbo"), ("", "status-only")):
        text = scl_text(f'<LN lnClass="CSWI" inst="1" lnType="G">{doi}</LN>', types)
        assert Settled(node(tmp_path, text, "CSWI1")).label("Pos.ctlModel") == label


def test_values_below_structures_and_arrays_have_their_path(tmp_path: Path) -> None:
    doi = (
        '<DOI name="Har" desc="x"><SDI name="phsA" ix="3"><SDI name="mag"><DAI name="f" desc="y">'
        "<Val>1.5</Val></DAI></SDI></SDI></DOI>"
    )
    found = node(tmp_path, scl_text(f'<LN lnClass="GGIO" inst="1" lnType="G">{doi}</LN>'))
    assert found.values == {"Har.phsA(3).mag.f": "1.5"}
    assert found.descriptions == {"Har": "x", "Har.phsA(3).mag.f": "y"}


def test_an_access_point_may_share_the_server_of_another(tmp_path: Path) -> None:
    shared = '</AccessPoint><AccessPoint name="P2"><ServerAt apName="P1"/></AccessPoint></IED>'
    scl = read(tmp_path, scl_text().replace("</AccessPoint></IED>", shared))
    first, second = scl.ied("E1").access_points
    assert [device.domain for device in second.devices] == ["E1LD0"] == [first.devices[0].domain]


@pytest.mark.parametrize(
    ("old", "new", "note"),
    [
        ('inst="LD0"', 'inst="a b"', "LDevice `E1a b` is no name of a logical device"),
        (GGIO_NODE, GGIO_NODE * 2, "`E1LD0/GGIO1` is declared twice"),
        ('<IED name="E1">', '<IED name="x y"/><IED name="E1">', "IED `x y` is no name"),
        ('<IED name="E1">', '<IED name="E1"/><IED name="E1">', "IED `E1` is declared twice"),
        ("</IED>", '<AccessPoint name="P2"><ServerAt apName="no"/></AccessPoint></IED>', "`no`"),
        ('lnType="G"', 'lnType="gone"', "LNodeType `gone` is not in the file"),
    ],
)
def test_oddities_are_noted_and_the_rest_is_read(
    tmp_path: Path, old: str, new: str, note: str
) -> None:
    assert any(note in one for one in said(read(tmp_path, scl_text().replace(old, new))))


def test_ieds_that_are_endless_together_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otgate_iec61850.scl.budget.MAX_LEAVES", 5)
    text = scl_text()
    ied = text[text.index("<IED") : text.index("<DataType")]
    scl = read(tmp_path, text.replace(ied, ied + ied.replace("E1", "E2")))
    scl.ied("E1")
    with pytest.raises(SclRefused, match="more than 5 attributes; take one IED at a time"):
        scl.ied("E2")


def test_a_value_of_an_endless_name_is_left_out(tmp_path: Path) -> None:
    doi = f'<DOI name="{"x" * 65}"><DAI name="y"><Val>1</Val></DAI></DOI>'
    found = node(tmp_path, scl_text(f'<LN lnClass="GGIO" inst="1" lnType="G">{doi}</LN>'))
    assert found.values == {}


def connected(parts: str) -> str:
    return (
        '<Communication><SubNetwork name="N"><ConnectedAP iedName="E1" apName="P1"><Address>'
        f"{parts}</Address></ConnectedAP></SubNetwork></Communication>"
    )


@pytest.mark.parametrize("title", ["1,3,9999,23", "1.3.9999.23", "1 3 9999 23"])
def test_an_address_has_host_titles_and_selectors(tmp_path: Path, title: str) -> None:
    parts = (
        f'<P type="IP"> 10.0.0.1 </P><P type="OSI-AP-Title">{title}</P>'
        '<P type="OSI-AE-Qualifier">23</P>'
        '<P type="OSI-PSEL">00000001</P><P type="OSI-SSEL">0001</P><P type="OSI-TSEL">0001</P>'
        '<P type="MMS-Port">10102</P>'
    )
    address = server(tmp_path, scl_text(before=connected(parts))).address
    assert address is not None
    assert (address.host, address.port, address.subnetwork) == ("10.0.0.1", 10102, "N")
    assert (address.ap_title, address.ae_qualifier) == ((1, 3, 9999, 23), 23)
    assert (address.p_selector, address.s_selector, address.t_selector) == (
        b"\0\0\0\1",
        b"\0\1",
        b"\0\1",
    )


@pytest.mark.parametrize(
    ("kind", "text", "note"),
    [
        ("OSI-AP-Title", "one", "AP-title `one` is no object identifier"),
        ("OSI-AE-Qualifier", "x", "OSI-AE-Qualifier `x` is no number"),
        ("OSI-TSEL", "1", "OSI-TSEL `1` is not hexadecimal"),
        ("OSI-PSEL", "00" * 17, "is not hexadecimal"),
    ],
)
def test_an_odd_part_of_an_address_is_left_out(
    tmp_path: Path, kind: str, text: str, note: str
) -> None:
    scl = read(tmp_path, scl_text(before=connected(f'<P type="{kind}">{text}</P>')))
    assert any(note in one for one in said(scl))


def test_the_most_exact_place_counts(tmp_path: Path) -> None:
    text = scl_text(before=PLANT.format(inside=REFERENCE))
    assert node(tmp_path, text).place == ("AA1", "E1", "Q1", "QA1", "")


def test_a_bay_is_a_place(tmp_path: Path) -> None:
    assert node(tmp_path, scl_text(before=PLANT.format(inside=""))).place[2:] == ("Q1", "", "")


def test_a_part_of_an_equipment_says_the_phase(tmp_path: Path) -> None:
    inside = f'<SubEquipment name="a" phase="A">{REFERENCE}</SubEquipment>'
    assert node(tmp_path, scl_text(before=PLANT.format(inside=inside))).place[3:] == ("QA1", "A")


def test_a_reference_to_no_ied_is_no_place(tmp_path: Path) -> None:
    plant = PLANT.format(inside="").replace('iedName="E1"', 'iedName="None"')
    assert node(tmp_path, scl_text(before=plant)).place == NOWHERE


def test_an_ied_is_resolved_when_it_is_asked_for(tmp_path: Path) -> None:
    scl = read(tmp_path, scl_text(types=GGIO.replace('type="SPS"', 'type="gone"')))
    assert not scl.notes
    assert scl.ied("E1") is scl.ied("E1")
    assert len(scl.notes) == 1
