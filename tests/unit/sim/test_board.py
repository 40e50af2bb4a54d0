"""The live table shows values, quality, age, and what crosses."""

from io import StringIO

import pytest
from rich.console import Console

from otgate.config.site import load_site
from otgate.driver import installed
from otgate.model import Kind
from otgate.publish.payload import Data, Sample
from otgate_sim.lab.board import Board, spelled
from otgate_sim.lab.ground import own_site
from otgate_sim.lab.tally import Stream
from otgate_sim.lab.verdicts import Verdicts
from simulated import START_NS, point

NOW_US = START_NS // 1000


@pytest.fixture(scope="module")
def verdicts() -> Verdicts:
    site = load_site(own_site() / "site.yaml", installed()).site
    assert site is not None
    return Verdicts(site)


@pytest.fixture
def board(verdicts: Verdicts) -> Board:
    return Board(verdicts, clock=lambda: START_NS)


def message(conduit: str, *samples: Sample, device: str = "f1", age_s: float = 1.0) -> Data:
    stamp = NOW_US - int(age_s * 1e6)
    return Data(
        site="lab7", gateway="gw1", conduit=conduit, device=device, lane="data", epoch="E",
        seq=0, meta="m", origin="poll", received_us=stamp, spooled_us=stamp, sent_us=stamp,
        time_us=stamp, points=list(samples),
    )  # fmt: skip


def printed(board: Board, start: str, lines: int = 200) -> str:
    paper = StringIO()
    Console(width=140, height=lines, file=paper).print(board)
    return next(line for line in paper.getvalue().splitlines() if start in line)


def test_a_sample_shows_value_unit_quality_age_and_crossing(board: Board) -> None:
    board.show(message("operations", Sample("ia", 412.3)), START_NS)
    cells = [cell.strip() for cell in printed(board, "f1/ia").split("│") if cell.strip()]
    assert cells == ["f1/ia", "412.3", "A", "good", "1.0 s", "crossed", "waiting"]


def test_a_denied_point_shows_no_value_and_the_reason(board: Board) -> None:
    line = printed(board, "p1/set_51 ")
    assert line.count("denied: kind, sensitivity") == 2


def test_a_denying_rule_is_named(board: Board) -> None:
    assert "denied: no-protection-outside" in printed(board, "p1/trip ")


def test_what_no_rule_allows_says_so(board: Board) -> None:
    assert "denied: not-allowed" in printed(board, "m2/va ")


def test_a_state_shows_its_label(board: Board) -> None:
    board.show(message("operations", Sample("cb", 2)), START_NS)
    assert "closed" in printed(board, "f1/cb ")


def test_bad_quality_and_no_value_are_shown(board: Board) -> None:
    board.show(message("operations", Sample("ia", None, ("invalid", "comm_lost"))), START_NS)
    assert "invalid comm_lost" in printed(board, "f1/ia")


def test_an_older_sample_does_not_replace_a_newer(board: Board) -> None:
    board.show(message("operations", Sample("ia", 2.0), age_s=1.0), START_NS)
    board.show(message("operations", Sample("ia", 1.0), age_s=9.0), START_NS)
    assert " 2 " in printed(board, "f1/ia")


def test_a_denied_point_that_arrives_is_shouted(board: Board) -> None:
    board.show(message("analytics", Sample("ia", 1.0), device="p1"), START_NS)
    assert "CROSSED, THOUGH DENIED" in printed(board, "p1/ia")


def test_gaps_and_counts_stand_in_the_caption(board: Board) -> None:
    board.show(message("operations", Sample("ia", 1.0), Sample("ib", 1.0)), START_NS)
    board.announce(Stream("operations", "data", "E"), 5, 7)
    caption = printed(board, "samples:")
    assert "operations 2" in caption
    assert "gaps 7" in caption


def test_a_short_screen_shows_one_page(board: Board) -> None:
    assert "of 14" in printed(board, "page", lines=20)


def test_long_numbers_are_cut_for_people() -> None:
    shown = [spelled(value, point("x")) for value in (1234.56789, None, "abc", 2**60)]
    assert shown == ["1234.57", "-", "abc", str(2**60)]


def test_a_bool_has_a_label_too() -> None:
    status = point("x", kind=Kind.STATUS, states={0: "open", 1: "closed"})
    assert spelled(value=True, point=status) == "closed"
