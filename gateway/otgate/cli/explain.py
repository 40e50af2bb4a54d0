"""`otgate explain`: what a diagnostic code means."""

import sys
from argparse import ArgumentParser, Namespace

from otgate.cli.command import OK, USAGE, Command
from otgate.config.codes import registry
from otgate.config.nearest import did_you_mean
from otgate.config.pages import as_list, as_markdown, as_text

DESCRIPTION = """\
Say what a diagnostic code means, with a wrong and a right example. Without a code: list them all.

  otgate explain
  otgate explain unknown-key

Exit: 0 explained, 2 no such code.
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("code", metavar="CODE", nargs="?", help="such as `unknown-key`")
    parser.add_argument("--markdown", action="store_true", help="print the reference page")


def run(options: Namespace) -> int:
    """Print one code, the list, or the page."""
    if options.markdown:
        print(as_markdown(), end="")
    elif options.code is None:
        print(as_list())
    elif options.code in registry():
        print(as_text(registry()[options.code]))
    else:
        near = did_you_mean(options.code, registry(), otherwise="codes")
        print(f"otgate explain: no code `{options.code}`; {near}", file=sys.stderr)
        return USAGE
    return OK


COMMAND = Command(
    name="explain",
    summary="what a diagnostic code means",
    arguments=arguments,
    run=run,
    description=DESCRIPTION,
)
