"""Data sets and report controls."""

from pathlib import Path

import pytest

from otgate_iec61850.scl import SclRefused
from otgate_iec61850.scl.model import ReportControl
from scl_texts import GGIO, GGIO_NODE, MMXU, read, said, scl_text, server

FCDA = '<FCDA ldInst="LD0" lnClass="GGIO" lnInst="1" {}/>'
MX_NODE = '<LN lnClass="MMXU" inst="1" lnType="X"/>'
SIXTY = '<ReportControl name="r"><RptEnabled max="60"/></ReportControl>'


def data_set(members: str) -> str:
    return f'<DataSet name="ds">{members}</DataSet>'


def leaves(tmp_path: Path, member: str, nodes: str = GGIO_NODE, types: str = GGIO) -> list[str]:
    (found,) = server(tmp_path, scl_text(nodes, types, ln0=data_set(member))).data_sets()
    return [str(leaf) for one in found.members for leaf in one.leaves]


def control(tmp_path: Path, attributes: str, inside: str = "") -> ReportControl:
    ln0 = (
        f'{data_set("")}<ReportControl name="rc" datSet="ds" {attributes}>{inside}</ReportControl>'
    )
    (found,) = server(tmp_path, scl_text(ln0=ln0)).reports()
    return found


def test_an_attribute_is_one_leaf(tmp_path: Path) -> None:
    member = FCDA.format('doName="Ind1" daName="stVal" fc="ST"')
    assert leaves(tmp_path, member) == ["E1LD0/GGIO1.Ind1.stVal [ST]"]


def test_an_object_is_its_leaves_under_the_constraint_in_order(tmp_path: Path) -> None:
    member = '<FCDA ldInst="LD0" lnClass="MMXU" lnInst="1" doName="TotW" fc="MX"/>'
    assert leaves(tmp_path, member, MX_NODE, MMXU) == [
        "E1LD0/MMXU1.TotW.mag.f [MX]",
        "E1LD0/MMXU1.TotW.q [MX]",
        "E1LD0/MMXU1.TotW.t [MX]",
    ]


def test_a_structure_is_its_leaves(tmp_path: Path) -> None:
    member = '<FCDA ldInst="LD0" lnClass="MMXU" lnInst="1" doName="TotW" daName="mag" fc="MX"/>'
    assert leaves(tmp_path, member, MX_NODE, MMXU) == ["E1LD0/MMXU1.TotW.mag.f [MX]"]


def test_a_whole_node_is_all_it_has_under_the_constraint(tmp_path: Path) -> None:
    assert len(leaves(tmp_path, FCDA.format('fc="ST"'))) == 3


def test_an_element_of_an_array_has_its_index(tmp_path: Path) -> None:
    types = (
        '<LNodeType id="G" lnClass="GGIO"><DO name="H" type="H"/></LNodeType>'
        '<DOType id="H" cdc="HMV">'
        '<SDO name="a" type="C" count="5"/></DOType>'
        '<DOType id="C" cdc="MV"><DA name="i" bType="INT32" fc="MX"/></DOType>'
    )
    member = FCDA.format('doName="H.a" daName="i" ix="3" fc="MX"')
    assert leaves(tmp_path, member, types=types) == ["E1LD0/GGIO1.H.a(3).i [MX]"]


@pytest.mark.parametrize(
    ("member", "note"),
    [
        ('doName="Ind9" fc="ST"', "`E1LD0/GGIO1.Ind9 [ST]` is not in the server's model"),
        ('doName="Ind1" fc="QQ"', "data set member `Ind1` has no known fc"),
        ('doName="Ind1" fc="st"', "data set member `Ind1` has no known fc"),
    ],
)
def test_a_member_that_cannot_be_resolved_is_noted(tmp_path: Path, member: str, note: str) -> None:
    scl = read(tmp_path, scl_text(ln0=data_set(FCDA.format(member))))
    assert any(note in one for one in said(scl))


def test_a_member_of_another_server_is_left_out(tmp_path: Path) -> None:
    member = FCDA.format('doName="Ind1" fc="ST"').replace("LD0", "LD9")
    assert leaves(tmp_path, member) == []


