"""`otgate check`: everything that is wrong with a site's files, at once."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from otgate.cli.command import FAILED, OK, USAGE, Command
from otgate.cli.live import check_live
from otgate.cli.places import site_file
from otgate.cli.progress import progress
from otgate.config.diagnostic import Diagnostic, Severity, Use, in_order
from otgate.config.render import Colour, Form, counted, rendered, visible
from otgate.config.site import Checked, Site, check_sites
from otgate.driver import installed
from otgate.terminal import coloured

SHORT = 12
"""Digits of a hash that are shown to people."""

DESCRIPTION = """\
Check a site: site.yaml, its point maps, its policy, and the bus files beside it. Needs no device
and no network. Says everything that is wrong at once, each with its line. Several sites are also
compared: topics, client ids, and what lies behind the endpoints of their devices.

With --live, and where the files have no errors, every point of the real devices is read once,
gently, nothing written and no event taken: which have no value, which values cannot be, and in what
other order, at which address, or with which scale they could.

  otgate check site.yaml
  otgate check config/north config/south --strict
  otgate check config/north config/south --versions --format json
  otgate check site.yaml --format json
  otgate check site.yaml --live --device f3

`otgate explain CODE` says more about one code.
Exit: 0 no errors, 1 errors, 2 the command line cannot be understood.
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "sites", metavar="SITE", type=Path, nargs="+", help="site.yaml, or its folder"
    )
    parser.add_argument(
        "--format",
        choices=[str(form) for form in Form],
        default=str(Form.FULL),
        help="full for people, concise for a list, json and github for machines",
    )
    parser.add_argument("--live", action="store_true", help="read the real devices too")
    parser.add_argument("--device", metavar="DEVICE", help="with --live: this one alone")
    parser.add_argument(
        "--endpoints",
        type=Path,
        metavar="FILE",
        help="with --live: where devices are, as `otgate sim --map` writes it",
    )
    parser.add_argument(
        "--versions", action="store_true", help="versions and hashes of each site without errors"
    )
    parser.add_argument("--strict", action="store_true", help="warnings are errors")


def run(options: Namespace) -> int:
    """Check every site and print what was found."""
    sites = [site_file(given) for given in options.sites]
    for path in sites:
        if not path.is_file():
            print(f"otgate check: no file `{path}`", file=sys.stderr)
            return USAGE
    with progress("checking") as step:
        checked = check_sites(sites, installed(), step)
    said = together([*(each.diagnostics for each in checked), across(checked)])
    if options.strict:
        said = [replace(one, severity=Severity.ERROR) for one in said]
    clean_sites = list(without_errors(checked, said))
    failed = any(one.severity is Severity.ERROR for one in said)
    if options.live and not failed:
        print(rendered(said, colour=colour()), end="\n" if said else "", file=sys.stderr)
        return check_live(sites, options)
    show(said, clean_sites, options)
    return FAILED if failed else OK


def across(checked: Sequence[Checked]) -> Sequence[Diagnostic]:
    """Return what several sites, or bus files, must not have in common."""
    if len(checked) < 2 and sum(len(each.buses) for each in checked) < 2:
        return []
    from otgate.app.several import compared  # noqa: PLC0415  one site needs nothing of it

    return compared(checked, installed())


def without_errors(checked: Sequence[Checked], said: Sequence[Diagnostic]) -> Iterator[Site]:
    """Yield the sites of whose files nothing wrong was said."""
    wrong = {one.file for one in said if one.severity is Severity.ERROR}
    for each in checked:
        files = {one.file for one in each.diagnostics}
        files |= {str(each.path), *(tree.source.name for tree, _ in each.buses)}
        if each.site is not None and not files & wrong:
            yield each.site


def together(said: Iterable[Iterable[Diagnostic]]) -> list[Diagnostic]:
    """Return everything said once, with everybody who has it."""
    uses: dict[Diagnostic, dict[Use, None]] = {}
    for one in chain.from_iterable(said):
        uses.setdefault(replace(one, uses=()), {}).update(dict.fromkeys(one.uses))
    return sorted((replace(one, uses=tuple(of)) for one, of in uses.items()), key=in_order)


def show(said: Sequence[Diagnostic], sites: Sequence[Site], options: Namespace) -> None:
    """Print diagnostics, and a line for each site without errors."""
    form = Form(options.format)
    text = rendered(said, form, colour())
    if options.versions and form is Form.JSON:
        both = {"sites": [edition(site) for site in sites], "diagnostics": json.loads(text)}
        text = json.dumps(both, indent=2)
    if text:
        print(text)
    if form is Form.FULL:
        for site in sites:
            print(clean(site))
            if options.versions or len(options.sites) > 1:
                print(versions(site))


def colour() -> Colour:
    """Colour a terminal, unless its user asks for none (no-color.org)."""
    return Colour.ON if coloured(sys.stdout) else Colour.OFF


def clean(site: Site) -> str:
    """Say what a site without errors consists of."""
    points = sum(len(device.points) for device in site.devices)
    parts = (
        counted(len(site.devices), "device"),
        counted(points, "point"),
        counted(len(site.policy.conduits), "conduit"),
    )
    return f"{site.path}: {', '.join(parts)}: no errors"


def edition(site: Site) -> dict[str, Any]:
    """Return which versions of a site's files were checked."""
    return {
        "path": str(site.path),
        "site": site.id,
        "gateway": site.gateway,
        "config_version": 1,
        "policy": site.policy.name,
        "policy_version": site.policy.version,
        "policy_sha256": site.policy_hash,
        "site_sha256": site.site_hash,
        "map_sha256": site.map_hash,
    }


def versions(site: Site) -> str:
    """Say which versions of a site's files were checked."""
    hashes = (site.site_hash, site.map_hash, site.policy_hash)
    site_hash, map_hash, policy_hash = (one[:SHORT] for one in hashes)
    return (
        f"  config_version 1, policy `{visible(site.policy.name)}` version {site.policy.version};"
        f" SHA-256 of site {site_hash}, with maps {map_hash}, of policy {policy_hash}"
    )


COMMAND = Command(
    name="check",
    summary="say everything that is wrong with a site's files",
    arguments=arguments,
    run=run,
    description=DESCRIPTION,
)
