"""Verdicts: written down at once, taken up again, and reported."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from otgate.config.written import as_csv
from otgate.errors import Refused
from otgate.live.record import HEADER, Entry, Record, digest, rows

ENTRY = Entry(
    "f1/ia", "Current", "A", "410", "412.3 A", {"analytics": {"spool": "412 A", "broker": "412 A"}},
    "pass", [], "", "ann", "2026-11-26T10:00:00+00:00", "map", "policy",
)  # fmt: skip


def test_a_verdict_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "new/commissioning.jsonl"
    Record(path).add(ENTRY)
    again = Record(path)
    assert again.of("f1/ia", "map") == ENTRY
    assert again.entries(["f1/ib", "f1/ia"]) == [ENTRY]


def test_a_later_verdict_counts_and_the_earlier_stays_written(tmp_path: Path) -> None:
    record = Record(tmp_path / "r")
    record.add(ENTRY)
    record.add(replace(ENTRY, verdict="fail"))
    assert [entry.verdict for entry in Record(tmp_path / "r").entries(["f1/ia"])] == ["fail"]
    assert len((tmp_path / "r").read_text().splitlines()) == 2


def test_a_skipped_point_and_one_of_another_map_are_to_be_done_again(tmp_path: Path) -> None:
    record = Record(tmp_path / "r")
    record.add(ENTRY)
    assert record.of("f1/ia", "another") is None
    record.add(replace(ENTRY, verdict="skip"))
    assert record.of("f1/ia", "map") is None


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "r").write_text('{"point": "f1/ia"}\n')
    with pytest.raises(Refused, match=r"r:1: this is no verdict .* repair or delete the line"):
        Record(tmp_path / "r")


def test_a_report_is_a_table_without_formulas() -> None:
    text = as_csv(rows([replace(ENTRY, name="=1+1", note="-5 A was seen")]))
    header, row = csv.reader(io.StringIO(text))
    assert tuple(header) == HEADER
    assert row[1] == "'=1+1"
    assert row[8] == "'-5 A was seen"
    assert row[5] == "analytics: spool 412 A, broker 412 A"
    assert digest(text) != digest(f"{text} ")
