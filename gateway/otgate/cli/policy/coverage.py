"""`otgate policy coverage`: points that no rule matches, and rules that do nothing."""

import json
from argparse import ArgumentParser, Namespace

from otgate.cli.command import FAILED, OK, Command
from otgate.cli.loading import loaded
from otgate.cli.places import format_argument, site_argument
from otgate.policy.coverage import Coverage, coverage

DESCRIPTION = """\
Say which points of a site no rule matches, and which rules match nothing, are redundant or
without effect.

  otgate policy coverage site.yaml
  otgate policy coverage site.yaml --fail-on rules

A rule is redundant if another one does all that it does, for any conceivable point; it is without
effect if nothing else would cross without it today. Of two rules that depend on each other both
may be named: take out one, and ask again.

Exit: 0 said; 1 the site has errors, or --fail-on names what was found.
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    site_argument(parser)
    parser.add_argument(
        "--fail-on", choices=["points", "rules", "any"], help="exit 1 where such are found"
    )
    format_argument(parser)


def execute(options: Namespace) -> int:
    """Print what is not covered."""
    site = loaded(options.site)
    if site is None:
        return FAILED
    found = coverage(site.policy, site.devices)
    print(as_json(found) if options.format == "json" else as_text(found))
    failing = {"points": found.unmatched, "rules": found.rules}
    asked = failing if options.fail_on == "any" else {options.fail_on} & set(failing)
    return FAILED if any(failing[what] for what in asked) else OK


def as_text(found: Coverage) -> str:
    """Write it for a person."""
    lines = [f"points that no rule matches: {len(found.unmatched)} of {found.points}"]
    lines += [f"  {path}" for path in found.unmatched]
    lines.append(f"rules that could be taken out: {len(found.rules)}")
    lines += [f"  {idle.rule}: {idle.why}" for idle in found.rules]
    return "\n".join(lines)


def as_json(found: Coverage) -> str:
    """Write it for a program."""
    told = {
        "points": found.points,
        "unmatched": list(found.unmatched),
        "rules": [{"rule": idle.rule, "why": idle.why} for idle in found.rules],
    }
    return json.dumps(told, indent=2)


COMMAND = Command(
    "coverage", "points without a rule, rules without effect", arguments, execute, DESCRIPTION
)
