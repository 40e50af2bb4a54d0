"""A simulated IEC 61850 server on a port of this machine, and what a test does with it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from otgate.endpoint.tls import tls_context
from otgate_iec61850.mms.browse import Identity
from otgate_iec61850.mms.naming import ASSOCIATION, Name, Variable
from otgate_iec61850.mms.quality import Validity, quality_bits
from otgate_iec61850.mms.reference import NoReference, list_name, reference
from otgate_iec61850.mms.report import Reason
from otgate_iec61850.mms.values import Bits, UtcTime, Value
from otgate_sim.faults import Trouble
from otgate_sim.iec61850.answering import Answers
from otgate_sim.iec61850.attributes import Configured
from otgate_sim.iec61850.behaviour import Options
from otgate_sim.iec61850.blocks import Block
from otgate_sim.iec61850.controls import Controlled, controlled_in, position
from otgate_sim.iec61850.filing import File, Files
from otgate_sim.iec61850.holding import Branch, Client, Holding, Leaf
from otgate_sim.iec61850.peers import Peer, Tap
from otgate_sim.iec61850.scalars import spelled
from otgate_sim.iec61850.watching import DataSet
from otgate_sim.loopback import LOOPBACK

SHORTEST_WAIT_S = 0.001
STATUS_NAMES = ("stVal", "mxVal")


@dataclass(frozen=True, slots=True)
class Happened:
    """One event of a burst: the value, and the time that it was given."""

    value: Value
    ns: int


class Server:
    """One server: holds a model, answers any number of clients, reports what changes."""

    def __init__(
        self,
        holding: Holding,
        blocks: Iterable[tuple[Name, Configured]],
        clock: Callable[[], int],
        trouble: Trouble,
        options: Options,
        identity: Identity,
    ) -> None:
        self.holding, self.clock, self.trouble = holding, clock, trouble
        self.options, self.identity = options, identity
        self.files: dict[str, File] = {}
        self.peers: list[Peer] = []
        """The clients that are there now."""
        self.blocks: dict[str, Block] = {}
        """Report control blocks by ``LD/LN.BR.name``."""
        self.commanded: set[Leaf] = set()
        """What a client or a test has set; it follows the plant no more."""
        self.tap: Tap = untapped
        """Takes the octets of every connection as they pass."""
        self.host, self.port = LOOPBACK, 0
        self._server: asyncio.Server | None = None
        self._timer: asyncio.TimerHandle | None = None
        for name, configured in blocks:
            made = Block(name, configured, self._data_set, clock, options, trouble.in_force)
            holding.place(name.domain, name.item.split("$"), made.branch)
            self.blocks[str(name).replace("$", ".")] = made
        self.controls: dict[str, Controlled] = controlled_in(
            holding, clock, options.select_s, self._operated
        )
        """Controlled objects by ``LD/LN$CO$DO``."""

    async def start(self, port: int = 0, host: str = LOOPBACK) -> int:
        """Listen; return the port.

        Raises:
            OSError: the port is taken.
            Unusable: a file for TLS cannot be used.
        """
        loop, files = asyncio.get_running_loop(), self.options.tls
        tls = None
        if files is not None:
            tls = await asyncio.to_thread(tls_context, files, server=True)
        self._server = await loop.create_server(lambda: Peer(self), host, port, ssl=tls)
        self.host = host
        self.port = self._server.sockets[0].getsockname()[1]
        self.moved_on()
        return self.port

    async def stop(self) -> None:
        """Stop listening and cut every connection; what is held stays, buffers too."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for peer in list(self.peers):
            peer.cut()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None
        await asyncio.sleep(0)  # the cut connections are told

    @asynccontextmanager
    async def serving(self, port: int = 0, host: str = LOOPBACK) -> AsyncIterator[int]:
        """Listen while the block runs; yield the port."""
        try:
            yield await self.start(port, host)
        finally:
            await self.stop()

    @property
    def url(self) -> str:
        """Where it listens, ``mms://`` or, under TLS, ``mmss://``."""
        return f"mms{'s' if self.options.tls else ''}://{self.host}:{self.port}"

    def cut(self) -> None:
        """Cut every connection, as a broken cable does."""
        for peer in list(self.peers):
            peer.cut()

    def restart(self) -> None:
        """Cut every connection and lose all entries, as after a loss of power."""
        self.cut()
        for block in self.blocks.values():
            block.restart()

    def reconfigure(self, data_set: str, members: Sequence[Variable]) -> None:
        """Give ``LD/LN$name`` other members, as engineering does: revisions rise, entries go."""
        self.cut()
        self.holding.lists[list_name(data_set)] = tuple(members)
        for block in self.blocks.values():
            if block.value("DatSet") == data_set:
                block.revise()

    def leaf(self, where: str) -> Leaf:
        """Return the value that ``LD/LN.DO.DA [FC]`` names.

        Raises:
            KeyError: it names none.
        """
        found = self.holding.find(reference(where).variable)
        if not isinstance(found, Leaf):
            raise KeyError(where)
        return found

    def companion(self, where: str, name: str) -> Leaf | None:
        """Return the nearest ``q`` or ``t`` beside or above a value."""
        variable = reference(where).variable
        for node in reversed(self.holding.chain(variable.name)[:-1]):
            found = node.members.get(name) if isinstance(node, Branch) else None
            if isinstance(found, Leaf):
                return found
        return None

    def set(
        self,
        where: str,
        value: Value | None = None,
        *,
        quality: Bits | None = None,
        ns: int | None = None,
        update: bool = False,
    ) -> None:
        """Give a point a value, a quality and a time, and report what that changes.

        What is None stays, but for the time, which is now. ``update`` reports (dupd) a value
        that is the same.
        """
        leaf, stamp, bits = (
            self.leaf(where), self.companion(where, "t"), self.companion(where, "q")
        )  # fmt: skip
        now = self.clock()
        changes: dict[Leaf, int] = {}
        if value is not None:
            changes[leaf] = _changed(leaf, spelled(leaf.type, value), update=update)
        if quality is not None and bits is not None:
            changes[bits] = _changed(bits, quality, update=False)
        if stamp is not None:
            stamp.value = UtcTime.of(now if ns is None else ns, self.options.time_quality)
        self.take({each: reason for each, reason in changes.items() if reason})

    def invalid(self, where: str, detail: int = 0) -> None:
        """Mark a point invalid, now."""
        self.set(where, quality=quality_bits(Validity.INVALID, detail))

    def burst(
        self, where: str, count: int, start_ns: int | None = None, step_ns: int = 1_000_000
    ) -> list[Happened]:
        """Make that many events of a point at once, each with its own time; return them."""
        leaf = self.leaf(where)
        begin = self.clock() if start_ns is None else start_ns
        made = []
        for at in range(count):
            made.append(Happened(_next(leaf), begin + at * step_ns))
            self.set(where, made[-1].value, ns=made[-1].ns)
        self.commanded.add(leaf)
        return made

    def take(self, changes: dict[Leaf, int]) -> None:
        """Report leaves that have changed, each with the bits of its reasons."""
        if changes:
            now = self.clock()
            for block in self.blocks.values():
                block.take(changes, now)
            self.moved_on()

    def moved_on(self) -> None:
        """Send what can be sent, and wait for what comes next."""
        now = self.clock()
        for block in self.blocks.values():
            block.tick(now)
            block.pump()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        dues = [due for block in self.blocks.values() if (due := block.due()) is not None]
        if dues and self._server is not None:
            wait_s = max(SHORTEST_WAIT_S, (min(dues) - now) / 1e9)
            self._timer = asyncio.get_running_loop().call_later(wait_s, self.moved_on)

    def answers(self, peer: Peer) -> Answers:
        """Return the services for a new association."""
        files = Files(self.files, self.options.chunk)
        return Answers(self.holding, peer, files, self.options, self.identity, self._used)

    def lost(self, peer: Peer) -> None:
        """Forget an association."""
        for block in self.blocks.values():
            block.lost(peer)
        for controlled in self.controls.values():
            controlled.lost(peer)

    def _used(self, data_set: str) -> bool:
        return any(block.value("DatSet") == data_set for block in self.blocks.values())

    def _data_set(self, text: str, client: Client | None) -> DataSet | None:
        try:
            name = list_name(text)
        except NoReference:
            return None
        if name.domain == ASSOCIATION:
            members = client.lists.get(name.item) if client is not None else None
        else:
            members = self.holding.lists.get(name)
        return None if members is None else self._nodes(members)

    def _nodes(self, members: tuple[Variable, ...]) -> DataSet:
        found = ((each, self.holding.find(each)) for each in members)
        return [(each, node) for each, node in found if node is not None]

    def _operated(self, controlled: Controlled, command: Value) -> None:
        for name in STATUS_NAMES:
            fc = "MX" if name == "mxVal" else "ST"
            leaf = controlled.leaf(fc, name)
            if leaf is not None:
                node, _, path = controlled.name.item.split("$", 2)
                dotted = path.replace("$", ".")
                self.commanded.add(leaf)
                self.set(
                    f"{controlled.name.domain}/{node}.{dotted}.{name} [{fc}]",
                    position(leaf, command),
                )


def untapped(client: bool, octets: bytes) -> None:  # noqa: FBT001  as they pass
    """Let octets pass."""


def _changed(leaf: Leaf, value: Value, *, update: bool) -> int:
    """Set a value; return the reasons to report it."""
    is_new = value != leaf.value
    leaf.value = value
    reasons = 0
    if is_new and "dchg" in leaf.triggers:
        reasons |= Reason.DATA_CHANGE
    if is_new and "qchg" in leaf.triggers:
        reasons |= Reason.QUALITY_CHANGE
    if (update or is_new) and "dupd" in leaf.triggers:
        reasons |= Reason.DATA_UPDATE
    return reasons


def _next(leaf: Leaf) -> Value:
    """Return another value than a leaf has."""
    value = leaf.value
    if isinstance(value, bool):
        return not value
    if isinstance(value, Bits):
        return Bits(value.size, 1 if value.value == 2 else 2)
    if isinstance(value, int | float):
        return spelled(leaf.type, value + 1)
    return f"{int(value or 0) + 1}" if isinstance(value, str) and value.isdecimal() else "1"
