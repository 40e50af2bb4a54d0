"""One request, and the response to it in one or more fragments."""

from dataclasses import dataclass
from enum import Enum, auto

from otgate_dnp3.stack.application import FIR, SEQUENCE_MASK, Function, Response
from otgate_dnp3.stack.outputs import Asked
from otgate_dnp3.stack.steps import Step


class Mode(Enum):
    """How a command is sent."""

    SELECT_BEFORE_OPERATE = auto()
    DIRECT_OPERATE = auto()


@dataclass(frozen=True, slots=True)
class Ask:
    """A request: made by a step of the session, or by somebody who holds a ticket."""

    function: Function
    objects: bytes
    asked: Asked = Asked.OTHER
    step: Step | None = None
    ticket: int | None = None
    """Of a poll or a command."""

    @property
    def is_command(self) -> bool:
        """Whether its echo is compared."""
        return self.function in COMMANDS


COMMANDS = frozenset({Function.SELECT, Function.OPERATE, Function.DIRECT_OPERATE})


@dataclass(slots=True)
class Exchange:
    """The request under way: what it expects next, and until when."""

    ask: Ask
    sequence: int
    sent_s: float
    deadline_s: float
    sent_ms: int = 0
    """Wall clock when it was sent."""
    first: bool = True
    token: int | None = None
    """Of a fragment whose confirm is held back until it is durable."""
    last: bool = False
    """Whether that fragment was the last one."""
    iin: int = 0
    objects: bytes = b""
    """What the last fragment carried."""
    read: bool = False
    """Whether anything was read that could be understood."""

    def expects(self, response: Response) -> bool:
        """Tell whether a response is the fragment that comes next."""
        begins = bool(response.control & FIR)
        return self.token is None and begins == self.first and response.sequence == self.sequence

    def go_on(self, deadline_s: float) -> None:
        """Expect the next fragment."""
        self.first, self.token = False, None
        self.sequence = (self.sequence + 1) & SEQUENCE_MASK
        self.deadline_s = deadline_s
