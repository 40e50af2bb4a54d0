"""`otgate spool`: look into the log between both sides. Each sub-verb is a module."""

from argparse import ArgumentParser, Namespace

from otgate.cli.command import Command, add_verbs
from otgate.cli.spool import copy, export, ls, show

DESCRIPTION = """\
Look into a spool: what it holds, how far its bus side is, how long an outage it lasts for. Works
while both sides run and while none does, reads only, and never changes a spool.

  otgate spool ls site.yaml
  otgate spool show site.yaml --conduit analytics data/01JD3K7Q/18231
  otgate spool export site.yaml --from 2h --point f3/ia --format csv
  otgate spool ls /mnt/old-box/spool/analytics
  otgate spool copy spool/analytics /mnt/diode/analytics

SPOOL is site.yaml or its folder, a bus file, or the directory of one spool.
"""

VERBS = (ls.COMMAND, show.COMMAND, export.COMMAND, copy.COMMAND)
"""In the order that help shows them."""


def arguments(parser: ArgumentParser) -> None:
    """Add the sub-verbs."""
    add_verbs(parser.add_subparsers(metavar="VERB", required=True), VERBS, "run_spool")


def execute(options: Namespace) -> int:
    """Run the sub-verb that was asked for."""
    code: int = options.run_spool(options)
    return code


COMMAND = Command("spool", "look into a spool, and export it", arguments, execute, DESCRIPTION)
