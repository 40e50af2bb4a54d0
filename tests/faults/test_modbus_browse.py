"""`otgate browse tcp://…` against live servers, SunSpec as a peer encodes it and none."""

import asyncio
import csv
import json
import sys
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pymodbus import ModbusDeviceIdentification
from pymodbus.server import ModbusTcpServer

from brokers import Authority, authority
from modbus_peers import Held, pymodbus_serving
from otgate.cli import main
from otgate.endpoint.tls import TlsFiles, tls_context
from otgate.errors import LinkLost, Refused
from otgate_modbus.endpoint import Tcp
from otgate_modbus.sunspec.browse import ModbusBrowser
from otgate_modbus.sunspec.definitions import definition
from otgate_modbus.sunspec.survey import Target, target
from rtu_peers import RtuAsked, RtuServer, on_terminals, over_tcp
from sunspec_devices import (
    COMMON,
    INVERTER,
    Served,
    browsed,
    encoded,
    image,
    inverter,
    serving,
)

__all__ = ["authority"]


def rows_of(table: str) -> dict[str, str]:
    """Return the lines of points by id."""
    rows = (line.strip().partition(" ") for line in table.splitlines() if line.startswith("  m"))
    return {name: " ".join(rest.split()) for name, _, rest in rows}


@pytest.mark.parametrize("base", [40000, 50000, 0])
async def test_the_chain_and_its_values_are_printed(base: int) -> None:
    async with pymodbus_serving(hr=inverter(base)) as where:
        found = await browsed(where)
    assert f"SunSpec at {base}: 3 models" in found.table
    rows = rows_of(found.table)
    assert rows["m1_mn"] == "Ours Manufacturer"
    assert rows["m103_a"] == "43.21 A Amps"
    assert rows["m103_w"] == "9980 W Watts"
    assert rows["m103_st"] == "mppt Operating State"
    assert rows["m103_evt1"].startswith("ground_fault over_temp")
    assert rows["m160_2_dcv"] == "629.9 V DC Voltage"
    assert "m103_tmpsnk" not in rows
    assert not found.shortfall


async def test_a_device_is_asked_one_thing_at_a_time_on_one_connection() -> None:
    served = Served(inverter())
    async with serving(served) as where:
        await browsed(where)
    assert served.connections == 1
    assert served.functions == {3, 43}
    assert served.asked == [
        (40000, 2), (40002, 2), (40070, 2), (40122, 2), (40172, 2),
        (40002, 68), (40070, 52), (40122, 50),
    ]  # fmt: skip


async def test_small_requests_are_kept_small() -> None:
    served = Served(inverter())
    async with serving(served) as where:
        found = await browsed(where, "unit=1&max_registers=10")
    assert max(count for _, count in served.asked) == 10
    assert found.device is not None
    assert found.device.settings["max_registers"] == 10
    assert rows_of(found.table)["m103_a"] == "43.21 A Amps"


async def test_a_device_that_takes_small_requests_alone_is_understood() -> None:
    served = Served(inverter())
    served.most = 40
    async with serving(served) as where:
        found = await browsed(where)
    assert found.device is not None
    assert found.device.settings["max_registers"] <= 40
    assert rows_of(found.table)["m160_2_dcv"] == "629.9 V DC Voltage"
    refused = [count for _, count in served.asked if count > 40]
    assert len(refused) == 1


async def test_registers_that_are_refused_take_no_others_with_them() -> None:
    registers = inverter()
    del registers[40073]
    served = Served(registers)
    async with serving(served) as where:
        found = await browsed(where)
    assert rows_of(found.table)["m103_apha"] == "cannot be read A Amps PhaseA"
    assert rows_of(found.table)["m103_aphb"] == "14.4 A Amps PhaseB"
    assert found.device is not None
    assert "m103_apha" not in {point.id for point in found.device.points}
    assert found.device.left_out["the device refuses to read it"] == 1
    assert "max_registers" not in found.device.settings


async def test_an_unknown_model_is_listed_and_its_registers_are_not_read() -> None:
    served = Served(image(encoded(1, COMMON), [64999, 3, 7, 7, 7], encoded(103, INVERTER)))
    async with serving(served) as where:
        found = await browsed(where)
    assert "model 64999, at 40070, 3 registers\n  (not known:" in found.table
    assert rows_of(found.table)["m103_hz"] == "50.012 Hz Hz"
    assert not any(at <= 40072 < at + count for at, count in served.asked)


async def test_two_models_of_one_number_have_ids_of_their_own() -> None:
    second = {**INVERTER, "A": 1}
    async with pymodbus_serving(hr=image(encoded(103, INVERTER), encoded(103, second))) as where:
        rows = rows_of((await browsed(where)).table)
    assert (rows["m103_a"], rows["m103i2_a"]) == ("43.21 A Amps", "0.01 A Amps")


