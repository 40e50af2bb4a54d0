"""`otgate expand`: the folders of many sites, from a template and a row for each."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import unified_diff
from hashlib import sha256
from pathlib import Path

from otgate.cli.check import colour
from otgate.cli.command import FAILED, OK, Command
from otgate.config.diagnostic import Diagnostics, Place, Use
from otgate.config.inventory import Listed, read_inventory
from otgate.config.render import counted, rendered, visible
from otgate.config.site_template import (
    expanded,
    read_files,
    read_site_template,
)
from otgate.config.source import MAX_CSV_BYTES, read_source
from otgate.errors import Refused

NOTE = "expanded.json"
"""The file of each site that says where its files come from, and what they were."""

DESCRIPTION = """\
Write a folder for each row of an inventory: the files of a template with the row's values in them,
and over them what a site has otherwise. Files that somebody has changed since are left alone and
named (--force overwrites them); those that the template no longer has are removed if nobody has.

  otgate expand sites.csv --template template --output sites
  otgate expand sites.csv --template template --overlay overlay --output sites --diff

Then: `otgate check SITES/*`.
Exit: 0 done, 1 errors, files left alone, or with --diff: differences.
"""


@dataclass(slots=True)
class Change:
    """What is to be done to the folder of one site."""

    folder: Path
    files: dict[str, bytes] = field(default_factory=dict)
    """What is new or other than it was."""
    gone: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """What somebody has changed."""
    note: bytes = b""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("inventory", metavar="CSV", type=Path, help="a row for each site")
    parser.add_argument(
        "--template", metavar="DIR", type=Path, required=True, help="folder with a template.yaml"
    )
    parser.add_argument(
        "--output", metavar="DIR", type=Path, required=True, help="where the sites' folders are"
    )
    parser.add_argument(
        "--overlay",
        metavar="DIR",
        type=Path,
        help="folders of what sites have otherwise",
    )
    parser.add_argument("--diff", action="store_true", help="show what would change; write nothing")
    parser.add_argument("--force", action="store_true", help="overwrite files that were changed")


def run(options: Namespace) -> int:
    """Run the verb.

    Raises:
        Refused: sites would be written into their own template, or a file cannot be written.
    """
    if options.output.resolve().is_relative_to(options.template.resolve()):
        raise Refused("the sites cannot lie in the template: each would be part of the next")
    found = Diagnostics()
    changes = list(planned(options, found))
    if len(found):
        print(rendered(found.sorted(), colour=colour()), file=sys.stderr)
    if found.errors:
        return FAILED
    kept = [str(one.folder / name) for one in changes for name in one.kept]
    for name in kept:
        print(visible(f"changed since it was written, left alone: {name}"), file=sys.stderr)
    if options.diff:
        differences = [line for one in changes for line in shown(one)]
        print("\n".join(map(visible, differences)), end="\n" if differences else "")
        return FAILED if differences or kept else OK
    for one in changes:
        store(one)
    written = sum(len(one.files) for one in changes)
    removed = sum(len(one.gone) for one in changes)
    print(
        f"{counted(len(changes), 'site')}: {counted(written, 'file')} written, {removed} removed,"
        f" {len(kept)} left alone"
    )
    return FAILED if kept else OK


def planned(options: Namespace, found: Diagnostics) -> Iterator[Change]:
    """Yield what is to be done for each site, if nothing is wrong."""
    template = read_site_template(options.template, found)
    source = read_source(options.inventory, MAX_CSV_BYTES, found)
    if template is None or source is None:
        return
    sites = read_inventory(source, template.parameters, found)
    say_strange_overlays(options.overlay, sites, found)
    for site in sites:
        over = read_files(options.overlay / site.name, found) if options.overlay else {}
        use = Use(str(options.inventory), site.line, 1, f"site {site.name}")
        with found.of(use):
            files = expanded(template.files, over, site.values, found)
        note = note_of(files, options, site)
        yield change(options.output / site.name, files, note, overwrite=options.force)


def say_strange_overlays(overlay: Path | None, sites: list[Listed], found: Diagnostics) -> None:
    """Refuse overlays of sites that are not in the inventory."""
    names = {site.name for site in sites}
    for folder in sorted(overlay.iterdir()) if overlay and overlay.is_dir() else ():
        if folder.is_dir() and folder.name not in names and not found.errors:
            message = f"the inventory has no site `{folder.name}`"
            found.say("unreadable-file", Place(str(folder)), message, "rename or remove the folder")


def note_of(files: Mapping[str, bytes], options: Namespace, site: Listed) -> bytes:
    """Return the note of where the files of a site come from."""
    note = {
        "about": "written by `otgate expand`; what is changed by hand stays as it is",
        "inventory": f"{options.inventory.name}, site {site.name}",
        "template": options.template.name,
        "sha256": {name: sha256(raw).hexdigest() for name, raw in sorted(files.items())},
    }
    return json.dumps(note, indent=2).encode() + b"\n"


def change(folder: Path, files: Mapping[str, bytes], note: bytes, *, overwrite: bool) -> Change:
    """Compare the files of a site with those that are there.

    Raises:
        Refused: one cannot be read.
    """
    before = hashes(folder / NOTE)
    made = Change(folder, note=note)
    for name, raw in files.items():
        there = content(folder / name)
        if there == raw:
            continue
        if there is None or overwrite or sha256(there).hexdigest() == before.get(name):
            made.files[name] = raw
        else:
            made.kept.append(name)
    for name in before.keys() - files.keys():
        there = content(folder / name)
        if there is not None and sha256(there).hexdigest() == before[name]:
            made.gone.append(name)
    return made


def hashes(note: Path) -> dict[str, str]:
    """Return what the files of a site were when they were written; nothing where nobody knows."""
    raw = content(note)
    try:
        said = json.loads(raw or b"{}").get("sha256", {})
    except (ValueError, AttributeError):
        return {}
    if not isinstance(said, dict):
        return {}
    inside = {name: one for name, one in said.items() if ".." not in Path(name).parts}
    return {name: str(one) for name, one in inside.items() if not Path(name).is_absolute()}


def content(path: Path) -> bytes | None:
    """Return what is in a file, if there is one.

    Raises:
        Refused: it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refused(f"cannot read {path}: {error.strerror}") from error


def shown(made: Change) -> Iterator[str]:
    """Yield what would change in a site's folder, line by line."""
    for name, raw in made.files.items():
        before = content(made.folder / name) or b""
        path = str(made.folder / name)
        yield from unified_diff(text_of(before), text_of(raw), path, path, lineterm="")
    for name in made.gone:
        yield f"removed: {made.folder / name}"


def text_of(raw: bytes) -> list[str]:
    """Return the lines of a file as they can be shown."""
    return raw.decode("utf-8", "replace").splitlines()


def store(made: Change) -> None:
    """Write the files of a site.

    Raises:
        Refused: one cannot be written.
    """
    try:
        for name, raw in {**made.files, NOTE: made.note}.items():
            path = made.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(raw)
        for name in made.gone:
            (made.folder / name).unlink()
    except OSError as error:
        raise Refused(f"cannot write {error.filename}: {error.strerror}") from error


COMMAND = Command(
    "expand", "write the folders of many sites from a template", arguments, run, DESCRIPTION
)
