"""`otgate policy explain`: why one point crosses or does not."""

import json
from argparse import ArgumentParser, Namespace

from otgate.cli.command import FAILED, OK, Command
from otgate.cli.loading import loaded
from otgate.cli.places import format_argument, site_argument
from otgate.cli.unknown import unknown
from otgate.config.site import Site
from otgate.driver import planned_types
from otgate.policy.explain import Explained, as_json, as_text, explain

DESCRIPTION = """\
Say of one point whether it crosses each conduit, and by which guard, rule and limits.

  otgate policy explain site.yaml f3/ia
  otgate policy explain site.yaml f3/ia --conduit analytics --format json

Exit: 0 explained, whether it crosses or not; 1 the site has errors; 2 no such point or conduit.
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    site_argument(parser)
    parser.add_argument("point", metavar="DEVICE/POINT", help="a point of the site")
    parser.add_argument("--conduit", metavar="CONDUIT", help="this conduit only")
    format_argument(parser)


def execute(options: Namespace) -> int:
    """Run ``policy explain``."""
    site = loaded(options.site)
    if site is None:
        return FAILED
    explained = judged(site, options.point)
    if explained is None:
        return unknown("point", options.point, paths(site))
    conduits = [one.verdict.conduit.id for one in explained]
    if options.conduit is not None and options.conduit not in conduits:
        return unknown("conduit", options.conduit, conduits)
    asked = [one for one in explained if options.conduit in {None, one.verdict.conduit.id}]
    print(json.dumps(as_json(asked), indent=2) if options.format == "json" else as_text(asked))
    return OK


def judged(site: Site, path: str) -> list[Explained] | None:
    """Judge the point at ``path`` on every conduit, or return None where there is no such point."""
    name, _, wanted = path.partition("/")
    for device in site.devices:
        if device.id == name:
            types = planned_types(device, site.plans[device.id])
            for point, value_type in zip(device.points, types, strict=True):
                if point.id == wanted:
                    return explain(site.policy, device, point, value_type)
    return None


def paths(site: Site) -> list[str]:
    """Return ``device/point`` of every point of ``site``."""
    return [f"{device.id}/{point.id}" for device in site.devices for point in device.points]


COMMAND = Command("explain", "why a point crosses or does not", arguments, execute, DESCRIPTION)
