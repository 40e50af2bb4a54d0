import errno
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from audit_logs import (
    DAY_NS,
    NOON_NS,
    Clock,
    audit,
    events,
    files,
    keeping,
    lines,
    records,
    written,
)
from daemons import wait_until
from disks import fill, tmpfs
from otgate.observe.audit.book import Ends
from otgate.observe.audit.log import WAITING_BYTES, Audit
from otgate.observe.audit.proof import proved
from otgate.observe.audit.record import MAX_WHAT_BYTES, digest


def test_records_follow_each_other_over_restarts(tmp_path: Path) -> None:
    written(tmp_path, 3)
    written(tmp_path, 2)
    assert [record["seq"] for record in records(tmp_path)] == [*range(1, 8)]
    assert not proved(tmp_path).breaks


def test_a_run_that_ended_leaves_no_crash_behind(tmp_path: Path) -> None:
    written(tmp_path, 1)
    written(tmp_path, 1)
    assert "crash" not in events(tmp_path)


def test_what_was_not_ended_is_told_as_a_crash(tmp_path: Path) -> None:
    written(tmp_path, 3)
    path = files(tmp_path)[0]
    path.write_bytes(b"\n".join(lines(tmp_path)[:2]) + b"\n")
    written(tmp_path, 1)
    found = records(tmp_path)[2]
    assert (found["event"], found["what"]["last_seq"]) == ("crash", 2)
    assert not proved(tmp_path).breaks


def test_a_torn_line_is_cut_off_and_told(tmp_path: Path) -> None:
    written(tmp_path, 2)
    path = files(tmp_path)[0]
    path.write_bytes(path.read_bytes() + b'{"seq":4,"ti')
    written(tmp_path, 1)
    torn = records(tmp_path)[3]
    assert torn["event"] == "torn"
    assert torn["what"] == {"bytes": 12, "begins": '{"seq":4,"ti'}
    assert not proved(tmp_path).breaks


def test_blocks_that_a_power_cut_left_unwritten_are_cut_off(tmp_path: Path) -> None:
    written(tmp_path, 2)
    path = files(tmp_path)[0]
    whole = path.stat().st_size
    os.truncate(path, whole + (1 << 20))
    written(tmp_path, 1)
    assert records(tmp_path)[3]["what"]["bytes"] == 1 << 20
    assert path.stat().st_size < 2 * whole + 4096
    assert not proved(tmp_path).breaks


def test_a_damaged_end_is_told_and_gone_on_from(tmp_path: Path) -> None:
    written(tmp_path, 2)
    path = files(tmp_path)[0]
    path.write_bytes(path.read_bytes().replace(b'"event":"checkpoint"', b'"event":"chec\xffpoint"'))
    written(tmp_path, 1)
    told = [line for line in lines(tmp_path) if b'"damaged"' in line]
    assert b'"seq":4' in told[0]
    assert [one.line for one in proved(tmp_path).breaks] == [3]


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from audit_logs import keeping
from otgate.observe.audit.log import Audit

log = Audit(keeping(Path({directory!r})))
number = 0
while True:
    log.note("asked", number=number)
    number += 1
