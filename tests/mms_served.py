"""A small MMS server over real sockets: a model in dictionaries, and faults on demand.

It answers what a test put there, in the order asked; `Served.late` keeps answers back.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

from otgate_iec61850.mms import access, browse, files, pdu
from otgate_iec61850.mms.access import InformationReport
from otgate_iec61850.mms.association import Ends
from otgate_iec61850.mms.errors import ErrorClass, MmsError, ServiceFailed
from otgate_iec61850.mms.naming import Access, Name, Variable
from otgate_iec61850.mms.responder import Doors, Responder
from otgate_iec61850.mms.service import Done
from otgate_iec61850.mms.typespec import Kind, Scalar, Structure, Type
from otgate_iec61850.mms.values import NO_SUCH_OBJECT, Bits, Failure, UtcTime, Value

HERE = "127.0.0.1"
DOMAIN = "IED1LD0"
STAMP = UtcTime.of(1_700_000_000_500_000_000, 0x0A)
GOOD = Bits(13, 0)

MEASURED = Structure((
    ("mag", Structure((("f", Scalar(Kind.FLOAT, 32)),))),
    ("q", Scalar(Kind.BIT_STRING, -13)),
    ("t", Scalar(Kind.UTC_TIME)),
))  # fmt: skip


def measured(value: float) -> tuple[Value, ...]:
    return ((value,), GOOD, STAMP)


def nothing(_: pdu.Request) -> None:
    """Do as usual."""


class Served:
    """What the server has, what it was asked, and how it misbehaves."""

    def __init__(self, count: int = 50) -> None:
        self.values: dict[Name, Value] = {}
        self.types: dict[Name, Type] = {}
        for at in range(count):
            name = Name(DOMAIN, f"MMXU1$MX$Val{at:04d}")
            self.values[name], self.types[name] = measured(float(at)), MEASURED
        self.lists: dict[Name, tuple[Variable, ...]] = {
            Name(DOMAIN, "LLN0$all"): tuple(map(Variable, self.values))
        }
        self.files: dict[str, bytes] = {}
        self.page = 100
        """Names in one answer."""
        self.ends = Ends(terms=browse_terms())
        self.doors = Doors()
        self.asked: list[Any] = []
        self.answer: Callable[[Peer, pdu.Request], bool] = lambda peer, asked: True
        """Returns whether to answer as usual; may do anything else."""
        self.peers: list[Peer] = []
        self.port = 0

    def variable_names(self) -> list[str]:
        """Every prefix of an item is a variable too."""
        parts = [name.item.split("$") for name in self.values]
        return sorted({"$".join(each[:end]) for each in parts for end in range(1, len(each) + 1)})

    def failed(self, value: Any) -> Value | Failure:
        return NO_SUCH_OBJECT if value is None else cast("Value", value)

    def members(self, wanted: Access) -> tuple[Variable, ...]:
        if not isinstance(wanted, Name):
            return wanted
        if wanted not in self.lists:
            raise ServiceFailed(ErrorClass.ACCESS, 2)
        return self.lists[wanted]

    def page_of(self, names: list[str], after: str | None) -> browse.Names:
        first = names.index(after) + 1 if after is not None else 0
        more = first + self.page < len(names)
        return browse.Names(names[first : first + self.page], more)


def browse_terms() -> Any:
    return Responder().ends.terms


class Peer(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.responder = Responder(served.ends, served.doors)
        self.open_files: dict[int, bytes] = {}
        self.broken: list[MmsError] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.served.peers.append(self)
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            found = self.responder.receive(data)
        except MmsError as error:
            self.broken.append(error)
            self.flush()
            self.transport.close()
            return
        for each in found:
            self.take(each)
        self.flush()

    def flush(self) -> None:
        self.transport.write(self.responder.take())

    def take(self, each: pdu.Pdu) -> None:
        if isinstance(each, pdu.Conclude):
            self.responder.conclude()
        if isinstance(each, pdu.Request):
            self.served.asked.append(each.service)
            if self.served.answer(self, each):
                self.respond(each)

    def respond(self, asked: pdu.Request) -> None:
        try:
            self.responder.respond(asked, ANSWERS[type(asked.service)](self, asked.service))
        except ServiceFailed as failed:
            self.responder.fail(asked, failed)
        self.flush()

    def report(self, report: InformationReport) -> None:
        self.responder.report(report)
        self.flush()

    def read(self, asked: access.Read) -> access.Results:
        values = self.served.values
        return access.Results(
            [
                self.served.failed(values.get(each.name))
                for each in self.served.members(asked.access)
            ]
        )

    def write(self, asked: access.Write) -> access.Written:
        failures: list[Failure | None] = []
        for each, value in zip(self.served.members(asked.access), asked.values, strict=True):
            known = each.name in self.served.values
            failures.append(None if known else NO_SUCH_OBJECT)
            if known:
                self.served.values[each.name] = value
        return access.Written(failures)

    def names(self, asked: browse.GetNameList) -> browse.Names:
        found: dict[int, list[str]] = {
            browse.ObjectClass.DOMAIN: sorted({each.domain for each in self.served.values}),
            browse.ObjectClass.VARIABLE: self.served.variable_names(),
            browse.ObjectClass.VARIABLE_LIST: [n.item for n in self.served.lists],
        }
        return self.served.page_of(found.get(asked.object_class, []), asked.after)

    def attributes(self, asked: browse.GetAttributes) -> browse.Attributes:
        if asked.name not in self.served.types:
            raise ServiceFailed(ErrorClass.ACCESS, 2)
        return browse.Attributes(self.served.types[asked.name])

    def get_list(self, asked: browse.GetList) -> browse.ListMembers:
        return browse.ListMembers(self.served.members(asked.name))

    def define(self, asked: browse.DefineList) -> Done:
        self.served.lists[asked.name] = asked.members
        return Done()

    def delete(self, asked: browse.DeleteLists) -> browse.Deleted:
        gone = [self.served.lists.pop(name, None) for name in asked.names]
        return browse.Deleted(len(gone), len(gone) - gone.count(None))

    def directory(self, asked: files.FileDirectory) -> files.Directory:
        found = [files.FileEntry(name, len(data)) for name, data in self.served.files.items()]
        names = [each.name for each in found]
        first = names.index(asked.after) + 1 if asked.after is not None else 0
        return files.Directory(found[first : first + 2], more=first + 2 < len(found))

    def open(self, asked: files.FileOpen) -> files.Opened:
        if asked.path not in self.served.files:
            raise ServiceFailed(ErrorClass.FILE, 7, "no such file")
        handle = len(self.open_files) + 1
        self.open_files[handle] = self.served.files[asked.path]
        return files.Opened(handle, len(self.open_files[handle]))

    def chunk(self, asked: files.FileRead) -> files.Chunk:
        data = self.open_files[asked.handle]
        self.open_files[asked.handle] = data[1000:]
        return files.Chunk(data[:1000], more=len(data) > 1000)

    def close(self, asked: files.FileClose) -> Done:
        del self.open_files[asked.handle]
        return Done()


ANSWERS: dict[type, Callable[[Peer, Any], Any]] = {
    access.Read: Peer.read,
    access.Write: Peer.write,
    browse.Identify: lambda _, __: browse.Identity("otgate", "test", "1"),
    browse.Status: lambda _, __: browse.StatusReport(0, 0),
    browse.GetNameList: Peer.names,
    browse.GetAttributes: Peer.attributes,
    browse.GetList: Peer.get_list,
    browse.DefineList: Peer.define,
    browse.DeleteLists: Peer.delete,
    files.FileDirectory: Peer.directory,
    files.FileOpen: Peer.open,
    files.FileRead: Peer.chunk,
    files.FileClose: Peer.close,
}


@contextlib.asynccontextmanager
async def serving(
    served: Served | None = None, tls: ssl.SSLContext | None = None, peer: type[Peer] = Peer
) -> AsyncIterator[Served]:
    """Serve on a free port of this machine."""
    served = served or Served()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: peer(served), HERE, 0, ssl=tls)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for each in served.peers:
            each.transport.abort()
        await asyncio.sleep(0)
