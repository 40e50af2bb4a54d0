"""Devices that are other ones than before: drivers on sockets ask, and tell what changed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from structlog.testing import capture_logs

import ied_served
from ied_served import Ied, ied
from modbus_peers import device, point
from otgate.driver import Link, Session
from otgate.endpoint.identity import MOST_CHARACTERS, MOST_NAMES, told
from otgate.errors import LinkLost
from otgate.model import Device
from otgate.testing.collected import Collected
from otgate.testing.contract import Remembered
from otgate.together import cancelled
from otgate_iec61850.mms import browse
from otgate_iec61850.mms.errors import ErrorClass, ServiceFailed
from otgate_modbus import Modbus
from otgate_modbus.session import NoAnswer
from puppet import until
from sunspec_devices import COMMON, INVERTER, Served, encoded, image, serving

RELAY = {0: b"Ours", 1: b"R7", 2: b"V2.11"}
SAYS = {"vendor": "Ours", "product code": "R7", "revision": "V2.11"}


def relay(where: tuple[str, int], **settings: Any) -> Device:
    usual = {"identify": True, "timeout_s": 0.2}
    return device(point("a", "hr 0", "u16"), host=where[0], port=where[1], **(usual | settings))


class Talk:
    """A session that listens, and what was logged meanwhile."""

    def __init__(self, session: Session, asked: Device, logs: list[Any]) -> None:
        self.session = session
        self._scan = Modbus().plan(asked)[0]
        self.logs = logs

    async def poll(self) -> None:
        with suppress(NoAnswer):
            await self.session.scan(self._scan, Collected())

    def said(self, event: str) -> list[Any]:
        return [one for one in self.logs if one["event"] == event]


@asynccontextmanager
async def talking(asked: Device, state: Remembered) -> AsyncIterator[Talk]:
    driver = Modbus()
    link = Link([asked], {asked.id: driver.plan(asked)}, {asked.id: state})
    with capture_logs() as logs:
        async with driver.connect(link) as sessions:
            session = sessions[asked.id]
            listening = asyncio.ensure_future(session.listen(Collected()))
            try:
                yield Talk(session, asked, logs)
            finally:
                await cancelled([listening])
                if listening.done() and not listening.cancelled():
                    assert isinstance(listening.exception(), LinkLost)


def served() -> Served:
    made = Served({0: 7})
    made.identity = dict(RELAY)
    return made


async def test_what_a_device_says_is_kept_and_told_where_it_changes() -> None:
    made, state = served(), Remembered()
    async with serving(made) as where:
        async with talking(relay(where), state) as talk:
            await talk.poll()
            await until(lambda: talk.said("identity_known"))
            assert talk.said("identity_known")[0]["identity"] == SAYS
        async with talking(relay(where), state) as talk:
            await talk.poll()
            made.asked.clear()
            await until(lambda: 43 in made.functions)
            await talk.poll()
            assert talk.logs == []
        made.identity[2] = b"V3.00"
        async with talking(relay(where), state) as talk:
            await talk.poll()
            await until(lambda: talk.said("identity_changed"))
            changed = talk.said("identity_changed")[0]
        assert (changed["device"], changed["was"]) == ("f1", SAYS)
        assert changed["identity"] == SAYS | {"revision": "V3.00"}


async def test_nothing_is_asked_before_the_device_has_answered_or_unless_that_is_wanted() -> None:
    made = served()
    async with serving(made) as where:
        async with talking(relay(where), Remembered()):
            pass
        async with talking(relay(where, identify=False), Remembered()) as talk:
            for _ in range(3):
                await talk.poll()
    assert made.functions == {3}


async def test_a_device_that_refuses_is_read_on_and_is_no_other_one() -> None:
    made, state = served(), Remembered()
    async with serving(made) as where:
        async with talking(relay(where), state) as talk:
            await talk.poll()
            await until(lambda: talk.said("identity_known"))
        made.identity, made.functions = {}, set()
        async with talking(relay(where), state) as talk:
            await talk.poll()
            await until(lambda: 43 in made.functions)
            await talk.poll()
            assert talk.logs == []


class HangingUp(Served):
    """A device that closes the connection upon a function that it does not know."""

    def answer(self, pdu: bytes) -> bytes | None:
        if pdu[0] == 43:
            self.functions.add(43)
            self.hang_up()
            return None
        return super().answer(pdu)


async def test_a_device_that_hangs_up_is_asked_three_times_and_then_read_in_peace() -> None:
    made, state = HangingUp({0: 7}), Remembered()
    async with serving(made) as where:
        for _ in range(3):
            made.functions.clear()
            async with talking(relay(where), state) as talk:
                await talk.poll()
                await until(lambda: 43 in made.functions)
                with suppress(LinkLost):
                    await talk.poll()
        made.functions.clear()
        async with talking(relay(where), state) as talk:
            for _ in range(3):
                await talk.poll()
        assert made.functions == {3}


class Silent(Served):
    """A device that says nothing upon a function that it does not know."""

    def answer(self, pdu: bytes) -> bytes | None:
        return None if pdu[0] == 43 else super().answer(pdu)


async def test_a_device_that_falls_silent_is_said_to_be_asked_no_more() -> None:
    state = Remembered()
    async with serving(Silent({0: 7})) as where:
        for _ in range(2):
            async with talking(relay(where, timeout_s=0.05), state) as talk:
                await talk.poll()
                await asyncio.sleep(0.1)
                assert talk.logs == []
        async with talking(relay(where, timeout_s=0.05), state) as talk:
            await talk.poll()
            await until(lambda: talk.said("identity_unasked"))


async def test_a_sunspec_device_is_known_by_its_serial_number() -> None:
    made, state = Served(image(encoded(1, COMMON), encoded(103, INVERTER))), Remembered()
    models = {"sunspec": {"at": 40000, "models": ("1/66", "103/50")}, "identify": True}
    async with serving(made) as where:
        current = point("a", "hr 40072", "u16 na", sf="hr 40076")
        asked = device(current, host=where[0], port=where[1], **models)
        async with talking(asked, state) as talk:
            await talk.poll()
            await until(lambda: talk.said("identity_known"))
            known = talk.said("identity_known")[0]["identity"]
        assert known == {
            "vendor": "Ours", "model": "Inverter 10", "revision": "1.2", "serial number": "0815",
        }  # fmt: skip
        made.registers = image(encoded(1, COMMON | {"SN": "0816"}), encoded(103, INVERTER))
        async with talking(asked, state) as talk:
            await talk.poll()
            await until(lambda: talk.said("identity_changed"))
        assert 43 not in made.functions


@pytest.mark.parametrize("settings", [{"forbidden": ("hr 40004-40070",)}, {"max_registers": 4}])
async def test_no_range_is_read_that_may_not_be(settings: dict[str, Any]) -> None:
    made = Served(image(encoded(1, COMMON), encoded(103, INVERTER)))
    models = {"sunspec": {"at": 40000, "models": ("1/66",)}, "identify": True, "gap": 0}
    async with serving(made) as where:
        current = point("a", "hr 40072", "u16")
        asked = device(current, host=where[0], port=where[1], **(models | settings))
        state = Remembered()
        async with talking(asked, state) as talk:
            await talk.poll()
            await until(lambda: any("tries" in key for key in state._kept))
            await talk.poll()
    assert not [at for at, _ in made.asked if 40004 <= at < 40070]


async def test_what_sessions_around_a_session_meet_is_counted() -> None:
    made = Served(image(encoded(1, COMMON), encoded(103, INVERTER)))
    models = {"sunspec": {"at": 40000, "models": ("1/66", "103/50")}, "identify": True}
    async with serving(made) as where:
        asked = device(point("a", "hr 9", "u16"), host=where[0], port=where[1], **models)
        async with talking(asked, Remembered()) as talk:
            await talk.poll()
            assert talk.session.trouble().exceptions > 0  # type: ignore[attr-defined]  optional


async def test_an_ied_is_known_by_what_its_server_says() -> None:
    state = Remembered()
    async with ied() as server:
        with capture_logs() as logs:
            for revision in ("1", "1", "2"):
                server.answer = naming(server, revision)
                async with ied_served.talking(ied_served.device(port=server.port), state):
                    pass
    known, changed = [one for one in logs if one["event"].startswith("identity")]
    assert known["identity"] == {"vendor": "otgate", "model": "test", "revision": "1"}
    assert (changed["event"], changed["was"]) == ("identity_changed", known["identity"])


async def test_an_ied_that_does_not_identify_itself_is_read() -> None:
    async with ied() as server:
        server.answer = naming(server, None)
        with capture_logs() as logs:
            made = ied_served.device(port=server.port)
            async with ied_served.talking(made, Remembered()) as talk:
                await talk.scan()
                assert talk.disk.of(0)
    assert not [one for one in logs if one["event"].startswith("identity")]


def naming(server: Ied, revision: str | None) -> Any:
    """Answer Identify with a revision, or refuse it."""

    def answer(peer: Any, asked: Any) -> bool:
        if not isinstance(asked.service, browse.Identify):
            return server._answer(peer, asked)
        if revision is None:
            peer.responder.fail(asked, ServiceFailed(ErrorClass.SERVICE, 0, "unknown"))
        else:
            peer.responder.respond(asked, browse.Identity("otgate", "test", revision))
        peer.flush()
        return False

    return answer


def test_what_a_device_says_is_kept_within_bounds() -> None:
    state = Remembered()
    with capture_logs() as logs:
        told("f1", state, {str(number): "x" * 1000 for number in range(100)})
    kept = logs[0]["identity"]
    assert (len(kept), max(map(len, kept.values()))) == (MOST_NAMES, MOST_CHARACTERS)


@pytest.mark.parametrize("said", [{}, {"vendor": ""}])
def test_a_device_that_says_nothing_is_no_other_one(said: dict[str, str]) -> None:
    state = Remembered()
    told("f1", state, {"vendor": "Ours"})
    with capture_logs() as logs:
        told("f1", state, said)
        told("f1", state, {"vendor": "Ours"})
    assert logs == []
