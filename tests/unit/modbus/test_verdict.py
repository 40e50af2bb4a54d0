"""One test per row: what each answer does to its point and to the poll."""

import pytest

from modbus_peers import point, serving, session
from otgate.quality import Quality
from otgate_modbus.codec import Missing
from otgate_modbus.verdict import EXCEPTIONS, MISSING, Course, verdict

GONE = Quality.INVALID | Quality.NO_VALUE
TWO = (point("a", "hr 0"), point("b", "ir 0"))

MARKED = {  # AP V1.1b3 §7
    0x01: GONE | Quality.NOT_IMPLEMENTED,
    0x02: GONE | Quality.ILLEGAL_ADDRESS,
    0x03: GONE | Quality.ILLEGAL_ADDRESS,
    0x04: GONE | Quality.FAILURE,
    0x08: GONE | Quality.FAILURE,
    0x07: GONE | Quality.FAILURE,  # not in the standard, seen in old devices
    0xFF: GONE | Quality.FAILURE,
}
AWAY = {
    0x05: "still working",
    0x06: "busy",
    0x0A: "not reachable through its gateway",
    0x0B: "does not answer its gateway",
}


def test_every_exception_of_the_standard_has_a_test() -> None:
    assert set(EXCEPTIONS) <= set(MARKED) | set(AWAY)
    assert set(MISSING) == set(Missing)


@pytest.mark.parametrize("code", MARKED)
async def test_an_exception_marks_the_points_it_is_for(code: int) -> None:
    async with serving() as server, session(*TWO, port=server.port) as bench:
        server.answers = lambda asked, writer: writer.write(
            asked.refusal(code) if asked.function == 3 else asked.honest()
        )
        samples = await bench.scan()
    assert samples == {"a": (0, MARKED[code]), "b": (0, 0)}


@pytest.mark.parametrize("code", AWAY)
async def test_a_unit_that_is_away_or_busy_is_not_asked_further(code: int) -> None:
    async with serving() as server, session(*TWO, port=server.port) as bench:
        server.answers = lambda asked, writer: writer.write(asked.refusal(code))
        with pytest.raises(TimeoutError, match=AWAY[code]):
            await bench.scan()
        assert server.places() == [(3, 0, 1)]
        assert not bench.got.batches


@pytest.mark.parametrize("code", AWAY)
async def test_what_was_read_before_a_unit_went_away_counts(code: int) -> None:
    async with serving() as server, session(*TWO, port=server.port) as bench:
        server.answers = lambda asked, writer: writer.write(
            asked.refusal(code) if asked.function == 4 else asked.honest()
        )
        assert await bench.scan() == {"a": (0, 0), "b": (0, GONE | Quality.FAILURE)}


def test_data_are_good() -> None:
    assert verdict(b"\0\1") == (Course.GO_ON, Quality.GOOD, "answered")


@pytest.mark.parametrize("missing", Missing)
def test_no_answer_is_a_failure(missing: Missing) -> None:
    assert verdict(missing).quality == GONE | Quality.FAILURE
