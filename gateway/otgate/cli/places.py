"""Arguments that many verbs share: where a site is, and how to print."""

from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from otgate.errors import Refused


def site_argument(parser: ArgumentParser) -> None:
    """Add the positional ``SITE``: a site file, or the folder that holds a site.yaml."""
    parser.add_argument("site", metavar="SITE", type=Path, help="site.yaml, or its folder")


def running_site_arguments(parser: ArgumentParser) -> None:
    """Add ``SITE``, here where it is left out, and where its running sides have their sockets."""
    parser.add_argument(
        "site",
        metavar="SITE",
        type=Path,
        nargs="?",
        default=Path(),
        help="site.yaml, or its folder",
    )
    control_argument(parser)


def site_file(given: Path) -> Path:
    """Return the site file that ``given`` names."""
    return given / "site.yaml" if given.is_dir() else given


def is_bus_file(path: Path) -> bool:
    """Tell a bus file from a site file by what it must have."""
    if not path.is_file():
        return False
    lines = path.read_text("utf-8", errors="replace").splitlines()
    return any(line.startswith("brokers:") for line in lines)


def control_argument(parser: ArgumentParser) -> None:
    """Add ``--control``: where the running sides have their sockets."""
    parser.add_argument("--control", type=Path, metavar="DIR", help="directory of the sockets")


def sockets_directory(site: Path, control: Path | None) -> Path:
    """Return where the sides that run ``site`` have their sockets."""
    return control or (site if site.is_dir() else site.parent) / "run"


def socket_of(site: Path, control: Path | None, side: str) -> Path:
    """Return the administration socket of a side that runs ``site``."""
    return sockets_directory(site, control) / f"{side}.sock"


METRICS = ".metrics.sock"
"""How the sockets of metrics end, which stand beside those of administration."""


def sides(directories: Iterable[Path]) -> list[Path]:
    """Return the administration sockets of the sides that run, or did.

    Raises:
        Refused: there is none.
    """
    sockets = [path for directory in directories for path in sorted(directory.glob("*.sock"))]
    found = [path for path in sockets if not path.name.endswith(METRICS)]
    return found or nothing_runs(directories)


def nothing_runs(directories: Iterable[Path]) -> NoReturn:
    """Refuse to ask sides that do not run.

    Raises:
        Refused: always.
    """
    raise Refused(f"nothing runs: there is no socket in {', '.join(map(str, directories))}")


def format_argument(parser: ArgumentParser, *formats: str) -> None:
    """Add ``--format``: text, the default, json, and what else the verb prints."""
    parser.add_argument("--format", choices=["text", "json", *formats], default="text")
