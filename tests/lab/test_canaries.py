"""Of what is denied not one token is anywhere in the IT zone, whatever happens to both sides."""

from pathlib import Path

import pytest

from canary_devices import Misdeed
from canary_site import CONDUITS, DEVICES
from canary_world import World, world
from daemons import wait_until
from otgate.errors import Refused

pytestmark = pytest.mark.lab

SPOKEN = {"messages", "wire", "spool", "memory"}
"""Where values, ids and names of what crosses are found."""
VALUES = {"whole", "real", "text 15"}


def lives_through(running: World) -> None:
    """Faults, kills, an outage, refused messages, and reloads that fail, tighten and hold."""
    for misdeed in set(Misdeed) - {Misdeed.NONE}:
        running.spoil(misdeed)
    running.broker.kill()
    running.kill(running.field)
    running.broker.start()
    running.kill(*running.buses.values())
    running.await_crossings()
    running.await_good()
    with pytest.raises(Refused, match="more would cross"):
        running.reload(swing=", swing")
    running.reload(ops="nothing")
    running.await_crossings()


def test_no_token_of_what_is_denied_reaches_any_place_of_the_it_zone(tmp_path: Path) -> None:
    with world(tmp_path) as running:
        lives_through(running)
        for conduit in CONDUITS:
            seen = running.seen(conduit)
            assert {place: running.leaks(conduit, found) for place, found in seen.items()} == {
                place: set() for place in seen
            }
            for place in SPOKEN:
                assert VALUES | {"text 0", "text 1"} <= {what for _, what in seen[place]}
            told = {point for point, _ in seen["messages"]}
            assert all(told & set(running.layout.points_of(device)) for device in DEVICES)
        refused = running.site / "state" / "bus" / "operations" / "refused.jsonl"
        assert refused.stat().st_size, "nothing was set aside, so nothing of it was looked at"


def test_a_point_that_is_allowed_after_all_is_found_in_every_place(tmp_path: Path) -> None:
    with world(tmp_path) as running:
        running.reload(swing=", swing", allow_gain=True)
        expected = {(point, "text 0") for point in running.layout.of_fate("swing")}
        wait_until(
            lambda: expected <= running.leaks("analytics", running.seen("analytics")["messages"])
        )
        seen = running.seen("analytics")
        for place in SPOKEN:
            found = running.leaks("analytics", seen[place])
            assert {point for point, _ in found} == running.layout.of_fate("swing")
            assert VALUES | {"text 0", "text 1"} <= {what for _, what in found}


@pytest.mark.slow
def test_what_was_taken_back_is_said_no_more_after_kills_either(tmp_path: Path) -> None:
    with world(tmp_path) as running:
        assert taken_back_in(running, 50)
        running.reload(ops="nothing")
        wait_until(lambda: not taken_back_in(running, 50), *running.logs)
        running.kill(*running.buses.values(), running.field)
        assert not taken_back_in(running, 200)


def taken_back_in(running: World, crossings: int) -> set[int]:
    """Return the points of operations alone that are told of in the next crossings."""
    with running.ear.lock:
        running.ear.told["operations"].clear()
    running.await_crossings(crossings)
    with running.ear.lock:
        return {
            point for point, _ in running.leaks("analytics", running.ear.told["operations"])
        } & running.layout.of_fate("ops")
