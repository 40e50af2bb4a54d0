"""`otgate install`: a box with two services, two users, and a site to begin with."""

import os
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from otgate.app.installation import BUS, FIELD, SPOOL, STATE, Installation, unit_files
from otgate.cli.command import FAILED, OK, USAGE, Command
from otgate.cli.importing import an_id
from otgate.config.starting import Starting
from otgate.driver import installed

DESCRIPTION = """\
Make this machine a box: systemd units for the field side and for each conduit's bus side, their
users, the directories with the modes that keep the sides apart, and a site to begin with where
there is none. Needs root. Run again after an upgrade it keeps your site; units that you changed by
hand it refuses to overwrite (use drop-ins: systemctl edit otgate-field).

  otgate install --dry-run
  otgate install --driver modbus --driver dnp3
  otgate install --undo

Afterwards: edit /etc/otgate, then:
  systemctl enable --now otgate.target otgate-field otgate-bus@analytics
Exit: 0 done; 1 something could not be done, and what.
"""


NEXT = """\
next: edit /etc/otgate, then: systemctl daemon-reload; systemctl enable --now otgate.target \\
  otgate-field otgate-bus@analytics"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("--prefix", type=Path, default=Path("/"), metavar="DIR", help="default: /")
    parser.add_argument("--driver", action="append", metavar="NAME", help="of the site's devices")
    parser.add_argument("--id", type=an_id, default="sub7", metavar="ID", help="of the site")
    parser.add_argument("--gateway", type=an_id, default="gw1", metavar="ID", help="of this box")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    parser.add_argument("--undo", action="store_true", help="remove the units; keep data and site")


def execute(options: Namespace) -> int:
    """Install, say what would be done, or undo.

    Raises:
        Refused: a file was changed by hand or cannot be written.
    """
    installation = Installation(options.prefix)
    if options.undo:
        print("\n".join(installation.remove()))
        return OK
    wanted, begin = unit_files(), beginning(options)
    if options.dry_run:
        print("\n".join(installation.plan(wanted, begin)))
        return OK
    if os.geteuid():
        print("otgate install: needs root; --dry-run shows what it does", file=sys.stderr)
        return USAGE
    print("\n".join(installation.plan(wanted, begin)))
    installation.write(wanted, begin)
    complaints = [*installation.make(), *installation.own(begin), *installation.keep_secrets()]
    for complaint in complaints:
        print(f"otgate install: {complaint}", file=sys.stderr)
    if not complaints:
        print(NEXT, file=sys.stderr)
    return FAILED if complaints else OK


def beginning(options: Namespace) -> dict[str, str]:
    """Return the files of a site to begin with, by path below the prefix."""
    starting = Starting(installed())
    known = starting.exemplary()
    drivers = [name for name in dict.fromkeys(options.driver or ["modbus"]) if name in known]
    entries = [starting.device(f"{name}-1", name, known[name]) for name in drivers]
    site = starting.site(options.id, options.gateway, entries)
    places = f"spool: {{directory: {SPOOL}}}  # bus sides read it\nstate: {STATE}\n"
    return {
        f"{FIELD}/site.yaml": bare(site + places),
        f"{FIELD}/policy.yaml": bare(starting.policy()),
        **{f"{FIELD}/points/{name}-1.csv": known[name].points for name in drivers},
        f"{BUS}/analytics.yaml": bare(starting.bus("analytics")),
    }


def bare(text: str) -> str:
    """Return a file without the line that tells an editor of its schema, which is not there."""
    return text.partition("\n")[2]


COMMAND = Command(
    "install", "make this machine a box with services", arguments, execute, DESCRIPTION
)
