"""Small SCL texts: one server with the types that a test is about."""

from pathlib import Path

from otgate_iec61850.scl import Scl, read_scl
from otgate_iec61850.scl.model import AccessPoint, LogicalNode

NAMESPACE = "http://www.iec.ch/61850/2003/SCL"
SPS = """\
<DOType id="SPS" cdc="SPS">
  <DA name="stVal" bType="BOOLEAN" fc="ST" dchg="true"/>
  <DA name="q" bType="Quality" fc="ST" qchg="true"/>
  <DA name="t" bType="Timestamp" fc="ST"/>
</DOType>
"""
MV = """\
<DOType id="MV" cdc="MV">
  <DA name="mag" bType="Struct" type="AV" fc="MX" dchg="true"/>
  <DA name="q" bType="Quality" fc="MX"/>
  <DA name="t" bType="Timestamp" fc="MX"/>
  <DA name="units" bType="Struct" type="U" fc="CF"/>
</DOType>
<DAType id="AV"><BDA name="f" bType="FLOAT32"/></DAType>
<DAType id="U"><BDA name="SIUnit" bType="Enum" type="SI"/>
<BDA name="multiplier" bType="Enum" type="M"/></DAType>
<EnumType id="SI"><EnumVal ord="5">A</EnumVal><EnumVal ord="29">V</EnumVal></EnumType>
<EnumType id="M"><EnumVal ord="0"/><EnumVal ord="3">k</EnumVal></EnumType>
"""
GGIO = '<LNodeType id="G" lnClass="GGIO"><DO name="Ind1" type="SPS"/></LNodeType>' + SPS
GGIO_NODE = '<LN lnClass="GGIO" inst="1" lnType="G"/>'
MMXU = '<LNodeType id="X" lnClass="MMXU"><DO name="TotW" type="MV"/></LNodeType>' + MV


def scl_text(
    nodes: str = GGIO_NODE,
    types: str = GGIO,
    *,
    before: str = "",
    root: str = f'xmlns="{NAMESPACE}" version="2007" revision="B" release="4"',
    device: str = 'inst="LD0"',
    ln0: str = "",
) -> str:
    """Return an SCL of IED ``E1`` with one logical device that has ``nodes``."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<SCL {root}>\n<Header id="test"/>\n{before}'
        f'<IED name="E1"><AccessPoint name="P1"><Server><LDevice {device}>\n'
        f'<LN0 lnClass="LLN0" inst="" lnType="L0">{ln0}</LN0>\n{nodes}\n'
        "</LDevice></Server></AccessPoint></IED>\n"
        '<DataTypeTemplates><LNodeType id="L0" lnClass="LLN0"/>\n'
        f"{types}</DataTypeTemplates>\n</SCL>\n"
    )


def read(directory: Path, text: str) -> Scl:
    """Write a text to a file and read it."""
    file = directory / "test.scd"
    file.write_text(text, encoding="utf-8")
    return read_scl(file)


def server(directory: Path, text: str) -> AccessPoint:
    """Return the first server of the first IED of a text."""
    scl = read(directory, text)
    return scl.ied(scl.ieds[0]).access_points[0]


def node(directory: Path, text: str, name: str = "GGIO1") -> LogicalNode:
    """Return a node of the first logical device of a text."""
    found = server(directory, text).devices[0].node(name)
    assert found is not None
    return found


def said(scl: Scl) -> list[str]:
    """Resolve everything and return the notes."""
    for name in scl.ieds:
        scl.ied(name)
    return [note.message for note in scl.notes]
