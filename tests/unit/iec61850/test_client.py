"""The client over real sockets: browse, read, write, files, and every way to lose a server."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from mms_served import DOMAIN, HERE, MEASURED, Peer, Served, measured, serving
from otgate.endpoint.tls import TlsFiles, tls_context
from otgate_iec61850.mms import pdu, report
from otgate_iec61850.mms.access import InformationReport, Read, Results, Write
from otgate_iec61850.mms.association import Ends
from otgate_iec61850.mms.browse import Identify, Identity, Names, ObjectClass
from otgate_iec61850.mms.client import Client, connected
from otgate_iec61850.mms.connection import Way, associate
from otgate_iec61850.mms.errors import (
    AccessFailed,
    AssociationLost,
    AssociationRefused,
    Malformed,
    ServiceFailed,
    TooLarge,
)
from otgate_iec61850.mms.initiate import Terms
from otgate_iec61850.mms.naming import ASSOCIATION, Name, Variable
from otgate_iec61850.mms.responder import Doors
from otgate_iec61850.mms.values import NO_SUCH_OBJECT, Bits, Failure
from pems import keep_private

pytestmark = pytest.mark.both_loops

ALL = Name(DOMAIN, "LLN0$all")


def value(at: int) -> Variable:
    return Variable(Name(DOMAIN, f"MMXU1$MX$Val{at:04d}"))


@contextlib.asynccontextmanager
async def client_of(
    served: Served, ends: Ends | None = None, heartbeat_s: float = 0.0
) -> AsyncIterator[Client]:
    async with (
        serving(served),
        connected(
            HERE, served.port, ends or Ends(), lambda *_: None, heartbeat_s=heartbeat_s
        ) as client,
    ):
        yield client


async def test_a_server_is_browsed_over_many_answers() -> None:
    served = Served(200)
    async with client_of(served) as client:
        assert await client.identify() == Identity("otgate", "test", "1")
        assert (await client.status()).logical == 0
        assert await client.domains() == [DOMAIN]
        names = await client.names(ObjectClass.VARIABLE, DOMAIN)
        assert names == served.variable_names()
        assert len(served.asked) == 3 + 3
        assert await client.names(ObjectClass.VARIABLE_LIST, DOMAIN) == ["LLN0$all"]
        assert await client.attributes(value(3).name) == MEASURED
        assert len((await client.members(ALL)).members) == 200


@pytest.mark.parametrize("more", [[], ["a"]])
async def test_names_that_do_not_go_on_are_malformed(more: list[str]) -> None:
    served = Served()

    def stuck(peer: Peer, asked: pdu.Request) -> bool:
        peer.responder.respond(asked, Names(more, more=True))
        return False

    served.answer = stuck
    async with client_of(served) as client:
        with pytest.raises(Malformed, match="does not go on"):
            await client.domains()


async def test_many_values_are_read_in_requests_that_fit() -> None:
    served = Served(300)
    async with client_of(served, Ends(terms=Terms(largest_pdu=2000))) as client:
        asked = [value(at) for at in range(300)] + [Variable(Name(DOMAIN, "none"))]
        found = await client.read(asked)
    assert found[:300] == [measured(float(at)) for at in range(300)]
    assert found[300] == NO_SUCH_OBJECT
    assert len(served.asked) > 5


async def test_a_server_that_takes_less_than_it_said_is_asked_for_less() -> None:
    served = Served()

    def modest(peer: Peer, asked: pdu.Request) -> bool:
        if isinstance(asked.service, Read) and len(asked.service.access) > 7:
            peer.responder.fail(asked, ServiceFailed(3, 4))
            return False
        return True

    served.answer = modest
    async with client_of(served) as client:
        found = await client.read([value(at) for at in range(50)])
    assert found == [measured(float(at)) for at in range(50)]


async def test_a_variable_for_which_a_server_fails_the_request_is_a_failure_alone() -> None:
    served = Served()

    def picky(peer: Peer, asked: pdu.Request) -> bool:
        if isinstance(asked.service, Read) and value(5) in asked.service.access:
            peer.responder.fail(asked, ServiceFailed(7, 3))
            return False
        return True

    served.answer = picky
    async with client_of(served) as client:
        found = await client.read([value(at) for at in range(10)])
    assert found == [Failure(3) if at == 5 else measured(float(at)) for at in range(10)]


async def test_a_list_is_read_at_once_and_has_to_be_of_its_size() -> None:
    async with client_of(Served()) as client:
        assert len(await client.read_list(ALL, 50)) == 50
        with pytest.raises(Malformed):
            await client.read_list(ALL, 49)
        with pytest.raises(ServiceFailed, match="access 2"):
            await client.read_list(Name(DOMAIN, "none"))


async def test_a_value_is_written_once_or_refused() -> None:
    served = Served()
    served.values[Name(DOMAIN, "bits")] = Bits(6, 0)
    async with client_of(served) as client:
        await client.write(Variable(Name(DOMAIN, "bits")), Bits.of(6, 1, 2))
        with pytest.raises(AccessFailed, match="object_non_existent"):
            await client.write(Variable(Name(DOMAIN, "none")), value=True)
    assert served.values[Name(DOMAIN, "bits")] == Bits(6, 0b011000)
    assert sum(isinstance(each, Write) for each in served.asked) == 2


async def test_a_list_is_made_and_deleted() -> None:
    served = Served()
    mine = Name(ASSOCIATION, "mine")
    async with client_of(served) as client:
        await client.define_list(mine, [value(1), value(2)])
        assert len(await client.read_list(mine)) == 2
        assert await client.delete_list(mine)
        assert not await client.delete_list(mine)


async def test_files_are_listed_and_got() -> None:
    served = Served()
    served.files = {f"COMTRADE/{at}.dat": bytes([at]) * 2500 for at in range(5)}
    async with client_of(served) as client:
        found = await client.directory()
        assert [(each.name, each.size) for each in found] == [(name, 2500) for name in served.files]
        assert await client.file("COMTRADE/3.dat") == bytes([3]) * 2500
        with pytest.raises(TooLarge):
            await client.file("COMTRADE/3.dat", cap=2000)
        with pytest.raises(ServiceFailed, match="no such file"):
            await client.file("none")
    assert served.peers[0].open_files == {}


async def test_a_cancelled_read_shifts_none_after_it() -> None:
    served, kept = Served(), list[pdu.Request]()

    def slow(peer: Peer, asked: pdu.Request) -> bool:
        if isinstance(asked.service, Read) and not kept:
            kept.append(asked)
            return False
        return True

    served.answer = slow
    async with client_of(served) as client:
        first = asyncio.ensure_future(client.read([value(1)]))
        while not kept:  # noqa: ASYNC110  the server is on the same loop
            await asyncio.sleep(0)
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await first
        second = asyncio.ensure_future(client.read([value(2)]))
        await asyncio.sleep(0)
        served.peers[0].respond(kept[0])
        assert await second == [measured(2.0)]
        assert await client.read([value(3)]) == [measured(3.0)]
        assert client.connection.requests.counts.late == 1


async def test_a_read_that_times_out_shifts_none_after_it() -> None:
    served = Served()
    served.answer = lambda _, asked: (
        not (isinstance(asked.service, Read) and value(1) in asked.service.access)
    )
    async with client_of(served) as client:
        client.timeout_s = 0.05
        with pytest.raises(TimeoutError):
            await client.read([value(1)])
        client.timeout_s = 5.0
        assert await client.read([value(2)]) == [measured(2.0)]


async def test_reads_side_by_side_get_their_own_values() -> None:
    served = Served(100)
    async with client_of(served) as client:
        found = await asyncio.gather(*(client.read([value(at)]) for at in range(100)))
    assert found == [[measured(float(at))] for at in range(100)]


async def test_a_wrong_number_of_values_is_malformed() -> None:
    served = Served()

    def generous(peer: Peer, asked: pdu.Request) -> bool:
        peer.responder.respond(asked, Results([1.0, 2.0]))
        return False

    served.answer = generous
    async with client_of(served) as client:
        with pytest.raises(Malformed, match="2 values of 1"):
            await client.read([value(1)])


async def test_a_report_may_come_before_the_answer_to_what_enabled_it() -> None:
    served, found = Served(), list[Any]()

    def eager(peer: Peer, asked: pdu.Request) -> bool:
        if isinstance(asked.service, Write):
            peer.report(InformationReport(report.RPT, ["r", Bits(10, 0), Bits(1, 1), 1.5]))
        return True

    served.answer = eager
    async with (
        serving(served),
        connected(HERE, served.port, Ends(), lambda said, ns: found.append((said, ns))) as client,
    ):
        await client.write(value(1), value=True)
        assert report.read(found[0][0]).values == [1.5]
        assert found[0][1] == client.connection.received_ns


async def test_a_server_that_vanishes_fails_what_is_under_way() -> None:
    served = Served()

    def vanish(peer: Peer, asked: pdu.Request) -> bool:
        peer.transport.write(b"\x03\0\x01\0\x02\xf0\0abc")
        peer.transport.close()
        return False

    served.answer = vanish
    async with client_of(served) as client:
        with pytest.raises(AssociationLost, match="closed"):
            await client.read([value(1)])
        assert client.connection.gone.done()
        with pytest.raises(AssociationLost):
            await client.identify()


async def test_a_report_that_comes_with_the_end_is_handed_on() -> None:
    served, found = Served(), list[Any]()

    def last_words(peer: Peer, asked: pdu.Request) -> bool:
        values = ["r", Bits(10, 0), Bits(1, 1), 1.5]
        peer.responder.report(InformationReport(report.RPT, values))
        peer.responder.abort()
        return False

    served.answer = last_words
    async with (
        serving(served),
        connected(HERE, served.port, Ends(), lambda said, _: found.append(said)) as client,
    ):
        with pytest.raises(AssociationLost, match="aborted"):
            await client.identify()
    assert len(found) == 1


async def test_a_report_that_is_none_ends_the_association() -> None:
    served = Served()

    def odd(peer: Peer, asked: pdu.Request) -> bool:
        peer.responder.report(InformationReport(report.RPT, ["r"]))
        return True

    served.answer = odd
    async with (
        serving(served),
        connected(HERE, served.port, Ends(), lambda said, _: report.read(said)) as client,
    ):
        with contextlib.suppress(Malformed):  # its answer may have come with the report
            await client.identify()
        async with asyncio.timeout(5):
            why = await asyncio.shield(client.connection.gone)
        assert "OptFlds" in str(why)
        assert client.connection.association.malformed == 1
    assert "aborted" in str(served.peers[0].broken[0])


async def test_a_server_that_says_nonsense_is_dropped() -> None:
    served = Served()

    def nonsense(peer: Peer, asked: pdu.Request) -> bool:
        peer.responder.send(b"\xa1\x05\x02\x01\x01\xa4\x09")
        return False

    served.answer = nonsense
    async with client_of(served) as client:
        with pytest.raises(Malformed):
            await client.identify()
        assert client.connection.association.malformed == 1


async def test_a_silent_server_is_asked_who_it_is_and_then_given_up() -> None:
    served = Served()
    served.answer = lambda *_: False
    async with client_of(served, heartbeat_s=0.05) as client:
        async with asyncio.timeout(5):
            why = await asyncio.shield(client.connection.gone)
        assert "silent" in str(why)
    assert served.asked == [Identify()]


async def test_a_server_that_answers_lives_on() -> None:
    served = Served()
    async with client_of(served, heartbeat_s=0.02) as client:
        while len(served.asked) < 5:  # noqa: ASYNC110  the server is on the same loop
            await asyncio.sleep(0.01)
        assert not client.connection.gone.done()


async def test_nobody_there_says_so() -> None:
    with pytest.raises(AssociationLost, match="no connection"):
        await associate(HERE, 1, Ends(), lambda *_: None)


class Mute(Peer):
    """Takes a connection and never says anything."""

    def data_received(self, data: bytes) -> None:
        pass


async def test_a_server_that_never_associates_is_given_up() -> None:
    async with serving(peer=Mute) as served:
        with pytest.raises(AssociationLost, match="within"):
            await associate(HERE, served.port, Ends(), lambda *_: None, connect_s=0.1)


async def test_a_password_opens() -> None:
    served = Served()
    served.doors = Doors(password=b"right")
    async with client_of(served, Ends(password=b"right")) as client:
        assert await client.domains() == [DOMAIN]
    async with serving(served):
        with pytest.raises(AssociationRefused, match="password is wrong"):
            await associate(HERE, served.port, Ends(password=b"wrong"), lambda *_: None)


async def test_the_end_is_concluded_and_released() -> None:
    served = Served()
    async with client_of(served) as client:
        pass
    assert "released" in str(client.connection.gone.result())
    assert served.peers[0].broken == []


def files(folder: Path, authority: trustme.CA, name: str, trusted: trustme.CA) -> TlsFiles:
    issued = authority.issue_cert(name)
    made = TlsFiles(folder / f"{name}.ca", folder / f"{name}.pem", folder / f"{name}.key", HERE)
    trusted.cert_pem.write_to_path(made.authority)
    keep_private(issued, made.key)
    made.certificate.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
    return made


async def test_tls_is_mutual(tmp_path: Path) -> None:
    ours, strange = trustme.CA(), trustme.CA()
    server = await asyncio.to_thread(
        lambda: tls_context(files(tmp_path, ours, HERE, ours), server=True)
    )
    assert server.minimum_version is ssl.TLSVersion.TLSv1_2

    def context(ca: trustme.CA, name: str) -> ssl.SSLContext:
        return tls_context(files(tmp_path, ca, name, ours), server=False)

    good = await asyncio.to_thread(context, ours, "good.example")
    bad = await asyncio.to_thread(context, strange, "bad.example")
    async with serving(tls=server) as served:
        async with connected(HERE, served.port, Ends(), lambda *_: None, tls=good) as client:
            assert await client.domains() == [DOMAIN]
        with pytest.raises(AssociationLost):
            await associate(HERE, served.port, Ends(), lambda *_: None, way=Way(bad))
