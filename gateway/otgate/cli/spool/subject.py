"""Which spools a verb is asked about: those of a site, of a bus file, or a directory itself."""

import sys
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path

from otgate.cli.box import bus_files, cursor_place, spool_place
from otgate.cli.places import site_file
from otgate.config.bus import load_bus
from otgate.config.diagnostic import Diagnostics
from otgate.config.nearest import did_you_mean
from otgate.config.render import rendered
from otgate.config.site_file import SpoolEntry
from otgate.config.source import MAX_YAML_BYTES, read_source
from otgate.config.validate import partial
from otgate.config.yaml_text import Tree, read_yaml
from otgate.errors import Refused
from otgate.model import Lane

LANES = tuple(str(lane) for lane in Lane)


@dataclass(frozen=True, slots=True)
class Subject:
    """One spool; ``state`` is where its bus side keeps its cursor, if that is known."""

    conduit: str
    directory: Path
    state: Path | None = None
    keeps: SpoolEntry | None = None
    """What the site file says that it may keep."""


def subject_arguments(parser: ArgumentParser) -> None:
    """Add what says which spool is meant."""
    about = "site.yaml or its folder, a bus file, or the directory of one spool"
    parser.add_argument("spool", metavar="SPOOL", type=Path, help=about)
    parser.add_argument("--conduit", metavar="CONDUIT", help="this conduit only")
    parser.add_argument(
        "--cursor", type=Path, metavar="DIR", help="where the bus side keeps its cursor"
    )


def the_one(options: Namespace) -> Subject:
    """Return the one spool that is meant.

    Raises:
        Refused: there is none, or more than one.
    """
    found = subjects(options)
    if len(found) > 1:
        several = ", ".join(each.conduit for each in found)
        raise Refused(f"several spools: say which by --conduit ({several})")
    return found[0]


def subjects(options: Namespace) -> list[Subject]:
    """Return the spools that are meant, at least one.

    Raises:
        Refused: there is none.
    """
    found = found_at(options.spool)
    if options.conduit is not None:
        known = [each.conduit for each in found]
        found = [each for each in found if each.conduit == options.conduit]
        if not found:
            raise Refused(f"no spool `{options.conduit}`: {did_you_mean(options.conduit, known)}")
    if not found:
        raise Refused(f"{options.spool} has no spool yet: the field side makes it when it starts")
    if options.cursor is None:
        return found
    return [Subject(one.conduit, one.directory, options.cursor, one.keeps) for one in found]


def found_at(given: Path) -> list[Subject]:
    """Return the spools that ``given`` leads to.

    Raises:
        Refused: it leads to none.
    """
    if is_spool(given):
        return [Subject(given.absolute().name, given)]
    path = site_file(given)
    if given.is_dir() and not path.is_file():
        raise Refused(f"{given} holds neither a site.yaml nor a spool")
    found = Diagnostics()
    source = read_source(path, MAX_YAML_BYTES, found)
    tree = None if source is None else read_yaml(source, found)
    if tree is not None and isinstance(tree.value, dict) and "brokers" in tree.value:
        return [of_bus(path)]
    if tree is not None and not (isinstance(tree.value, dict) and "site" in tree.value):
        raise Refused(f"{path} is no site file, no bus file and no spool")
    keeps = None if tree is None else spool_entry(tree, found)
    if keeps is None:
        print(rendered(found.sorted()), file=sys.stderr)
        raise Refused(f"{path} does not say where its spools are")
    return of_site(path.parent, keeps)


def is_spool(directory: Path) -> bool:
    """Tell whether a directory is one conduit's spool."""
    return any((directory / lane).is_dir() for lane in LANES)


def of_bus(path: Path) -> Subject:
    """Return the spool that a bus file names.

    Raises:
        Refused: the file has errors.
    """
    bus, diagnostics = load_bus(path)
    if bus is None:
        print(rendered(diagnostics), file=sys.stderr)
        raise Refused(f"{path} names no spool")
    spool = spool_place(path, bus.spool, bus.conduit)
    return Subject(bus.conduit, spool, cursor_place(path, bus.state, bus.conduit))


def of_site(folder: Path, keeps: SpoolEntry) -> list[Subject]:
    """Return the spools of a site, of which nothing but its `spool` block need be right."""
    read = [(file, load_bus(file)[0]) for file in bus_files(folder)]
    states = {
        bus.conduit: cursor_place(file, bus.state, bus.conduit)
        for file, bus in read
        if bus is not None
    }
    return [
        Subject(one.name, one, states.get(one.name, folder / "state" / "bus" / one.name), keeps)
        for one in listed(folder / keeps.directory)
        if is_spool(one)
    ]


def listed(directory: Path) -> list[Path]:
    """Return what is in a directory; nothing where that is not there.

    Raises:
        OSError: it may not be read.
    """
    try:
        return sorted(directory.iterdir())
    except FileNotFoundError:
        return []


def spool_entry(tree: Tree, found: Diagnostics) -> SpoolEntry | None:
    """Read the `spool` block of a site file; None where it has errors."""
    given = {}
    if "spool" in tree.value:
        given = partial(SpoolEntry, tree, ("spool",), found)
    return None if found.errors else SpoolEntry.model_validate(given)
