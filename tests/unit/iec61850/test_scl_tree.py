"""Hostile and broken files are refused with a place, or read; nothing else."""

from dataclasses import replace
from pathlib import Path

import pytest

from otgate_iec61850.scl import SclRefused, read_scl, tree
from otgate_iec61850.scl.notes import Notes
from otgate_iec61850.scl.tree import MAX_BYTES, MAX_DEPTH, parse
from scl_texts import NAMESPACE, node, read, said, scl_text

LAUGHS = """<?xml version="1.0"?>
<!DOCTYPE lolz [
 <!ENTITY a "ha"> <!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"> <!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">
]>
<SCL><Header id="&c;"/></SCL>"""
EXTERNAL = """<?xml version="1.0"?>
<!DOCTYPE SCL [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<SCL><Val>&x;</Val></SCL>"""


def refused(raw: bytes) -> SclRefused:
    with pytest.raises(SclRefused) as found:
        parse(raw, "bay.cid", Notes())
    return found.value


@pytest.mark.parametrize("text", [LAUGHS, EXTERNAL, "<!DOCTYPE SCL><SCL/>"])
def test_a_document_type_is_refused_before_any_entity_is_read(text: str) -> None:
    found = refused(text.encode())
    assert "a document type (DTD) is declared" in found.message
    assert found.line == text[: text.index("<!DOCTYPE")].count("\n") + 1


@pytest.mark.parametrize(
    ("raw", "line", "message"),
    [
        (b"", 1, "no element found"),
        (b"<SCL>\n<IED name='a'>\n</SCL>", 3, "mismatched tag"),
        (b"<SCL>\n<Val>a\0b</Val></SCL>", 2, "not well-formed"),
        (b"<SCL>\n\xff\xfe</SCL>", 2, "not well-formed"),
        (b"<?xml version='1.0' encoding='utf-9'?><SCL/>", 1, "encoding"),
        (b"<?xml version='1.0' encoding='shift_jis'?><SCL/>", 1, "encoding"),
        (b"<?xml version='1.0' encoding='hex'?><SCL/>", 1, "encoding"),
        (b"PK\x03\x04", 1, "not well-formed"),
        (b"\n<html/>", 2, "begins with `html`"),
        (b"<SCL/><SCL/>", 1, "junk after document element"),
        (b"<SCL>&nbsp;</SCL>", 1, "undefined entity"),
    ],
)
def test_what_is_no_scl_is_refused_at_its_line(raw: bytes, line: int, message: str) -> None:
    found = refused(raw)
    assert message in found.message
    assert (found.line, str(found).startswith(f"bay.cid:{line}:")) == (line, True)


@pytest.mark.parametrize("element", ["Bay", "Private", "x:y"])
def test_deep_nesting_is_refused(element: str) -> None:
    deep = f"<{element}>" * 100_000
    found = refused(f"<SCL xmlns:x='u'>{deep}".encode())
    assert f"nested deeper than {MAX_DEPTH}" in found.message


def test_a_file_of_100_mb_is_refused_without_reading_it_all(tmp_path: Path) -> None:
    file = tmp_path / "large.scd"
    with file.open("wb") as large:
        large.truncate(100 << 20)
    with pytest.raises(SclRefused, match=f"larger than {MAX_BYTES >> 20} MB"):
        read_scl(file)


def test_too_many_elements_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "SCL", replace(tree.SCL, most_elements=10))
    assert "more than 10 elements" in refused(b"<SCL>" + b"<IED/>" * 20).message


@pytest.mark.parametrize("name", ["missing.cid", "."])
def test_what_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SclRefused):
        read_scl(tmp_path / name)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"])
def test_encodings_that_files_declare_are_read(tmp_path: Path, encoding: str) -> None:
    text = scl_text('<LN lnClass="GGIO" inst="1" lnType="G" desc="Tür"/>')
    file = tmp_path / "bay.cid"
    declared = encoding.removesuffix("-sig")
    file.write_bytes(text.replace("UTF-8", declared, 1).encode(encoding))
    found = read_scl(file).ied("E1").access_points[0].devices[0].node("GGIO1")
    assert found is not None
    assert found.description == "Tür"


@pytest.mark.parametrize(
    "root",
    [
        'version="2007"',
        'xmlns="http://www.iec.ch/61850/2099/SCL"',
        f'xmlns="{NAMESPACE}" xmlns:scl="{NAMESPACE}" xmlns:sxy="u" sxy:x="1"',
    ],
)
def test_namespaces_are_tolerated(tmp_path: Path, root: str) -> None:
    assert next(node(tmp_path, scl_text(root=root)).leaves()).path == "Ind1.stVal"


def test_a_prefix_for_every_element_is_tolerated(tmp_path: Path) -> None:
    text = scl_text(root=f'xmlns:s="{NAMESPACE}"')
    for tag in ("SCL", "Header", "IED", "AccessPoint", "Server", "LDevice", "LN", "LN0"):
        text = text.replace(f"<{tag} ", f"<s:{tag} ").replace(f"<{tag}>", f"<s:{tag}>")
        text = text.replace(f"</{tag}>", f"</s:{tag}>")
    for tag in ("DataTypeTemplates", "LNodeType", "DOType", "DO", "DA"):
        text = text.replace(f"<{tag}>", f"<s:{tag}>").replace(f"<{tag} ", f"<s:{tag} ")
        text = text.replace(f"</{tag}>", f"</s:{tag}>")
    assert len(list(node(tmp_path, text).leaves())) == 3


def test_private_sections_and_foreign_elements_are_passed_over(tmp_path: Path) -> None:
    foreign = '<IED xmlns="urn:other" name="E9"/><Private type="x"><IED name="E8"/></Private>'
    assert read(tmp_path, scl_text(before=foreign)).ieds == ["E1"]


def test_an_undeclared_prefix_is_noted_and_the_rest_read(tmp_path: Path) -> None:
    scl = read(tmp_path, scl_text(before='<tool:IED name="E9"/>\n'))
    assert scl.ieds == ["E1"]
    assert said(scl) == ["a prefix is used that no `xmlns` declares; what has it is skipped"]


def test_an_instance_elsewhere_in_a_file_keeps_its_line(tmp_path: Path) -> None:
    assert node(tmp_path, scl_text()).line == 6
