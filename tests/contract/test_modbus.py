"""The driver contract, kept by Modbus against pymodbus's server."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from modbus_peers import device, point, pymodbus_serving
from otgate.driver import Driver
from otgate.model import Device
from otgate.testing.contract import DriverContract
from otgate_modbus import Modbus

POINTS = (
    point("ia", "hr 100", "u16", scale=0.1, scan="fast"),
    point("ib", "hr 101", "i16", scan="fast"),
    point("energy", "hr 110", "u32"),
    point("name", "hr 120", "string(6)"),
    point("temperature", "ir 4", "f32"),
    point("cb", "di 3"),
    point("fan", "co 9"),
)
SETTINGS: dict[str, Any] = {"scans": {"fast": 0.5, "normal": 2.0}, "timeout_s": 0.4, "gap": 2}


@pytest.mark.both_loops
class TestModbus(DriverContract):
    answer_s = 2.0

    def driver(self) -> Driver:
        return Modbus()

    def device(self, host: str, port: int) -> Device:
        return device(*POINTS, host=host, port=port, **SETTINGS)

    def refused_device(self, host: str, port: int) -> tuple[Device, frozenset[str]]:
        absent = (point("gone", "hr 105"), point("far", "ir 900", "u32", scan="fast"))
        return device(*POINTS, *absent, host=host, port=port, **SETTINGS), frozenset(
            each.id for each in absent
        )

    def mistaken_device(self, host: str, port: int) -> Device:
        return device(*POINTS, point("odd", "xy 100"), host=host, port=port, **SETTINGS)

    def serving(self) -> AbstractAsyncContextManager[tuple[str, int]]:
        name = {120: 0x4652, 121: 0x4544, 122: 0x0000}
        return pymodbus_serving(
            hr={100: 4123, 101: 65000, 110: 1, 111: 34464, **name},
            ir={4: 0x420D, 5: 0x3333},
            di={3: 1},
            co={9: 0},
        )

    def writes(self, sent: bytes) -> Sequence[str]:
        requests = [sent[at : at + 12] for at in range(0, len(sent), 12)]
        return [request.hex(" ") for request in requests if request[7] not in {1, 2, 3, 4}]
