import asyncio
import json
from pathlib import Path

import pytest

from otgate.app.confinement import Outgrown
from otgate.app.renewal import Renewal
from otgate.config.bus import load_bus
from otgate.config.bus_compared import described, differing
from otgate.config.bus_side import BusFile
from otgate.errors import Refused
from otgate.observe.control import Request

TEXT = """\
config_version: 1
conduit: analytics
brokers: ["mqtts://broker.example"]
username: otgate
password: {credential: broker}
tls: {ca: ca.pem, key: {credential: key}, certificate: client.pem}
via: {address: 10.0.0.1}
"""
ANYBODY = Request({}, 0)


def read(path: Path, text: str = TEXT) -> BusFile:
    path.write_text(text)
    bus, found = load_bus(path)
    assert bus is not None, found
    return bus


def test_a_file_says_the_same_wherever_it_is_read_from_and_through_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = described(read(tmp_path / "analytics.yaml"))
    monkeypatch.chdir(tmp_path)
    assert described(read(Path("analytics.yaml"))) == json.loads(json.dumps(said)) == said


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("broker.example", "other.example", "brokers"),
        ("10.0.0.1", "10.0.0.2", "via"),
        ("{credential: broker}", "{credential: other}", "password"),
        ("ca.pem", "other.pem", "tls"),
        ("username: otgate", "username: otgate\nbacklog: {order: strict}", "backlog"),
    ],
)
def test_each_key_that_says_something_else_is_named(
    tmp_path: Path, old: str, new: str, key: str
) -> None:
    before = described(read(tmp_path / "analytics.yaml"))
    after = described(read(tmp_path / "analytics.yaml", TEXT.replace(old, new)))
    assert differing(before, after) == [key]


async def test_a_side_that_is_asked_to_ends_to_be_started_again(tmp_path: Path) -> None:
    renewal = Renewal(read(tmp_path / "analytics.yaml"), attended=True)
    wanted = asyncio.ensure_future(renewal.wanted())
    await asyncio.sleep(0)
    assert not wanted.done()
    renewal.renew(ANYBODY)
    with pytest.raises(Outgrown):
        await wanted


async def test_a_side_that_nobody_starts_again_refuses_to_end(tmp_path: Path) -> None:
    renewal = Renewal(read(tmp_path / "analytics.yaml"), attended=False)
    wanted = asyncio.ensure_future(renewal.wanted())
    with pytest.raises(Refused, match="nobody starts this bus side again"):
        renewal.renew(ANYBODY)
    await asyncio.sleep(0)
    assert not wanted.done()
    wanted.cancel()
