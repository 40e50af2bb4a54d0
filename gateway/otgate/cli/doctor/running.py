"""What confines the sides that run now: as the kernel tells of them, and as they say themselves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from otgate.errors import Refused
from otgate.observe.control import ask, process_at
from otgate.sandbox.outside import Protection, protections_of

LANDLOCK = "Landlock"


@dataclass(frozen=True, slots=True)
class Running:
    """A side that runs, or why nothing is known of it."""

    pid: int
    told: str
    """What it says that confines it."""
    protections: Sequence[Protection]
    unknown: str = ""

    def is_right(self, mode: str, by: Sequence[str]) -> bool:
        """Tell whether it is confined as a process is that starts now, by the file as it is."""
        if self.unknown or mode == "off":
            return True
        return all(one.in_force for one in self.protections) and not self.lacks(by)

    def lacks(self, by: Sequence[str]) -> list[str]:
        """Return what of ``by``, which a process gets that starts now, the side does not claim."""
        return [one for one in by if one not in self.told]


def running(socket: Path) -> Running:
    """Ask the side that listens at ``socket``, and the kernel about its process."""
    if not socket.exists():
        return Running(0, "", (), "it does not run")
    try:
        told = str(ask(socket, "status").get("sandbox", "nothing"))
        pid = process_at(socket)
        return Running(pid, told, protections_of(pid))
    except (Refused, OSError) as error:
        return Running(0, "", (), str(error))


def lines(side: Running, mode: str, by: Sequence[str]) -> Iterator[str]:
    """Write for a person what confines a side."""
    if side.unknown:
        yield f"  running   {side.unknown}"
        return
    yield f"  running   process {side.pid}, which says: {side.told}"
    otherwise = "allowed" if mode == "off" else "OPEN"
    for one in side.protections:
        yield f"  {'in force' if one.in_force else otherwise:<9} {one.what} ({one.words})"
    if mode != "off":
        yield from (f"  OPEN      {one}: restart the side to have it" for one in side.lacks(by))