async def test_a_broken_chain_gives_what_it_has_and_says_what_is_wrong() -> None:
    registers = image(encoded(1, COMMON), [103, 0])
    async with pymodbus_serving(hr=registers) as where:
        found = await browsed(where)
    assert found.shortfall == "model 103 at 40070 has no length: the chain ends there"
    assert rows_of(found.table)["m1_sn"] == "0815 Serial Number"


async def test_a_model_that_changes_while_it_is_read_is_not_believed() -> None:
    served = Served(inverter())

    def change(at: int, count: int) -> None:
        if (at, count) == (40070, 52):
            served.registers[40070] = 113

    served.changes = change
    async with serving(served) as where:
        found = await browsed(where)
    assert "(changed while it was read: browse again)" in found.table
    assert not any(name.startswith("m103") for name in rows_of(found.table))


async def test_a_scale_factor_that_is_none_gives_no_value() -> None:
    registers = image(encoded(103, {**INVERTER, "A_SF": None}))
    async with pymodbus_serving(hr=registers) as where:
        found = await browsed(where)
    assert rows_of(found.table)["m103_a"] == "no scale factor A Amps"


async def test_a_device_without_sunspec_says_what_it_is() -> None:
    served = Served({0: 1, 1: 2})
    served.identity = {0: b"Ours", 1: b"PM10", 2: b"3.1", 4: b"Meter 10"}
    async with serving(served) as where:
        found = await browsed(where)
    assert found.table == "vendor: Ours\nproduct code: PM10\nrevision: 3.1\nproduct name: Meter 10"
    assert found.shortfall.startswith("the device speaks no SunSpec")
    assert found.device is None
    assert served.asked == [(40000, 2), (50000, 2), (0, 2)]


async def test_a_device_that_is_silent_where_it_has_nothing_is_waited_for() -> None:
    served = Served(inverter(0))
    served.silent = lambda at, _: at >= 40000
    async with serving(served) as where:
        found = await browsed(where, timeout_s=0.2)
    assert "SunSpec at 0: 3 models" in found.table


async def test_silence_and_a_closed_port_are_said() -> None:
    served = Served({})
    served.silent = lambda _at, _count: True
    served.answer = lambda _: None  # type: ignore[method-assign]  # says nothing at all
    async with serving(served) as where:
        with pytest.raises(Refused, match=r"unit 1 did not answer within 0\.1 s"):
            await browsed(where, timeout_s=0.1)
    with pytest.raises(LinkLost):
        await browsed(where, timeout_s=0.1)


async def test_a_device_that_goes_away_in_the_midst_is_said() -> None:
    served = Served(inverter())
    served.silent = lambda at, count: (at, count) == (40070, 52)
    async with serving(served) as where:
        with pytest.raises(Refused, match="did not answer"):
            await browsed(where, timeout_s=0.1)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("tcp://?unit=1", "names no host"),
        ("tcp://h?unit=256", "`unit=256` of .* is no number from 0 to 255"),
        ("tcp://h?unit=one", "`unit=one`"),
        ("tcp://h?units=1", "says more than tcp://host:port"),
        ("tcp://h?unit=1&max_registers=0", "is no number from 1 to 125"),
        ("tcp://h:0x?unit=1", "port"),
        ("tcp://h/x?unit=1", "says more than"),
        ("tcps://h?unit=1", "needs, &ca=FILE&cert=FILE&key=FILE"),
        ("tcps://h?unit=1&ca=a&cert=b", "needs, &ca=FILE"),
        ("tcp://h?ca=a&cert=b&key=c", "tcps:// alone takes"),
        ("tcp://h?server_name=h", "tcps:// alone takes"),
        ("rtu+tcp://h?unit=1", "has no port of its own"),
        ("serial:///dev/null?baud=x&unit=1", "baud"),
    ],
)
def test_a_url_that_names_no_unit_is_refused(url: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        target(url)


def test_certificates_that_are_not_there_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["browse", "tcps://127.0.0.1:9?unit=1&ca=/no/ca&cert=/no/cert&key=/no/key"]) == 1
    assert "TLS files" in capsys.readouterr().err


def test_a_url_may_say_no_more_than_the_host() -> None:
    assert target("tcp://10.0.0.7") == Target("tcp://10.0.0.7", Tcp("10.0.0.7"))
    assert target("tcp://[::1]:1502?unit=7&gap_ms=50").url == "tcp://[::1]:1502"


def test_options_of_the_line_stay_with_it() -> None:
    where = target("serial:///dev/ttyUSB0?baud=9600&unit=7&rs485=2,2")
    assert (where.url, where.unit) == ("serial:///dev/ttyUSB0?baud=9600&rs485=2,2", 7)


async def test_a_device_that_asks_for_rests_gets_them() -> None:
    served = Served(image(encoded(1, COMMON)))
    times: list[float] = []
    served.changes = lambda _at, _count: times.append(time.monotonic())
    async with serving(served) as where:
        found = await browsed(where, "unit=1&gap_ms=40")
    assert min(late - early for early, late in pairwise(times)) > 0.035
    assert found.device is not None
    assert found.device.settings["quirks"] == {"request_gap_s": 0.04}


