import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from otgate.supervisor.states import States
from otgate.together import cancelled
from puppet import Puppet, device, running, until


async def loaded(directory: Path) -> States:
    states = States(directory, ["a", "b"])
    await states.load()
    return states


async def test_what_is_put_is_there_in_the_next_run(tmp_path: Path) -> None:
    states = await loaded(tmp_path / "states")
    states.of["a"].put("splits", [[0, 10], [11, 20]])
    states.of["a"].put("entry", "00ff")
    await states.save()
    again = await loaded(tmp_path / "states")
    assert again.of["a"].get("splits") == [[0, 10], [11, 20]]
    assert again.of["a"].get("entry") == "00ff"
    assert again.of["b"].get("splits") is None


async def test_what_is_put_is_kept_as_it_was(tmp_path: Path) -> None:
    states = await loaded(tmp_path)
    value = [1]
    states.of["a"].put("key", value)
    value.append(2)
    states.of["a"].get("key").append(3)
    assert states.of["a"].get("key") == [1]


async def test_a_change_is_written_without_being_asked(tmp_path: Path) -> None:
    states = await loaded(tmp_path)
    keeping = asyncio.ensure_future(states.keep())
    states.of["a"].put("key", 1)
    await until((tmp_path / "a.json").exists)
    await cancelled([keeping])
    assert (tmp_path / "a.json").read_text().rstrip() == '{"key": 1}'


async def test_the_same_value_again_is_not_written_again(tmp_path: Path) -> None:
    states = await loaded(tmp_path)
    states.of["a"].put("key", 1)
    await states.save()
    states.of["a"].put("key", 1)
    assert not states.of["a"].unsaved


@pytest.mark.parametrize("content", ["{", "[1, 2]", "\x00\x00", "", "[" * 100_000])
async def test_a_damaged_file_is_an_empty_state_and_said(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with capture_logs() as logs:
        states = await loaded(tmp_path)
    assert states.of["a"].get("key") is None
    assert [(entry["event"], entry["device"]) for entry in logs] == [
        ("device_state_unreadable", "a")
    ]


async def test_what_is_not_json_is_the_driver_s_mistake(tmp_path: Path) -> None:
    states = await loaded(tmp_path)
    with pytest.raises(TypeError):
        states.of["a"].put("key", object())


async def test_a_state_that_cannot_be_written_stays_unsaved(tmp_path: Path) -> None:
    states = await loaded(tmp_path)
    (tmp_path / "a.spare").mkdir()
    states.of["a"].put("key", 1)
    with pytest.raises(OSError, match="directory"):
        await states.save()
    (tmp_path / "a.spare").rmdir()
    await states.save()
    assert (await loaded(tmp_path)).of["a"].get("key") == 1


async def test_a_supervisor_saves_on_its_way_out(tmp_path: Path) -> None:
    driver = Puppet()
    async with running(driver, [device("a")], states=tmp_path):
        await until(lambda: driver.open)
        driver.link.state["a"].put("key", "value")
    assert (await loaded(tmp_path)).of["a"].get("key") == "value"
