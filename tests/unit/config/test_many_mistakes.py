"""Of a file with very many mistakes the first are told, and that there are more."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons import write_site
from hostile import HEADER, LARGE, QUICK, Hostile
from otgate.cli import main
from otgate.config.diagnostic import (
    MAX_IN_ALL,
    MAX_PER_FILE,
    NOT_SHOWN,
    Diagnostics,
    Place,
    Severity,
)
from otgate.config.nearest import did_you_mean
from otgate.config.render import Form, rendered
from otgate.config.source import BLOCK, Lines, Source
from otgate.config.table import MAX_LINES, MAX_ROW, table_of
from otgate.config.yaml_text import read_yaml
from otgate.errors import MOST_MISTAKES

LIMIT_MB = 200.0
ENDLESS_S = 60
"""Of a refusal that takes a second or two: `tests/bench/check_bench.py` measures how long."""


def full(*files: str, weight: Severity = Severity.ERROR) -> Diagnostics:
    found = Diagnostics()
    for file in files:
        for line in range(1, MAX_PER_FILE + 51):
            found.say("unknown-key", Place(file, line), f"unknown key `k{line}`", severity=weight)
    return found


def test_the_first_hundred_errors_of_a_file_are_told_and_the_others_counted() -> None:
    told = full("f").sorted()
    assert [one.line for one in told[:-1]] == list(range(1, MAX_PER_FILE + 1))
    assert (told[-1].code, told[-1].severity) == (NOT_SHOWN, Severity.ERROR)
    assert told[-1].message == "50 more errors in this file are not shown"


def test_every_error_counts_whether_it_is_told_or_not() -> None:
    found = full("f")
    assert found.errors == MAX_PER_FILE + 50
    found.leave_out("f", count=7)
    found.leave_out("f", Severity.WARNING)
    assert found.errors == MAX_PER_FILE + 57


def test_many_warnings_leave_room_for_an_error() -> None:
    found = full("f", weight=Severity.WARNING)
    found.say("unknown-key", Place("f", 900), "the error")
    assert "the error" in [one.message for one in found.sorted()]
    assert "50 more warnings in this file are not shown" in rendered(found.sorted())


def test_many_files_share_a_bound() -> None:
    told = full(*(f"f{number:02}" for number in range(20))).sorted()
    assert sum(one.code != NOT_SHOWN for one in told) == MAX_IN_ALL
    assert {one.file for one in told} == {f"f{number:02}" for number in range(20)}


def test_what_was_not_looked_at_is_said() -> None:
    found = full("f")
    found.leave_unread("f")
    assert found.sorted()[-1].message == (
        "50 more errors in this file are not shown; the rest of this file was not looked at"
    )


@pytest.mark.parametrize("form", Form)
def test_every_form_tells_that_it_was_cut(form: Form) -> None:
    text = rendered(full("f").sorted(), form)
    assert "not-shown" in text
    if form is Form.JSON:
        last = json.loads(text)[-1]
        assert (last["code"], last["file"], last["line"]) == ("not-shown", "f", MAX_PER_FILE)


@given(st.text(st.sampled_from("ab\r\n"), max_size=60), st.integers(1, 9))
def test_lines_are_cut_where_they_end_whatever_the_block(text: str, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("otgate.config.source.BLOCK", block)
        lines = Lines(text)
    expected = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert list(lines) == expected
    assert [lines[number] for number in reversed(range(len(lines)))] == expected[::-1]


@given(st.text(st.sampled_from("ab\r\n"), min_size=1, max_size=60), st.data())
def test_the_place_of_a_character_is_that_of_its_line(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text) - 1))
    before = text[:offset].replace("\r\n", "\n").replace("\r", "\n").split("\n")
    place = Source("f", text).place_at(offset)
    assert (place.line, place.column) == (len(before), len(before[-1]) + 1)


def test_a_line_longer_than_a_block_is_one_line() -> None:
    lines = Lines("x" * (3 * BLOCK) + "\ny")
    assert (len(lines), len(lines[0]), lines[1]) == (2, 3 * BLOCK, "y")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("x" * (MAX_ROW + 1), 2, "longer than 64 kB"),
        ('"' + "a\n" * MAX_ROW, 2, "longer than 64 kB"),
        ("\n" * MAX_LINES, MAX_LINES + 1, "more than 100,000 lines"),
    ],
)
def test_a_table_beyond_any_real_one_ends_where_it_gets_so(
    text: str, line: int, message: str
) -> None:
    found = Diagnostics()
    list(table_of(Source("p.csv", HEADER + text)).rows(found))
    (one,) = found
    assert (one.code, one.line) == ("file-too-large", line)
    assert message in one.message


def test_a_table_of_the_longest_row_is_read() -> None:
    found = Diagnostics()
    rows = list(table_of(Source("p.csv", HEADER + "x" * (MAX_ROW - 1) + "\n")).rows(found))
    assert (len(rows), len(found)) == (2, 0)


def test_yaml_is_read_no_further_than_its_hundredth_mistake() -> None:
    found = Diagnostics()
    assert read_yaml(Source("f", "a: 1\n" * 5000), found) is None
    assert [one.code for one in found.sorted()] == ["duplicate-key"] * 100 + ["not-shown"]


def test_of_very_many_words_none_is_suggested() -> None:
    known = [f"feeder{number}" for number in range(1001)]
    assert did_you_mean("feedr5", known[:1000]) == "did you mean `feeder5`?"
    assert did_you_mean("feedr5", known).endswith("and 989 more")


MEASURED = """
import sys
from otgate.cli import main
code = main(["check", sys.argv[1], "--format", "json"])
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(code, int(peak.split()[1]) / 1000, file=sys.stderr)
"""


def refused(site: Path) -> tuple[str, float]:
    """Check a site in a process of its own: what it says, and its peak in MB."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, site],
        capture_output=True, text=True, check=True, timeout=ENDLESS_S,
    )  # fmt: skip
    code, peak_mb = done.stderr.split()
    assert code == "1"
    return done.stdout, float(peak_mb)


