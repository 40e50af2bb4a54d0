"""`otgate check`: everything that is wrong with a site's files, at once."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from otgate.cli.command import FAILED, OK, USAGE, Command
from otgate.cli.live import check_live
from otgate.cli.places import site_file
from otgate.cli.progress import progress
from otgate.config.diagnostic import Diagnostic, Severity, in_order
from otgate.config.render import Colour, Form, counted, rendered
from otgate.config.site import Site, check_sites
from otgate.driver import installed
from otgate.terminal import coloured

DESCRIPTION = """\
Check a site: site.yaml, its point maps, its policy, and the bus files beside it. Needs no device
and no network. Says everything that is wrong at once, each with its line.

With --live, and where the files have no errors, every point of the real devices is read once,
gently, nothing written and no event taken: which have no value, which values cannot be, and in what
other order, at which address, or with which scale they could.

  otgate check site.yaml
  otgate check config/north config/south --strict
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
    said = sorted({one for each in checked for one in each.diagnostics}, key=in_order)
    clean_sites = [each.site for each in checked if each.site is not None]
    if options.strict:
        said = [replace(one, severity=Severity.ERROR) for one in said]
        clean_sites = [each.site for each in checked if each.site and not each.diagnostics]
    failed = any(one.severity is Severity.ERROR for one in said)
    if options.live and not failed:
        print(rendered(said, colour=colour()), end="\n" if said else "", file=sys.stderr)
        return check_live(sites, options)
    show(said, Form(options.format), clean_sites)
    return FAILED if failed else OK


def show(said: Sequence[Diagnostic], form: Form, sites: Sequence[Site]) -> None:
    """Print diagnostics, and a line for each site without errors."""
    text = rendered(said, form, colour())
    if text:
        print(text)
    if form is Form.FULL:
        for site in sites:
            print(clean(site))


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


COMMAND = Command(
    name="check",
    summary="say everything that is wrong with a site's files",
    arguments=arguments,
    run=run,
    description=DESCRIPTION,
)
