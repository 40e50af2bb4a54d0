import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest

from otgate.cli import main
from otgate.observe.control import serve
from otgate.observe.exposition import Found
from otgate.observe.metrics import BUILD, FIELD
from otgate.observe.scrape import Responder, Source
from prometheus import parsed, served

ROOT = Path(__file__).parents[3]


async def printed(
    folder: Path, *options: str, sides: tuple[str, ...] = ("field", "bus-a"), why: str = ""
) -> int:
    async def found(side: str) -> Iterable[Found]:
        return [(BUILD, ("1", side), 1)]

    run = folder / "run"
    async with (
        served(run / "field.metrics.sock", Responder(Source(lambda: found("field"), lambda: ""))),
        served(run / "bus-a.metrics.sock", Responder(Source(lambda: found("bus"), lambda: why))),
        serve(run / "field.sock", {"status": lambda _: {"side": "field"}}),
    ):
        return await asyncio.to_thread(main, [*options[:1], str(folder), *options[1:]])


async def test_every_side_is_shown_under_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await printed(tmp_path, "metrics") == 0
    told = capsys.readouterr().out
    assert [line for line in told.splitlines() if line.startswith("# side")] == [
        "# side bus-a",
        "# side field",
    ]


async def test_one_side_alone_is_what_a_scraper_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await printed(tmp_path, "metrics", "--side", "bus-a") == 0
    assert parsed(capsys.readouterr().out)["otgate_build_info"].value(side="bus") == 1


async def test_a_side_that_is_stuck_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await printed(tmp_path, "metrics", "--health", why="stuck in the mud") == 1
    assert capsys.readouterr().out == "bus-a: stuck in the mud\nfield: ok\n"


async def test_status_takes_no_metrics_for_a_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await printed(tmp_path, "status") == 0
    assert "metrics" not in capsys.readouterr().out


def test_nothing_running_is_said_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["metrics", str(tmp_path)]) == 1
    assert main(["metrics", str(tmp_path), "--side", "field"]) == 1
    told = capsys.readouterr().err
    assert "nothing runs" in told
    assert "nobody answers at" in told


def test_the_reference_page_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", "--reference"]) == 0
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    assert capsys.readouterr().out == page
    assert all(f"`{metric.name}`" in page for metric in FIELD)
