"""Every exception to every function that is asked, byte for byte, and what its points become.

AP: Application Protocol V1.1b3. §7 lists the codes and adds 0x80 to the function; §6.1 to §6.4 and
§6.21 are the functions.
"""

import asyncio

import pytest

from modbus_peers import point, session
from otgate.quality import Quality
from otgate.testing.wire import scripted
from otgate_modbus.sunspec.browse import ModbusBrowser

pytestmark = pytest.mark.both_loops

TABLES = {1: "co", 2: "di", 3: "hr", 4: "ir"}
GONE = Quality.INVALID | Quality.NO_VALUE
POINTS = {
    1: GONE | Quality.NOT_IMPLEMENTED,
    2: GONE | Quality.ILLEGAL_ADDRESS,
    3: GONE | Quality.ILLEGAL_ADDRESS,
    4: GONE | Quality.FAILURE,
    8: GONE | Quality.FAILURE,
    0x7F: GONE | Quality.FAILURE,
}
"""Codes that a device says of what was asked."""
DEVICES = {
    5: "is still working",
    6: "is busy",
    10: "is not reachable through its gateway",
    11: "does not answer its gateway",
}
"""Codes that say of a device that it is away or busy: it is asked nothing more in that poll."""

NOWHERE = (  # where a browser looks for SunSpec first: 40000, 50000 and 0
    ("0001 0000 0006 01 03 9c40 0002", "0001 0000 0003 01 83 02"),
    ("0002 0000 0006 01 03 c350 0002", "0002 0000 0003 01 83 02"),
    ("0003 0000 0006 01 03 0000 0002", "0003 0000 0003 01 83 02"),
)


@pytest.mark.parametrize("function", TABLES)
@pytest.mark.parametrize("code", POINTS)
async def test_an_exception_about_the_question_marks_its_points(function: int, code: int) -> None:
    async with scripted() as wire:
        wire.expects(f"0001 0000 0006 01 {function:02x} 0010 0001").replies(
            f"0001 0000 0003 01 {function + 0x80:02x} {code:02x}"
        )
        async with session(point("a", f"{TABLES[function]} 16"), port=wire.port) as bench:
            assert (await bench.scan())["a"][1] == POINTS[code]


@pytest.mark.parametrize("function", TABLES)
@pytest.mark.parametrize("code", DEVICES)
async def test_an_exception_about_the_device_is_no_answer(function: int, code: int) -> None:
    async with scripted() as wire:
        wire.expects(f"0001 0000 0006 01 {function:02x} 0010 0001").replies(
            f"0001 0000 0003 01 {function + 0x80:02x} {code:02x}"
        )
        async with session(point("a", f"{TABLES[function]} 16"), port=wire.port) as bench:
            with pytest.raises(TimeoutError, match=rf"unit 1 {DEVICES[code]} \(exception {code}\)"):
                await bench.scan()


async def identity_of(*exchanges: tuple[str, str]) -> object:
    """Browse a device that is no SunSpec device and return what it says that it is."""
    async with scripted() as wire:
        for asked, answered in (*NOWHERE, *exchanges):
            wire.expects(asked).replies(answered)
        url = f"tcp://127.0.0.1:{wire.port}?unit=1"
        found = await asyncio.to_thread(ModbusBrowser().browse, url, 2.0)
    return found.document["identity"]


async def test_the_identification_is_asked_with_function_43_14() -> None:
    assert await identity_of(
        (
            "0004 0000 0005 01 2b 0e 01 00",
            "0004 0000 0013 01 2b 0e 01 02 ff 01 01 00 09 4f 75 72 73 20 47 6d 62 48",
        ),
        (
            "0005 0000 0005 01 2b 0e 01 01",
            "0005 0000 0011 01 2b 0e 01 02 00 00 02 01 02 58 37 02 03 31 2e 30",
        ),
        ("0006 0000 0005 01 2b 0e 02 00", "0006 0000 000a 01 2b 0e 02 02 00 00 01 05 00"),
    ) == {"vendor": "Ours GmbH", "product code": "X7", "revision": "1.0", "model name": ""}


@pytest.mark.parametrize("code", [1, 2, 3, 4, 6, 11])
async def test_a_device_that_refuses_to_identify_itself_has_no_identity(code: int) -> None:
    refused = f"0000 0003 01 ab {code:02x}"
    assert await identity_of(
        ("0004 0000 0005 01 2b 0e 01 00", f"0004 {refused}"),
        ("0005 0000 0005 01 2b 0e 02 00", f"0005 {refused}"),
    ) == {}  # fmt: skip


@pytest.mark.parametrize(
    "reply",
    [
        "0000 000f 01 2b 0e 01 01 00 00 03 00 04 4f757273 01",  # of three one, and a bit
        "0000 000e 01 2b 0e 01 01 00 00 ff 00 04 4f757273",
    ],
)
async def test_objects_that_were_promised_and_are_not_there_erase_none(reply: str) -> None:
    assert await identity_of(
        ("0004 0000 0005 01 2b 0e 01 00", f"0004 {reply}"),
        ("0005 0000 0005 01 2b 0e 02 00", "0005 0000 0003 01 ab 03"),
    ) == {"vendor": "Ours"}  # fmt: skip
