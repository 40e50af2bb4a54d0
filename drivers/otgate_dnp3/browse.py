"""Which points an outstation has, read once and without changing anything."""

import asyncio
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

from otgate.browser import Browsed
from otgate.errors import Refused
from otgate.importer import ImportedDevice
from otgate_dnp3.channel.line import Line
from otgate_dnp3.channel.tcp import open_tcp
from otgate_dnp3.endpoint import PORT
from otgate_dnp3.found import Survey, as_document, as_table, points_of
from otgate_dnp3.stack.application import (
    CON,
    FIN,
    SEQUENCE_MASK,
    Function,
    Response,
    confirm,
    parsed_response,
    request,
)
from otgate_dnp3.stack.association import Association
from otgate_dnp3.stack.link import LAST_ADDRESS, Frame
from otgate_dnp3.stack.requests import classes
from otgate_dnp3.stack.station import Role, Station


class Dnp3Browser:
    """Reads outstations; see `otgate.browser.Browser`."""

    example = "dnp3://HOST[:PORT]?outstation=N[&master=N]"
    about = (
        "points by type and index, how static data and events carry them, and the classes of\n"
        "events that wait. No event is confirmed, so that none is lost to whoever is entitled to\n"
        "it. Many outstations serve one master at a time: do not browse one that a running\n"
        "gateway is connected to."
    )

    def browse(self, url: str, timeout_s: float) -> Browsed:
        """Read an outstation.

        Raises:
            Refused: the URL is none of an outstation's, or it gives no answer or no point.
            LinkLost: there is no connection.
        """
        where = target(url)
        survey = asyncio.run(surveyed(where, timeout_s))
        if not survey.points:
            raise Refused("the outstation reports no point")
        table = "\n".join(as_table(survey))
        return Browsed(table, as_document(survey), imported(where, survey))


def imported(where: "Target", survey: Survey) -> ImportedDevice:
    """Return the device entry and its points."""
    host = f"[{where.host}]" if ":" in where.host else where.host
    endpoint = f"tcp://{host}:{where.port}"
    return ImportedDevice(
        id=f"rtu{where.outstation}",
        driver="dnp3",
        source=f"outstation {where.outstation} at {endpoint}",
        settings={"url": endpoint, "outstation": where.outstation, "master": where.master},
        files={},
        scans={"integrity": 3600.0},
        points=points_of(survey),
    )


@dataclass(frozen=True, slots=True)
class Target:
    """Which outstation to read."""

    host: str
    port: int
    outstation: int
    master: int = 1


def target(url: str) -> Target:
    """Read ``dnp3://HOST[:PORT]?outstation=N[&master=N]``.

    Raises:
        Refused: it is something else.
    """
    wanted = Refused(f"`{url}` is no dnp3://HOST?outstation=10&master=1")
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, strict_parsing=True))
        numbers = {name: int(number) for name, number in options.items()}
        found = Target(parts.hostname or "", parts.port or PORT, **numbers)
    except (ValueError, TypeError):
        raise wanted from None
    addresses = (found.outstation, found.master)
    if parts.scheme != "dnp3" or not found.host or parts.path.strip("/"):
        raise wanted
    if not all(0 <= address <= LAST_ADDRESS for address in addresses) or len({*addresses}) < 2:
        raise wanted
    return found


class Taking(Protocol):
    """What takes the objects of fragments."""

    def take(self, objects: bytes, event_class: int = 0) -> bool:
        """Take a fragment's objects, of the class that was asked for; True if events are there."""


class Reader:
    """Reads class by class over a line; of events it takes what comes first, and no more."""

    def __init__(self, line: Line, where: Target, timeout_s: float) -> None:
        self._line = line
        self._association = Association(Station(Role.MASTER, where.master, where.outstation))
        self._timeout_s = timeout_s
        self._sequence = 0
        self._fragments: asyncio.Queue[Response] = asyncio.Queue()
        line.attach(where.master, where.outstation, self._frame)

    async def read(self, event_class: int, survey: Taking) -> None:
        """Read one class; 0 is all static data.

        Raises:
            Refused: no answer.
        """
        self._sequence = (self._sequence + 1) & SEQUENCE_MASK
        self._send(request(Function.READ, self._sequence, classes([event_class])))
        while True:
            response = await self._next()
            events = survey.take(response.objects, event_class)
            if response.control & FIN or events:
                return
            if response.control & CON:
                self._send(confirm(response.sequence, unsolicited=False))
            self._sequence = (self._sequence + 1) & SEQUENCE_MASK

    async def _next(self) -> Response:
        """Return the fragment with the sequence number that is expected."""
        try:
            async with asyncio.timeout(self._timeout_s):
                while True:
                    response = await self._fragments.get()
                    if response.sequence == self._sequence:
                        return response
        except TimeoutError:
            text = f"the outstation did not answer within {self._timeout_s:g} s"
            raise Refused(text) from None

    def _frame(self, frame: Frame, _: int) -> None:
        answer, fragment = self._association.receive(frame)
        if answer:
            self._line.send(answer)
        response = parsed_response(fragment) if fragment else None
        if response is None:
            return
        if not response.unsolicited:
            self._fragments.put_nowait(response)
        elif not response.objects and response.control & CON:
            self._send(confirm(response.sequence, unsolicited=True))

    def _send(self, fragment: bytes) -> None:
        self._line.send(self._association.frames(fragment))


async def surveyed(where: Target, timeout_s: float) -> Survey:
    """Read an outstation once.

    Raises:
        LinkLost: no connection.
        Refused: no answer.
    """
    survey = Survey()
    line = await open_tcp(where.host, where.port)
    try:
        reader = Reader(line, where, timeout_s)
        for event_class in (1, 2, 3, 0):
            await reader.read(event_class, survey)
    finally:
        line.close()
    return survey
