import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from otgate.spool.files import OS, OperatingSystem
from otgate.spool.watch import Watch


class Hasty(OperatingSystem):
    """Trusts the time of a directory at once."""

    settled_ns = -1_000_000_000
    listings = 0

    def names(self, path: Path) -> list[str]:
        self.listings += 1
        return super().names(path)


@pytest.fixture(params=[OS, Hasty()], ids=["names", "stamps"])
def files(request: pytest.FixtureRequest) -> OperatingSystem:
    found: OperatingSystem = request.param
    return found


@pytest.fixture
async def watch(tmp_path: Path, files: OperatingSystem) -> AsyncIterator[Watch]:
    (tmp_path / "data").mkdir()
    watch = Watch([tmp_path / "data", tmp_path / "absent"], files)
    await watch.changed(0)
    yield watch
    watch.close()


async def took_s(watch: Watch, timeout_s: float) -> float:
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    await watch.changed(timeout_s)
    return loop.time() - start_s


async def test_nothing_new_waits_for_the_timeout(watch: Watch) -> None:
    assert 0.04 < await took_s(watch, 0.05) < 1


async def test_a_write_is_noticed_at_once(watch: Watch, tmp_path: Path) -> None:
    waiting = asyncio.create_task(took_s(watch, 30))
    await asyncio.sleep(0)
    (tmp_path / "data" / "x").write_bytes(b"1")
    assert await waiting < 0.5


async def test_what_changed_before_the_call_is_not_missed(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "data" / "x").write_bytes(b"1")
    assert await took_s(watch, 30) < 0.5


async def test_a_rename_is_noticed(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1")
    (tmp_path / "x").rename(tmp_path / "data" / "x")
    assert await took_s(watch, 30) < 0.5


async def test_a_directory_that_appears_later_is_watched(watch: Watch, tmp_path: Path) -> None:
    waiting = asyncio.create_task(took_s(watch, 30))
    await asyncio.sleep(0)
    (tmp_path / "absent").mkdir()
    assert await waiting < 0.5
    (tmp_path / "absent" / "x").write_bytes(b"2")
    assert await took_s(watch, 30) < 0.5


async def test_a_deep_directory_is_noticed_at_once_while_another_is_busy(tmp_path: Path) -> None:
    (tmp_path / "busy").mkdir()
    watch = Watch([tmp_path / "busy", tmp_path / "a" / "b" / "c"], OS)
    await watch.changed(0)
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "busy" / "x").write_bytes(b"1")
    await watch.changed(30)
    (tmp_path / "a" / "b" / "c" / "x").write_bytes(b"1")
    assert await took_s(watch, 30) < 0.5
    watch.close()


async def test_a_directory_that_begins_anew_is_watched_again(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "data").rmdir()
    (tmp_path / "data").mkdir()
    await watch.changed(30)
    await watch.changed(0.05)
    (tmp_path / "data" / "x").write_bytes(b"1")
    assert await took_s(watch, 30) < 0.5


async def test_a_parent_is_not_watched_any_longer_than_needed(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "absent").mkdir()
    await watch.changed(30)
    await watch.changed(0.05)
    (tmp_path / "stranger").write_bytes(b"1")
    assert await took_s(watch, 0.3) > 0.25


async def test_without_inotify_the_listing_notices(watch: Watch, tmp_path: Path) -> None:
    watch.close()
    (tmp_path / "data" / "x").write_bytes(b"1")
    assert await took_s(watch, 30) < 3


async def test_a_cancelled_wait_leaves_no_reader_behind(watch: Watch, tmp_path: Path) -> None:
    waiting = asyncio.create_task(watch.changed(30))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    (tmp_path / "data" / "x").write_bytes(b"1")
    assert await took_s(watch, 30) < 0.5


async def test_a_directory_whose_time_stays_is_not_listed(tmp_path: Path) -> None:
    files = Hasty()
    (tmp_path / "x").write_bytes(b"1")
    watch = Watch([tmp_path], files)
    await watch.changed(0)
    listings = files.listings
    await watch.changed(1.2)
    assert files.listings == listings
    watch.close()


async def test_without_inotify_a_file_that_grows_is_noticed_by_its_size(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1")
    watch = Watch([tmp_path], Hasty())
    watch.close()
    await watch.changed(0)
    (tmp_path / "x").write_bytes(b"12")
    assert await took_s(watch, 30) < 10


async def test_what_changes_while_nobody_waits_is_heard_once(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "data" / "x").write_bytes(b"1")
    await watch.changed(30)
    await watch.changed(0.05)
    (tmp_path / "data" / "x").write_bytes(b"12")
    await asyncio.sleep(0.02)  # the loop hears of it
    assert await took_s(watch, 30) < 0.5
    assert await took_s(watch, 0.05) > 0.04


async def test_what_is_never_asked_for_does_not_keep_the_loop_busy(
    watch: Watch, tmp_path: Path
) -> None:
    for number in range(3):
        (tmp_path / "data" / f"{number}").write_bytes(b"1")
        await asyncio.sleep(0.02)
    spent_s = time.process_time()
    await asyncio.sleep(0.5)
    assert time.process_time() - spent_s < 0.25


def test_a_watch_goes_with_the_loop_that_waits(tmp_path: Path) -> None:
    watch = Watch([tmp_path], OS)
    for number in range(3):
        asyncio.run(watch.changed(0.0))
        (tmp_path / f"{number}").write_bytes(b"1")
        asyncio.run(asyncio.wait_for(watch.changed(30), 5))
    watch.close()
