"""A master's session with one outstation, without I/O and without a clock of its own.

It is told what came (fragments, confirmations of durability, the passing of time) and returns
what to do (`otgate_dnp3.stack.outputs`). One request is outstanding at a time. An outstation is
sent a CONFIRM when, and only when, the holder of a delivery's token says that it is durable.
"""

import math
from collections.abc import Callable, Iterable, Sequence

from otgate_dnp3.stack.application import Function, Response, confirm, parsed_response
from otgate_dnp3.stack.commands import Command, command_objects
from otgate_dnp3.stack.deliveries import Deliveries, MasterCounts
from otgate_dnp3.stack.exchange import Mode
from otgate_dnp3.stack.indications import Indications
from otgate_dnp3.stack.keepalive import KeepAlive
from otgate_dnp3.stack.outputs import Asked, AskLinkStatus, Output, Send, Silent
from otgate_dnp3.stack.requester import Requester
from otgate_dnp3.stack.requests import classes
from otgate_dnp3.stack.steps import MasterSettings, Steps
from otgate_dnp3.stack.unsolicited import Unsolicited, Verdict


class Master:
    """The session. ``now`` is seconds of any clock that never goes back.

    With ``takes_turns`` it sends a request only when told to ``go_on``: for a line that it shares.
    """

    def __init__(
        self, settings: MasterSettings, wall_ms: Callable[[], int], *, takes_turns: bool = False
    ) -> None:
        self.counts = MasterCounts()
        self.unsolicited = Unsolicited()
        self._settings = settings
        self._takes_turns = takes_turns
        self._up = False
        self._out: list[Output] = []
        self._steps = Steps(settings)
        self._indications = Indications(self._steps, settings)
        self._keepalive = KeepAlive(settings.keepalive_s, settings.response_timeout_s)
        self._deliveries = Deliveries(self.counts, self._indications)
        self._requester = Requester(
            settings, wall_ms, self._steps, self._indications, self.counts, self._out
        )

    @property
    def integral(self) -> bool:
        """Whether the outstation's data is known whole since it, or the link, started."""
        return self._indications.integral

    @property
    def wake_s(self) -> float:
        """When `tick` is to be called next; infinity is never."""
        return min(self._keepalive.due_s, self._requester.due_s) if self._up else math.inf

    @property
    def ask_s(self) -> float:
        """When the link layer is to be asked for its status; infinity is never."""
        return self._keepalive.due_s

    @property
    def busy(self) -> bool:
        """Whether a request is outstanding, or its response is not yet confirmed."""
        return self._requester.busy

    @property
    def confirming(self) -> bool:
        """Whether a response is here, and its confirm waits for it to be durable."""
        return self._requester.confirming

    def wants(self, now: float) -> bool:
        """Tell whether `go_on` would send something."""
        return self._up and self._requester.wants(now)

    def go_on(self, now: float) -> list[Output]:
        """Send the next request if none is outstanding and one is due."""
        if self._up:
            self._requester.go_on(now)
        return self._taken()

    def link_up(self, now: float) -> list[Output]:
        """Begin the start-up sequence on a link that has just come up."""
        self._up = True
        self._requester.start()
        self._indications.forget()
        self.unsolicited.forget()
        self._steps.start(now, self._settings)
        self._keepalive.heard(now)
        return self._done(now)

    def link_down(self) -> list[Output]:
        """Fail whatever is under way; nothing that was delivered can be confirmed any more."""
        self._up = False
        self._steps.stop()
        self._keepalive.stop()
        self._requester.stop()
        self._indications.forget()
        self.unsolicited.forget()
        return self._taken()

    def heard(self, now: float) -> None:
        """Note that a frame came from the outstation."""
        if self._up:
            self._keepalive.heard(now)

    def tick(self, now: float) -> list[Output]:
        """Do what is due."""
        if self._up and now >= self._keepalive.due_s:
            self._out.append(AskLinkStatus() if self._keepalive.ask(now) else Silent())
        self._requester.tick(now)
        return self._done(now)

    def poll(self, objects: bytes, asked: Asked = Asked.POLL) -> int:
        """Queue a read and return its ticket; the next `tick` may send it.

        It waits until an integrity poll was read, so that nothing comes before the whole.
        """
        return self._requester.queue(Function.READ, objects, asked)

    def poll_classes(self, of: Iterable[int]) -> int:
        """Queue a read of event classes 1 to 3, and of static data as class 0."""
        return self.poll(classes(of))

    def command(self, commands: Sequence[Command], mode: Mode) -> int:
        """Queue a command and return its ticket; it is sent once and never again."""
        select = mode is Mode.SELECT_BEFORE_OPERATE
        function = Function.SELECT if select else Function.DIRECT_OPERATE
        return self._requester.queue(function, command_objects(commands), Asked.OTHER)

    def cancel(self, ticket: int, now: float) -> list[Output]:
        """Give up a request; a response that still comes is dropped, one that is here is kept."""
        self._requester.cancel(ticket, now)
        return self._done(now)

    def receive(self, fragment: bytes, now: float) -> list[Output]:
        """Take a fragment that came from the outstation."""
        response = parsed_response(fragment)
        if response is None or not self._up:
            self.counts.no_response += 1
        elif response.unsolicited:
            self._unasked(response, now)
        else:
            self._requester.take(response, self._deliveries, now)
            self._forget_before_restart()
        return self._done(now)

    def confirm(self, token: int, now: float) -> list[Output]:
        """Confirm the delivery of ``token``: all of it is durable."""
        unsolicited = self.unsolicited
        if unsolicited.token == token:
            self._out.append(Send(confirm(unsolicited.sequence, unsolicited=True)))
            unsolicited.confirmed()
        elif not self._requester.confirm(token, now):
            self.counts.stale_tokens += 1
        return self._done(now)

    def abandon(self, token: int, now: float) -> list[Output]:
        """Never confirm the delivery of ``token``: the outstation sends it again."""
        if self.unsolicited.token == token:
            self.unsolicited.forget()
        elif not self._requester.abandon(token, now):
            self.counts.stale_tokens += 1
        return self._done(now)

    def _unasked(self, response: Response, now: float) -> None:
        self._out += self._indications.take(response.iin, now)
        self._forget_before_restart()
        verdict = self.unsolicited.judge(response, integral=self.integral)
        if verdict is Verdict.CONFIRM:
            self._out.append(Send(confirm(response.sequence, unsolicited=True)))
        elif verdict is Verdict.DELIVER:
            delivery = self._deliveries.read(response, Asked.UNSOLICITED, now)
            self.unsolicited.delivered(response, delivery.token)
            self._out.append(delivery)

    def _forget_before_restart(self) -> None:
        """Sequence numbers begin again, so the last one says nothing."""
        if not self.integral:
            self.unsolicited.forget()

    def _done(self, now: float) -> list[Output]:
        return self._taken() if self._takes_turns else self.go_on(now)

    def _taken(self) -> list[Output]:
        out = self._out[:]
        self._out.clear()
        return out