def test_rows_without_end_are_refused_in_little(tmp_path: Path) -> None:
    bounded(tmp_path, LARGE["rows"])


def test_a_map_that_is_wrong_throughout_is_planned_once_and_not_to_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = write_site(tmp_path, 1883)
    rows = "".join(f"p{n},N,measurement,zz {n},u16,,,,\n" for n in range(MOST_MISTAKES + 50))
    (site / "points/f1.csv").write_text(HEADER + rows)
    assert main(["check", str(site), "--format", "json"]) == 1
    said = json.loads(capsys.readouterr().out)
    addresses = [one["line"] for one in said if one["code"] == "bad-address"]
    assert addresses == list(range(2, MAX_PER_FILE + 2))
    assert said[-1]["message"] == (
        "900 more errors in this file are not shown; the rest of this file was not looked at"
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*LARGE} - {"rows"}))
def test_whatever_is_large_and_wrong_is_refused_in_little(tmp_path: Path, name: str) -> None:
    bounded(tmp_path, LARGE[name])


def bounded(folder: Path, hostile: Hostile) -> None:
    site = write_site(folder, 1883)
    (site / hostile.file).write_bytes(hostile.content)
    said, peak_mb = refused(site)
    codes = [one["code"] for one in json.loads(said)]
    assert hostile.code in codes
    assert len(codes) <= MAX_PER_FILE + 20
    assert peak_mb < LIMIT_MB


@pytest.mark.parametrize("name", QUICK)
def test_what_is_small_and_hostile_is_refused_at_its_place(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    site, hostile = write_site(tmp_path, 1883), QUICK[name]
    (site / hostile.file).write_bytes(hostile.content)
    assert main(["check", str(site), "--format", "json"]) == 1
    said = {one["code"]: one for one in json.loads(capsys.readouterr().out)}
    assert said[hostile.code]["file"].endswith(hostile.file)
