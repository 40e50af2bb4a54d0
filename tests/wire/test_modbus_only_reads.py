"""Nothing but reads leaves the driver: the wire is read, and so is the code that writes to it.

What a server hears in every fault mode is looked at where they are played (`modbus_misdeeds`).
Here it is heard while the driver learns, probes anew, pipelines, keeps to SunSpec and browses.
"""

import ast
import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

import otgate_modbus
from modbus_peers import Asked, Server, point, serving, session
from otgate.testing.relay import relayed
from otgate_modbus.codec import IDENTIFICATION, IDENTIFY, READS, Ask, Codec, Identify
from otgate_modbus.rtu import RtuCodec
from sunspec_devices import Served, browsed, inverter
from sunspec_devices import serving as sunspec_serving

HOUSE = Path(otgate_modbus.__file__).parent
POINTS = [point(f"r{at}", f"hr {at}") for at in range(0, 60, 3)]
REST = [point("i", "ir 7"), point("c", "co 3"), point("d", "di 4")]


def functions(sent: bytes) -> set[bytes]:
    """Return the function of every request on a wire, with the type for the one that has types."""
    found, at = set(), 0
    while at < len(sent):
        end = at + 6 + int.from_bytes(sent[at + 4 : at + 6])
        assert sent[at + 2 : at + 4] == b"\0\0"
        assert end <= len(sent)
        wide = 2 if sent[at + 7] == IDENTIFY else 1
        found.add(sent[at + 7 : at + 7 + wide])
        at = end
    return found


def picky(server: Server, refused: set[int]) -> None:
    """Refuse some registers, and requests of more than twenty."""

    def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        wanted = set(range(asked.address, asked.address + asked.count))
        code = 3 if asked.count > 20 else 2 if wanted & refused and asked.function == 3 else 0
        writer.write(asked.refusal(code) if code else asked.honest())

    server.answers = answer


@pytest.mark.both_loops
async def test_reads_alone_are_heard_while_the_driver_learns_and_probes_anew() -> None:
    async with serving() as server, relayed(("127.0.0.1", server.port)) as relay:
        refused = {9, 33}
        picky(server, refused)
        async with session(*POINTS, *REST, port=relay.port) as bench:
            for _ in range(4):
                await bench.scan()
            assert (await bench.scan())["r9"][1]
            refused.clear()
            for name in bench.session._retrial.due_s:
                bench.session._retrial.at_once(name)  # the hour is over
            for _ in range(14):
                await bench.scan()
            assert (await bench.scan())["r9"] == (9, 0)
        assert functions(bytes(relay.sent)) == {b"\1", b"\2", b"\3", b"\4"}


@pytest.mark.parametrize("identity", [{}, {0: b"Ours", 4: b"X7"}])
async def test_a_browser_reads_and_asks_who_is_there(identity: dict[int, bytes]) -> None:
    served = Served(inverter())
    served.identity = identity
    async with sunspec_serving(served) as where, relayed(where) as relay:
        await browsed((relay.host, relay.port))
        assert functions(bytes(relay.sent)) == {b"\3", bytes((IDENTIFY, IDENTIFICATION))}


@pytest.mark.parametrize("function", sorted(set(range(256)) - READS))
def test_no_other_function_can_be_asked(function: int) -> None:
    with pytest.raises(ValueError, match="is no read"):
        Ask(1, function, 0, 1)


@pytest.mark.parametrize("codec", [Codec, RtuCodec])
def test_a_frame_is_its_question_and_nothing_else(codec: type[Codec] | type[RtuCodec]) -> None:
    for ask in (Ask(1, 3, 4, 5), Identify(1, 2, 3)):
        frame = codec().request(ask)
        assert frame.count(ask.body) == 1
        assert len(frame) - len(ask.body) == (6 if codec is Codec else 2)
        assert ask.body[1] == ask.function


# The code. A question is spelled where it is made, and the link writes what a codec framed.

FROM_CODECS = {
    "link.py: self._transport.write(self._codec.request(asks[0]))",
    "link.py: self._transport.write(self._codec.requests(asks))",
    "rtu_wire.py: self._port.write(self._codec.request(ask))",
    # what the two above call `write` of, handing on what they are given:
    "datagrams.py: self._transport.sendto(data)",
    "wires.py: self._transport.write(data)",
}
"""Every call in the driver that hands bytes to a socket or a line; a serial one is the house's."""

WRITES = {"write", "writelines", "send", "sendall", "sendto", "sendmsg", "write_eof"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(HOUSE.rglob("*.py")):
        yield path.relative_to(HOUSE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def attributes_set(name: str) -> set[str]:
    """Return where an attribute of that name is set, as module and line of code."""
    return {
        f"{module}: {ast.unparse(node)}"
        for module, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Attribute) and target.attr == name
    }


def test_a_question_is_spelled_in_two_places_and_changed_in_none() -> None:
    assert attributes_set("body") == {
        "codec.py: self.body = BODY.pack(unit, function, address, count)",
        "codec.py: self.body = bytes((unit, IDENTIFY, IDENTIFICATION, category, first))",
    }
    assert attributes_set("rest") == {
        "codec.py: self.rest = REST.pack(0, len(self.body)) + self.body"
    }


def test_what_is_written_to_a_link_comes_from_a_codec() -> None:
    written = {
        f"{module}: {ast.unparse(node)}"
        for module, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in WRITES
    }
    assert written == FROM_CODECS
