"""A master session on a line: its timers, its frames, and the waiting for its requests."""

import asyncio
import time
from collections.abc import Callable, Iterable
from enum import Enum, auto
from math import inf

from otgate.errors import LinkLost
from otgate_dnp3.channel.line import Line
from otgate_dnp3.stack.association import Association
from otgate_dnp3.stack.link import Frame
from otgate_dnp3.stack.master import Master
from otgate_dnp3.stack.outputs import (
    Asked,
    AskLinkStatus,
    Delivery,
    Finished,
    Outcome,
    Output,
    Send,
    Silent,
)
from otgate_dnp3.stack.requests import INTEGRITY
from otgate_dnp3.stack.station import Role, Station
from otgate_dnp3.stack.steps import MasterSettings

Deliver = Callable[[Delivery, int], None]
"""Takes a delivery and when its last frame was received, in ns since the Unix epoch."""

News = Callable[[Output], None]
"""Takes what is to be told to a person: steps that ended, restarts, overflows."""


def wall_ms() -> int:
    """Return milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


class Turn(Enum):
    """Where a conversation stands with the line's turns."""

    NONE = auto()
    WAITING = auto()
    HELD = auto()


class Conversation:
    """One outstation on a line that others may share. ``gone`` is done once it is lost."""

    def __init__(
        self, line: Line, local: int, remote: int, settings: MasterSettings, deliver: Deliver
    ) -> None:
        self.association = Association(Station(Role.MASTER, local, remote))
        self.master = Master(settings, wall_ms, takes_turns=True)
        self._line = line
        self._loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[str] = self._loop.create_future()
        self._deliver = deliver
        self.news: News = lambda _: None
        self._received_ns = 0
        self._waiting: dict[int, asyncio.Future[Finished]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._wake_s = inf
        self._turn = Turn.NONE
        self._attached = False

    def attend(self) -> None:
        """Answer what the outstation says by itself, and ask nothing before `start`.

        An outstation that has announced itself may hold back everything until that is confirmed.
        """
        self._turn = Turn.WAITING
        self._attach()

    def start(self) -> None:
        """Begin with the start-up sequence."""
        if self._attached:
            self._turn = Turn.NONE
            self._do([])
        else:
            self._attach()

    def _attach(self) -> None:
        self._attached = True
        station = self.association.station
        self._line.attach(station.local, station.remote, self._frame)
        self._line.gone.add_done_callback(self._line_gone)
        self._do(self.master.link_up(self._loop.time()))

    def stop(self) -> None:
        """Leave the line to others."""
        self._end("it was stopped")
        station = self.association.station
        self._line.detach(station.local, station.remote)
        self._line.gone.remove_done_callback(self._line_gone)
        if self._timer is not None:
            self._timer.cancel()

    async def poll_classes(self, of: Iterable[int]) -> Finished:
        """Read event classes 1 to 3, and static data as class 0; cancelling gives it up.

        Raises:
            LinkLost: the outstation is gone.
            TimeoutError: it did not answer.
        """
        return await self._wait(self.master.poll_classes(of))

    async def poll(self, objects: bytes) -> Finished:
        """Read what ``objects`` name; cancelling gives it up.

        Raises:
            LinkLost: the outstation is gone.
            TimeoutError: it did not answer.
        """
        return await self._wait(self.master.poll(objects))

    async def poll_everything(self) -> Finished:
        """Read all events and all static data, as an integrity poll of its own.

        Raises:
            LinkLost: the outstation is gone.
            TimeoutError: it did not answer.
        """
        return await self._wait(self.master.poll(INTEGRITY, Asked.INTEGRITY))

    def confirm(self, token: int) -> None:
        """Confirm a delivery that is durable."""
        self._do(self.master.confirm(token, self._loop.time()))

    def abandon(self, token: int) -> None:
        """Leave a delivery that could not be kept with the outstation."""
        self._do(self.master.abandon(token, self._loop.time()))

    async def _wait(self, ticket: int) -> Finished:
        if self.gone.done():
            raise LinkLost(self.gone.result())
        waiter = self._waiting[ticket] = self._loop.create_future()
        self._do(self.master.tick(self._loop.time()))
        try:
            finished: Finished = await waiter
        finally:
            if self._waiting.pop(ticket, None) is not None:
                self._do(self.master.cancel(ticket, self._loop.time()))
        if finished.outcome is Outcome.TIMEOUT:
            raise TimeoutError("the outstation did not answer")
        if finished.outcome is Outcome.LINK_DOWN:
            raise LinkLost("the link went down")
        return finished

    def _frame(self, frame: Frame, received_ns: int) -> None:
        now = self._loop.time()
        self._received_ns = received_ns
        self.master.heard(now)
        answer, fragment = self.association.receive(frame)
        if answer:
            self._line.send(answer)
        if fragment:
            self._do(self.master.receive(fragment, now))
        else:
            self._arm()

    def _do(self, outputs: list[Output]) -> None:
        for each in outputs:
            if isinstance(each, Send):
                self._line.send(self.association.frames(each.fragment))
            elif isinstance(each, Delivery):
                self._deliver(each, self._received_ns)
            elif isinstance(each, Finished):
                self._finish(each)
            elif isinstance(each, AskLinkStatus):
                self._line.send(self.association.station.request_link_status())
            elif isinstance(each, Silent):
                self._end("the outstation's link is silent")
            else:
                self.news(each)
        self._take_turns()
        self._arm()

    def _finish(self, finished: Finished) -> None:
        waiter = self._waiting.pop(finished.ticket, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(finished)

    def granted(self) -> None:
        """Ask: it is this conversation's turn."""
        self._turn = Turn.HELD
        self._do(self.master.go_on(self._loop.time()))

    def _take_turns(self) -> None:
        """Give back a turn whose request is done, and wait for one if there is more to ask."""
        if self.master.busy:
            return
        if self._turn is Turn.HELD:
            self._turn = Turn.NONE
            self._line.turns.done(self)
        if self._turn is Turn.NONE and self.master.wants(self._loop.time()):
            self._turn = Turn.WAITING
            self._line.turns.ask(self)

    def _arm(self) -> None:
        """Wake when the session wants to be woken; a turn that is waited for wakes by itself."""
        waiting = self._turn is Turn.WAITING
        wake_s = self.master.ask_s if waiting else self.master.wake_s
        if wake_s == self._wake_s:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._wake_s = wake_s
        self._timer = None if wake_s == inf else self._loop.call_at(wake_s, self._due)

    def _due(self) -> None:
        now = max(self._loop.time(), self._wake_s)
        self._wake_s = inf
        self._do(self.master.tick(now))

    def _line_gone(self, gone: asyncio.Future[str]) -> None:
        self._end(gone.result())

    def _end(self, reason: str) -> None:
        if not self.gone.done():
            self.gone.set_result(reason)
            self._do(self.master.link_down())
            self._turn = Turn.NONE
            self._line.turns.done(self)
