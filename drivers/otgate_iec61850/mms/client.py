"""What a client asks of a server, in words: browse, read, write, lists, files.

Everything raises what `Connection.call` does.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import Any

from otgate_iec61850.mms.access import Read, Results, Write, Written
from otgate_iec61850.mms.association import Ends
from otgate_iec61850.mms.batching import batches
from otgate_iec61850.mms.browse import (
    Attributes,
    DefineList,
    Deleted,
    DeleteLists,
    GetAttributes,
    GetList,
    GetNameList,
    Identify,
    Identity,
    ListMembers,
    Names,
    ObjectClass,
    Status,
    StatusReport,
)
from otgate_iec61850.mms.connection import HEARTBEAT_S, Connection, Reported, Way, associate
from otgate_iec61850.mms.errors import (
    AccessError,
    ErrorClass,
    Malformed,
    MmsError,
    Rejected,
    ServiceFailed,
    TooLarge,
)
from otgate_iec61850.mms.files import (
    Chunk,
    Directory,
    FileClose,
    FileDirectory,
    FileEntry,
    FileOpen,
    FileRead,
    Opened,
)
from otgate_iec61850.mms.naming import VMD, Name, Variable
from otgate_iec61850.mms.typespec import Type
from otgate_iec61850.mms.values import AccessResult, Failure, Value

MOST_NAMES = 1_000_000
FILE_CAP = 64 * 1024 * 1024


class Client:
    """An associated client. Methods may run side by side; each answer is its own."""

    def __init__(self, connection: Connection, timeout_s: float = 5.0) -> None:
        self.connection = connection
        self.timeout_s = timeout_s
        """How long a single response may take."""

    async def call(self, service: Any) -> Any:
        """Return the response to a request of any service."""
        return await self.connection.call(service, self.timeout_s)

    async def identify(self) -> Identity:
        """Return who the server is."""
        said: Identity = await self.call(Identify())
        return said

    async def status(self) -> StatusReport:
        """Return how the server is."""
        said: StatusReport = await self.call(Status())
        return said

    async def names(self, object_class: ObjectClass, domain: str = VMD) -> list[str]:
        """Return all names of a class in a domain, or of the whole server."""
        found: list[str] = []
        while True:
            after = found[-1] if found else None
            said: Names = await self.call(GetNameList(object_class, domain, after))
            if said.more and (not said.names or said.names[-1] == after):
                raise Malformed("a list of names that does not go on")
            found += said.names
            if not said.more:
                return found
            if len(found) > MOST_NAMES:
                raise Malformed(f"more than {MOST_NAMES} names")

    async def domains(self) -> list[str]:
        """Return the logical devices."""
        return await self.names(ObjectClass.DOMAIN)

    async def attributes(self, name: Name) -> Type:
        """Return the type of a variable."""
        said: Attributes = await self.call(GetAttributes(name))
        return said.type

    async def types(self, names: Sequence[Name]) -> list[Type | None]:
        """Return the type of each variable, None where the server does not describe it.

        As many are asked for at once as the server takes, so that none waits for long.
        """
        found: list[Type | None] = []
        window = max(1, self.connection.requests.window)
        for first in range(0, len(names), window):
            found += await asyncio.gather(*map(self._described, names[first : first + window]))
        return found

    async def _described(self, name: Name) -> Type | None:
        try:
            return await self.attributes(name)
        except (ServiceFailed, Rejected):
            return None

    async def members(self, name: Name) -> ListMembers:
        """Return the members of a variable list."""
        said: ListMembers = await self.call(GetList(name))
        return said

    async def read(
        self, variables: Sequence[Variable], replies: Sequence[int] | None = None
    ) -> list[AccessResult]:
        """Return a value or `Failure` per variable; ``replies`` as for `batches`.

        Batches go out at once, as far as the window goes. One that the server refuses as a
        whole is halved until it does not; a single variable refused so is a `Failure` too.
        """
        largest = self.connection.association.terms.largest_pdu
        parts = [variables[cut] for cut in batches(variables, largest, replies)]
        waiters: list[asyncio.Future[Any]] = []
        found: list[AccessResult] = []
        try:
            waiters += [self.connection.begin(Read(tuple(part))) for part in parts]
            for part, waiter in zip(parts, waiters, strict=True):
                found += await self._part(part, waiter)
        finally:
            for waiter in waiters:
                if not waiter.done():
                    waiter.cancel()
                elif not waiter.cancelled():
                    waiter.exception()
        return found

    async def read_list(self, name: Name, count: int | None = None) -> Sequence[AccessResult]:
        """Return the values of a variable list, which has to have ``count`` where that is known."""
        said: Results = await self.call(Read(name))
        if count is not None and len(said.values) != count:
            raise Malformed(f"{len(said.values)} values of a list of {count}")
        return said.values

    async def write(self, variable: Variable, value: Value) -> None:
        """Write one value. It is never sent again.

        Raises:
            AccessFailed: the server refuses it.
        """
        said: Written = await self.call(Write((variable,), (value,)))
        if len(said.failures) != 1:
            raise Malformed(f"{len(said.failures)} results of one write")
        failure = said.failures[0]
        if failure is not None:
            raise failure.raised()

    async def define_list(self, name: Name, members: Sequence[Variable]) -> None:
        """Make a variable list."""
        await self.call(DefineList(name, tuple(members)))

    async def delete_list(self, name: Name) -> bool:
        """Delete a variable list; return whether it is gone."""
        said: Deleted = await self.call(DeleteLists((name,)))
        return said.deleted == 1

    async def directory(self, path: str = "") -> list[FileEntry]:
        """Return the files that a path names, or all."""
        found: list[FileEntry] = []
        while True:
            after = found[-1].name if found else None
            said: Directory = await self.call(FileDirectory(path, after))
            if said.more and (not said.entries or said.entries[-1].name == after):
                raise Malformed("a directory that does not go on")
            found += said.entries
            if not said.more or len(found) > MOST_NAMES:
                return found

    async def file(self, path: str, cap: int = FILE_CAP) -> bytes:
        """Return a file's octets.

        Raises:
            TooLarge: it has more than ``cap``.
        """
        opened: Opened = await self.call(FileOpen(path))
        octets = bytearray()
        try:
            more = True
            while more:
                said: Chunk = await self.call(FileRead(opened.handle))
                octets += said.octets
                more = said.more
                if len(octets) > cap:
                    raise TooLarge(f"a file of more than {cap} octets")
                if more and not said.octets:
                    raise Malformed("a file that does not go on")
        finally:
            with contextlib.suppress(MmsError, TimeoutError):
                await self.call(FileClose(opened.handle))
        return bytes(octets)

    async def _part(
        self, part: Sequence[Variable], waiter: asyncio.Future[Any]
    ) -> Sequence[AccessResult]:
        try:
            async with asyncio.timeout(self.timeout_s):
                said: Results = await waiter
        except (ServiceFailed, Rejected) as refused:
            if len(part) == 1:
                return [_failure(refused)]
            half = len(part) // 2
            return [*await self._again(part[:half]), *await self._again(part[half:])]
        if len(said.values) != len(part):
            raise Malformed(f"{len(said.values)} values of {len(part)} variables")
        return said.values

    async def _again(self, part: Sequence[Variable]) -> Sequence[AccessResult]:
        return await self._part(part, self.connection.begin(Read(tuple(part))))


_FAILURES: dict[tuple[int, int], AccessError] = {
    (ErrorClass.DEFINITION, 1): AccessError.OBJECT_UNDEFINED,
    (ErrorClass.DEFINITION, 2): AccessError.INVALID_ADDRESS,
    (ErrorClass.ACCESS, 2): AccessError.OBJECT_NON_EXISTENT,
    (ErrorClass.ACCESS, 3): AccessError.OBJECT_ACCESS_DENIED,
    (ErrorClass.ACCESS, 4): AccessError.OBJECT_INVALIDATED,
}


def _failure(refused: ServiceFailed | Rejected) -> Failure:
    """Return what the refusal of a whole request means for its only variable."""
    if isinstance(refused, Rejected):
        return Failure(AccessError.OBJECT_ACCESS_UNSUPPORTED)
    known = (refused.error_class, refused.code)
    return Failure(_FAILURES.get(known, AccessError.OBJECT_ACCESS_UNSUPPORTED))


@contextlib.asynccontextmanager
async def connected(
    host: str,
    port: int,
    ends: Ends,
    reported: Reported,
    *,
    tls: ssl.SSLContext | None = None,
    heartbeat_s: float = HEARTBEAT_S,
) -> AsyncIterator[Client]:
    """Associate with a server while the block runs, and conclude. Raises as `associate` does."""
    connection = await associate(host, port, ends, reported, way=Way(tls), heartbeat_s=heartbeat_s)
    try:
        yield Client(connection)
    finally:
        await connection.conclude(1.0)
