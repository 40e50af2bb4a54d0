"""A workbook of one sheet of texts: Office Open XML, ECMA-376, the least that spreadsheets open.

Every cell is a text with a text format: no spreadsheet computes it, or makes a date of it. The
same rows give the same bytes.
"""

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from otgate.foreign.sheet import letters

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
CONTENT = "application/vnd.openxmlformats-officedocument.spreadsheetml"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'

TEXT_FORMAT = 49
"""The number format of texts: ECMA-376 part 1, §18.8.30."""

WIDEST = 40
LONGEST_NAME = 31
"""Characters of a sheet's name."""

UNSPELLED = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
"""Characters that XML lacks, and what would be read as one: ECMA-376 part 1, §22.9.2.19."""

MOMENT = (1980, 1, 1, 0, 0, 0)

PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{CONTENT}.sheet.main+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{CONTENT}.styles+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{CONTENT}.worksheet+xml"/>'
    "</Types>",
    "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" '
    f'Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{OFFICE}/styles" Target="styles.xml"/></Relationships>',
    "xl/styles.xml": f'<styleSheet xmlns="{MAIN}">'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    f'<xf numFmtId="{TEXT_FORMAT}" fontId="0" fillId="0" borderId="0" xfId="0" '
    'applyNumberFormat="1"/>'
    f'<xf numFmtId="{TEXT_FORMAT}" fontId="1" fillId="0" borderId="0" xfId="0" '
    'applyNumberFormat="1" applyFont="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>",
}
NO_NAME = re.compile(r"[\[\]:*?/\\']")


def workbook(rows: Sequence[Sequence[str]], name: str) -> bytes:
    """Return a workbook whose one sheet has these rows, the first as its header."""
    sheet = NO_NAME.sub("_", name)[:LONGEST_NAME] or "points"
    parts = {
        **PARTS,
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
        f'<sheet name={quoteattr(sheet)} sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/worksheets/sheet1.xml": "".join(worksheet(rows)),
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, text in parts.items():
            archive.writestr(zipfile.ZipInfo(part, MOMENT), HEAD + text, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def worksheet(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the text of a sheet."""
    yield f'<worksheet xmlns="{MAIN}"><sheetViews><sheetView workbookViewId="0">'
    yield '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    yield "</sheetView></sheetViews><cols>"
    for number, width in enumerate(widths(rows), 1):
        yield f'<col min="{number}" max="{number}" width="{width}" style="1" customWidth="1"/>'
    yield "</cols><sheetData>"
    for number, row in enumerate(rows, 1):
        yield f'<row r="{number}">'
        style = 2 if number == 1 else 1
        for column, text in enumerate(row):
            if text:
                yield f'<c r="{letters(column)}{number}" s="{style}" t="inlineStr"><is>'
                yield f'<t xml:space="preserve">{spelled(text)}</t></is></c>'
        yield "</row>"
    yield "</sheetData></worksheet>"


def widths(rows: Sequence[Sequence[str]]) -> Iterator[int]:
    """Yield how wide each column has to be, within reason."""
    for column in zip(*rows, strict=True):
        yield min(WIDEST, 2 + max(map(len, column)))


def spelled(text: str) -> str:
    """Return a text as XML spells it."""
    return escape(UNSPELLED.sub(lambda found: f"_x{ord(found[0]):04X}_", text))
