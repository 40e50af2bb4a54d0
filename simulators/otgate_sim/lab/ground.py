"""Where a lab runs: a copy of its site in a directory of its own, pointed at the lab's broker."""

import shutil
from importlib.resources import files
from pathlib import Path

import yaml

from otgate.config.bus import load_bus
from otgate.config.render import rendered
from otgate.errors import Refused
from otgate.spool.segment import Log

PREFIX = "otgate-lab-"
"""What a lab's directory is called."""
RUNNING = ("spool", "state", "run", "*.sock", f"{PREFIX}*")
"""What a running gateway or lab leaves in a site's folder; a lab starts without."""


def own_site() -> Path:
    """Return the lab site that ships with the package, or the checkout's.

    Raises:
        Refused: neither is there.
    """
    package = Path(str(files("otgate_sim")))
    for place in (package / "lab_site", package.parents[1] / "config" / "lab"):
        if (place / "site.yaml").is_file():
            return place
    raise Refused("the lab site is missing from this installation; name one with --site")


def copied(given: Path | None, directory: Path) -> Path:
    """Copy a site's folder into ``directory`` and return its site file.

    Raises:
        Refused: there is no such site.
    """
    source = given if given is not None else own_site()
    source = source if source.is_dir() else source.parent
    if not (source / "site.yaml").is_file():
        raise Refused(f"{source} holds no site.yaml")
    target = directory / "site"
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*RUNNING))
    return target / "site.yaml"


def buses(site: Path) -> list[Path]:
    """Return the bus files beside a site file.

    Raises:
        Refused: there is none, so nothing would be published.
    """
    found = sorted((site.parent / "bus").glob("*.yaml"))
    if not found:
        raise Refused(f"{site.parent} holds no bus/*.yaml")
    return found


def point_at(bus: Path, url: str) -> None:
    """Let a bus file name the broker at ``url``, and leave the rest of it as it is."""
    text = bus.read_text(encoding="utf-8")
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    for key, value in pairs:
        if key.value == "brokers":
            before, after = text[: value.start_mark.index], text[value.end_mark.index :]
            bus.write_text(f'{before}["{url}"]\n{after}', encoding="utf-8")
            return
    raise Refused(f"{bus.name} names no brokers")


def conduit_of(bus: Path) -> str:
    """Return the conduit that a bus file publishes.

    Raises:
        Refused: the file is wrong.
    """
    read, diagnostics = load_bus(bus)
    if read is None:
        raise Refused(rendered(diagnostics))
    return read.conduit


def make_spool(directory: Path) -> None:
    """Make a spool's folders, as an installation does before either side starts."""
    for log in Log:
        (directory / log).mkdir(parents=True, exist_ok=True)
