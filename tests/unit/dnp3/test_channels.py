"""Master and outstation over real sockets and a real pair of terminals."""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trustme

from dnp3_talks import AI_0, Answering, Talk, talking
from otgate.endpoint.serial import Parity, Rs485, SerialPort, SerialSettings
from otgate.endpoint.tls import TlsFiles, tls_context
from otgate.errors import LinkLost, Unusable
from otgate_dnp3.channel.line import Line
from otgate_dnp3.channel.serial import open_line
from otgate_dnp3.channel.tcp import Stream, listening, open_tcp
from otgate_dnp3.channel.udp import open_udp
from otgate_dnp3.stack.outputs import Asked
from otgate_dnp3.stack.points import PointType
from pems import keep_private

pytestmark = pytest.mark.both_loops
HERE = "127.0.0.1"


def unused_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((HERE, 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def serving(
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[tuple[int, list[Answering]]]:
    """An outstation that is dialled; yields its port and one `Answering` per connection."""
    outstations: list[Answering] = []

    def stream() -> Stream:
        line = Line(1.0)
        outstations.append(Answering(line))
        return Stream(line)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(stream, HERE, 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], outstations
    finally:
        server.close()
        for each in outstations:
            each.line.close()


@pytest.fixture
def files(tmp_path: Path) -> dict[str, TlsFiles]:
    """Certificates of both ends by one authority, and a stranger's by another."""
    ours, other = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(tmp_path / "ca")
    made = {}
    for name, authority in (("master", ours), ("outstation", ours), ("stranger", other)):
        certificate = authority.issue_cert(HERE, "localhost")
        for at, pem in enumerate(certificate.cert_chain_pems):
            pem.write_to_path(tmp_path / name, append=at > 0)
        keep_private(certificate, tmp_path / f"{name}.key")
        made[name] = TlsFiles(tmp_path / "ca", tmp_path / name, tmp_path / f"{name}.key")
    return made


async def test_an_outstation_is_read_over_tcp() -> None:
    async with serving() as (port, _), talking(await open_tcp(HERE, port)) as talk:
        await talk.conversation.poll_classes({1})
        assert talk.values(PointType.ANALOG_INPUT, event=False) == [(0, 42)] * 2


async def test_everything_can_be_asked_for_again() -> None:
    async with serving() as (port, _), talking(await open_tcp(HERE, port)) as talk:
        await talk.conversation.poll_everything()
        assert [each.asked for each in talk.deliveries] == [Asked.INTEGRITY] * 2


async def test_unsolicited_data_is_delivered_while_nothing_is_asked() -> None:
    async with serving() as (port, outstations), talking(await open_tcp(HERE, port)) as talk:
        outstations[0].tells(1, AI_0)
        await talk.until(lambda: len(talk.deliveries) == 2)


async def test_the_kernel_acknowledges_at_once_after_every_read() -> None:
    async with serving() as (port, _), talking(await open_tcp(HERE, port)) as talk:
        transport = talk.conversation._line._port
        connected = transport.get_extra_info("socket")  # type: ignore[union-attr]
        for _ in range(10):
            await talk.conversation.poll_classes({1})
            assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK) == 1
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


async def test_nobody_there_is_a_lost_link() -> None:
    with pytest.raises(LinkLost, match="no connection"):
        await open_tcp(HERE, unused_port())


async def test_the_end_of_the_connection_ends_the_conversation_and_its_polls() -> None:
    async with serving() as (port, outstations), talking(await open_tcp(HERE, port)) as talk:
        outstations[0].after_s = 60
        poll = asyncio.ensure_future(talk.conversation.poll_classes({1}))
        await talk.until(lambda: outstations[0].under_way)
        outstations[0].line.close()
        with pytest.raises(LinkLost):
            await poll
        assert talk.conversation.gone.done()
        with pytest.raises(LinkLost):
            await talk.conversation.poll_classes({1})


async def test_an_outstation_that_does_not_answer_is_a_timeout() -> None:
    async with serving() as (port, outstations):
        line = await open_tcp(HERE, port)
        async with talking(line, response_timeout_s=0.1) as talk:
            outstations[0].after_s = 0.3
            with pytest.raises(TimeoutError):
                await talk.conversation.poll_classes({1})
            outstations[0].after_s = 0
            assert (await talk.conversation.poll_classes({1})).ticket == 2


async def test_a_poll_that_is_cancelled_is_given_up() -> None:
    async with serving() as (port, outstations), talking(await open_tcp(HERE, port)) as talk:
        outstations[0].after_s = 0.2
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await talk.conversation.poll_classes({1})
        assert not talk.conversation.master.busy
        await talk.conversation.poll_classes({1})
        assert len(talk.deliveries) == 2


async def test_a_silent_outstation_ends_the_conversation() -> None:
    async with serving() as (port, outstations):
        settings = {"keepalive_s": 0.1, "response_timeout_s": 0.1}
        async with talking(await open_tcp(HERE, port), **settings) as talk:
            await asyncio.sleep(0.5)
            assert not talk.conversation.gone.done()
            outstations[0].line.detach(10, 1)
            await talk.until(talk.conversation.gone.done)
            assert talk.conversation.gone.result() == "the outstation's link is silent"


async def test_both_ends_show_a_certificate(files: dict[str, TlsFiles]) -> None:
    ours, theirs = files["master"], await context(files["outstation"])
    async with serving(theirs) as (port, _), talking(await open_tcp(HERE, port, ours)) as talk:
        assert talk.values(PointType.ANALOG_INPUT, event=False) == [(0, 42)]


@pytest.mark.parametrize(("server", "client"), [("outstation", "stranger"), ("stranger", "master")])
async def test_a_stranger_is_refused_by_either_end(
    files: dict[str, TlsFiles], server: str, client: str
) -> None:
    async with serving(await context(files[server])) as (port, outstations):
        with contextlib.suppress(LinkLost):
            line = await open_tcp(HERE, port, files[client])
            await asyncio.wait_for(line.gone, 5)
        assert not any(each.line.counts.octets_in for each in outstations)


async def context(files: TlsFiles) -> ssl.SSLContext:
    return await asyncio.to_thread(tls_context, files, server=True)


async def test_a_certificate_that_is_none_is_unusable(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    with pytest.raises(Unusable, match="TLS files"):
        await open_tcp(HERE, 1, TlsFiles(nothing, nothing, nothing))


async def test_an_outstation_may_dial_in() -> None:
    async with listening(HERE, port := unused_port(), {HERE}) as listener:
        outstation = Answering(await open_tcp(HERE, port))
        async with talking(await listener.accept(5)) as talk:
            assert talk.values(PointType.ANALOG_INPUT, event=False) == [(0, 42)]
        outstation.line.close()


async def test_an_outstation_that_dials_in_again_replaces_its_old_connection() -> None:
    async with listening(HERE, port := unused_port()) as listener:
        first = await open_tcp(HERE, port)
        old = await listener.accept(5)
        second = Answering(await open_tcp(HERE, port))
        assert await asyncio.wait_for(old.gone, 5) == "the outstation has connected again"
        async with talking(await listener.accept(5)):
            pass
        first.close()
        second.line.close()


async def test_a_stranger_that_dials_in_is_turned_away() -> None:
    async with listening(HERE, port := unused_port(), {"192.0.2.1"}) as listener:
        line = await open_tcp(HERE, port)
        await asyncio.wait_for(line.gone, 5)
        assert listener.refused == 1
        with pytest.raises(LinkLost, match="no outstation has connected"):
            await listener.accept(0.05)


async def test_an_address_that_is_taken_is_a_lost_link() -> None:
    async with serving() as (port, _):
        with pytest.raises(LinkLost, match="cannot listen"):
            async with listening(HERE, port):
                pass


async def test_an_outstation_is_read_over_udp() -> None:
    master, outstation = (unused_port(socket.SOCK_DGRAM) for _ in range(2))
    answering = Answering(await open_udp(HERE, master, outstation))
    async with talking(await open_udp(HERE, outstation, master)) as talk:
        await talk.conversation.poll_classes({1})
        assert len(talk.deliveries) == 2
        answering.line.send(b"\x05\x64half a frame")
        await talk.conversation.poll_classes({1})
    answering.line.close()


@contextlib.contextmanager
def terminals() -> Iterator[tuple[Line, str]]:
    """Yield the line of one end, and the path of the other."""
    near, far = os.openpty()
    os.set_blocking(near, False)
    line = Line(0.1)
    port = SerialPort(near, line)
    line.opened(port)
    try:
        yield line, os.ttyname(far)
    finally:
        line.close()
        os.close(far)


async def test_an_outstation_is_read_over_a_serial_line() -> None:
    with terminals() as (far, path):
        Answering(far, objects=AI_0 * 150)
        line = open_line(SerialSettings(path, 9600, Parity.EVEN, 2))
        async with talking(line) as talk:
            await talk.conversation.poll_classes({1})
            assert len(talk.values(PointType.ANALOG_INPUT, event=False)) == 300


async def test_outstations_on_one_line_are_asked_one_at_a_time() -> None:
    with terminals() as (far, path):
        outstations = [Answering(far, address) for address in (10, 11, 12)]
        line = open_line(SerialSettings(path))
        talks = [Talk(line, each.association.station.local) for each in outstations]
        for each in outstations:
            each.after_s = 0.01
        most = 0

        def watch(*_: object) -> None:
            nonlocal most
            most = max(most, sum(each.under_way for each in outstations))

        for talk in talks:
            talk.conversation.start()
        for _ in range(3):
            polls = [talk.conversation.poll_classes({1}) for talk in talks]
            gathered = asyncio.gather(*polls)
            while not gathered.done():
                watch()
                await asyncio.sleep(0.001)
            await gathered
        assert most == 1
        assert [len(talk.deliveries) for talk in talks] == [4, 4, 4]
        line.close()


async def test_a_silent_outstation_costs_the_others_on_its_line_one_timeout_a_turn() -> None:
    with terminals() as (far, path):
        Answering(far, 11)
        line = open_line(SerialSettings(path))
        silent, well = (Talk(line, at, response_timeout_s=0.1) for at in (10, 11))
        silent.conversation.start()
        await well.started()
        assert silent.deliveries == []
        line.close()


async def test_a_frame_that_lost_its_end_on_the_line_holds_up_nothing() -> None:
    with terminals() as (far, path):
        answering = Answering(far)
        async with talking(open_line(SerialSettings(path))) as talk:
            far.send(answering.association.frames(bytes(100))[:-20])
            line = talk.conversation._line
            await talk.until(lambda: line.reader.unfinished)
            await talk.until(lambda: not line.reader.unfinished)
            await talk.conversation.poll_classes({1})


async def test_a_frame_from_a_stranger_is_counted_and_dropped() -> None:
    with terminals() as (far, path):
        answering, stranger = Answering(far), Answering(far, 77)
        async with talking(open_line(SerialSettings(path))) as talk:
            stranger.tells(0, AI_0)
            await talk.conversation.poll_classes({1})
            assert talk.conversation._line.counts.strangers == 1
            assert len(talk.deliveries) == 2
        assert answering.asked == [21, 1, 1]


async def test_a_port_that_is_pulled_out_is_a_lost_link() -> None:
    near, far = os.openpty()
    line = open_line(SerialSettings(os.ttyname(far)))
    os.close(far)
    os.close(near)
    assert await asyncio.wait_for(line.gone, 5)


async def test_a_port_that_is_not_there_is_a_lost_link(tmp_path: Path) -> None:
    with pytest.raises(LinkLost, match="No such file"):
        open_line(SerialSettings(str(tmp_path / "ttyS9")))


@pytest.mark.parametrize(
    ("settings", "why"), [({"baud": 12345}, "no serial port runs"), ({"rs485": Rs485()}, "set up")]
)
async def test_a_port_that_cannot_be_set_as_asked_is_unusable(
    settings: dict[str, object], why: str
) -> None:
    with terminals() as (_, path), pytest.raises(Unusable, match=why):
        open_line(SerialSettings(path, **settings))  # type: ignore[arg-type]
