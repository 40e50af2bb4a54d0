"""The IEC 61850 driver against the simulated IED: cuts, bursts, faults, other places."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from ied_served import Disk, Talk, talking, until
from ieds import CID, CURRENT, FREQUENCY, OPERATIONS, POSITION, POSITIONS, bay, listening
from otgate.endpoint.places import KEY
from otgate.endpoint.tls import TlsFiles
from otgate.errors import LinkLost, Unusable
from otgate.model import Device, Kind, Point
from otgate.quality import Quality
from otgate.testing.contract import Remembered
from otgate_iec61850 import Iec61850
from otgate_iec61850.mms.responder import Doors
from otgate_sim.iec61850.behaviour import IedFault, Options
from otgate_sim.iec61850.server import Server
from pems import keep_private

BRCB = "F3Q1CTRL/LLN0.BR.brcbPositions01"
URCB = "F3Q1MEAS/LLN0.RP.urcbLoads01"
POINTS = (
    Point("cb", Kind.STATUS, address=POSITION, type="Dbpos"),
    Point("ops", Kind.STATUS, address=OPERATIONS, type="INT32"),
    Point("ia", Kind.MEASUREMENT, address=CURRENT, type="FLOAT32"),
    Point("hz", Kind.MEASUREMENT, address=FREQUENCY, type="FLOAT32"),
)
CB, OPS, IA = 0, 1, 2


def device(url: str, **settings: Any) -> Device:
    settings.setdefault("reports", [{"rcb": BRCB}])
    settings.setdefault("timeout_s", 2.0)
    scans = settings.pop("scans", {"normal": 1.0})
    block = Iec61850.settings(url=url, scl=str(CID), **settings)
    return Device("q1", "iec61850", "bay", POINTS, scans, block)


def at(server: Server, **settings: Any) -> Device:
    return device(f"mms://127.0.0.1:{server.port}", **settings)


def counts(disk: Disk) -> list[int]:
    return [value for value, _, _, origin in disk.of(OPS) if origin == "EVENT"]


async def read(talk: Talk) -> None:
    await talk.scan("normal")


async def taken(talk: Talk) -> None:
    """Wait until the block is ours and set up; setting it up empties its buffer."""
    await until(lambda: all(each.settled.is_set() for each in talk.session.subscriptions))


async def test_no_event_is_lost_repeated_or_out_of_order_over_20_cuts() -> None:
    server, state, disk = bay(), Remembered(), Disk()
    async with server.serving():
        for round_ in range(20):
            async with talking(at(server), state, disk) as talk:
                await taken(talk)
                server.burst(OPERATIONS, 10)
                await until(lambda before=round_ * 15: len(counts(disk)) > before)
                server.burst(OPERATIONS, 5)
                server.cut()  # with reports under way
        async with talking(at(server), state, disk):
            await until(lambda: counts(disk)[-1] == 300)
    assert counts(disk) == list(range(1, 301))


async def test_each_event_of_a_burst_has_its_own_time() -> None:
    server = bay()
    async with server.serving(), talking(at(server), Remembered()) as talk:
        await read(talk)
        talk.disk.clear()
        made = server.burst(POSITION, 200, step_ns=1_000_000_000)
        await until(lambda: len(talk.disk.of(CB)) >= 200)
        times = [time for _, _, time, _ in talk.disk.of(CB)]
        assert all(abs((time or 0) - each.ns) < 120 for time, each in zip(times, made, strict=True))


async def test_reports_that_come_before_the_response_to_what_enabled_them_are_taken() -> None:
    server, state = bay(), Remembered()
    async with server.serving(), talking(at(server), state) as talk:
        await taken(talk)
    server.burst(OPERATIONS, 3)
    server.trouble.begin(IedFault.EARLY_REPORT)
    async with server.serving(), talking(at(server), state) as talk:
        await until(lambda: counts(talk.disk)[-1:] == [3])
        assert counts(talk.disk) == [1, 2, 3]


async def test_unbuffered_reports_bring_values_too() -> None:
    server = bay()
    async with server.serving(), talking(at(server, reports=[{"rcb": URCB}]), Remembered()) as talk:
        await read(talk)
        assert talk.session.subscriptions[0].enabled
        assert talk.session.subscriptions[0].touched
        server.set(CURRENT, 123.5)
        await until(lambda: talk.disk.of(IA)[-1][0] == 123.5)
        assert talk.disk.of(IA)[-1][3] == "EVENT"


async def test_a_server_of_edition_1_is_served_as_well() -> None:
    server = bay(Options(edition=1))
    async with server.serving(), talking(at(server), Remembered()) as talk:
        await taken(talk)
        server.burst(OPERATIONS, 3)
        await until(lambda: counts(talk.disk)[-1:] == [3])


async def test_segmented_reports_are_put_together() -> None:
    server = bay(Options(segment_members=2))
    async with server.serving(), talking(at(server), Remembered()) as talk:
        await read(talk)
        assert talk.disk.of(CB)[0][3] == "GI"
        assert talk.session._wire.segments.dropped == 0


async def test_an_overflow_of_the_buffer_marks_the_points() -> None:
    server, state = bay(), Remembered()
    server.burst(OPERATIONS, 5)
    server.trouble.begin(IedFault.OVERFLOW)
    async with server.serving(), talking(at(server), state) as talk:
        await until(lambda: talk.session.subscriptions[0].counts.overflows)
        assert talk.disk.of(OPS)[0][1] & Quality.OLD_DATA


@pytest.mark.parametrize(
    ("fault", "counted"),
    [
        (IedFault.CONF_REV, lambda talk: talk.session.counts.changed),
        (IedFault.UNKNOWN_DATA_SET, lambda talk: talk.session.trouble().unexpected),
        (IedFault.DROP_SEGMENT, lambda talk: talk.session._wire.segments.dropped),
        (IedFault.GARBAGE, lambda talk: talk.session.trouble().malformed),
        (IedFault.ABORT, lambda talk: talk.session._wire.gone.done()),
    ],
)
async def test_a_fault_is_counted_and_no_event_is_lost_by_it(
    fault: IedFault, counted: Callable[[Talk], object]
) -> None:
    server, state, disk = bay(), Remembered(), Disk()
    async with server.serving():
        async with talking(at(server), state, disk) as talk:
            await read(talk)
            await until(lambda: state.get("reports")[BRCB]["entry"])
            server.trouble.begin(fault)
            server.burst(OPERATIONS, 2)
            if fault is IedFault.DROP_SEGMENT:
                await talk.session.subscriptions[0].interrogate(talk.session._client)
            server.burst(OPERATIONS, 1)
            await until(lambda: counted(talk))
            server.cut()
        server.trouble.begin(IedFault.NONE)
        async with talking(at(server), state, disk):
            server.burst(OPERATIONS, 1)
            await until(lambda: counts(disk)[-1:] == [4])
    assert set(counts(disk)) == {1, 2, 3, 4}
    assert counts(disk) == sorted(counts(disk))


async def test_wrong_invoke_ids_are_nobodys_answer() -> None:
    server = bay()
    async with server.serving(), talking(at(server, reports=[]), Remembered()) as talk:
        await read(talk)
        truth = talk.disk.of(CB)[-1][0]
        server.trouble.begin(IedFault.WRONG_INVOKE_ID)
        with pytest.raises((LinkLost, TimeoutError)):
            await read(talk)
        server.trouble.begin(IedFault.NONE)
        assert talk.session._client.connection.requests.counts.strangers
        assert talk.session.trouble().unexpected
        assert {value for value, _, _, _ in talk.disk.of(CB)} == {truth}


async def test_a_silent_server_is_noticed() -> None:
    server = bay()
    async with server.serving(), talking(at(server, keep_alive_s=0.2), Remembered()) as talk:
        await read(talk)
        server.trouble.begin(IedFault.SILENT)
        await until(talk.session._wire.gone.done, 2.0)
        with pytest.raises(LinkLost, match=r"silent for 0\.4 s"):
            await read(talk)


async def test_the_backup_is_tried_where_the_first_place_has_nobody() -> None:
    server, state = bay(), Remembered()
    async with server.serving():
        made = device("mms://127.0.0.1:9", backup=f"mms://127.0.0.1:{server.port}")
        async with talking(made, state) as talk:
            await read(talk)
        assert state.get(KEY) == 1


async def test_an_association_over_tls_shows_both_certificates(tmp_path: Any) -> None:
    authority = trustme.CA()
    ours, theirs = authority.issue_cert("gateway"), authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    for name, cert in (("ours", ours), ("theirs", theirs)):
        cert.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
        keep_private(cert, tmp_path / f"{name}.key")
    files = TlsFiles(tmp_path / "ca.pem", tmp_path / "theirs.pem", tmp_path / "theirs.key")
    tls = {
        "ca": str(tmp_path / "ca.pem"),
        "cert": str(tmp_path / "ours.pem"),
        "key": str(tmp_path / "ours.key"),
    }
    server = bay(Options(tls=files))
    async with server.serving():
        url = f"mmss://127.0.0.1:{server.port}"
        async with talking(device(url, tls=tls), Remembered()) as talk:
            await read(talk)
            assert talk.disk.of(CB)
        broken = device(url, tls={**tls, "key": str(tmp_path / "absent.key")})
        with pytest.raises(Unusable):
            async with talking(broken, Remembered()):
                pass


async def test_another_instance_is_taken_only_where_that_is_asked_for() -> None:
    server = bay()
    async with server.serving(), listening(server) as heard:
        await heard.enable(POSITIONS)
        async with talking(at(server), Remembered()) as talk:
            await read(talk)
            assert not talk.session.subscriptions[0].enabled
        free = [{"rcb": BRCB, "instance": "free"}]
        async with talking(at(server, reports=free), Remembered()) as talk:
            await taken(talk)
            assert [each.name for each in talk.session.subscriptions] == [BRCB[:-1] + "2"]
            server.burst(OPERATIONS, 2)
            await until(lambda: counts(talk.disk)[-1:] == [2])


async def test_the_password_of_a_file_opens_a_server_that_asks_for_one(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("open sesame\n")
    server = bay(Options(doors=Doors(password=b"open sesame")))
    async with server.serving():
        with pytest.raises(LinkLost, match="ACSE refused"):
            async with talking(at(server), Remembered()):
                pass
        made = at(server, password_file=str(tmp_path / "password"))
        async with talking(made, Remembered()) as talk:
            await read(talk)
            assert talk.disk.of(CB)
        with pytest.raises(Unusable, match="No such file"):
            async with talking(at(server, password_file="/nowhere/at/all"), Remembered()):
                pass
