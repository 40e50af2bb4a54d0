"""`otgate import table`: somebody's CSV or XLSX as point maps."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

from otgate.config.columns import COLUMNS
from otgate.config.diagnostic import Diagnostics
from otgate.config.forms import ID_HELP
from otgate.config.mapping_file import MappingFile
from otgate.config.render import rendered
from otgate.config.source import MAX_YAML_BYTES, read_source
from otgate.config.validate import whole
from otgate.config.yaml_text import read_yaml
from otgate.driver import installed
from otgate.errors import Refused
from otgate.foreign.names import Ids
from otgate.foreign.sheet import read_sheet
from otgate.foreign.text import ENCODINGS, ForeignRefused
from otgate.importer import Imported, ImportedDevice
from otgate.tables.guess import guessed
from otgate.tables.heading import Heading, heading_of
from otgate.tables.reading import DeviceTable, Report
from otgate.tables.translation import Translation

DESCRIPTION = """\
Read a table of points, CSV or XLSX, by a mapping of its columns (YAML). --guess looks at the
table and prints a mapping, saying what each column was taken for, and imports nothing: read it,
correct it, keep it. A table that has the columns of a point map needs no mapping.

  otgate import table points.xlsx --guess > mapping.yaml
  otgate import table points.xlsx --mapping mapping.yaml --output config/sub7
"""
NEEDED = frozenset(name for name, column in COLUMNS.items() if column.required)


class TableImporter:
    """The importer of tables; see `otgate.importer.Importer`."""

    summary = "a table of points in CSV or XLSX, by a mapping of its columns"
    description = DESCRIPTION

    def arguments(self, parser: ArgumentParser) -> None:
        """Add the arguments of `otgate import table`."""
        parser.add_argument("file", metavar="FILE", type=Path, help="the table: CSV, XLSX, XLSM")
        parser.add_argument("--mapping", type=Path, metavar="YAML", help="which column is what")
        parser.add_argument("--guess", action="store_true", help="print a mapping to begin with")
        parser.add_argument("--sheet", metavar="NAME", help="of a workbook; the mapping's first")
        parser.add_argument("--driver", metavar="NAME", help="the field protocol of the devices")
        parser.add_argument("--url", help="where the device is, for its driver's block")
        parser.add_argument("--device", metavar="ID", help=f"its id ({ID_HELP}); the file's name")
        parser.add_argument("--encoding", choices=ENCODINGS, help="of a file that is not UTF-8")

    def read(self, options: Namespace) -> Imported:
        """Read the table.

        Raises:
            Refused: it cannot be read, or nobody has said what its columns are.
        """
        mapping = None if options.mapping is None else read_mapping(options.mapping)
        name = options.sheet or (mapping.sheet if mapping else None)
        sheet = read_sheet(options.file, name, options.encoding)
        if options.guess:
            return Imported([], printed=guessed(sheet, options.driver))
        heading = heading_of(sheet, mapping.header if mapping else None)
        mapping = mapping or same_columns(heading)
        report = Report(sheet)
        return Imported(list(devices_of(mapping, heading, options, report)), report.remarks())


def read_mapping(path: Path) -> MappingFile:
    """Read a mapping.

    Raises:
        Refused: it has mistakes; the message names all of them with their places.
    """
    found = Diagnostics()
    source = read_source(path, MAX_YAML_BYTES, found)
    tree = None if source is None else read_yaml(source, found)
    mapping = None if tree is None else whole(MappingFile, tree.value, tree, (), found)
    if mapping is None:
        raise Refused(f"the mapping has mistakes\n{rendered(found.sorted())}")
    return mapping


def same_columns(heading: Heading) -> MappingFile:
    """Return the mapping of a table that has the columns of a point map.

    Raises:
        ForeignRefused: it has others.
    """
    names = list(heading.names.values())
    if not NEEDED <= set(names) <= COLUMNS.keys():
        text = "the columns are not those of a point map: give --mapping, or --guess to begin one"
        raise ForeignRefused(heading.sheet.file, text, heading.row.number)
    return MappingFile.model_validate(
        {"config_version": 1, "columns": {name: {"column": name} for name in names}}
    )


def devices_of(
    mapping: MappingFile, heading: Heading, options: Namespace, report: Report
) -> Iterator[ImportedDevice]:
    """Yield a device for each that the rows name, in the order of their first rows."""
    driver = options.driver or mapping.driver
    known = installed()
    if driver is None or driver not in known:
        said = f"no driver `{driver}` is installed" if driver else "nobody says how it is read"
        raise Refused(f"{said}: give --driver, or `driver` in the mapping: {', '.join(known)}")
    settings = {**({"url": options.url} if options.url else {}), **mapping.settings}
    translation = Translation(mapping, heading)
    tables: dict[str, DeviceTable] = {}
    ids = Ids()
    for row in translation.rows():
        key = row.device or options.device or options.file.stem
        if key not in tables:
            tables[key] = DeviceTable(ids.give(key), translation, report)
        tables[key].take(row)
    for table in tables.values():
        device = table.device(driver, known[driver], settings, mapping.scans)
        if device is not None:
            yield device
    if not tables:
        report.say(None, "no row below the header says anything")
