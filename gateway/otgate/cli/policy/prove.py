"""`otgate policy prove`: whether something could ever cross."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from otgate.cli.command import FAILED, OK, USAGE, Command
from otgate.cli.policy.subject import opened, policy_argument
from otgate.policy.checks import undeclared, unknown_in_assertion
from otgate.policy.language import Assertion, Policy
from otgate.policy.proof import as_json, as_text, judged
from otgate.policy.reach import pointless
from otgate.policy.sentence import Unclear, read

DESCRIPTION = """\
Prove that something never crosses, for any point that could ever be declared, or show a point that
would cross. Without a sentence: the assertions of the policy itself.

  otgate policy prove site.yaml 'never tags_any=protection on analytics'
  otgate policy prove policy.yaml 'never kind=setting,control' --format json

A sentence is `never`, any of kind, tags_all, tags_any, tags_none, zone, sensitivity, device and
point with what they list, and `on` conduits, which is all of them when left out.

Exit: 0 proved; 1 refuted, cannot be told, or the files have errors; 2 the sentence is unclear or
names what the policy does not have.
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    policy_argument(parser, "site")
    parser.add_argument(
        "sentences", metavar="SENTENCE", nargs="*", help="such as `never kind=text`"
    )
    parser.add_argument("--format", choices=["text", "json"], default="text")


def execute(options: Namespace) -> int:
    """Prove or refute every sentence."""
    subject = opened(options.site)
    if subject is None:
        return FAILED
    try:
        asked = asked_of(subject.policy, options.sentences)
    except Unclear as unclear:
        print(f"otgate: {unclear}: {unclear.help}", file=sys.stderr)
        return USAGE
    found = judged(subject.policy, asked)
    print(json.dumps(as_json(found), indent=2) if options.format == "json" else as_text(found))
    return OK if all(one.outcome == "proved" for one in found) else FAILED


def asked_of(policy: Policy, sentences: Sequence[str]) -> list[Assertion]:
    """Read the sentences, or the policy's own assertions where there are none.

    Raises:
        Unclear: one of them says nothing that the policy could answer.
    """
    if not sentences and not policy.assertions:
        raise Unclear("the policy asserts nothing", "write what never may cross")
    return [understood(policy, said) for said in sentences] or list(policy.assertions)


def understood(policy: Policy, sentence: str) -> Assertion:
    """Read one sentence and hold its words against the policy.

    Raises:
        Unclear: it says nothing that the policy could answer.
    """
    assertion = read(sentence)
    for wrong in (
        *map(undeclared, unknown_in_assertion(policy, assertion, ())),
        *pointless(assertion, ()),
    ):
        raise Unclear(f"{wrong.message} in `{sentence}`", wrong.help)
    return assertion


COMMAND = Command("prove", "whether something could ever cross", arguments, execute, DESCRIPTION)
