"""`otgate migrate`: a site's files in the format of this otgate."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from otgate.cli.command import FAILED, OK, Command
from otgate.cli.places import site_argument, site_file
from otgate.config.diagnostic import Diagnostics
from otgate.config.migration import STEPS, Kind, Migration, Step, migration
from otgate.config.render import rendered, visible
from otgate.config.source import MAX_YAML_BYTES, read_source, shortest
from otgate.config.yaml_text import read_yaml
from otgate.errors import Refused

DESCRIPTION = """\
Carry a site's files forward to the format of this otgate, `config_version`, with their comments and
their layout. Shows the difference of each file and writes nothing; --write writes. A file that is
signed has to be signed again afterwards.

  otgate migrate config/sub7
  otgate migrate config/sub7 --write

Exit: 0 nothing to do, or written; 1 there is something to do, or a file cannot be carried forward.
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    site_argument(parser)
    parser.add_argument("--write", action="store_true", help="write the files")


def run(options: Namespace) -> int:
    """Show or write."""
    return migrate(site_file(options.site), STEPS, writing=options.write)


def migrate(site: Path, steps: Sequence[Step], *, writing: bool) -> int:
    """Carry the files of a site forward; write all of them or, where one cannot be, none.

    Raises:
        Refused: a file cannot be written.
    """
    found = Diagnostics()
    made = [migration(path, kind, found, steps) for path, kind in files(site, found)]
    if found.errors:
        print(rendered(found.sorted()), file=sys.stderr)
        return FAILED
    changed = [one for one in made if one is not None and one.changed]
    for one in changed:
        print(one.difference(), end="")
    for line in told(changed, len(steps) + 1, writing=writing):
        print(visible(line), file=sys.stderr)
    if writing:
        write(changed)
    return OK if writing or not changed else FAILED


def files(site: Path, found: Diagnostics) -> Iterator[tuple[Path, Kind]]:
    """Yield the files of a site that have a format."""
    yield site, Kind.SITE
    source = read_source(site, MAX_YAML_BYTES, Diagnostics())
    tree = None if source is None else read_yaml(source, found)
    policy = tree.value.get("policy") if tree and isinstance(tree.value, dict) else None
    if isinstance(policy, str):
        yield site.parent / policy, Kind.POLICY
    for template in dict.fromkeys(templates(tree.value if tree else None)):
        yield shortest(site.parent / template), Kind.TEMPLATE
    for bus in sorted((site.parent / "bus").glob("*.yaml")):
        yield bus, Kind.BUS


def templates(site: Any) -> Iterator[Path]:
    """Yield the templates that a site's devices name, from the site's folder."""
    said = site if isinstance(site, dict) else {}
    devices = said.get("devices")
    for device in devices if isinstance(devices, list) else ():
        if isinstance(device, dict) and isinstance(device.get("template"), str):
            yield Path(str(said.get("templates", "."))) / device["template"]


def told(changed: Sequence[Migration], newest: int, *, writing: bool) -> Iterator[str]:
    """Say what was done, what changes by it, and what is left to do."""
    if not changed:
        yield f"every file is in format {newest}, the newest: nothing to do"
        return
    for about in dict.fromkeys(about for one in changed for about in one.abouts):
        yield f"- {about}"
    for one in changed:
        if one.signature is not None:
            yield f"{one.path} is signed: sign it again (otgate policy sign)"
    yield "written; next: otgate check" if writing else "nothing was written: --write does"


def write(changed: Sequence[Migration]) -> None:
    """Write each file beside itself and put it in its place.

    Raises:
        Refused: one cannot be written; those before it are.
    """
    for one in changed:
        beside = one.path.with_name(f".{one.path.name}.new")
        try:
            beside.write_text(one.after, encoding="utf-8", newline="")
            beside.chmod(one.path.stat().st_mode & 0o777)
            beside.replace(one.path)
        except OSError as error:
            raise Refused(f"cannot write {one.path}: {error.strerror}") from error


COMMAND = Command("migrate", "carry a site's files to today's format", arguments, run, DESCRIPTION)
