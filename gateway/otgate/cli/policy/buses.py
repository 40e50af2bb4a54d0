"""The bus files of a site, for verbs that report on both sides."""

import sys

from otgate.config.bus import load_bus
from otgate.config.bus_side import BusFile
from otgate.config.render import rendered
from otgate.config.site import Site


def buses_of(site: Site) -> list[BusFile] | None:
    """Read every bus file of a site, or print what is wrong with them and return None."""
    read = [load_bus(path) for path in sorted((site.path.parent / "bus").glob("*.yaml"))]
    wrong = [one for bus, found in read if bus is None for one in found]
    if wrong:
        print(rendered(wrong), file=sys.stderr)
        return None
    return [bus for bus, _ in read if bus is not None]
