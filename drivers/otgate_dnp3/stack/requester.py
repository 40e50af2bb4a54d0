"""Requests of one session, one outstanding at a time, and the responses to them."""

import math
from collections import deque
from collections.abc import Callable

from otgate_dnp3.stack.application import (
    CON,
    FIN,
    REFUSALS,
    SEQUENCE_MASK,
    Function,
    Iin,
    Response,
    confirm,
    request,
)
from otgate_dnp3.stack.commands import echoed
from otgate_dnp3.stack.deliveries import Deliveries, MasterCounts
from otgate_dnp3.stack.exchange import Ask, Exchange
from otgate_dnp3.stack.indications import Indications
from otgate_dnp3.stack.outputs import (
    Asked,
    Delivery,
    Finished,
    Outcome,
    Output,
    Send,
    StepEnded,
)
from otgate_dnp3.stack.points import PointType
from otgate_dnp3.stack.requests import time_now, time_recorded
from otgate_dnp3.stack.steps import MasterSettings, Step, Steps, TimeSync


class Requester:
    """Sends what is due or asked for, and sees each request to its end."""

    def __init__(
        self,
        settings: MasterSettings,
        wall_ms: Callable[[], int],
        steps: Steps,
        indications: Indications,
        counts: MasterCounts,
        out: list[Output],
    ) -> None:
        self._settings = settings
        self._wall_ms = wall_ms
        self._steps = steps
        self._indications = indications
        self._counts = counts
        self._out = out
        self._queue: deque[Ask] = deque()
        self._exchange: Exchange | None = None
        self._sequence = 0
        self._tickets = 0
        self._hold_s = 0.0
        self._delay_ms = 0

    @property
    def due_s(self) -> float:
        """When `tick` has something to do; infinity is never."""
        if self._exchange is None:
            return max(self._hold_s, self._steps.next_s())
        return math.inf if self._exchange.token is not None else self._exchange.deadline_s

    @property
    def busy(self) -> bool:
        """Whether a request is outstanding, or its response is not yet confirmed."""
        return self._exchange is not None

    def wants(self, now: float) -> bool:
        """Tell whether `go_on` would send something."""
        if self._exchange is not None:
            return False
        step = self._steps.due(now) if now >= self._hold_s else None
        return step is not None or (bool(self._queue) and self._indications.integral)

    def start(self) -> None:
        """Hold nothing back; for a new connection."""
        self._hold_s = 0.0

    def stop(self) -> None:
        """Fail whatever is under way or queued."""
        exchange, self._exchange = self._exchange, None
        asks = [exchange.ask] if exchange is not None else []
        for ask in (*asks, *self._queue):
            if ask.ticket is not None:
                self._out.append(Finished(ask.ticket, Outcome.LINK_DOWN))
        self._queue.clear()

    def queue(self, function: Function, objects: bytes, asked: Asked) -> int:
        """Queue a request and return its ticket."""
        self._tickets += 1
        self._queue.append(Ask(function, objects, asked, None, self._tickets))
        return self._tickets

    @property
    def confirming(self) -> bool:
        """Whether a response is here, and its confirm waits for it to be durable."""
        return self._exchange is not None and self._exchange.token is not None

    def cancel(self, ticket: int, now: float) -> None:
        """Give up a request; one whose response is here goes on to its confirm."""
        for ask in [each for each in self._queue if each.ticket == ticket]:
            self._queue.remove(ask)
            self._out.append(Finished(ticket, Outcome.CANCELLED))
        exchange = self._exchange
        if exchange is not None and exchange.ask.ticket == ticket and not self.confirming:
            self._end(exchange, Outcome.CANCELLED, now)

    def tick(self, now: float) -> None:
        """Give up a request that was not answered in time."""
        exchange = self._exchange
        if exchange is not None and exchange.token is None and now >= exchange.deadline_s:
            self._counts.timeouts += 1
            self._end(exchange, Outcome.TIMEOUT, now)

    def go_on(self, now: float) -> None:
        """Send the next request if none is outstanding and one is due."""
        if self._exchange is not None:
            return
        step = self._steps.due(now) if now >= self._hold_s else None
        if step is not None:
            if step is self._steps.integrity:
                self._indications.reading()
            objects = self._time() if step is self._steps.write_time else step.objects
            self._send(Ask(step.function, objects, step.asked, step), now)
        elif self._queue and self._indications.integral:
            self._send(self._queue.popleft(), now)

    def take(self, response: Response, deliveries: Deliveries, now: float) -> None:
        """Take a solicited response."""
        exchange = self._exchange
        if exchange is None or not exchange.expects(response):
            self._counts.unexpected += 1
            return
        self._counts.responses += 1
        self._out += self._indications.take(response.iin, now)
        exchange.iin |= response.iin
        exchange.objects = response.objects
        exchange.last = bool(response.control & FIN)
        delivery = None
        if response.objects:
            delivery = deliveries.read(response, exchange.ask.asked, now, exchange.ask.ticket)
            self._note_delay(exchange, delivery, now)
        self._deliver(exchange, response, delivery)
        if exchange.token is None:
            self._advance(exchange, now)

    def confirm(self, token: int, now: float) -> bool:
        """Confirm the fragment of ``token`` if it is this request's."""
        exchange = self._exchange
        if exchange is None or exchange.token != token:
            return False
        self._out.append(Send(confirm(exchange.sequence, unsolicited=False)))
        self._advance(exchange, now)
        return True

    def abandon(self, token: int, now: float) -> bool:
        """End the request of ``token``, unconfirmed, if it is this one."""
        exchange = self._exchange
        if exchange is None or exchange.token != token:
            return False
        self._end(exchange, Outcome.NOT_DURABLE, now)
        return True

    def _deliver(self, exchange: Exchange, response: Response, delivery: Delivery | None) -> None:
        """Hand out what was read, or confirm at once where there is nothing to keep."""
        if delivery is not None and exchange.ask.asked is not Asked.OTHER:
            exchange.read = exchange.read or bool(delivery.columns)
            exchange.token = delivery.token
            self._out.append(delivery)
        elif response.control & CON:
            self._out.append(Send(confirm(response.sequence, unsolicited=False)))

    def _send(self, ask: Ask, now: float) -> None:
        self._counts.requests += 1
        deadline_s = now + self._settings.response_timeout_s
        exchange = Exchange(ask, self._sequence, now, deadline_s, self._wall_ms())
        self._exchange = exchange
        self._sequence = (self._sequence + 1) & SEQUENCE_MASK
        self._out.append(Send(request(ask.function, exchange.sequence, ask.objects)))

    def _advance(self, exchange: Exchange, now: float) -> None:
        """Expect the next fragment, or end the request after its last one."""
        if not exchange.last:
            exchange.go_on(now + self._settings.response_timeout_s)
            self._sequence = (exchange.sequence + 1) & SEQUENCE_MASK
        elif exchange.ask.is_command:
            self._commanded(exchange, now)
        else:
            refused = exchange.iin & REFUSALS and not exchange.read
            self._end(exchange, Outcome.REFUSED if refused else Outcome.DONE, now)

    def _commanded(self, exchange: Exchange, now: float) -> None:
        """Judge the echo of a command, and operate what was selected."""
        ask = exchange.ask
        statuses = echoed(ask.objects, exchange.objects)
        if statuses is None:
            refused = bool(exchange.iin & REFUSALS) and not exchange.objects
            self._end(exchange, Outcome.REFUSED if refused else Outcome.MISMATCHED, now)
        elif any(statuses):
            self._end(exchange, Outcome.REFUSED, now, statuses)
        elif ask.function is Function.SELECT:
            self._send(Ask(Function.OPERATE, ask.objects, Asked.OTHER, None, ask.ticket), now)
        else:
            self._end(exchange, Outcome.DONE, now, statuses)

    def _end(
        self, exchange: Exchange, outcome: Outcome, now: float, statuses: tuple[int, ...] = ()
    ) -> None:
        self._exchange = None
        ask = exchange.ask
        if ask.ticket is not None:
            self._out.append(Finished(ask.ticket, outcome, exchange.iin, statuses))
        elif ask.step is not None:
            self._out.append(StepEnded(ask.step.name, outcome, exchange.iin))
            self._stepped(ask.step, outcome, exchange, now)

    def _stepped(self, step: Step, outcome: Outcome, exchange: Exchange, now: float) -> None:
        steps = self._steps
        refused_integrity = outcome is Outcome.REFUSED and step is steps.integrity
        uncleared = step is steps.clear_restart and exchange.iin & Iin.DEVICE_RESTART
        if outcome in {Outcome.TIMEOUT, Outcome.NOT_DURABLE} or refused_integrity or uncleared:
            self._later(step, now, hold=not uncleared)
            return
        step.failures = 0
        if step is steps.integrity:
            self._indications.settled(now)
            return
        step.again(now)
        if step is steps.record_time and outcome is Outcome.DONE:
            steps.write_time.objects = time_recorded(exchange.sent_ms)
            steps.write_time.due_s = now
        elif step is steps.measure_delay and outcome is Outcome.DONE:
            steps.write_time.due_s = now
        elif step is steps.write_time:
            self._indications.time_written(now)

    def _later(self, step: Step, now: float, *, hold: bool) -> None:
        """Be due again after a while that doubles; with ``hold`` no step goes before."""
        longest = self._settings.retry_most_s
        wait_s = min(longest, self._settings.retry_s * 2 ** min(step.failures, 16))
        step.failures += 1
        step.due_s = now + wait_s
        if hold:
            self._hold_s = step.due_s

    def _note_delay(self, exchange: Exchange, delivery: Delivery, now: float) -> None:
        """Take half of what a delay measurement took on the way as the way's delay."""
        if exchange.ask.step is not self._steps.measure_delay:
            return
        for columns in delivery.columns:
            if columns.point_type is PointType.DELAY_MS:
                way_ms = round((now - exchange.sent_s) * 1000) - columns.values[0]
                self._delay_ms = max(0, way_ms // 2)

    def _time(self) -> bytes:
        """Return what sets the clock, at the moment of sending."""
        if self._settings.time_sync is TimeSync.LAN:
            return self._steps.write_time.objects
        return time_now(self._wall_ms() + self._delay_ms)
