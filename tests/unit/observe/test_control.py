import asyncio
import contextlib
import getpass
import json
import os
import socket
from pathlib import Path

import pytest

from otgate.errors import Refused
from otgate.observe.control import MAX_REQUEST, Request, Verbs, ask, serve


def refuse(_: Request) -> dict[str, object]:
    raise Refused("not today")


async def slowly(request: Request) -> dict[str, object]:
    await asyncio.sleep(0.01)
    return {"told": dict(request.arguments), "by": request.by}


VERBS: Verbs = {"status": lambda _: {"state": "fine"}, "refuse": refuse, "slowly": slowly}


async def asked(path: Path, verb: str) -> dict[str, object]:
    return await asyncio.to_thread(ask, path, verb)


async def test_a_verb_is_answered(tmp_path: Path) -> None:
    async with serve(tmp_path / "side.sock", VERBS):
        assert await asked(tmp_path / "side.sock", "status") == {"state": "fine"}


async def test_arguments_and_who_asks_reach_a_verb_that_takes_its_time(tmp_path: Path) -> None:
    async with serve(tmp_path / "side.sock", VERBS):
        told = await asyncio.to_thread(ask, tmp_path / "side.sock", "slowly", conduit="x", deep=[1])
        assert told == {"told": {"conduit": "x", "deep": [1]}, "by": getpass.getuser()}


async def test_what_a_verb_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    async with serve(tmp_path / "side.sock", VERBS):
        with pytest.raises(Refused, match="not today"):
            await asked(tmp_path / "side.sock", "refuse")


async def test_an_unknown_verb_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    async with serve(tmp_path / "side.sock", VERBS):
        with pytest.raises(Refused, match="verbs are refuse, slowly, status"):
            await asked(tmp_path / "side.sock", "write")


@pytest.mark.parametrize(
    "junk",
    [
        b"\n",
        b"[]\n",
        b"{}\n",
        b"\xff\xfe\n",
        b'{"verb": []}\n',
        b"9" * 99,
        b'{"verb": "status", "arguments": [1]}\n',
        b'{"verb": "status", "arguments": 7}\n',
    ],
)
async def test_junk_gets_an_answer_or_a_closed_connection(tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / "side.sock"
    async with serve(path, VERBS):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(junk)
        writer.write_eof()
        reply = await reader.read()
        writer.close()
        assert reply == b"" or "refused" in json.loads(reply)
        assert await asked(path, "status") == {"state": "fine"}


async def test_an_oversized_request_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "side.sock"
    async with serve(path, VERBS):
        _, writer = await asyncio.open_unix_connection(path)
        writer.write(b"x" * (MAX_REQUEST * 3))
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()
        assert await asked(path, "status") == {"state": "fine"}


async def test_the_socket_is_for_owner_and_group_only(tmp_path: Path) -> None:
    async with serve(tmp_path / "run" / "side.sock", VERBS):
        assert (tmp_path / "run").stat().st_mode & 0o007 == 0
        assert (tmp_path / "run" / "side.sock").stat().st_mode & 0o007 == 0


async def test_the_socket_goes_when_the_side_stops(tmp_path: Path) -> None:
    async with serve(tmp_path / "side.sock", VERBS):
        pass
    assert not (tmp_path / "side.sock").exists()


async def test_the_leftover_of_a_dead_side_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(tmp_path / "side.sock"))
    async with serve(tmp_path / "side.sock", VERBS):
        assert await asked(tmp_path / "side.sock", "status") == {"state": "fine"}


async def test_a_second_side_on_the_same_socket_is_refused(tmp_path: Path) -> None:
    async with serve(tmp_path / "side.sock", VERBS):
        with pytest.raises(Refused, match="another running side"):
            async with serve(tmp_path / "side.sock", VERBS):
                pass
        assert await asked(tmp_path / "side.sock", "status") == {"state": "fine"}


@pytest.mark.parametrize("odd", ["side.sock", "run"])
async def test_what_stands_in_the_way_is_named_and_kept(tmp_path: Path, odd: str) -> None:
    path = tmp_path / ("side.sock" if odd == "side.sock" else "run/side.sock")
    (tmp_path / odd).write_text("mine")
    with pytest.raises(Refused, match=f"`{tmp_path / odd}` is no .*; move it away"):
        async with serve(path, VERBS):
            pass
    assert (tmp_path / odd).read_text() == "mine"


async def test_a_path_longer_than_a_socket_address_works(tmp_path: Path) -> None:
    path = tmp_path.joinpath(*["a" * 60] * 3) / "side.sock"
    async with serve(path, VERBS):
        assert await asked(path, "status") == {"state": "fine"}


def test_nobody_there_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="nobody answers"):
        ask(tmp_path / "side.sock", "status")