async def test_the_files_that_it_writes_are_ones_that_check_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with pymodbus_serving(hr=inverter()) as (host, port):
        url = f"tcp://{host}:{port}?unit=1"
        asked = ["browse", url, "--output", str(tmp_path), "--id", "inv1", "--site", "pv"]
        assert await asyncio.to_thread(main, asked) == 0
        assert await asyncio.to_thread(main, asked) == 1  # it overwrites nothing
    said = capsys.readouterr()
    assert "inv1: " in said.err
    assert "Ours Inverter 10 0815" in said.err
    assert await asyncio.to_thread(main, ["check", str(tmp_path / "site.yaml")]) == 0
    with (tmp_path / "points" / "inv1.csv").open(newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert rows["m103_aphb"] == {
        "id": "m103_aphb", "name": "Amps PhaseB", "description": "Inverter (Three Phase): AphB",
        "phase": "B", "kind": "measurement", "address": "hr 40074", "type": "u16 na",
        "sf": "hr 40076", "unit": "A", "states": "", "scan": "",
    }  # fmt: skip
    kinds = {name: row["kind"] for name, row in rows.items()}
    assert (kinds["m103_wh"], kinds["m103_st"], kinds["m1_sn"]) == ("counter", "status", "text")
    assert kinds["m1_da"] == "setting"
    assert rows["m103_evt1"]["states"].startswith("0=ground_fault|1=dc_over_volt|")


async def test_json_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    async with pymodbus_serving(hr=inverter()) as (host, port):
        url = f"tcp://{host}:{port}"
        assert await asyncio.to_thread(main, ["browse", url, "--format", "json"]) == 0
    models = json.loads(capsys.readouterr().out)["sunspec"]["models"]
    points = {point["id"]: point for model in models for point in model["points"]}
    assert points["m103_a"]["value"] == 43.21
    assert points["m103_tmpsnk"] == {
        "id": "m103_tmpsnk", "address": 40104, "type": "int16", "unit": "°C",
        "value": None, "why": "not implemented",
    }  # fmt: skip


async def test_without_the_definitions_models_are_numbers_and_lengths(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sunspec2", None)  # as where it is not installed
    definition.cache_clear()
    served = Served(inverter())
    async with serving(served) as where:
        found = await browsed(where)
    definition.cache_clear()
    assert "model 103, at 40070, 50 registers\n  (not known:" in found.table
    assert "pip install otgate[sunspec]" in found.shortfall
    assert found.device is None
    assert all(count == 2 for _, count in served.asked)


async def test_another_implementation_says_what_it_is() -> None:
    identity = ModbusDeviceIdentification(
        info_name={"VendorName": "Ours", "ProductCode": "PM", "MajorMinorRevision": "3.1"}
    )
    server = ModbusTcpServer(Held({3: {}}), identity=identity, address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    try:
        listening: Any = server.transport
        found = await browsed(listening.sockets[0].getsockname()[:2])
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus leaves it untyped
    assert found.document["identity"]["vendor"] == "Ours"
    assert found.document["identity"]["revision"] == "3.1"


def on_a_line(server: RtuServer, registers: dict[int, int]) -> None:
    def answer(asked: RtuAsked, say: Callable[[bytes], None]) -> None:
        words = [registers.get(at) for at in range(asked.address, asked.address + asked.count)]
        known = [word for word in words if word is not None]
        say(asked.words(*known) if len(known) == asked.count else asked.refusal(2))

    server.answers = answer


@pytest.mark.parametrize("line", [on_terminals, over_tcp])
async def test_a_device_on_a_serial_line_is_browsed(
    line: Callable[[], AbstractAsyncContextManager[RtuServer]],
) -> None:
    async with line() as server:
        on_a_line(server, image(encoded(1, COMMON), encoded(103, INVERTER), at=0))
        server.identity = b"\x0e\x01\x82\x00\x00\x01\x00\x04Ours"
        joint = "&" if "?" in server.url else "?"
        url = f"{server.url}{joint}unit=1"
        found = await asyncio.to_thread(ModbusBrowser().browse, url, 2.0)
    assert rows_of(found.table)["m103_a"] == "43.21 A Amps"
    assert found.device is not None
    assert found.device.settings["url"] == server.url
    assert found.document["identity"] == {"vendor": "Ours"}
    assert not server.noise


async def test_a_device_behind_tls_is_browsed(authority: Authority) -> None:
    ours, theirs = (
        TlsFiles(authority.ca_file, authority.certificate(name), authority.key(name))
        for name in ("client", "broker")
    )
    context = await asyncio.to_thread(tls_context, theirs, server=True)
    async with serving(Served(inverter()), context) as (_, port):
        files = f"ca={ours.authority}&cert={ours.certificate}&key={ours.key}"
        url = f"tcps://localhost:{port}?unit=1&{files}"
        found = await asyncio.to_thread(ModbusBrowser().browse, url, 5.0)
    assert rows_of(found.table)["m103_a"] == "43.21 A Amps"
    assert found.device is not None
    assert found.device.settings["tls"]["key"] == str(ours.key)
