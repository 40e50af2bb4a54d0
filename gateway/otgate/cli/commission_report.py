"""What was commissioned, as a report that its own hash covers."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from otgate.cli.document import Block, Heading, Table, as_html, as_markdown
from otgate.config.render import counted
from otgate.config.site import Site
from otgate.config.written import as_csv
from otgate.errors import Refused
from otgate.live.record import HEADER, Entry, Verdict, digest, rows
from otgate.tables.workbook import workbook


def write_report(directory: Path, site: Site, entries: Sequence[Entry]) -> None:
    """Write the report in every form.

    Raises:
        Refused: it cannot be written.
    """
    table = as_csv(rows(entries))
    blocks = [*report(site, entries, digest(table))]
    files: dict[str, bytes] = {
        "report.csv": table.encode(),
        "report.csv.sha256": f"{digest(table)}  report.csv\n".encode(),
        "report.xlsx": workbook(rows(entries), site.id),
        "report.md": as_markdown(blocks).encode(),
        "report.html": as_html(blocks).encode(),
    }
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (directory / name).write_bytes(content)
    except OSError as error:
        raise Refused(f"the report cannot be written: {error}") from error
    print(f"report: {directory}, SHA-256 of report.csv {digest(table)}", file=sys.stderr)


def report(site: Site, entries: Sequence[Entry], hashed: str) -> Iterator[Block]:
    """Yield the report's parts."""
    yield Heading(f"Commissioning of {site.name or site.id}, gateway {site.gateway}", 1)
    counts = [
        [str(verdict), str(sum(entry.verdict == verdict for entry in entries))]
        for verdict in Verdict
    ]
    yield Table(("verdict", "points"), counts)
    yield Table(
        ("what", "SHA-256"),
        [
            ["point map", site.map_hash],
            ["policy", site.policy_hash],
            ["report.csv", hashed],
        ],
    )
    other = sum(entry.map_hash != site.map_hash for entry in entries)
    if other:
        yield f"{counted(other, 'verdict')} of another point map than today's."
    yield Heading("Points")
    yield Table(HEADER, [entry.cells() for entry in entries], marked=Verdict.FAIL)
