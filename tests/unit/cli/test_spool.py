import csv
import errno
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otgate.cli import main
from otgate.model import Clock, Lane, ValueType
from otgate.quality import Quality
from otgate.spool.catalog import Catalog, CatalogDevice, CatalogPoint
from otgate.spool.epoch import epoch_text
from otgate.spool.reader import SpoolReader
from otgate.spool.writer import SpoolWriter
from spools import AMPLE, NOW_NS, QUICK, QuickFiles, acknowledge, batch, catalog, future

MINUTE_NS = 60 * 10**9
SITE = """\
config_version: 1
site: {id: sub7, gateway: gw1}
devices: [{id: f3, this: is wrong}]
spool: {directory: spools, size_mb: 10, age_h: 100}
"""
BUS = """\
config_version: 1
conduit: analytics
brokers: ["mqtt://127.0.0.1:1883"]
spool: ../spools/analytics
state: ../cursor
"""


class Box:
    """A folder as on a box: a site file, a bus file and the spool of one conduit."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.spool, self.cursor = folder / "spools" / "analytics", folder / "cursor"
        (folder / "bus").mkdir()
        (folder / "site.yaml").write_text(SITE)
        (folder / "bus" / "analytics.yaml").write_text(BUS)
        self.now_ns = NOW_NS

    def writes(self, *batches: Any, of: Catalog | None = None, lane: Lane = Lane.DATA) -> str:
        """Write a new epoch, a minute for each batch; return how it is spelled."""
        writer = SpoolWriter.open(
            self.spool,
            catalog() if of is None else of,
            AMPLE,
            files=QuickFiles(),
            pace=QUICK,
            clock=lambda: self.now_ns,
        )
        for one in batches:
            writer.append(lane, one)
            self.now_ns += MINUTE_NS
        writer.close()
        return epoch_text(writer.epoch)

    def sends(self, frames: int) -> None:
        reader = SpoolReader.open(self.spool, self.cursor, files=QuickFiles())
        acknowledge(reader, reader.read(Lane.DATA, max_frames=frames + 1))
        reader.close()

    def says(self, verb: str, *more: str | Path, where: Path | None = None, code: int = 0) -> str:
        words = [str(word) for word in (where or self.folder, *more)]
        assert main(["spool", verb, *words]) == code
        printed = self._capsys.readouterr()
        return printed.err if code else printed.out

    def rows(self, *more: str | Path, **other: Any) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.says("export", *more, **other).splitlines()]


@pytest.fixture
def box(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Box:
    return Box(tmp_path, capsys)


@pytest.fixture
def full(box: Box) -> Box:
    """Three samples in two epochs, of which the bus side has sent the first."""
    box.writes(batch([1.0]), batch([2.0]))
    box.writes(batch([3.0]))
    box.sends(1)
    return box


# ls


def test_ls_says_what_is_left_to_send(full: Box) -> None:
    told = full.says("ls")
    assert "analytics, of sub7/gw1" in told
    assert "3 samples, 2 segments" in told
    assert "2 samples left to send, the oldest spooled " in told


def test_ls_names_epochs_with_numbers_and_times(box: Box) -> None:
    epoch = box.writes(batch([1.0, 2.0]), batch([3.0]))
    [line] = [one for one in box.says("ls").splitlines() if epoch in one and "0 to 2" in one]
    assert "2025-11-21 22:50:12Z to 2025-11-21 22:51:12Z" in line


def test_ls_works_on_a_site_whose_devices_are_wrong(full: Box) -> None:
    assert "left to send" in full.says("ls", where=full.folder / "site.yaml")


def test_ls_takes_a_bus_file_and_a_bare_spool(full: Box) -> None:
    assert "left to send" in full.says("ls", where=full.folder / "bus" / "analytics.yaml")
    assert "no cursor found" in full.says("ls", where=full.spool)
    assert "left to send" in full.says("ls", "--cursor", full.cursor, where=full.spool)


def test_ls_says_how_long_an_outage_is_held(box: Box) -> None:
    box.writes(*(batch([float(n)] * 20) for n in range(30)))
    told = box.says("ls")
    assert "an hour, as in the last 29 min of samples" in told
    assert "size_mb 10 holds an outage of" in told
    assert "age_h 100 ends before that" in told
    [document] = json.loads(box.says("ls", "--format", "json"))
    assert document["hours_held"] == 100
    written = sum(lane["bytes"] for lane in document["lanes"].values())
    assert document["bytes_per_hour"] == round(written * 60 / 29)


def test_ls_names_segments_when_asked(full: Box) -> None:
    for name in (path.name for path in (full.spool / "data").glob("*.seg")):
        assert name in full.says("ls", "--segments")


def test_a_spool_of_a_newer_format_is_refused_with_the_remedy(full: Box) -> None:
    (full.spool / "data" / "7ZZZZZZZ-00000000.seg").write_bytes(future(2))
    for verb in ("ls", "show", "export"):
        assert "Run the version of otgate that wrote it" in full.says(verb, code=1)


def test_what_holds_no_spool_is_said_plainly(box: Box) -> None:
    assert "has no spool yet" in box.says("ls", code=1)
    assert "neither a site.yaml nor a spool" in box.says("ls", where=box.folder / "bus", code=1)


def test_a_file_of_another_kind_is_said_to_be_none(box: Box) -> None:
    other = box.folder / "other.yaml"
    for text in ("just: this", "root:x:0:0", "[]"):
        other.write_text(text)
        assert "is no site file, no bus file and no spool" in box.says("ls", where=other, code=1)


def test_spools_that_may_not_be_listed_are_said_to_be_closed(
    full: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    iterdir = Path.iterdir

    def closed(path: Path) -> Iterator[Path]:
        if path.name == "spools":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", closed)
    assert "Permission denied" in full.says("ls", code=1)


def test_ls_says_that_an_end_is_unreadable(full: Box) -> None:
    first = min((full.spool / "data").glob("*.seg"))
    first.write_bytes(first.read_bytes()[:-1])
    told = full.says("ls")
    assert "bytes at its end are unreadable" in told
    assert "2 samples, 2 segments" in told


def test_an_unknown_conduit_is_corrected(full: Box) -> None:
    assert "did you mean `analytics`" in full.says("ls", "--conduit", "analytic", code=1)


# show


def test_show_shows_the_newest_frames(full: Box) -> None:
    told = full.says("show", "--count", "1")
    assert "p0" in told
    assert " 3.0 " in told
    assert " 2.0 " not in told


def test_show_begins_at_a_place(box: Box) -> None:
    epoch = box.writes(batch([1.0, 2.0]), batch([3.0]), batch([4.0]))
    told = box.says("show", f"data/{epoch}/2", "--count", "1")
    assert f"data/{epoch}/2  f3" in told
    assert " 3.0 " in told
    assert " 4.0 " not in told


def test_show_says_where_the_value_is_missing_and_why(box: Box) -> None:
    lost = int(Quality.INVALID | Quality.COMM_LOST | Quality.NO_VALUE)
    box.writes(batch([0.0], quality=batch([lost], ValueType.U64).values.astype("u4")))
    assert "-                  invalid no_value comm_lost" in box.says("show")


def test_show_refuses_what_is_no_place(full: Box, capsys: pytest.CaptureFixture[str]) -> None:
    for word in ("data", "data/01JD3K7Q", "live/01JD3K7Q/1", "data/01JD3KUU/1"):
        with pytest.raises(SystemExit):
            main(["spool", "show", str(full.folder), word])
        assert "write LANE/EPOCH/SEQ" in capsys.readouterr().err


def test_show_refuses_a_count_that_is_none(full: Box, capsys: pytest.CaptureFixture[str]) -> None:
    for word in ("0", "-1", "x"):
        with pytest.raises(SystemExit):
            main(["spool", "show", str(full.folder), f"--count={word}"])
        assert "is no number from 1 on" in capsys.readouterr().err


# export


def test_export_has_every_sample_once(full: Box) -> None:
    assert [(row["point"], row["v"]) for row in full.rows()] == [("p0", v) for v in (1.0, 2.0, 3.0)]


def test_export_says_whose_time_a_sample_has(box: Box) -> None:
    device_us = NOW_NS // 1000 - 5
    column = batch([NOW_NS - 5000], ValueType.I64).values
    box.writes(batch([1.0], source_ns=column), batch([2.0], source_ns=column, clock=Clock.GATEWAY))
    box.writes(batch([3.0]))
    told = [(row["t_us"], row["clock"]) for row in box.rows()]
    assert told == [(device_us, "device"), (device_us, "gateway"), (NOW_NS // 1000, "gateway")]


def test_export_takes_a_stretch_of_time(full: Box) -> None:
    assert [row["v"] for row in full.rows("--from", "2025-11-21T22:51:00")] == [2.0, 3.0]
    assert [row["v"] for row in full.rows("--to", "2025-11-21T23:51+01:00")] == [1.0]
    assert full.rows("--from", "2h") == []


def test_export_picks_points(box: Box) -> None:
    box.writes(batch([float(n) for n in range(20)]))
    assert [row["v"] for row in box.rows("--point", "f3/p3")] == [3.0]
    assert [row["v"] for row in box.rows("--point", "f3/p1?")] == [float(n) for n in range(10, 20)]
    assert len(box.rows("--device", "f3")) == 20
    assert "no point of the spool" in box.says("export", "--point", "f3/nothing", code=1)


def test_export_of_what_is_left_is_what_the_bus_side_would_send(full: Box) -> None:
    assert [row["v"] for row in full.rows("--unacknowledged")] == [2.0, 3.0]
    refused = full.says("export", "--unacknowledged", where=full.spool, code=1)
    assert "--cursor DIR" in refused


def test_export_has_a_row_for_each_gap(box: Box) -> None:
    for value in (1.0, 2.0, 3.0):
        box.writes(batch([value, value]))
    sorted((box.spool / "data").glob("*.seg"))[1].unlink()
    [gap] = [row for row in box.rows() if "gap" in row]
    assert (gap["gap"], gap["samples"]) == ("removed", 2)
    assert len(box.rows("--point", "f3/p0")) == 3


TYPED = {
    ValueType.F64: [0.1, math.nan],
    ValueType.I64: [-7, -(1 << 62)],
    ValueType.U64: [7, (1 << 64) - 1],
    ValueType.BOOL: [True, False],
    ValueType.TEXT: ['a, "b"\n', "µ"],
}


@pytest.fixture
def typed(box: Box) -> Box:
    """Two points of every type."""
    points = [CatalogPoint(f"{kind.name.lower()}{n}", "text", kind) for kind in TYPED for n in "01"]
    of = Catalog("sub7", "gw1", "analytics", (CatalogDevice.of("f3", points),))
    index = batch(range(10), ValueType.I64).values.astype("i4")
    box.writes(
        *(
            batch(values, kind, index=index[2 * kind : 2 * kind + 2])
            for kind, values in TYPED.items()
        ),
        of=of,
    )
    return box


def test_json_lines_have_values_as_payloads_do(typed: Box) -> None:
    told = {row["point"]: row["v"] for row in typed.rows()}
    assert (told["f640"], told["f641"]) == (0.1, None)
    assert (told["i640"], told["i641"]) == (-7, str(-(1 << 62)))
    assert (told["u641"], told["bool1"]) == (str((1 << 64) - 1), False)
    assert told["text0"] == TYPED[ValueType.TEXT][0]


def test_csv_reads_back(typed: Box) -> None:
    told = list(csv.DictReader(io.StringIO(typed.says("export", "--format", "csv"))))
    assert [row["v"] for row in told[:2]] == ["0.1", ""]
    assert [row["v"] for row in told[6:8]] == ["true", "false"]
    assert [row["v"] for row in told[8:]] == TYPED[ValueType.TEXT]
    assert {row["q"] for row in told} == {"good"}


def test_parquet_keeps_every_value_exactly(typed: Box) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    path = typed.folder / "out.parquet"
    typed.says("export", "--format", "parquet", "--output", path)
    told = parquet.read_table(path).to_pylist()
    for kind, values in TYPED.items():
        column = f"v_{kind.name.lower()}"
        got = [row[column] for row in told if row[column] is not None]
        assert repr(got) == repr(values)
    assert told[0]["spooled_us"].timestamp() == NOW_NS / 1e9


def test_parquet_without_its_package_names_it(typed: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    path = typed.folder / "out.parquet"
    refused = typed.says("export", "--format", "parquet", "--output", path, code=1)
    assert "pip install 'otgate[parquet]'" in refused


def test_nothing_is_overwritten_unasked_nor_written_into_a_spool(full: Box) -> None:
    path = full.folder / "out.jsonl"
    path.write_text("mine")
    assert "--force" in full.says("export", "--output", path, code=1)
    assert path.read_text() == "mine"
    full.says("export", "--output", path, "--force")
    assert len(path.read_text().splitlines()) == 3
    inside = full.spool / "data" / "out"
    assert "outside the spool" in full.says("export", "--output", inside, code=1)
    assert not inside.exists()


def test_a_file_that_cannot_be_written_is_said(full: Box) -> None:
    nowhere = full.folder / "nowhere" / "out.jsonl"
    assert "cannot be written: No such file" in full.says("export", "--output", nowhere, code=1)


def test_nonsense_for_a_time_says_what_to_write(
    full: Box, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["spool", "export", str(full.folder), "--from", "yesterday"])
    assert "write 2026-11-26T12:00 (UTC)" in capsys.readouterr().err


def test_of_several_spools_one_has_to_be_named(full: Box) -> None:
    (full.folder / "spools" / "control" / "data").mkdir(parents=True)
    assert "--conduit (analytics, control)" in full.says("export", code=1)
    assert len(full.rows("--conduit", "analytics")) == 3
