"""What a conduit with a delay lets out, when, and what it does not; on real spools."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import pytest
from structlog.testing import capture_logs

from delays import CB, IA, IB, KWH, SECOND_NS, Plant, without_waiting
from otgate.app.delay.hold import Hold
from otgate.app.delay.states import MOST, LateStates
from otgate.app.delay.waiting import Exit, Release, Waiting
from otgate.app.field import Signs
from otgate.model import Lane
from otgate.observe.audit.anchor import Shown
from otgate.spool.writer import SpoolWriter


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plant]:
    without_waiting(monkeypatch)
    made = Plant(tmp_path / "site")
    yield made
    made.egress.close()


async def test_what_crosses_waits_the_delay_and_no_less(plant: Plant) -> None:
    await plant.measure(IA, CB)
    assert await plant.after(59.9) == []
    assert await plant.after(0.1) == [1, 2]
    assert not plant.hold.waiting


async def test_what_came_after_the_last_look_is_not_looked_for_late(plant: Plant) -> None:
    await plant.measure(IA)
    assert await plant.after(10) == []
    await plant.measure(IB)
    assert await plant.after(60) == [1, 2]


async def test_samples_keep_their_order_and_their_times(plant: Plant) -> None:
    for _ in range(5):
        await plant.measure(IA, CB, IB)
        plant.passes(1)
    assert await plant.after(120) == [1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 2, 5, 8, 11, 14]


async def test_a_receipt_is_durable_once_the_private_spool_has_it(plant: Plant) -> None:
    receipt = plant.emit(CB)
    await receipt.durable(20)
    assert plant.hold.waiting == 1
    assert await plant.after(0) == []


async def test_a_clean_stop_keeps_what_waits(plant: Plant) -> None:
    await plant.measure(IA)
    plant.restart()
    plant.passes(30)
    await plant.measure(IB)
    assert await plant.after(30) == [1]
    plant.restart()
    assert await plant.after(30) == [2]


async def test_the_time_between_a_stop_and_a_start_counts(plant: Plant) -> None:
    await plant.measure(IA)
    plant.egress.close()
    plant.passes(60)
    plant.start()
    assert await plant.after(0) == [1]


@pytest.mark.parametrize("step_s", [-3e8, 3e8])
async def test_a_clock_that_is_set_releases_nothing_early_and_nothing_late(
    plant: Plant, step_s: float
) -> None:
    await plant.measure(IA)
    plant.unix_ns += int(step_s * 1e9)
    assert await plant.after(59) == []
    plant.restart()
    await plant.measure(IB)
    assert await plant.after(1) == [1]
    assert await plant.after(59) == [2]


@pytest.mark.parametrize("off_s", [-3e8, 3e8])
async def test_time_that_the_machine_was_off_does_not_count(plant: Plant, off_s: float) -> None:
    await plant.measure(IA)
    plant.passes(30)
    plant.rebooted(off_s)
    await plant.measure(IB)
    assert await plant.after(29) == []
    assert await plant.after(1) == [1]
    assert await plant.after(30) == [2]


class Killed(Exception):
    pass


def until(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.001)


@pytest.mark.parametrize("after_it", [False, True], ids=["before", "after"])
async def test_a_kill_while_samples_are_handed_on_loses_and_repeats_none(
    plant: Plant,
    monkeypatch: pytest.MonkeyPatch,
    after_it: bool,  # noqa: FBT001
) -> None:
    await plant.measure(IA, CB, IB)
    hand_on = Hold._hand_on

    def killed(hold: Hold, release: Release) -> None:
        if after_it:
            hand_on(hold, release)
            until(lambda: release.landed)
        raise Killed

    monkeypatch.setattr(Hold, "_hand_on", killed)
    plant.passes(60)
    with pytest.raises(Killed):
        await plant.settle()
    monkeypatch.undo()
    plant.killed()
    assert await plant.after(0) == [1, 3, 2]
    plant.killed()
    assert await plant.after(60) == []


async def test_a_kill_before_anything_falls_due_loses_nothing(plant: Plant) -> None:
    await plant.measure(IA, CB)
    plant.killed()
    await plant.measure(IB)
    assert await plant.after(60) == [1, 3, 2]


async def test_a_power_cut_costs_at_most_the_time_since_the_clock_was_written_down(
    plant: Plant,
) -> None:
    plant.passes(50)
    await plant.measure(IA)
    plant.boot, plant.since_boot_ns = "after the cut", 20 * SECOND_NS
    plant.killed()
    assert await plant.after(59) == []
    assert await plant.after(1) == [1]


# The policy changes while samples wait


async def test_what_was_revoked_while_it_waited_never_crosses(plant: Plant) -> None:
    await plant.measure(IA, IB, IA)
    plant.reload("policy.yaml", "tags_all: [feeder]}", 'tags_all: [feeder], point: ["*/ib"]}')
    assert await plant.after(60) == [2]
    assert plant.hold.withheld == 2
    assert not plant.hold.waiting


async def test_what_is_allowed_again_when_it_falls_due_crosses(plant: Plant) -> None:
    await plant.measure(IA, IB)
    narrow = 'tags_all: [feeder], point: ["*/ib"]}'
    plant.reload("policy.yaml", "tags_all: [feeder]}", narrow)
    plant.reload("policy.yaml", narrow, "tags_all: [feeder]}")
    assert await plant.after(60) == [1, 2]


async def test_points_that_are_numbered_otherwise_keep_their_names(plant: Plant) -> None:
    await plant.measure(IA, IB)
    plant.reload("points/f1.csv", "ia,Current A,measurement,ir 0,u16,0.1,A,fast,feeder\n", "")
    plant.passes(60)
    assert [each.point for each in await plant.crossed()] == ["ib"]


async def test_a_value_whose_unit_changed_is_not_told_under_the_new_one(plant: Plant) -> None:
    await plant.measure(IA, IB)
    plant.reload("points/f1.csv", "ir 0,u16,0.1,A", "ir 0,u16,0.1,kA")
    assert await plant.after(60) == [2]
    assert plant.hold.withheld == 1


async def test_what_falls_due_while_a_conduit_is_shut_is_withheld(plant: Plant) -> None:
    await plant.measure(IA)
    plant.passes(30)
    await plant.measure(IB)
    plant.shut["analytics"] = "stopped by root"
    plant.egress.shut_or_open()
    assert await plant.after(30) == []
    plant.shut.clear()
    plant.egress.shut_or_open()
    assert await plant.after(30) == [2]
    assert plant.hold.withheld == 1


async def test_a_longer_delay_holds_back_what_waits_already(plant: Plant) -> None:
    await plant.measure(IA)
    plant.delay(60, 90)
    assert await plant.after(60) == []
    assert await plant.after(30) == [1]


async def test_a_shorter_delay_lets_go_what_has_waited_so_long(plant: Plant) -> None:
    await plant.measure(IA)
    plant.passes(20)
    await plant.measure(IB)
    plant.delay(60, 20)
    assert await plant.after(0) == [1]
    assert await plant.after(20) == [2]


async def test_a_delay_taken_away_empties_the_spool_in_order_and_removes_it(plant: Plant) -> None:
    await plant.measure(IA)
    plant.delay(60, 0)
    await plant.measure(IB)
    assert await plant.after(0) == [1, 2]
    assert plant.way.hold is None
    assert not plant.private.exists()
    await plant.measure(IA)
    assert await plant.after(0) == [3]


async def test_a_delay_taken_away_before_a_start_empties_the_spool_too(plant: Plant) -> None:
    await plant.measure(IA)
    plant.write("policy.yaml", "delay_s: 60", "delay_s: 0")
    plant.restart()
    await plant.measure(IB)
    assert await plant.after(0) == [1, 2]
    assert not plant.private.exists()


async def test_a_delay_that_a_reload_brings_holds_what_comes_after_it(tmp_path: Path) -> None:
    plant = Plant(tmp_path / "site", delay_s=0)
    await plant.measure(IA)
    plant.delay(0, 60)
    await plant.measure(IB)
    assert await plant.after(0) == [1]
    assert await plant.after(60) == [2]
    plant.egress.close()


async def test_what_waits_is_rounded_to_a_step_that_came_after_it(plant: Plant) -> None:
    await plant.measure(IA, IA, IA, KWH)
    plant.reload("policy.yaml", "delay_s: 60", "delay_s: 60, quantize: 4")
    await plant.measure(IA)
    assert await plant.after(60) == [1, 2, 3, 4, 5]
    assert plant.values(Lane.DATA) == [0, 0, 4, 4, 4]


async def test_what_waits_for_a_conduit_that_is_gone_is_removed(plant: Plant) -> None:
    await plant.measure(IA)
    text = (plant.folder / "policy.yaml").read_text().replace("analytics", "history")
    (plant.folder / "policy.yaml").write_text(text)
    (plant.folder / "bus" / "analytics.yaml").unlink()
    with capture_logs() as logs:
        plant.egress.swap(plant.site())
    assert not plant.private.exists()
    assert {"event": "waiting_removed", "conduit": "analytics", "samples": 1}.items() <= logs[
        0
    ].items()


async def test_a_reload_while_samples_are_taken_out_judges_them_anew(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plant.measure(IA)
    plant.passes(60)
    take = Waiting.take

    def reloaded(waiting: Waiting, exit_: Exit, now_ns: int, delay_ns: int) -> Release:
        release = take(waiting, exit_, now_ns, delay_ns)
        if release.parts:
            plant.delay(60, 90)
        return release

    monkeypatch.setattr(Waiting, "take", reloaded)
    assert await plant.after(0) == []
    monkeypatch.setattr(Waiting, "take", take)
    assert await plant.after(30) == [1]


async def test_a_reload_before_samples_have_landed_repeats_and_loses_none(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plant.measure(IA, CB)
    plant.passes(60)
    with monkeypatch.context() as patch:
        patch.setattr(SpoolWriter, "wait_durable", lambda *_: None)
        assert await plant.hold.step()
    plant.reload("policy.yaml", "egress, version: 1", "egress, version: 2")
    assert await plant.after(0) == [1, 2]
    assert plant.hold.waiting == 0


# What goes wrong


async def test_samples_that_were_lost_while_they_waited_are_told_as_lost(plant: Plant) -> None:
    await plant.measure(IA)
    plant.hold.spool.miss(Lane.DATA, 7, 1, 2)
    await plant.measure(IB)
    assert await plant.after(59) == []
    assert plant.lost() == 0
    assert await plant.after(1) == [1, 2]
    assert plant.lost() == 7


async def test_a_segment_that_is_damaged_costs_what_it_held_and_says_so(plant: Plant) -> None:
    await plant.measure(IA, IA)
    plant.egress.close()
    [segment] = (plant.private / "data").iterdir()
    held = segment.read_bytes()
    segment.write_bytes(held[:-20] + bytes(20))
    plant.start()
    await plant.measure(IB)
    assert await plant.after(60) == [1, 3]
    assert plant.lost() == 0  # the private spool found it not to be there, as after a power cut


async def test_a_journal_that_is_no_use_repeats_and_loses_nothing(plant: Plant) -> None:
    await plant.measure(IA)
    plant.passes(30)
    await plant.measure(IB)
    assert await plant.after(30) == [1]
    plant.egress.close()
    (plant.private / "released.json").write_text("{}")
    with capture_logs() as logs:
        plant.start()
    assert logs[0]["event"] == "delay_journal_unreadable"
    assert await plant.after(30) == [1, 2]


async def test_the_bus_side_finds_nothing_before_its_time(plant: Plant) -> None:
    await plant.measure(IA, CB)
    await plant.settle()
    modes = {path.stat().st_mode & 0o077 for path in [plant.private, *plant.private.rglob("*")]}
    assert modes == {0}
    segments = [
        path for path in (plant.folder / "spool").rglob("*.seg") if path.parent.name != "live"
    ]
    assert len(segments) == 2
    sizes = {path: path.stat().st_size for path in segments}
    assert await plant.after(60) == [1, 2]
    assert all(path.stat().st_size > size for path, size in sizes.items())


async def test_released_segments_are_removed_from_the_disk(plant: Plant) -> None:
    plant.reload("site.yaml", "size_mb: 64", "size_mb: 1")
    for number in range(1, 21):
        await plant.burst(2000).durable(20)
        assert await plant.after(60) == [number] * 2000
    held = sum(path.stat().st_size for path in plant.private.rglob("*.seg"))
    assert held < 20 * 2000 * 12 / 2


async def test_the_status_says_how_much_waits_and_until_when(plant: Plant) -> None:
    await plant.measure(IA, CB)
    await plant.after(10)
    said = plant.hold.status()
    assert (said["delay_s"], said["waiting"], said["next_in_s"]) == (60, 2, 50.0)
    await plant.after(60)
    said = plant.hold.status()
    assert (said["waiting"], said["next_in_s"], said["withheld"]) == (0, None, 0)


async def test_a_stop_says_how_much_it_keeps(plant: Plant) -> None:
    await plant.measure(IA, CB)
    with capture_logs() as logs:
        plant.restart()
    assert [one["samples"] for one in logs if one["event"] == "waiting_kept"] == [2]


# What is told of devices


class Written(SpoolWriter):
    """Remembers the signs of life that it was given."""

    signs: ClassVar[list[Mapping[str, str]]] = []

    def live(self, states: Mapping[str, str]) -> None:
        self.signs.append(dict(states))
        super().live(states)


@pytest.fixture
def signs(monkeypatch: pytest.MonkeyPatch, plant: Plant) -> Signs:
    """Begin to write signs of life, of which `Written` knows."""
    monkeypatch.setattr(Written, "signs", [])
    plant.way.spool.__class__ = Written
    return Signs(plant.egress, Shown())


async def test_a_devices_state_is_told_as_late_as_its_samples(plant: Plant, signs: Signs) -> None:
    for state in ("good", "lost", "lost", "lost"):
        signs.write({"f1": state, "elsewhere": "good"}, due=True)
        plant.passes(30)
    assert Written.signs == [{}, {}, {"f1": "good"}, {"f1": "lost"}]


async def test_no_sign_of_life_tells_by_its_time_that_a_state_changed(
    plant: Plant, signs: Signs
) -> None:
    for state in ("good", "lost", "good", "good"):
        signs.write({"f1": state}, due=False)
        plant.passes(20)
    assert Written.signs == [{}, {"f1": "good"}]


async def test_a_device_that_may_not_be_seen_any_more_is_not_told_of(
    plant: Plant, signs: Signs
) -> None:
    signs.write({"f1": "good", "f2": "good"}, due=True)
    plant.reload("policy.yaml", "tags_all: [feeder]}", "tags_all: [feeder], device: [f2]}")
    plant.way.spool.__class__ = Written
    plant.passes(60)
    signs.write({"f1": "good", "f2": "good"}, due=True)
    assert Written.signs == [{}, {"f2": "good"}]


def test_states_that_change_all_the_time_are_held_in_bounded_memory() -> None:
    late = LateStates()
    for second in range(10_000):
        told = late.seen({"f1": str(second)}, second * SECOND_NS, 1000 * SECOND_NS)
        assert not told or second - int(told["f1"]) >= 1000
        assert len(late._changes) <= 2 * MOST
    assert second - int(told["f1"]) <= 1000 + 2 * 1000 / MOST
