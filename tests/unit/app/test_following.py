"""The verb `trace` of a bus side."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from brokers import Mosquitto, broker
from otgate.app.following import trace_sample
from otgate.errors import Refused
from otgate.model import Lane
from otgate.observe.control import Request
from otgate.publish.message import Claim
from otgate.spool.epoch import epoch_text
from publishing import Feeder, publishing

__all__ = ["broker"]


def echo(lane: Lane, epoch: int, seq: int) -> Mapping[str, bool]:
    return {"right": (lane, epoch, seq) == (Lane.DATA, 40, 7)}


def asked(**given: Any) -> Mapping[str, bool]:
    return trace_sample(echo, Request(given, 0))


def test_a_sample_is_named_as_payloads_do() -> None:
    assert asked(lane="data", epoch=epoch_text(40), seq=7) == {"right": True}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"lane": "live", "epoch": "01JD3K7Q", "seq": 1},
        {"lane": "data", "epoch": "no", "seq": 1},
        {"lane": "data", "epoch": 7, "seq": 1},
        {"lane": "data", "epoch": "01JD3K7Q", "seq": -1},
        {"lane": "data", "epoch": "01JD3K7Q", "seq": "1"},
    ],
)
def test_what_names_no_sample_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        asked(**given)


def test_a_claim_holds_its_own_samples_alone() -> None:
    claim = Claim(Lane.DATA, 40, 10, 3)
    assert [claim.holds(Lane.DATA, 40, seq) for seq in (9, 10, 12, 13)] == [
        False,
        True,
        True,
        False,
    ]
    assert not claim.holds(Lane.EVENT, 40, 10)
    assert not claim.holds(Lane.DATA, 41, 10)


async def test_a_publisher_knows_what_the_broker_has(broker: Mosquitto, tmp_path: Path) -> None:
    feeder = Feeder(tmp_path / "spool")
    epoch = feeder.writer.epoch
    feeder.measure(times=2)
    async with publishing(tmp_path / "spool", tmp_path / "state", broker.url) as running:
        await running.until(lambda _: running.publisher.trace(Lane.DATA, epoch, 19)["acknowledged"])
        beyond = running.publisher.trace(Lane.DATA, epoch, 20)
        assert beyond == {"acknowledged": False, "in_flight": False}
        assert running.publisher.trace(Lane.DATA, epoch - 1, 20)["acknowledged"]
    feeder.close()


async def test_a_publisher_knows_what_is_under_way(broker: Mosquitto, tmp_path: Path) -> None:
    feeder = Feeder(tmp_path / "spool")
    async with publishing(tmp_path / "spool", tmp_path / "state", broker.url) as running:
        await running.until(lambda status: status["connected"] and status["messages"] > 0)
        broker.freeze()
        feeder.measure()
        await running.until(
            lambda _: running.publisher.trace(Lane.DATA, feeder.writer.epoch, 0)["in_flight"]
        )
        broker.thaw()
    feeder.close()
