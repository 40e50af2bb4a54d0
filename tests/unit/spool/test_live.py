from pathlib import Path
from threading import Event

from otgate.model import Lane
from otgate.spool.items import ANCHOR
from otgate.spool.reader import Live, SpoolReader
from otgate.spool.writer import SpoolWriter
from spools import AMPLE, NOW_NS, QUICK, QuickFiles, batch, catalog, committed


def opened(spool: Path) -> SpoolWriter:
    return SpoolWriter.open(
        spool, catalog(), AMPLE, files=QuickFiles(), pace=QUICK, clock=lambda: NOW_NS
    )


def until(reader: SpoolReader, state: str) -> Live:
    for _ in range(500):
        live = reader.newest_live()
        if live is not None and live.states.get("f3") == state:
            return live
        Event().wait(0.005)
    raise AssertionError(f"never saw {state}")


def test_the_newest_sign_of_life_is_read(tmp_path: Path) -> None:
    writer = opened(tmp_path / "s")
    reader = SpoolReader.open(tmp_path / "s", tmp_path / "state")
    writer.live({"f3": "starting"})
    until(reader, "starting")
    writer.live({"f3": "good"})
    assert until(reader, "good") == Live(writer.epoch, NOW_NS, {"f3": "good"})
    writer.close()
    reader.close()


def test_a_sign_of_life_carries_the_anchor_of_an_audit_log(tmp_path: Path) -> None:
    writer = opened(tmp_path / "s")
    reader = SpoolReader.open(tmp_path / "s", tmp_path / "state")
    writer.live({"f3": "good", ANCHOR: "ab" * 32})
    live = until(reader, "good")
    assert (live.anchor, live.states) == ("ab" * 32, {"f3": "good"})
    writer.close()
    reader.close()


def test_a_sign_of_life_overtakes_a_backlog(tmp_path: Path) -> None:
    writer = opened(tmp_path / "s")
    reader = SpoolReader.open(tmp_path / "s", tmp_path / "state")
    for _ in range(2000):
        writer.append(Lane.DATA, batch([1.0]))
    writer.live({"f3": "good"})
    until(reader, "good")
    assert reader.complete_through(Lane.DATA).seq == 0
    writer.close()
    reader.close()


def test_signs_of_life_are_not_synced(tmp_path: Path) -> None:
    writer = opened(tmp_path / "s")
    reader = SpoolReader.open(tmp_path / "s", tmp_path / "state")
    writer.live({"f3": "good"})
    until(reader, "good")
    assert writer.status().syncs == 0
    assert writer.status().buffered_bytes == 0
    writer.close()
    reader.close()


def test_after_a_restart_the_new_writers_life_counts(tmp_path: Path) -> None:
    reader = SpoolReader.open(tmp_path / "s", tmp_path / "state")
    for state in ("one", "two", "three"):
        writer = opened(tmp_path / "s")
        writer.live({"f3": state})
        assert until(reader, state).epoch == writer.epoch
        writer.close()
    reader.close()


def test_two_liveness_segments_are_kept(tmp_path: Path) -> None:
    for _ in range(5):
        opened(tmp_path).close()
    assert len(list((tmp_path / "live").iterdir())) == 2


def test_a_long_life_rotates(tmp_path: Path) -> None:
    writer = opened(tmp_path / "s")
    reader = SpoolReader.open(tmp_path / "s", tmp_path / "state")
    for number in range(40):
        writer.live({"f3": str(number), "f4": "x" * 4000})
        until(reader, str(number))
    assert committed(writer, writer.append(Lane.DATA, batch([1.0])))
    assert len(list((tmp_path / "s" / "live").iterdir())) == 2
    writer.close()
    reader.close()
