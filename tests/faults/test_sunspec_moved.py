"""A SunSpec device whose models are not where the point map has them is not polled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import ValidationError

from daemons import eventually
from modbus_peers import device, point
from otgate.driver import Link, Session
from otgate.errors import Mistakes
from otgate.model import Device
from otgate.testing.collected import Collected
from otgate.testing.contract import Remembered
from otgate_modbus import Modbus
from otgate_modbus.manners import IDLE_S
from otgate_modbus.session import NoAnswer
from otgate_modbus.sunspec.keeping import Moved
from sunspec_devices import COMMON, INVERTER, Served, encoded, image, serving

MODELS = ("1/66", "103/50")


def inverter(where: tuple[str, int], **settings: Any) -> Device:
    usual = {"sunspec": {"at": 40000, "models": MODELS}, "timeout_s": 0.5, "gap": 0}
    current = point("m103_a", "hr 40072", "u16 na", sf="hr 40076")
    return device(current, host=where[0], port=where[1], **(usual | settings))


@asynccontextmanager
async def opened(asked: Device) -> AsyncIterator[Session]:
    driver = Modbus()
    link = Link([asked], {asked.id: driver.plan(asked)}, {asked.id: Remembered()})
    async with driver.connect(link) as sessions:
        yield sessions[asked.id]


async def polled(session: Session, asked: Device) -> dict[str, tuple[object, int]]:
    got = Collected()
    await session.scan(Modbus().plan(asked)[0], got)
    return got.samples(asked)


async def test_the_headers_are_read_once_before_the_first_poll() -> None:
    served = Served(image(encoded(1, COMMON), encoded(103, INVERTER)))
    async with serving(served) as where, opened(asked := inverter(where)) as session:
        assert (await polled(session, asked))["m103_a"] == (43.21, 0)
        assert served.asked[:3] == [(40000, 2), (40002, 2), (40070, 2)]
        served.asked.clear()
        await polled(session, asked)
        assert all(at > 40071 for at, _ in served.asked)


async def test_a_device_whose_models_have_moved_says_so_and_is_not_read() -> None:
    moved = image(encoded(1, COMMON), [120, 26, *[0] * 26], encoded(103, INVERTER))
    served = Served(moved)
    async with serving(served) as where, opened(asked := inverter(where)) as session:
        for _ in range(2):
            with pytest.raises(Moved, match=r"at hr 40070 there is model 120/26 instead of .*103"):
                await polled(session, asked)
        assert not any(at == 40072 for at, _ in served.asked)
        served.registers = image(encoded(1, COMMON), encoded(103, INVERTER))
        assert (await polled(session, asked))["m103_a"] == (43.21, 0)


async def test_a_device_that_is_no_sunspec_any_more_says_so() -> None:
    async with serving(Served({})) as where, opened(asked := inverter(where)) as session:
        with pytest.raises(Moved, match="at hr 40000 there is nothing instead of `SunS`"):
            await polled(session, asked)


async def test_silence_while_looking_is_silence_and_not_a_move() -> None:
    served = Served(image(encoded(1, COMMON), encoded(103, INVERTER)))
    served.silent = lambda at, _: at == 40070
    async with serving(served) as where, opened(asked := inverter(where, timeout_s=0.1)) as session:
        with pytest.raises(NoAnswer, match="did not answer") as silence:
            await polled(session, asked)
        assert not isinstance(silence.value, Moved)
        served.silent = lambda _at, _count: False
        served.asked.clear()
        await polled(session, asked)
        assert served.asked[0] == (40070, 2)


async def test_a_connection_that_ends_ends_the_session_as_without_sunspec() -> None:
    served = Served(image(encoded(1, COMMON), encoded(103, INVERTER)))
    async with serving(served) as where, opened(asked := inverter(where)) as session:
        listening = asyncio.ensure_future(session.listen(Collected()))
        await polled(session, asked)
        assert not listening.done()
        listening.cancel()


async def test_a_connection_that_the_device_closed_at_rest_is_looked_at_again() -> None:
    served = Served(image(encoded(1, COMMON), encoded(103, INVERTER)))
    async with serving(served) as where, opened(asked := inverter(where)) as session:
        await polled(session, asked)
        await asyncio.sleep(IDLE_S)
        served.registers = image(encoded(1, COMMON), [120, 26, *[0] * 26], encoded(103, INVERTER))
        served.hang_up()
        await eventually(lambda: session._wire.counts.closed_idle)  # type: ignore[attr-defined]
        with pytest.raises(Moved):
            await polled(session, asked)
    assert served.connections == 2


async def test_a_rate_budget_holds_for_headers_too() -> None:
    served = Served(image(encoded(1, COMMON), encoded(103, INVERTER)))
    async with serving(served) as where:
        asked = inverter(where, timeout_s=5.0, requests_per_s=20)
        async with opened(asked) as session:
            loop = asyncio.get_running_loop()
            begun = loop.time()
            await polled(session, asked)
            assert loop.time() - begun >= 3 * 0.05 - 0.01


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"forbidden": ["hr 40070-40071"]}, "model 103/50 at hr 40070 is forbidden"),
        ({"readable": ["hr 40002-41000"]}, "header of `SunS` at hr 40000 is forbidden or not"),
        ({"sunspec": {"models": ["1/66", "2/60000", "103/50"]}}, "103/50 at hr 100072 is beyond"),
    ],
)
def test_headers_that_cannot_be_read_are_found_without_the_device(
    settings: dict[str, Any], said: str
) -> None:
    asked = inverter(("h", 502), **settings)
    with pytest.raises(Mistakes, match=said) as refused:
        Modbus().plan(asked)
    assert refused.value.mistakes[0].field == "modbus.sunspec"


@pytest.mark.parametrize("model", ["103", "103/", "103/0", "65536/1", "1/65536", "-1/5", "a/b"])
def test_what_is_no_model_is_refused(model: str) -> None:
    with pytest.raises(ValidationError, match="write its number and length: 103/50"):
        inverter(("h", 502), sunspec={"models": [model]})
