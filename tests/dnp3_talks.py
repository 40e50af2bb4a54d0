"""A small outstation on a line, and a master's conversation whose deliveries are kept."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from otgate_dnp3.channel.line import Line
from otgate_dnp3.conversation import Conversation
from otgate_dnp3.stack.application import FIN, FIR, Function, parsed_request, response
from otgate_dnp3.stack.association import Association
from otgate_dnp3.stack.link import Frame
from otgate_dnp3.stack.outputs import Delivery
from otgate_dnp3.stack.points import Columns, PointType
from otgate_dnp3.stack.station import Role, Station
from otgate_dnp3.stack.steps import MasterSettings

AI_0 = bytes.fromhex("1e01 00 00 00 01 2a000000")
LIMIT_S = 10.0


class Answering:
    """An outstation that answers every read with the same objects, after a while if told so."""

    def __init__(self, line: Line, address: int = 10, objects: bytes = AI_0) -> None:
        self.association = Association(Station(Role.OUTSTATION, address, 1))
        self.line = line
        self.objects = objects
        self.after_s = 0.0
        self.asked: list[int] = []
        self.under_way = 0
        line.attach(address, 1, self.take)

    def take(self, frame: Frame, received_ns: int) -> None:
        answer, fragment = self.association.receive(frame)
        if answer:
            self.line.send(answer)
        request = parsed_request(fragment)
        if request is None or request.function == Function.CONFIRM:
            return
        self.asked.append(request.function)
        self.under_way += 1
        objects = self.objects if request.function == Function.READ else b""
        asyncio.get_running_loop().call_later(self.after_s, self.answer, request.sequence, objects)

    def answer(self, sequence: int, objects: bytes) -> None:
        self.under_way -= 1
        self.line.send(self.association.frames(response(FIR | FIN | sequence, 0, objects)))

    def tells(self, sequence: int, objects: bytes) -> None:
        self.line.send(self.association.frames(response(0xF0 | sequence, 0, objects)))


class Talk:
    """A conversation that confirms what it delivers unless told not to."""

    def __init__(self, line: Line, remote: int = 10, local: int = 1, **settings: Any) -> None:
        self.deliveries: list[Delivery] = []
        self.confirms = True
        chosen = MasterSettings(**settings)
        self.conversation = Conversation(line, local, remote, chosen, self.deliver)

    def deliver(self, delivery: Delivery, received_ns: int) -> None:
        assert received_ns > 0
        self.deliveries.append(delivery)
        if delivery.token is not None and self.confirms:
            self.conversation.confirm(delivery.token)

    def columns(self) -> Iterator[Columns]:
        for delivery in self.deliveries:
            yield from delivery.columns

    def values(self, point_type: PointType, *, event: bool) -> list[tuple[int, Any]]:
        return [
            (index, value)
            for each in self.columns()
            if (each.point_type, each.event) == (point_type, event)
            for index, value in zip(each.index, each.values, strict=True)
        ]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not condition():  # noqa: ASYNC110  any condition
                await asyncio.sleep(0.005)

    async def started(self) -> "Talk":
        self.conversation.start()
        await self.until(lambda: self.conversation.master.integral)
        return self


@contextlib.asynccontextmanager
async def talking(line: Line, **settings: Any) -> AsyncIterator[Talk]:
    talk = Talk(line, **settings)
    try:
        yield await talk.started()
    finally:
        talk.conversation.stop()
        line.close()
