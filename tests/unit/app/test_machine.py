"""State that comes from another machine is noticed, once."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from otgate.app.machine import moved, this_machine


@pytest.fixture
def machines(tmp_path: Path) -> list[str]:
    found = []
    for name in ("one", "other"):
        (tmp_path / name).write_text(f"{name}\n")
        found.append(this_machine(tmp_path / name))
    return found


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_a_first_start_is_no_move(state: Path, machines: list[str]) -> None:
    assert moved(state, machines[0]) == ""
    assert moved(state, machines[0]) == ""


def test_a_copy_on_another_machine_is_said_once(state: Path, machines: list[str]) -> None:
    one, other = machines
    moved(state, one)
    with capture_logs() as logs:
        assert "Make sure that the other is off" in moved(state, other)
        assert moved(state, other) == ""
    assert [entry["event"] for entry in logs] == ["state_from_another_machine"]


def test_the_one_that_was_copied_is_told_when_its_state_comes_back(
    state: Path, machines: list[str]
) -> None:
    one, other = machines
    for machine in (one, other):
        moved(state, machine)
    assert moved(state, one)


def test_a_machine_without_an_id_says_nothing_and_forgets_nothing(
    state: Path, machines: list[str], tmp_path: Path
) -> None:
    one, other = machines
    moved(state, one)
    for text in (None, "", "\udcff"):
        place = tmp_path / "none"
        place.unlink(missing_ok=True)
        if text is not None:
            place.write_bytes(text.encode(errors="surrogateescape"))
        assert this_machine(place) == ""
    assert moved(state, "") == ""
    assert moved(state, other)


def test_the_id_itself_is_not_written_down(state: Path, tmp_path: Path) -> None:
    place = tmp_path / "id"
    place.write_text("3d1219c7c4c5404aaa1f6d2a48adfda4\n")
    moved(state, this_machine(place))
    assert b"3d1219c7" not in (state / "machine").read_bytes()


def test_a_state_that_cannot_be_written_is_said_at_the_next_start_again(
    state: Path, machines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = machines
    moved(state, one)

    def full(*_: object) -> None:
        raise OSError

    monkeypatch.setattr("otgate.app.machine.StateFile.write", full)
    assert moved(state, other)
    assert moved(state, other)
