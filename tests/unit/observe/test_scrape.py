import asyncio
import contextlib
import socket
from collections.abc import Iterable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from brokers import free_port
from otgate.errors import Refused, SpoolUnusable
from otgate.observe import scrape
from otgate.observe.exposition import CONTENT_TYPE, Found
from otgate.observe.metrics import DEVICES, HEALTHY
from otgate.observe.scrape import (
    MAX_HEAD,
    MOST_AT_ONCE,
    Responder,
    Source,
    fetched,
    listened,
)
from prometheus import parsed, served


class Side:
    """Something that can be asked, and counts how often it was."""

    def __init__(self, series: int = 1) -> None:
        self.asked = 0
        self.why = ""
        self.error: Exception | None = None
        self._series = series

    async def metrics(self) -> Iterable[Found]:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return [
            (HEALTHY, (), 1),
            *((DEVICES, (f"s{number}",), number) for number in range(self._series)),
        ]

    def responder(self) -> Responder:
        return Responder(Source(self.metrics, lambda: self.why))


async def got(path: Path, target: str = "/metrics") -> tuple[int, str]:
    return await asyncio.to_thread(fetched, path, target)


async def said(path: Path, request: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        with contextlib.suppress(ConnectionError):
            writer.write(request)
            await writer.drain()
        return await reader.read()
    finally:
        writer.close()


async def test_a_scraper_reads_the_metrics(tmp_path: Path) -> None:
    async with served(tmp_path / "x.metrics.sock", Side().responder()):
        head, _, body = (
            await said(tmp_path / "x.metrics.sock", b"GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n")
        ).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 OK\r\n")
    assert f"Content-Type: {CONTENT_TYPE}".encode() in head
    assert f"Content-Length: {len(body)}".encode() in head
    assert parsed(body.decode())["otgate_healthy"].value() == 1


async def test_a_head_request_gets_no_body(tmp_path: Path) -> None:
    async with served(tmp_path / "x.sock", Side().responder()):
        told = await said(tmp_path / "x.sock", b"HEAD /metrics HTTP/1.1\r\n\r\n")
    assert told.startswith(b"HTTP/1.0 200")
    assert told.endswith(b"\r\n\r\n")


async def test_health_says_what_is_stuck(tmp_path: Path) -> None:
    side = Side()
    async with served(tmp_path / "x.sock", side.responder()):
        assert await got(tmp_path / "x.sock", "/healthz") == (200, "ok\n")
        side.why = "nothing can be written for analytics"
        assert await got(tmp_path / "x.sock", "/healthz") == (503, f"{side.why}\n")


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b"405"),
        (b"GET /etc/passwd HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /metrics/../secret HTTP/1.1\r\n\r\n", b"404"),
        (b"\r\n\r\n", b"400"),
        (b"GET /metrics\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", b"400"),
    ],
)
async def test_what_is_no_such_request_is_told_so(
    tmp_path: Path, request_: bytes, code: bytes
) -> None:
    async with served(tmp_path / "x.sock", Side().responder()):
        assert (await said(tmp_path / "x.sock", request_)).split()[1] == code
        assert await got(tmp_path / "x.sock", "/healthz") == (200, "ok\n")


async def test_an_endless_head_is_hung_up_on(tmp_path: Path) -> None:
    async with served(tmp_path / "x.sock", Side().responder()):
        with contextlib.suppress(ConnectionError):
            assert await said(tmp_path / "x.sock", b"a" * (4 * MAX_HEAD)) == b""
        assert await got(tmp_path / "x.sock", "/healthz") == (200, "ok\n")


async def test_who_says_nothing_keeps_nobody_else_out_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrape, "TALK_LIMIT_S", 0.2)
    path = tmp_path / "x.sock"
    async with served(path, Side().responder()):
        silent = [await asyncio.open_unix_connection(path) for _ in range(MOST_AT_ONCE)]
        assert (await said(path, b"")).split()[1] == b"503"
        for reader, writer in silent:
            assert await reader.read() == b""
            writer.close()
        assert await got(path, "/healthz") == (200, "ok\n")


async def test_a_side_that_cannot_tell_says_why_and_goes_on_answering(tmp_path: Path) -> None:
    side = Side()
    side.error = SpoolUnusable("the spool is of a newer format")
    async with served(tmp_path / "x.sock", side.responder()):
        for _ in range(2 * MOST_AT_ONCE):
            assert await got(tmp_path / "x.sock") == (503, f"{side.error}\n")
        side.error = None
        assert (await got(tmp_path / "x.sock"))[0] == 200


async def test_a_defect_leaves_no_conversation_open(tmp_path: Path) -> None:
    side = Side()
    side.error = ZeroDivisionError()
    seen: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: seen.append(told))
    async with served(tmp_path / "x.sock", side.responder()):
        for _ in range(2 * MOST_AT_ONCE):
            assert await said(tmp_path / "x.sock", b"GET /metrics HTTP/1.0\r\n\r\n") == b""
        assert await got(tmp_path / "x.sock", "/healthz") == (200, "ok\n")
    assert len(seen) == 2 * MOST_AT_ONCE


async def test_many_who_ask_at_once_are_given_the_same(tmp_path: Path) -> None:
    side = Side()
    async with served(tmp_path / "x.sock", side.responder()):
        texts = await asyncio.gather(*(got(tmp_path / "x.sock") for _ in range(8)))
    assert len(set(texts)) == 1
    assert side.asked == 1


async def test_others_get_their_turn_while_much_is_written(tmp_path: Path) -> None:
    turns = 0

    async def counting() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counter = asyncio.create_task(counting())
    text = await Side(series=10_000).responder().text()
    counter.cancel()
    assert len(text.splitlines()) > 10_000
    assert turns > 20


async def from_port(port: int) -> bytes:
    """Ask for health at a port as soon as somebody listens there."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.01)
            continue
        writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
        told = await reader.read()
        writer.close()
        return told


async def test_an_address_that_is_taken_is_said_once_and_had_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scrape, "AGAIN_S", 0.02)
    port = free_port()
    with capture_logs() as logs:
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", port))
            other.listen()
            running = asyncio.create_task(listened("127.0.0.1", port, Side().responder()))
            await asyncio.sleep(0.1)
        assert (await from_port(port)).endswith(b"ok\n")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert [entry["event"] for entry in logs] == ["metrics_not_served", "metrics_served"]


async def test_where_nobody_answers_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"nobody answers at .*x\.sock"):
        await got(tmp_path / "x.sock")


async def test_the_socket_is_closed_to_others_and_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "run" / "x.metrics.sock"
    async with served(path, Side().responder()):
        assert path.stat().st_mode & 0o777 == 0o660
        with pytest.raises(Refused, match="another running side"):
            async with served(path, Side().responder()):
                pass
    assert not path.exists()
