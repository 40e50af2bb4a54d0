"""A subscriber that is cut off, and what it says it could not see."""

from pathlib import Path

from aiomqtt import Client, ProtocolVersion

from brokers import Mosquitto, broker
from otgate.publish.ledger import Ledger
from otgate.publish.subscribe import Joined, Received
from otgate.publish.topics import MessageClass
from otgate.testing.relay import Relay, relayed
from publishing import Feeder, Memory, publishing, subscriber

__all__ = ["broker"]


async def cut_off(relay: Relay, spool: Path, state: Path, url: str, memory: Memory) -> None:
    """Publish 20 samples: the second ten while the subscriber has no connection."""
    feeder = Feeder(spool)
    async with publishing(spool, state, url) as running:
        feeder.measure()
        await memory.until(lambda: len(memory.numbers()) == 10)
        await relay.stop()
        feeder.measure()
        await running.until(lambda status: status["samples"] == 20)
        await relay.start()
        await memory.until(lambda: memory.connections == 2)
        feeder.measure()
        await memory.until(lambda: 29 in memory.numbers())
    feeder.close()


async def test_what_is_published_while_it_is_cut_off_follows(
    broker: Mosquitto, tmp_path: Path
) -> None:
    async with relayed(("127.0.0.1", broker.port)) as relay:
        through = f"mqtt://127.0.0.1:{relay.port}"
        async with subscriber(through, session="otgate-verify-1") as memory:
            await cut_off(relay, tmp_path / "spool", tmp_path / "state", broker.url, memory)
            assert set(memory.numbers()) == set(range(30))
            assert memory.joined == [Joined.ANEW, Joined.RESUMED]


async def test_without_a_session_it_is_unseen_and_not_lost(
    broker: Mosquitto, tmp_path: Path
) -> None:
    async with (
        relayed(("127.0.0.1", broker.port)) as relay,
        subscriber(f"mqtt://127.0.0.1:{relay.port}") as memory,
    ):
        await cut_off(relay, tmp_path / "spool", tmp_path / "state", broker.url, memory)
        assert memory.joined == [Joined.ANEW, Joined.ANEW]
        ledger = Ledger()
        for number, received in enumerate(memory.messages):
            if number == memory.arrived_before[1]:
                ledger.cut_off()
            book(ledger, received)
    assert (ledger.received, ledger.unseen, ledger.lost) == (20, 10, 0)


def book(ledger: Ledger, received: Received) -> None:
    if received.address.message_class is MessageClass.DATA:
        ledger.samples(received.payload, MessageClass.DATA, 0)  # type: ignore[arg-type]


async def test_a_broker_keeps_nothing_for_one_that_left(broker: Mosquitto) -> None:
    async with subscriber(broker.url, session="otgate-verify-1"):
        pass
    anew = Again(broker.port)
    async with anew:
        assert not anew.was_there


class Again(Client):
    """Comes back under the same name and asks for its session."""

    was_there = True

    def __init__(self, port: int) -> None:
        super().__init__(
            "127.0.0.1",
            port,
            identifier="otgate-verify-1",
            protocol=ProtocolVersion.V5,
            clean_start=False,
        )

    def _on_connect(self, client, userdata, flags, reason, properties=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        self.was_there = flags.session_present
        super()._on_connect(client, userdata, flags, reason, properties)