"""


def test_a_kill_in_the_middle_leaves_a_log_that_holds(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = KILLED.format(tests=str(Path(__file__).parents[3]), directory=str(log))
    with subprocess.Popen([sys.executable, "-c", code]) as writing:
        wait_until(lambda: log.exists() and len(lines(log)) > 2000)
        writing.kill()
    written(log, 1)
    assert "crash" in events(log)
    assert not proved(log).breaks


def test_a_new_day_has_a_file_of_its_own(tmp_path: Path) -> None:
    clock = Clock()
    with audit(tmp_path, clock=clock) as log:
        log.note("asked", number=1)
        wait_until(lambda: log.written == 1)
        clock.now_ns += DAY_NS
        log.note("asked", number=2)
    names = [path.name for path in files(tmp_path)]
    assert [name[:12] for name in names] == ["000000000001", "000000000003"]
    assert events(tmp_path) == ["asked", "checkpoint", "asked", "checkpoint"]
    assert not proved(tmp_path).breaks


def test_a_clock_that_goes_back_begins_no_file(tmp_path: Path) -> None:
    clock = Clock()
    with audit(tmp_path, clock=clock) as log:
        for _ in range(3):
            log.note("asked")
            clock.now_ns -= DAY_NS
    assert len(files(tmp_path)) == 1
    assert not proved(tmp_path).breaks


def small(directory: Path, clock: Clock, keep_s: float) -> Audit:
    return Audit(keeping(directory, 256 << 10, keep_s), clock=clock)


def filled(directory: Path, keep_s: float, step_ns: int = DAY_NS // 100) -> list[dict[str, object]]:
    """Write twice what may be kept; return what was logged."""
    clock = Clock()
    with capture_logs() as told:
        log = small(directory, clock, keep_s)
        for number in range(320):
            log.note("asked", number=number, text="x" * 1000)
            clock.now_ns += step_ns
            if number % 10 == 0:
                wait_until(lambda least=number: log.written > least)
        log.close()
    return list(told)


def test_the_oldest_files_go_when_there_is_too_much_and_it_is_recorded(tmp_path: Path) -> None:
    filled(tmp_path, keep_s=0.0)
    size = sum(path.stat().st_size for path in files(tmp_path))
    assert size < (256 << 10) + (32 << 10)
    assert records(tmp_path)[0]["seq"] > 1
    assert not proved(tmp_path).breaks


def test_a_log_that_becomes_too_short_is_an_alarm_before_and_then(tmp_path: Path) -> None:
    told = filled(tmp_path, keep_s=90 * 86400.0)
    names = [entry["event"] for entry in told]
    assert names.index("audit_filling") < names.index("audit_shortened")
    removed = next(record for record in records(tmp_path) if record["event"] == "removed")
    assert removed["what"]["too_soon"] is True


def test_what_is_old_enough_goes_without_a_word(tmp_path: Path) -> None:
    assert not filled(tmp_path, keep_s=0.0)


def test_a_file_that_is_taken_away_is_noticed(tmp_path: Path) -> None:
    with audit(tmp_path) as log:
        log.note("asked", number=1)
        wait_until(lambda: log.written == 1)
        files(tmp_path)[0].unlink()
        log.note("asked", number=2)
    assert events(tmp_path) == ["file_removed", "asked", "checkpoint"]
    assert "record 1 is missing" in str(proved(tmp_path).breaks[0])


def test_a_directory_that_is_taken_away_is_made_again(tmp_path: Path) -> None:
    place = tmp_path / "log"
    with audit(place) as log:
        log.note("asked", number=1)
        wait_until(lambda: log.written == 1)
        place.rename(tmp_path / "elsewhere")
        log.note("asked", number=2)
        wait_until(lambda: log.written == 2)
    assert not proved(tmp_path / "elsewhere").breaks


def test_a_second_writer_waits_and_says_so(tmp_path: Path) -> None:
    ends = Ends(retry_s=0.01)
    with capture_logs() as told, audit(tmp_path, ends) as first, audit(tmp_path, ends) as second:
        first.note("asked", by="first")
        wait_until(lambda: first.written == 1)
        second.note("asked", by="second")
        wait_until(lambda: second.error)
        first.close()
        wait_until(lambda: second.written == 1)
    assert [entry["event"] for entry in told] == ["audit_failing", "audit_writing"]
    assert "another process writes this log" in told[0]["error"]
    assert not proved(tmp_path).breaks


def test_checkpoints_come_after_a_while_and_are_told_outside(tmp_path: Path) -> None:
    told: list[tuple[int, str]] = []
    ends = Ends(anchor=lambda seq, head: told.append((seq, head)), checkpoint_s=0.01)
    with audit(tmp_path, ends) as log:
        log.note("asked")
        wait_until(lambda: told)
    assert told[0] == (2, digest(lines(tmp_path)[1]))


def test_many_records_get_a_checkpoint_at_once(tmp_path: Path) -> None:
    with audit(tmp_path) as log:
        for number in range(300):
            log.note("asked", number=number)
        wait_until(lambda: "checkpoint" in events(tmp_path))


def test_what_is_too_long_is_told_by_its_hash(tmp_path: Path) -> None:
    with audit(tmp_path) as log:
        log.note("asked", text="x" * MAX_WHAT_BYTES)
    assert re.fullmatch(r"[0-9a-f]{64}", records(tmp_path)[0]["what"]["sha256"])


def test_text_of_a_device_stays_in_its_line(tmp_path: Path) -> None:
    with audit(tmp_path) as log:
        log.note("device_lost", error='a\n{"seq":9}\x00"\u2028', raw=b"\xff", what=Path("/x"))
    assert records(tmp_path)[0]["what"]["error"] == 'a\n{"seq":9}\x00"\u2028'
    assert len(lines(tmp_path)) == 2


@pytest.mark.parametrize("odd", ["\udc80", 10**30, {("a", "b"): 1}, float("nan"), {1, 2}])
def test_what_is_hard_to_spell_is_recorded_all_the_same(tmp_path: Path, odd: object) -> None:
    with audit(tmp_path) as log:
        log.note("asked", odd=odd)
        log.hear("device_lost", {"odd": odd})
    assert events(tmp_path) == ["asked", "device_lost", "checkpoint"]
    assert not proved(tmp_path).breaks


def test_half_a_character_is_spelled_out(tmp_path: Path) -> None:
    with audit(tmp_path) as log:
        log.note("asked", name="\udc80")
    assert records(tmp_path)[0]["what"] == {"unspelled": "{'name': '\\udc80'}"}


def test_a_sync_that_fails_once_is_an_alarm_that_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [OSError(errno.EIO, "Input/output error")]
    sync = os.fdatasync

    def faulty(descriptor: int) -> None:
        if faults:
            raise faults.pop()
        sync(descriptor)

    with capture_logs() as told, audit(tmp_path, Ends(retry_s=0.01)) as log:
        monkeypatch.setattr(os, "fdatasync", faulty)
        log.note("asked")
        wait_until(lambda: len(told) == 2)
    assert [entry["event"] for entry in told] == ["audit_failing", "audit_writing"]
    assert events(tmp_path) == ["asked", "checkpoint"]
    assert not proved(tmp_path).breaks


def test_a_file_with_times_of_nowhere_stops_no_writer(tmp_path: Path) -> None:
    line = b'{"seq":1,"time":"soon","event":"x","what":{},"prev":"%s"}\n' % (b"0" * 64)
    (tmp_path / "000000000001-2027-01-01.jsonl").write_bytes(line * 3000)
    filled(tmp_path, keep_s=90 * 86400.0)
    assert "removed" in events(tmp_path)
    assert events(tmp_path)[-1] == "checkpoint"


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may make a file system")
    subprocess.run(tmpfs(folder)[0], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_what_a_full_disk_does_not_take_waits_and_the_rest_is_told(full_disk: Path) -> None:
    place = full_disk / "log"
    with capture_logs() as told, audit(place, Ends(retry_s=0.02)) as log:
        log.note("asked", number=0)
        wait_until(lambda: log.written == 1)
        fill(full_disk / "filler")
        count = 0
        while log._lost is None:
            count += 1
            log.note("asked", number=count, text="x" * 5000)
        assert count * 5000 < 2 * WAITING_BYTES
        wait_until(lambda: log.error)
        (full_disk / "filler").unlink()
        # the disk holds a megabyte: not all that waited
        subprocess.run(["mount", "-o", "remount,size=8m", str(full_disk)], check=True)
        wait_until(lambda: not log.error)
    lost = [record for record in records(place) if record["event"] == "records_lost"]
    assert [record["what"]["count"] for record in lost] == [1]
    assert [entry["event"] for entry in told] == ["audit_failing", "audit_writing"]
    assert told[0]["error"] == f"No space left on device: {place}"
    numbers = [r["what"]["number"] for r in records(place) if r["event"] == "asked"]
    assert numbers == [*range(count)]
    assert not proved(place).breaks


def test_a_disk_that_is_full_at_the_start_stops_nothing(full_disk: Path) -> None:
    fill(full_disk / "filler")
    with capture_logs() as told, audit(full_disk / "log", Ends(retry_s=0.02)) as log:
        log.note("start")
        wait_until(lambda: log.error)
        (full_disk / "filler").unlink()
        wait_until(lambda: log.written == 1)
    assert events(full_disk / "log")[0] == "start"
    assert told[0]["event"] == "audit_failing"


def test_closing_a_log_that_cannot_be_written_takes_no_time(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with capture_logs():
        log = Audit(keeping(tmp_path / "file" / "log"))
        log.note("start")
        wait_until(lambda: log.error)
        begun_s = time.monotonic()
        log.close()
    assert time.monotonic() - begun_s < 1.5


def test_a_log_tells_how_far_it_goes_back_and_when_it_was_last_vouched_for(tmp_path: Path) -> None:
    with audit(tmp_path, Ends(checkpoint_s=0.0), Clock(NOON_NS)) as log:
        assert (log.standing.oldest_s, log.standing.checkpoint_s) == (None, None)
        log.note("asked")
        wait_until(lambda: log.standing.checkpoint_s is not None)
        standing = log.standing
    assert standing.oldest_s == (NOON_NS - DAY_NS // 2) / 1e9
    assert standing.checkpoint_s == pytest.approx(NOON_NS / 1e9, abs=1)
    assert 0 < standing.size_bytes <= keeping(tmp_path).size_bytes


def test_what_goes_too_soon_is_counted(tmp_path: Path) -> None:
    small = Audit(keeping(tmp_path, size_bytes=40_000), clock=Clock())
    for number in range(20):
        small.note("asked", text="x" * 3000)
        wait_until(lambda: small.written > number)  # noqa: B023  it is called in the same turn
    wait_until(lambda: small.standing.shortened > 0)
    small.close()


def test_what_the_disk_refused_is_counted(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with audit(tmp_path / "file" / "log", Ends(retry_s=0.01)) as log:
        log.note("asked")
        wait_until(lambda: log.failures > 1)
        for _ in range(WAITING_BYTES // MAX_WHAT_BYTES + 8):
            log.note("asked", text="x" * (MAX_WHAT_BYTES - 100))
    assert log.lost >= 7
