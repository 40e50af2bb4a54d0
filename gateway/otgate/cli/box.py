"""Where the parts of a box are that `otgate install` made: apart from each other."""

from pathlib import Path

from otgate.cli.places import site_file, socket_of, sockets_directory

ETC, RUN = Path("/etc/otgate"), Path("/run")
CURSORS, SPOOLS = Path("/var/lib/otgate-bus"), Path("/var/lib/otgate/spool")


def is_box(path: Path) -> bool:
    """Tell whether a file belongs to the box's own site."""
    try:
        return path.resolve().is_relative_to(ETC)
    except OSError:  # where we are is no longer there
        return False


def side_socket(site: Path, control: Path | None, side: str) -> Path:
    """Return a side's socket: among the others, or in a directory of its own beside them."""
    together = socket_of(site, control, side)
    if together.exists() or (control is None and not is_box(site)):
        return together
    apart = (RUN if control is None else control.parent) / f"otgate-{side}" / f"{side}.sock"
    return apart if apart.exists() else together


def socket_directories(site: Path, control: Path | None) -> list[Path]:
    """Return where the sides that run ``site`` have their sockets: together, or apart on a box.

    Where no site is named and none is here, the box's own is meant.
    """
    together = sockets_directory(site, control)
    if control is not None or together.is_dir():
        return [together]
    if not is_box(site) and (site != Path() or site_file(site).exists()):
        return [together]
    return sorted(path for path in RUN.glob("otgate-*") if path.is_dir()) or [together]


def bus_files(folder: Path) -> list[Path]:
    """Return the bus files of a site: beside it, or beside its folder as on a box."""
    beside = sorted((folder / "bus").glob("*.yaml"))
    return beside or sorted((folder.absolute().parent / "bus").glob("*.yaml"))


def cursor_place(file: Path, told: Path, conduit: str) -> Path:
    """Return where a bus side keeps its cursor: what ``file`` says, or what a box's unit does."""
    return _unless(file, told, CURSORS / conduit)


def spool_place(file: Path, told: Path, conduit: str) -> Path:
    """Return where a bus side reads its spool: the same."""
    return _unless(file, told, SPOOLS / conduit)


def _unless(file: Path, told: Path, by_unit: Path) -> Path:
    return by_unit if not told.exists() and is_box(file) and by_unit.exists() else told
