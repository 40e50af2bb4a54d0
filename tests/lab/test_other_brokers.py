"""A whole gateway with brokers that are not Mosquitto, which are killed while it runs."""

import asyncio
from pathlib import Path

import pytest

from daemons import eventually, running, said, simulated, write_site
from other_brokers import Nats, OtherBroker, Rabbit
from publishing import subscriber

pytestmark = [pytest.mark.lab, pytest.mark.slow]


@pytest.mark.parametrize("kind", [Nats, Rabbit])
async def test_another_kind_of_broker_is_served_before_and_after_its_death(
    tmp_path: Path, kind: type[OtherBroker]
) -> None:
    with kind(tmp_path / "broker") as broker:
        site = write_site(tmp_path / "site", broker.port)
        with simulated(site) as endpoints, running(site, endpoints) as both:
            await eventually(lambda: said(site, "bus-analytics").get("samples"), 40)
            assert said(site, "bus-analytics")["protocol"] == "3.1.1"
            async with subscriber(broker.url) as memory:
                ledger = memory.audit.ledger
                await eventually(lambda: ledger.received > 20, 40)
                assert (ledger.lost, memory.audit.unreadable) == (0, {})
            await asyncio.to_thread(broker.restart)
            before = said(site, "bus-analytics")["samples"]
            await eventually(lambda: said(site, "bus-analytics").get("samples", 0) > before, 60)
            async with subscriber(broker.url) as memory:
                ledger = memory.audit.ledger
                await eventually(lambda: ledger.received > 20, 40)
                assert await asyncio.to_thread(both.stop) == 0
                await asyncio.sleep(0.5)
                assert (ledger.lost, memory.audit.unreadable) == (0, {})
                assert {account.disorder for account in ledger.accounts.values()} == {0}
