"""`otgate audit`: hold an audit log against itself, a key and what left the box."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from otgate.cli.command import FAILED, OK, Command, add_verbs
from otgate.cli.places import format_argument
from otgate.config.credential import content
from otgate.config.signature import read_public
from otgate.observe.audit.anchor import anchors
from otgate.observe.audit.proof import Holds, Proof, proved

DESCRIPTION = """\
The audit log of a running side: what was started, stopped, loaded, asked and refused, and what
crossed first. It lies in `audit` in the side's state directory, a file a day.

  otgate audit verify state/audit
"""

VERIFY = """\
Find whether records of an audit log were changed, taken out, put elsewhere, or cut off at its end.
Each record carries the hash of the one before. Who can write the files could chain them anew, so
checkpoints are signed where the site names a key (--key), and what syslog or somebody noted of them
elsewhere shows a log that was cut off or written anew (--anchor, as often as there are anchors).

  otgate audit verify state/audit
  otgate audit verify state/audit --key audit.key.pub --anchor /var/log/remote/gw1.log
  otgate audit verify state/audit --anchor head.txt

The last line is an anchor, SEQ:HASH: kept elsewhere, the log can be held against it later.

Exit: 0 it holds; 1 it does not, and every break is printed, the first one first.
"""


def verify_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of `verify`."""
    parser.add_argument("directory", metavar="DIR", type=Path, help="the log's directory")
    parser.add_argument("--key", type=Path, metavar="PUB", help="public key (PEM) of checkpoints")
    parser.add_argument(
        "--anchor",
        action="append",
        default=[],
        metavar="ANCHOR",
        help="SEQ:HASH, a hash, or a file of syslog with anchors in it",
    )
    format_argument(parser)


def execute(options: Namespace) -> int:
    """Print what holds, and what does not."""
    noted = anchors(options.anchor)
    proof = proved(options.directory, key_of(options.key), noted)
    if options.format == "json":
        print(json.dumps(as_json(proof), indent=2))
    else:
        print("\n".join(as_lines(proof)))
    return FAILED if proof.breaks else OK


def key_of(path: Path | None) -> tuple[str, Holds] | None:
    """Read the key that checkpoints are held against."""
    if path is None:
        return None
    key = read_public(content(path, "public key").encode())
    return key.id, key.holds


def as_lines(proof: Proof) -> Iterator[str]:
    """Write for a person what came of it."""
    yield from map(str, proof.breaks)
    yield from proof.remarks
    files = f"{proof.files} file{'s' if proof.files > 1 else ''}"
    if proof.first and proof.last:
        yield (
            f"{proof.records} records in {files}, "
            f"from {proof.first.seq} ({proof.first.time}) to {proof.last.seq} ({proof.last.time})"
        )
    yield f"{proof.signed} signed checkpoints; {proof.unvouched} records after the last checkpoint"
    yield "the log holds" if not proof.breaks else f"the log does not hold: {count(proof)}"
    if proof.last and not proof.breaks:
        yield f"anchor: {proof.last.seq}:{proof.head}"


def count(proof: Proof) -> str:
    """Count the breaks."""
    many = len(proof.breaks)
    return "1 break" if many == 1 else f"{many} breaks"


def as_json(proof: Proof) -> dict[str, Any]:
    """Return what came of it for machines."""
    return {
        "holds": not proof.breaks,
        "log": proof.log,
        "files": proof.files,
        "records": proof.records,
        "first": proof.first.seq if proof.first else None,
        "last": proof.last.seq if proof.last else None,
        "hash": proof.head,
        "signed": proof.signed,
        "unvouched": proof.unvouched,
        "breaks": [
            {"kind": one.kind, "file": one.file, "line": one.line, "what": one.what}
            for one in proof.breaks
        ],
        "remarks": proof.remarks,
    }


def arguments(parser: ArgumentParser) -> None:
    """Add the sub-verbs."""
    add_verbs(parser.add_subparsers(metavar="VERB", required=True), (VERIFY_COMMAND,), "audit_run")


def run(options: Namespace) -> int:
    """Run the sub-verb."""
    code: int = options.audit_run(options)
    return code


VERIFY_COMMAND = Command(
    "verify", "find whether a log was tampered with", verify_arguments, execute, VERIFY
)
COMMAND = Command("audit", "hold an audit log against itself", arguments, run, DESCRIPTION)
