"""What leaves on the wire, byte for byte. AP: Application Protocol V1.1b3; MG: Messaging V1.0b."""

import pytest

from modbus_peers import point, session
from otgate.quality import Quality
from otgate.testing.wire import scripted

pytestmark = pytest.mark.both_loops


async def test_holding_registers_are_read_with_function_3() -> None:
    async with scripted() as wire:  # AP §6.3, MG §3.1.3
        wire.expects("0001 0000 0006 01 03 006b 0003").replies(
            "0001 0000 0009 01 03 06 022b 0000 0064"
        )
        points = (point("a", "hr 107"), point("b", "hr 108"), point("c", "hr 109"))
        async with session(*points, port=wire.port) as bench:
            assert await bench.values() == {"a": 555, "b": 0, "c": 100}


async def test_input_registers_are_read_with_function_4() -> None:
    async with scripted() as wire:  # AP §6.4
        wire.expects("0001 0000 0006 01 04 0008 0001").replies("0001 0000 0005 01 04 02 000a")
        async with session(point("a", "ir 8"), port=wire.port) as bench:
            assert await bench.values() == {"a": 10}


async def test_coils_are_read_with_function_1_lowest_bit_first() -> None:
    async with scripted() as wire:  # AP §6.1: coils 20 to 38 hold CD 6B 05
        wire.expects("0001 0000 0006 01 01 0013 0013").replies("0001 0000 0006 01 01 03 cd 6b 05")
        coils = [point(f"c{at}", f"co {at}") for at in range(19, 38)]
        async with session(*coils, port=wire.port) as bench:
            got = await bench.values()
    bits = "1011 0011 1101 0110 101".replace(" ", "")
    assert [got[f"c{at}"] for at in range(19, 38)] == [bit == "1" for bit in bits]


async def test_discrete_inputs_are_read_with_function_2() -> None:
    async with scripted() as wire:  # AP §6.2
        wire.expects("0001 0000 0006 01 02 00c4 0002").replies("0001 0000 0004 01 02 01 02")
        points = (point("a", "di 196"), point("b", "di 197"))
        async with session(*points, port=wire.port) as bench:
            assert await bench.values() == {"a": False, "b": True}


async def test_the_unit_id_is_the_devices_own() -> None:
    async with scripted() as wire:  # MG §3.1.3
        wire.expects("0001 0000 0006 f7 03 0000 0001").replies("0001 0000 0005 f7 03 02 0001")
        async with session(point("a", "hr 0"), port=wire.port, unit=247) as bench:
            assert await bench.values() == {"a": 1}


async def test_every_request_has_its_own_transaction_id() -> None:
    async with scripted() as wire:  # MG §3.1.3: used for pairing
        wire.expects("0001 0000 0006 01 03 0000 0001").replies("0001 0000 0005 01 03 02 0001")
        wire.expects("0002 0000 0006 01 04 0000 0001").replies("0002 0000 0005 01 04 02 0002")
        wire.expects("0003 0000 0006 01 03 0000 0001").replies("0003 0000 0005 01 03 02 0003")
        wire.expects("0004 0000 0006 01 04 0000 0001").replies("0004 0000 0005 01 04 02 0004")
        async with session(point("a", "hr 0"), point("b", "ir 0"), port=wire.port) as bench:
            assert await bench.values() == {"a": 1, "b": 2}
            assert await bench.values() == {"a": 3, "b": 4}


async def test_a_request_waits_for_the_reply_before_it() -> None:
    async with scripted() as wire:  # one outstanding request until a device proves it takes more
        first = wire.expects("0001 0000 0006 01 03 0000 0001")
        first.replies("0001 0000 0005 01 03 02 0001", after_s=0.1)
        wire.expects("0002 0000 0006 01 04 0000 0001").replies("0002 0000 0005 01 04 02 0002")
        async with session(point("a", "hr 0"), point("b", "ir 0"), port=wire.port) as bench:
            assert await bench.values() == {"a": 1, "b": 2}


async def test_a_refused_point_is_emitted_as_invalid() -> None:
    async with scripted() as wire:  # AP §7: exception 2, illegal data address
        wire.expects("0001 0000 0006 01 03 0000 0002").replies("0001 0000 0003 01 83 02")
        async with session(point("a", "hr 0", "u32"), port=wire.port) as bench:
            quality = (await bench.scan())["a"][1]
    assert quality == Quality.INVALID | Quality.ILLEGAL_ADDRESS | Quality.NO_VALUE


async def test_transaction_ids_wrap() -> None:
    async with scripted() as wire:
        wire.expects("ffff 0000 0006 01 03 0000 0001").replies("ffff 0000 0005 01 03 02 0007")
        wire.expects("0000 0000 0006 01 03 0000 0001").replies("0000 0000 0005 01 03 02 0008")
        async with session(point("a", "hr 0"), port=wire.port) as bench:
            bench.session._wire._codec.transaction = 0xFFFE
            assert await bench.values() == {"a": 7}
            assert await bench.values() == {"a": 8}
