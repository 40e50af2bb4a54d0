"""`otgate policy diff`: what crosses, and what could cross, under another policy or map."""

import json
from argparse import ArgumentParser, Namespace

from otgate.cli.command import FAILED, OK, Command
from otgate.cli.places import format_argument
from otgate.cli.policy.subject import Subject, opened, policy_argument
from otgate.policy.changes import Side
from otgate.policy.difference import as_json, as_text, difference

DESCRIPTION = """\
Compare two sites, or two policies: which points gain or lose a conduit or cross it with other
limits, by which rule; and which kinds of point newly could cross, whether there are any or not.

  otgate policy diff deployed/ proposed/ --fail-on gain
  otgate policy diff site.yaml new-policy.yaml --format json

Where one of the two is a policy alone, it is held against the points of the other. Of two policies
alone, only the kinds are compared. A limit that is less is a gain as well.

Exit: 0 compared; 1 one of them has errors, or --fail-on gain and more crosses or could.
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    policy_argument(parser, "old")
    policy_argument(parser, "new")
    parser.add_argument("--fail-on", choices=["gain"], help="exit 1 where more crosses, or could")
    format_argument(parser)


def execute(options: Namespace) -> int:
    """Print the difference."""
    old, new = opened(options.old), opened(options.new)
    if old is None or new is None:
        return FAILED
    found = difference(side(old, new), side(new, old))
    print(json.dumps(as_json(found), indent=2) if options.format == "json" else as_text(found))
    return FAILED if options.fail_on and found.gain else OK


def side(one: Subject, other: Subject) -> Side:
    """Return one policy with its own points, or the other's where it came without."""
    points = other if one.devices is None else one
    return Side(one.policy, points.devices or (), points.types)


COMMAND = Command(
    "diff", "what crosses, or could, that did not before", arguments, execute, DESCRIPTION
)
