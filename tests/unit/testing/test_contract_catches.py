"""The contract kit fails a driver that breaks a clause: the guide's driver, broken once each."""

import asyncio
from types import ModuleType
from typing import Any

import pytest

from otgate.driver import Driver
from otgate.errors import LinkLost
from tally import TallyKeeps, printed, run

BREACHES: dict[str, tuple[str, str, str]] = {
    "answers are not matched": (
        "if words[0] == number:",
        "if words[0]:",
        "test_a_cancelled_scan_does_not_shift_later_ones",
    ),
    "a refusal is good": (
        "REFUSED if word",
        "0 if word",
        "test_a_refused_point_is_invalid_and_the_others_are_read",
    ),
    "a reply is decoded anew each time": (
        "if batch is None or raw != words:",
        "if True:",
        "test_an_unchanged_reply_is_emitted_as_the_same_columns",
    ),
    "the device is waited for too long": (
        "asyncio.timeout(timeout_s)",
        "asyncio.timeout(None)",
        "test_silence_is_a_timeout_or_a_lost_link",
    ),
    "a closed connection is not a lost link": (
        "except (ConnectionError, asyncio.IncompleteReadError, ValueError)",
        "except (ConnectionError, ValueError)",
        "test_a_connection_closed_in_a_scan_is_a_lost_link_at_once",
    ),
    "a closed port is not a lost link": (
        "except OSError as error:",
        "except KeyError as error:",
        "test_a_closed_port_is_a_lost_link",
    ),
    "a task is left behind": (
        "            writer.close()",
        "            writer.close(), asyncio.ensure_future(asyncio.sleep(9))",
        "test_leaving_closes_the_connection",
    ),
    "quality is signed": (
        "np.uint32)",
        "np.int64)",
        "test_a_scan_emits_every_point_well_formed",
    ),
    "a point is forgotten": (
        "if point.scan == name]",
        "if point.scan == name][:1]",
        "test_a_plan_covers_each_point_once",
    ),
    "bad addresses are accepted": (
        "if not point.address.isalnum()",
        "if False",
        "test_a_plan_names_its_mistakes",
    ),
    "unknown keys are ignored": (
        'extra="forbid"',
        'extra="ignore"',
        "test_its_settings_refuse_unknown_keys",
    ),
    "something is written": (
        "request = Request(text, ",
        'request = Request(text.replace("read", "write"), ',
        "test_it_writes_nothing_that_it_does_not_list",
    ),
}


LET_THROUGH = (LinkLost, asyncio.IncompleteReadError, OSError)
"""What a broken driver raises where the clause allows nothing."""


def broken(right: str, wrong: str) -> ModuleType:
    source = printed()
    assert right in source, "the guide changed; so must this case"
    return run(source.replace(right, wrong))


@pytest.mark.parametrize("breach", BREACHES)
async def test_a_breach_is_caught(breach: str) -> None:
    right, wrong, clause = BREACHES[breach]
    module = broken(right, wrong)

    class Breaches(TallyKeeps):
        answer_s = 1.0

        def driver(self) -> Driver:
            made: Driver = module.Tally()
            return made

    with pytest.raises((AssertionError, *LET_THROUGH)):
        await checked(getattr(Breaches(), clause))


async def checked(clause: Any) -> None:
    result = clause()
    if result is not None:
        await result
