"""What a master session asks of its surroundings: send, deliver, and news of requests."""

from dataclasses import dataclass
from enum import Enum, auto

from otgate_dnp3.stack.objects import Block
from otgate_dnp3.stack.points import Columns


class Asked(Enum):
    """Why an outstation sent a fragment."""

    INTEGRITY = auto()
    POLL = auto()
    UNSOLICITED = auto()
    OTHER = auto()
    """The answer to a request that reads nothing."""


class Outcome(Enum):
    """How a request ended."""

    DONE = auto()
    REFUSED = auto()
    """The internal indications say that it was not carried out, or not all of it."""
    TIMEOUT = auto()
    LINK_DOWN = auto()
    NOT_DURABLE = auto()
    """What it read could not be kept, so it was not confirmed."""
    MISMATCHED = auto()
    """A command was not echoed as it was sent."""
    CANCELLED = auto()


@dataclass(frozen=True, slots=True)
class Send:
    """Send this fragment."""

    fragment: bytes


@dataclass(frozen=True, slots=True)
class AskLinkStatus:
    """Ask the other end's link layer whether it is there."""


@dataclass(frozen=True, slots=True)
class Silent:
    """The other end has not answered its keep-alive: the link is lost."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The objects of one fragment.

    Where ``token`` is not None, hand it to ``confirm`` once all of it is durable, or to
    ``abandon``: the outstation keeps its events until then.
    """

    asked: Asked
    token: int | None
    columns: list[Columns]
    skipped: list[Block]
    rest: bytes
    """What could not be read at the end of the fragment, and was lost: ask for everything."""
    why: str
    iin: int
    ticket: int | None
    """Of the poll that it answers."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A request that had a ticket has ended; ``statuses`` are a command's, per point."""

    ticket: int
    outcome: Outcome
    iin: int = 0
    statuses: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A request that the session made on its own has ended."""

    name: str
    outcome: Outcome
    iin: int = 0


@dataclass(frozen=True, slots=True)
class Restarted:
    """The outstation says that it has restarted."""


@dataclass(frozen=True, slots=True)
class Overflowed:
    """The outstation says that it has lost events."""


Output = Send | AskLinkStatus | Silent | Delivery | Finished | StepEnded | Restarted | Overflowed
