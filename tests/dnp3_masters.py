"""A master session with its outputs sorted, and an outstation spelled in octets."""

from collections.abc import Sequence
from typing import Any, TypeVar

from otgate_dnp3.stack.application import FIN, FIR, Iin, Request, parsed_request, response
from otgate_dnp3.stack.master import Master
from otgate_dnp3.stack.outputs import Delivery, Finished, Output, Send
from otgate_dnp3.stack.steps import MasterSettings

Kind = TypeVar("Kind")

AI_0 = "1e01 00 00 00 01 2a000000"
BI_EVENT = "0202 17 01 05 81 0068e5cf8b01"
RESTART, OVERFLOW = Iin.DEVICE_RESTART, Iin.EVENT_BUFFER_OVERFLOW
NEED_TIME = Iin.NEED_TIME
ONE, CON = FIR | FIN, 0x20
WALL_MS = 1_700_000_000_000
TIMEOUT_S = 5.0

READ, WRITE, ENABLE, DISABLE = 1, 2, 20, 21
CONFIRM = 0


class Told:
    """A session, its clock, and whatever it has put out."""

    def __init__(self, **settings: Any) -> None:
        self.now = 100.0
        self.master = Master(MasterSettings(**settings), self.wall_ms)
        self.out: list[Output] = []
        self.requests: list[Request] = []

    def wall_ms(self) -> int:
        return WALL_MS + round((self.now - 100.0) * 1000)

    def took(self, outputs: Sequence[Output]) -> "Told":
        self.out += outputs
        for each in outputs:
            if isinstance(each, Send):
                request = parsed_request(each.fragment)
                assert request is not None
                self.requests.append(request)
        return self

    def up(self) -> "Told":
        return self.took(self.master.link_up(self.now))

    def after(self, seconds: float) -> "Told":
        """Let time pass, ticking whenever the session wants to be woken."""
        until = self.now + seconds
        while self.master.wake_s <= until:
            self.now = max(self.now, self.master.wake_s)
            self.took(self.master.tick(self.now))
        self.now = until
        return self

    def hears(self, fragment: bytes) -> "Told":
        self.master.heard(self.now)
        return self.took(self.master.receive(fragment, self.now))

    def answers(self, objects: str = "", iin: int = 0, control: int = ONE) -> "Told":
        """Answer the last request, as a first and last fragment unless told otherwise."""
        sequence = next(r.sequence for r in reversed(self.requests) if r.function != CONFIRM)
        return self.hears(response(control | sequence, iin, bytes.fromhex(objects)))

    def unasked(self, sequence: int, objects: str = "", iin: int = 0) -> "Told":
        control = ONE | CON | 0x10 | sequence
        return self.hears(response(control, iin, bytes.fromhex(objects)))

    def confirms(self, token: int | None) -> "Told":
        assert token is not None
        return self.took(self.master.confirm(token, self.now))

    def abandons(self, token: int | None) -> "Told":
        assert token is not None
        return self.took(self.master.abandon(token, self.now))

    def cancels(self, ticket: int) -> "Told":
        return self.took(self.master.cancel(ticket, self.now))

    def ticks(self) -> "Told":
        return self.took(self.master.tick(self.now))

    @property
    def functions(self) -> list[int]:
        """The functions sent, confirms included."""
        return [request.function for request in self.requests]

    def all(self, kind: type[Kind]) -> list[Kind]:
        return [each for each in self.out if isinstance(each, kind)]

    def deliveries(self) -> list[Delivery]:
        return self.all(Delivery)

    def finished(self) -> list[Finished]:
        return self.all(Finished)

    @property
    def last(self) -> Request:
        return self.requests[-1]


def ready(**settings: Any) -> Told:
    """Return a session that has gone through its start-up."""
    told = Told(**settings).up()
    told.answers()
    told.answers(AI_0)
    if settings.get("unsolicited"):
        told.answers()
    assert told.master.integral
    told.out.clear()
    told.requests.clear()
    return told