def test_a_member_that_the_model_lacks_keeps_its_place_in_the_report(tmp_path: Path) -> None:
    members = "".join(FCDA.format(f'doName="{name}" fc="ST"') for name in ("Ind9", "Ind1"))
    (found,) = server(tmp_path, scl_text(ln0=data_set(members))).data_sets()
    assert [(one.path, len(one.leaves)) for one in found.members] == [("Ind9", 0), ("Ind1", 3)]


def test_data_sets_of_endless_size_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otgate_iec61850.scl.budget.MAX_EXPANDED", 5)
    scl = read(tmp_path, scl_text(ln0=data_set(FCDA.format('doName="Ind1" fc="ST"') * 2)))
    with pytest.raises(SclRefused, match="more than 5 attributes"):
        scl.ied("E1")


@pytest.mark.parametrize(
    ("attributes", "inside", "names"),
    [
        ("", "", ["rc01"]),
        ("", '<RptEnabled max="3"/>', ["rc01", "rc02", "rc03"]),
        ('indexed="true"', '<RptEnabled max="1"/>', ["rc01"]),
        ('indexed="false"', '<RptEnabled max="2"/>', ["rc"]),
        ("", '<RptEnabled max="x"/>', ["rc01"]),
    ],
)
def test_instances_have_the_names_that_the_server_gives_them(
    tmp_path: Path, attributes: str, inside: str, names: list[str]
) -> None:
    assert [one.name for one in control(tmp_path, attributes, inside).instances] == names


def test_an_endless_number_of_instances_is_capped(tmp_path: Path) -> None:
    found = control(tmp_path, "", '<RptEnabled max="9999999"/>')
    assert len(found.instances) == 99


def test_endless_report_controls_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otgate_iec61850.scl.budget.MAX_INSTANCES", 100)
    with pytest.raises(SclRefused, match="more than 100 report control blocks"):
        server(tmp_path, scl_text(ln0=SIXTY * 2))


@pytest.mark.parametrize(("buffered", "fc"), [('buffered="true"', "BR"), ("", "RP")])
def test_buffering_decides_the_constraint(tmp_path: Path, buffered: str, fc: str) -> None:
    found = control(tmp_path, buffered)
    assert str(found.instances[0]) == f"E1LD0/LLN0.{fc}.rc01"


def test_a_report_control_has_its_settings(tmp_path: Path) -> None:
    inside = (
        '<TrgOps dchg="true" qchg="true" period="true" gi="false"/>'
        '<OptFields seqNum="true" entryID="true" dataRef="false"/>'
        '<RptEnabled max="2"><ClientLN iedName="SCADA" lnClass="IHMI" lnInst="1"/></RptEnabled>'
    )
    found = control(tmp_path, 'rptID="r" confRev="7" intgPd="1000" bufTime="50"', inside)
    assert (found.rpt_id, found.conf_rev, found.integrity_ms, found.buffer_ms) == ("r", 7, 1000, 50)
    assert found.triggers == {"dchg", "qchg", "period"}
    assert found.fields == {"seqNum", "entryID"}
    assert found.clients == ("SCADA",)
    assert str(found.data_set) == "E1LD0/LLN0.ds"


def test_general_interrogation_is_on_where_a_file_does_not_say(tmp_path: Path) -> None:
    assert control(tmp_path, "", '<TrgOps dchg="true"/>').triggers == {"dchg", "gi"}


def test_a_report_without_its_data_set_is_noted(tmp_path: Path) -> None:
    text = scl_text(ln0='<ReportControl name="rc" datSet="no"/><ReportControl name="a b"/>')
    assert said(read(tmp_path, text)) == [
        "report control `rc` has data set `no`, which its node does not declare",
        "report control `a b` is no name; left out",
    ]


def test_a_data_set_without_a_name_is_left_out(tmp_path: Path) -> None:
    scl = read(tmp_path, scl_text(ln0='<DataSet name="a b"/>'))
    assert said(scl) == ["data set `a b` is no name; left out"]
