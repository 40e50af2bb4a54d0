"""The guide's driver keeps the contract, in the words in which the guide says so."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

import pytest

from otgate.driver import Driver
from otgate.model import Device
from otgate.testing.contract import DriverContract
from tally import Tally, tally_device, tally_server


@pytest.mark.both_loops
class TestTally(DriverContract):
    answer_s = 2.0

    def driver(self) -> Driver:
        return Tally()

    def device(self, host: str, port: int) -> Device:
        return tally_device(host, port, fast=["ia", "ib"], slow=["ic"])

    def refused_device(self, host: str, port: int) -> tuple[Device, frozenset[str]]:
        return tally_device(host, port, fast=["ia", "nosuch"], slow=["ic"]), frozenset({"nosuch"})

    def mistaken_device(self, host: str, port: int) -> Device:
        return tally_device(host, port, fast=["not a word"])

    def serving(self) -> AbstractAsyncContextManager[tuple[str, int]]:
        return tally_server({"ia": "412.3", "ib": "410.0", "ic": "7"})

    def writes(self, sent: bytes) -> Sequence[str]:
        return [line for line in sent.decode().splitlines() if " read " not in line]
