"""The simulated servers over real sockets, read by an independent client."""

import pytest
from pymodbus.client import AsyncModbusTcpClient

from otgate.errors import Refused
from otgate.model import Kind
from otgate_sim.faults import Fault
from simulated import client, device, point, served

READ_ONE = "0001 0000 0006 01 03 0064 0001"
MAP = (
    point("ia", "hr 100", "u16", unit="A", eu_hi=600.0, scale=0.1),
    point("p", "ir 10", "f32", unit="kW"),
    point("cb", "di 3", "bool", kind=Kind.STATUS),
    point("set", "co 7", "bool", kind=Kind.CONTROL),
)


async def test_an_independent_client_reads_what_the_plant_says() -> None:
    async with served(device("f1", *MAP)) as (simulation, ports):
        bay = simulation.plant.bays["f1"]
        async with AsyncModbusTcpClient("127.0.0.1", port=ports["f1"]) as reader:
            registers = await reader.read_holding_registers(100, count=1, device_id=1)
            power = await reader.read_input_registers(10, count=2, device_id=1)
        kilowatts = reader.convert_from_registers(power.registers, reader.DATATYPE.FLOAT32)
        assert registers.registers[0] / 10 == pytest.approx(bay.current_a(0), rel=0.05)
        assert kilowatts == pytest.approx(bay.p_kw, rel=0.05)


async def test_bits_are_served_from_both_bit_tables() -> None:
    async with served(device("f1", *MAP)) as (_, ports), client(ports["f1"]) as wire:
        assert (
            await wire.ask("0001 0000 0006 01 02 0003 0001", 10) == "00 01 00 00 00 04 01 02 01 01"
        )
        assert (
            await wire.ask("0002 0000 0006 01 01 0007 0001", 10) == "00 02 00 00 00 04 01 01 01 00"
        )


@pytest.mark.parametrize(
    ("request_text", "refusal"),
    [
        ("0001 0000 0006 01 03 0065 0001", "83 02"),  # a register beside the map
        ("0001 0000 0006 01 03 0064 0002", "83 02"),  # one that runs over its end
        ("0001 0000 0006 01 02 0004 0001", "82 02"),  # a bit beside the map
        ("0001 0000 0006 09 03 0064 0001", "83 0b"),  # a unit that is not there
        ("0001 0000 0006 01 06 0064 0001", "86 01"),  # a write
    ],
)
async def test_what_the_map_lacks_is_refused(request_text: str, refusal: str) -> None:
    async with served(device("f1", *MAP)) as (_, ports), client(ports["f1"]) as wire:
        unit = request_text[15:17]
        assert await wire.ask(request_text, 9) == f"00 01 00 00 00 03 {unit} {refusal}"


async def test_units_of_one_endpoint_share_a_port() -> None:
    one = device("m1", *MAP, unit=1)
    two = device("m2", point("x", "hr 0"), unit=2)
    async with served(one, two) as (_, ports), client(ports["m1"]) as wire:
        assert ports["m1"] == ports["m2"]
        assert (await wire.ask("0001 0000 0006 02 03 0000 0001", 11)).startswith(
            "00 01 00 00 00 05 02"
        )


async def test_distinct_endpoints_have_ports_of_their_own() -> None:
    one, two = device("a", *MAP, url="tcp://h1"), device("b", *MAP, url="tcp://h2")
    async with served(one, two) as (_, ports):
        assert ports["a"] != ports["b"]


async def test_two_devices_cannot_be_one_unit() -> None:
    with pytest.raises(Refused, match="two devices are unit 1"):
        async with served(device("a", *MAP), device("b", *MAP)):
            pass


async def test_requests_that_arrive_together_are_all_answered_in_order() -> None:
    async with served(device("f1", *MAP)) as (_, ports), client(ports["f1"]) as wire:
        wire.send("".join(f"{tid:04x} 0000 0006 01 03 0064 0001" for tid in range(1, 6)))
        replies = await wire.receive(5 * 11)
        assert [replies[at + 1] for at in range(0, 55, 11)] == [1, 2, 3, 4, 5]


