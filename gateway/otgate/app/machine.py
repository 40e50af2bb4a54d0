"""Whether a side's state was written on this machine: a box is replaced, or it was copied.

Two boxes with one identity read every device twice, and each publishes as the other. Those that
meet at a broker see it there (`otgate.publish.rivals`); those that do not are told of by this.
"""

import hashlib
from contextlib import suppress
from pathlib import Path

import structlog

from otgate.spool.files import OS
from otgate.spool.state_file import StateFile

MACHINE = Path("/etc/machine-id")
KEY = b"otgate state"
"""The id itself is not to be shown to others: machine-id(5)."""
FILE = "machine"
MOVED = (
    "the state was written on another machine: this box takes the place of one, or is a copy of "
    "it. Make sure that the other is off"
)

log = structlog.get_logger()


def this_machine(place: Path = MACHINE) -> str:
    """Return what tells this machine from others, or nothing where that is not known."""
    try:
        told = place.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
    return hashlib.blake2b(told.encode(), key=KEY, digest_size=8).hexdigest() if told else ""


def moved(state: Path, machine: str) -> str:
    """Say whether ``state`` came from another machine, or nothing; it is this one's from now on."""
    file = StateFile(state / FILE, OS)
    try:
        before = file.read().decode(errors="replace").strip()
    except OSError:
        before = ""
    if not machine or before == machine:
        return ""
    with suppress(OSError):  # then it is said again at the next start
        file.write(machine.encode())
    if not before:
        return ""
    log.warning("state_from_another_machine", help=MOVED)
    return MOVED
