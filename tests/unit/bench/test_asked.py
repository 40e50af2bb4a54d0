"""The table of what was asked tells the truth about each figure."""

from typing import Any

from bench.asked import CLAIMS, asked_table, fleet_table


def results(of_limit: float) -> dict[str, Any]:
    """Figures that stand at a share of every limit."""
    found: dict[str, Any] = {}
    for claim in CLAIMS:
        *folders, name = claim.path
        place = found
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = claim.most * of_limit
    return found


def verdicts(table: str) -> list[str]:
    return [line.split("  ")[-1] for line in table.splitlines()[1:]]


def test_a_figure_at_its_limit_holds() -> None:
    assert set(verdicts(asked_table(results(1)))) == {"yes"}


def test_a_figure_above_its_limit_does_not() -> None:
    above = [claim for claim in CLAIMS if claim.most]
    assert verdicts(asked_table(results(1.01))).count("NO") == len(above)


def test_a_slot_missed_is_one_too_many() -> None:
    found = results(1)
    found["fleet_50x1000_dead"]["missed_slots"] = 1
    assert verdicts(asked_table(found)).count("NO") == 1


def test_what_was_not_measured_is_not_said_to_hold() -> None:
    assert set(verdicts(asked_table({}))) == {"not measured"}


def test_a_run_has_a_line_with_a_dash_for_what_it_lacks() -> None:
    table = fleet_table({"fleet_50x1000_0pc": {"field_core_share": 0.021}, "stages": {}})
    (row,) = table.splitlines()[1:]
    assert row.startswith("50x1000_0pc")
    assert "2.1%" in row
    assert row.split().count("-") == 14