async def test_a_request_in_two_pieces_is_answered() -> None:
    async with served(device("f1", *MAP)) as (_, ports), client(ports["f1"]) as wire:
        wire.send(READ_ONE[:14])
        assert await wire.is_silent(0.05)
        assert (await wire.ask(READ_ONE[14:], 11)).startswith("00 01")


@pytest.mark.parametrize("noise", ["ffff ffff ffff ff", "0001 0000 0000 01", "0001 0000 ffff 01"])
async def test_what_is_no_frame_closes_the_connection(noise: str) -> None:
    async with served(device("f1", *MAP)) as (_, ports), client(ports["f1"]) as wire:
        wire.send(noise)
        assert await wire.is_closed()


async def test_a_silent_device_says_nothing_and_then_recovers() -> None:
    async with served(device("f1", *MAP)) as (simulation, ports), client(ports["f1"]) as wire:
        simulation.troubles["f1"].begin(Fault.SILENT)
        wire.send(READ_ONE)
        assert await wire.is_silent()
        simulation.troubles["f1"].begin(Fault.NONE)
        assert (await wire.ask(READ_ONE, 11)).startswith("00 01 00 00 00 05 01 03 02")


async def test_an_exception_is_a_valid_refusal_of_the_same_request() -> None:
    async with served(device("f1", *MAP)) as (simulation, ports), client(ports["f1"]) as wire:
        simulation.troubles["f1"].begin(Fault.EXCEPTION)
        assert await wire.ask(READ_ONE, 9) == "00 01 00 00 00 03 01 83 04"  # V1.1b3 §7


async def test_close_ends_the_connection_at_the_next_request() -> None:
    async with served(device("f1", *MAP)) as (simulation, ports), client(ports["f1"]) as wire:
        simulation.troubles["f1"].begin(Fault.CLOSE)
        wire.send(READ_ONE)
        assert await wire.is_closed()


async def test_a_late_reply_arrives_late_with_its_own_transaction() -> None:
    device_ = device("f1", *MAP)
    async with served(device_, late_s=0.3) as (simulation, ports), client(ports["f1"]) as wire:
        simulation.troubles["f1"].begin(Fault.LATE)
        wire.send("0007" + READ_ONE[4:])
        assert await wire.is_silent(0.2)
        assert (await wire.receive(11))[:2] == b"\0\7"


async def test_garbage_is_no_modbus_frame() -> None:
    async with served(device("f1", *MAP)) as (simulation, ports), client(ports["f1"]) as wire:
        simulation.troubles["f1"].begin(Fault.GARBAGE)
        wire.send(READ_ONE)
        assert any((await wire.receive(11))[2:4])  # a protocol identifier other than 0


async def test_a_wrong_transaction_is_a_good_reply_to_somebody_else() -> None:
    async with served(device("f1", *MAP)) as (simulation, ports), client(ports["f1"]) as wire:
        simulation.troubles["f1"].begin(Fault.WRONG_TID)
        reply = await wire.ask(READ_ONE, 11)
        assert reply.startswith("11 12 00 00 00 05 01 03 02")


async def test_a_fault_leaves_the_other_unit_of_the_endpoint_alone() -> None:
    one, two = device("m1", *MAP, unit=1), device("m2", point("x", "hr 0"), unit=2)
    async with served(one, two) as (simulation, ports), client(ports["m1"]) as wire:
        simulation.troubles["m1"].begin(Fault.SILENT)
        wire.send(READ_ONE)
        assert (await wire.ask("0002 0000 0006 02 03 0000 0001", 11)).startswith("00 02")


async def test_stopping_closes_ports_and_connections() -> None:
    async with served(device("f1", *MAP)) as (_, ports):
        reader_port = ports["f1"]
        async with client(reader_port) as wire:
            await wire.ask(READ_ONE, 11)
    with pytest.raises(ConnectionRefusedError):
        async with client(reader_port):
            pass
