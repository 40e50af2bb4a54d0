"""Sheets of an XLSX workbook: Office Open XML, ECMA-376, read with bounds on everything.

Sizes are those that the archive declares, checked before anything is unpacked; what unpacks to
more is no archive. Formulas are not computed: their last result is in the file, or is missing.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from posixpath import join, normpath

from otgate.foreign.markup import Form, Node, parse
from otgate.foreign.names import quoted
from otgate.foreign.sheet import Sheet
from otgate.foreign.text import ForeignRefused
from otgate.foreign.worksheet import Formats, Reading, Strings, check_size

MAX_PART = 48 << 20
"""Bytes of one part unpacked; a row of a point map takes about 600."""

MAX_DIRECTORY = 1 << 20
"""Bytes of the archive's directory, of about 70 for each part."""

END = b"PK\x05\x06"
ZIP64 = b"PK\x06\x07"
END_SIZE = 22
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)
"""What the archive reader raises for a file that is not as it says."""


def read_workbook(raw: bytes, file: str, sheet: str | None) -> Sheet:
    """Read one sheet; the first that is to be seen unless named.

    Raises:
        ForeignRefused: it is no workbook, larger than any real one, or lacks the sheet.
    """
    try:
        check_directory(raw, file)
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            return Workbook(archive, file).sheet(sheet)
    except BROKEN as error:
        raise ForeignRefused(file, f"the workbook is damaged: {error}") from None


def check_directory(raw: bytes, file: str) -> None:
    """Refuse an archive whose directory would fill the memory.

    Raises:
        ForeignRefused: it is larger than a workbook's.
    """
    at = raw.rfind(END, -END_SIZE - 65536)
    if at < 0 or len(raw) < at + END_SIZE:
        raise ForeignRefused(file, "the workbook is cut off")
    (size,) = struct.unpack_from("<I", raw, at + 12)
    if size > MAX_DIRECTORY or raw[max(0, at - 20) : at].startswith(ZIP64):
        raise ForeignRefused(file, "the archive has more parts than any workbook")


class Workbook:
    """The parts of a workbook that say what its cells hold."""

    def __init__(self, archive: zipfile.ZipFile, file: str) -> None:
        self.archive = archive
        self.file = file
        self.sizes = {one.filename: one.file_size for one in archive.infolist()}

    def sheet(self, wanted: str | None) -> Sheet:
        """Return a sheet with its rows."""
        main = self.main()
        book = self.tree(main, "workbook")
        parts = self.targets(main)
        sheets = [Listed(one) for one in book.below("sheets", "sheet")]
        chosen = self.chosen(sheets, wanted)
        properties = book.at("workbookPr")
        epoch = properties is not None and properties.get("date1904") in {"1", "true"}
        reading = Reading(
            self.file,
            chosen.name,
            self.strings(parts),
            Formats(self.part_tree(parts, "styles", "styleSheet"), from_1904=epoch),
        )
        part = parts.get(chosen.relation)
        if part is None:
            raise ForeignRefused(self.file, f"sheet {quoted(chosen.name)} is not in the file")
        check_size(self.file, self.stream(part))
        reading.run(self.stream(part))
        found = Sheet(self.file, reading.finished(), chosen.name, remarks=reading.remarks)
        for one in sheets:
            if one.hidden and one is not chosen:
                text = f"sheet {quoted(one.name)} is hidden, and was not read"
                found.remarks.append(f"{text}: --sheet names another")
        return found

    def main(self) -> str:
        """Return the name of the part that lists the sheets."""
        if "_rels/.rels" not in self.sizes:
            raise ForeignRefused(self.file, "this archive is no workbook (.xlsx, .xlsm)")
        for one in self.tree("_rels/.rels", "Relationships").all("Relationship"):
            if one.get("Type").endswith("/officeDocument"):
                return one.get("Target").lstrip("/")
        raise ForeignRefused(self.file, "this archive is no workbook (.xlsx, .xlsm)")

    def targets(self, main: str) -> dict[str, str]:
        """Return the parts by the id of their relation, and by the last word of their type."""
        folder, _, name = main.rpartition("/")
        found = {}
        tree = self.tree(f"{folder}/_rels/{name}.rels".lstrip("/"), "Relationships")
        for one in tree.all("Relationship"):
            target = one.get("Target")
            part = target.lstrip("/") if target.startswith("/") else normpath(join(folder, target))
            found[one.get("Id")] = part
            found.setdefault(one.get("Type").rpartition("/")[2], part)
        return found

    def chosen(self, sheets: "Sequence[Listed]", wanted: str | None) -> "Listed":
        """Return the sheet that was asked for, else the first that is to be seen."""
        if not sheets:
            raise ForeignRefused(self.file, "the workbook has no sheet")
        if wanted is None:
            return next((one for one in sheets if not one.hidden), sheets[0])
        for one in sheets:
            if one.name == wanted:
                return one
        known = ", ".join(quoted(one.name) for one in sheets[:12])
        raise ForeignRefused(self.file, f"there is no sheet {quoted(wanted)}; there is: {known}")

    def part_tree(self, parts: Mapping[str, str], kind: str, root: str) -> Node | None:
        """Return a part that a workbook may lack."""
        return self.tree(parts[kind], root) if kind in parts else None

    def strings(self, parts: Mapping[str, str]) -> Sequence[str]:
        """Return the texts that cells refer to by number."""
        if "sharedStrings" not in parts:
            return []
        reading = Strings(self.file)
        reading.run(self.stream(parts["sharedStrings"]))
        return reading.texts

    def tree(self, part: str, root: str) -> Node:
        """Return a small part as a tree."""
        raw = b"".join(self.stream(part, most=4 << 20))
        form = Form("a workbook", root, most_elements=100_000)
        return parse(raw, f"{self.file}/{part}", form, lambda _line, _message: None)

    def stream(self, part: str, most: int = MAX_PART) -> Iterator[bytes]:
        """Yield the bytes of a part, unpacked as they are asked for."""
        if part not in self.sizes:
            raise ForeignRefused(self.file, f"the workbook lacks its part {quoted(part)}")
        if self.sizes[part] > most:
            message = f"{quoted(part)} unpacks to more than {most >> 20} MB"
            raise ForeignRefused(self.file, message)
        with self.archive.open(part) as opened:
            while chunk := opened.read(1 << 16):
                yield chunk


class Listed:
    """A sheet as the workbook lists it."""

    def __init__(self, node: Node) -> None:
        self.name = node.attributes.get("name", "")
        self.hidden = node.get("state") not in {"", "visible"}
        self.relation = next(
            (value for key, value in node.attributes.items() if key.rpartition(" ")[2] == "id"), ""
        )
