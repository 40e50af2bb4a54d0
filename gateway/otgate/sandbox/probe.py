"""Finds what a sandbox is worth: a process of its own enters it and tries what is forbidden."""

import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from otgate.errors import Refused
from otgate.sandbox.confine import Confined, confine
from otgate.sandbox.deeds import Deed, Targets, forbidden, needed, refusal
from otgate.sandbox.needs import Needs

LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one deed."""

    what: str
    refused: str | None
    """With which words of the system; None where it was done."""
    allowed: str
    """Why it was not to be refused; empty where it was."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a sandbox is worth."""

    held: Confined
    forbidden: Sequence[Finding]
    needed: Sequence[Finding]

    @property
    def is_right(self) -> bool:
        """Tell whether all that is to be refused is, and all that is needed is not."""
        kept = all(one.refused is not None for one in self.forbidden if not one.allowed)
        return kept and all(one.refused is None for one in self.needed)


def probed(needs: Needs) -> Found:
    """Enter a sandbox with these needs in a process of its own; try what it is to keep from.

    Raises:
        Refused: that process failed.
    """
    with targets() as aimed_at:
        done = subprocess.run(  # noqa: S603  our own interpreter and module
            [sys.executable, "-c", f"from {__name__} import main; main()"],
            input=pickle.dumps((needs, aimed_at)),
            capture_output=True,
            timeout=LIMIT_S,
            check=False,
        )
    if done.returncode:
        raise Refused(f"the sandbox cannot be tried: {done.stderr.decode().strip()[-300:]}")
    found: Found = pickle.loads(done.stdout)  # noqa: S301  our own
    return found


@contextmanager
def targets() -> Iterator[Targets]:
    """Make what deeds are aimed at."""
    name = f"otgate-doctor-{os.getpid()}"
    with (
        TemporaryDirectory(prefix="otgate-doctor-") as folder,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as path,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        (Path(folder) / "file").write_bytes(b"")
        path.bind(f"{folder}/socket")
        abstract.bind(f"\0{name}")
        path.listen()
        abstract.listen()
        yield Targets(folder, name, server.getsockname()[1], os.getpid())


def findings(tried: Sequence[Deed]) -> list[Finding]:
    """Do each deed and say what came of it."""
    return [Finding(deed.what, refusal(deed.do), deed.allowed) for deed in tried]


def main() -> None:
    """Be that process: take the needs on standard input, answer on standard output."""
    needs, aimed_at = pickle.loads(sys.stdin.buffer.read())  # noqa: S301  our own
    held = confine(needs)
    found = Found(held, findings(forbidden(needs, aimed_at)), findings(needed(needs)))
    sys.stdout.buffer.write(pickle.dumps(found))
