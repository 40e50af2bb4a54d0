"""`otgate policy`: ask the policy before it is asked in earnest. Each sub-verb is a module."""

from argparse import ArgumentParser, Namespace

from otgate.cli.command import Command, add_verbs
from otgate.cli.policy import (
    acl,
    coverage,
    diff,
    evidence,
    explain,
    matrix,
    prove,
    sign,
    stage,
    stop,
)

DESCRIPTION = """\
Ask a site's policy: needs no device and no network. Stop and start a conduit of a running site.

  otgate policy explain site.yaml f3/ia
  otgate policy prove site.yaml 'never tags_any=protection on analytics'
  otgate policy diff deployed/ proposed/ --fail-on gain
  otgate policy stop site.yaml analytics
"""

VERBS = (
    explain.COMMAND,
    prove.COMMAND,
    diff.COMMAND,
    matrix.COMMAND,
    coverage.COMMAND,
    evidence.COMMAND,
    acl.COMMAND,
    stage.COMMAND,
    sign.SIGN_COMMAND,
    sign.VERIFY_COMMAND,
    sign.KEY_COMMAND,
    stop.STOP_COMMAND,
    stop.START_COMMAND,
)
"""In the order that help shows them."""


def arguments(parser: ArgumentParser) -> None:
    """Add the sub-verbs."""
    add_verbs(parser.add_subparsers(metavar="VERB", required=True), VERBS, "run_policy")


def execute(options: Namespace) -> int:
    """Run the sub-verb that was asked for."""
    code: int = options.run_policy(options)
    return code


COMMAND = Command("policy", "ask the policy, prove it, compare it", arguments, execute, DESCRIPTION)
