"""Fault modes of RTU, where a reply is known by its order alone, and of UDP; as for TCP.

The line is behind a terminal server (RTU over TCP). A reply that is spoilt is given up 0.5 s after
its last byte; the deadline of a poll is 0.8 s, and a poll comes every 4 s, so that a quarantine is
over by then. SL: Modbus over Serial Line V1.02. `test_modbus_fault_modes` says how rows are read.
"""

import pytest
from structlog.testing import capture_logs

from modbus_misdeeds import Mode, Outcome, outcome_of
from modbus_rogues import Do, Plot, Steps
from rtu_peers import whole

SILENCE: Steps = ()
UNREAD = "unread/unread, good/good"
LOST = "lost/lost, good/good"
CLOSED = "the server closed the connection"
BROKE = "the connection broke: Connection reset by peer"
NO_REPLY = "failing: unit 1 did not answer within 0.8 s"
ELSE = "failing: unit 1 answered something else"


def sealed(body: str) -> bytes:
    """A frame with its CRC: SL §2.5.1.2."""
    return whole(bytes.fromhex(body))


RIGHT, WRONG = sealed("01 03 02 0011"), sealed("01 03 02 0063")


def line(plot: Plot, outcome: Outcome, *, both: bool = False, period_s: float = 4.0) -> Mode:
    return Mode(plot, outcome, both=both, period_s=period_s, scheme="rtu+tcp", timeout_s=0.8)


def silent(asked: str, said: str, polls: int, **counts: int) -> Outcome:
    return Outcome(asked, said, NO_REPLY, polls, counts)


def refusing(code: int, asked: str, said: str, states: str = "") -> Mode:
    return line([(sealed(f"01 83 {code:02x}"),)], Outcome(asked, said, states, 1))


def dropped(why: str, **counts: int) -> Outcome:
    return Outcome("3|34", LOST, f"lost: {why}", 1, counts)


# What begins as the reply and is not: that was it, and it is asked for once more. The length of a
# reply is known: whatever is longer or shorter is none.

SPOILT = {
    "a wrong CRC": b"\x01\x03\x02\x00\x63\x00\x00",
    "a CRC of swapped bytes": WRONG[:-2] + WRONG[:-3:-1],
    "an exception with a wrong CRC": b"\x01\x83\x02\x00\x00",
    "no register": sealed("01 03 00"),
    "an odd byte count": sealed("01 03 03 0063 00"),
    "two registers": sealed("01 03 04 0063 0063"),
    "a reply that stops": WRONG[:5],
    "two replies at once": RIGHT + WRONG,
    "noise right after the reply": RIGHT + b"\xff\xff",
    "replies without end": WRONG * 2000,
}
AGAIN = Outcome("334", counts={"mismatched": 1, "retries": 1})
TWICE = Outcome("33 34", UNREAD, ELSE, 1, {"mismatched": 2, "retries": 1})
SPOILT_REPLIES = {
    **{f"{what}, once": line([(octets,)], AGAIN) for what, octets in SPOILT.items()},
    **{f"{what}, twice": line([(octets,)] * 2, TWICE) for what, octets in SPOILT.items()},
    "an adapter that hears itself": line([("[0:8]", Do.HONEST)], AGAIN),
    "the reply twice": line([(Do.HONEST, Do.HONEST)], AGAIN),
}

# What does not even begin as the reply: that may still come, however late. Asked is on a new
# connection, to which nothing of the old belongs, and not in this poll.

FOREIGN = {
    "another unit": sealed("02 03 02 0063"),
    "another function": sealed("01 04 02 0063"),
    "a function that is no read": sealed("01 06 0011 0063"),
    "an exception of another function": sealed("01 84 02"),
    "an exception of another unit": sealed("02 83 02"),
    "noise before the reply": b"\xff\xff" + RIGHT,
    "a break before the reply": b"\x00" + RIGHT,
    "three thousand bytes of noise": b"\xff" * 3000,
}
ANEW = Outcome("3|34", UNREAD, ELSE, 1, {"mismatched": 1})
ANEW_TWICE = Outcome("3|3|34", UNREAD, ELSE, 2, {"mismatched": 2})
FOREIGN_REPLIES = {
    **{f"{what}, once": line([(octets,)], ANEW) for what, octets in FOREIGN.items()},
    **{f"{what}, twice": line([(octets,)] * 2, ANEW_TWICE) for what, octets in FOREIGN.items()},
}

QUIET = {
    "silence once": line([SILENCE], silent("3 43", UNREAD, 1)),
    "silence in two polls": line(
        [SILENCE] * 2, silent("3 43 43", "unread/unread, failed/good, good/good", 2)
    ),
    "late replies on the next request": line(
        [(Do.HOLD_STALE,), (Do.HOLD_STALE,), (Do.TELL, Do.HONEST)],
        silent("3 43 433", "unread/unread, failed/good, good/good", 2, mismatched=1, retries=1),
    ),
    "a block that is silent, and no time for a quarantine before the next slot": line(
        [SILENCE] * 2,
        Outcome(
            "3 43 43",
            "unread/unread, failed/good, failed/unread, good/good",
            f"{NO_REPLY}, failing: unit 1 was not asked in time",
            4,
        ),
        period_s=1.0,
    ),
    "a slow reply": line([(0.3, Do.HONEST)], Outcome("34")),
    "a byte every 10 ms": line(
        [[step for octet in RIGHT for step in (bytes((octet,)), 0.01)]], Outcome("34")
    ),
}

EXCEPTIONS = {
    "exception 1, illegal function": refusing(1, "34 34", "absent/good, good/good"),
    "exception 4, server device failure": refusing(4, "34 34", "failed/good, good/good"),
    "exception 6, server device busy": refusing(
        6, "3 34", UNREAD, "failing: unit 1 is busy (exception 6)"
    ),
    "exception 11, gateway target failed to respond": refusing(
        11, "3 34", UNREAD, "failing: unit 1 does not answer its gateway (exception 11)"
    ),
}

ASKED_ON_A_NEW_ONE = Outcome("3|34", counts={"closed_idle": 1, "retries": 1})
CONNECTIONS = {
    "closed upon the request": line([(Do.CLOSE,)], dropped(CLOSED), period_s=1.0),
    "closed in the reply": line(
        [(RIGHT[:3], Do.CLOSE)], dropped(CLOSED, mismatched=1), period_s=1.0
    ),
    "closed after the reply": line([(Do.HONEST, Do.CLOSE)], dropped(CLOSED), period_s=1.0),
    "reset upon the request": line([(Do.RESET,)], dropped(BROKE), period_s=1.0),
    "half closed upon the request": line([(Do.HALF_CLOSE,)], dropped(CLOSED), period_s=1.0),
    "closed while it rests": line(
        [(Do.HONEST,), (Do.HONEST, 2.0, Do.CLOSE)],
        Outcome("34", counts={"closed_idle": 1}),
        both=True,
    ),
    "closed upon the request after a rest": line([(Do.CLOSE,)], ASKED_ON_A_NEW_ONE),
    "reset upon the request after a rest": line([(Do.RESET,)], ASKED_ON_A_NEW_ONE),
}

ON_A_LINE = {**SPOILT_REPLIES, **FOREIGN_REPLIES, **QUIET, **EXCEPTIONS, **CONNECTIONS}

# UDP: a datagram is a frame or nothing.

NO_ANSWER = "failing: unit 1 did not answer within 0.4 s"
REPEATED = {"retries": 1}


def letter(plot: Plot, outcome: Outcome) -> Mode:
    return Mode(plot, outcome, scheme="udp")


LETTERS = {
    "a datagram lost": letter([SILENCE], Outcome("334", counts=REPEATED)),
    "two datagrams lost": letter([SILENCE] * 2, Outcome("33 43", UNREAD, NO_ANSWER, 1, REPEATED)),
    "a datagram twice": letter([(Do.HONEST, Do.HONEST)], Outcome("34", counts={"late": 1})),
    "late datagrams before the next reply": letter(
        [(Do.HOLD_STALE,), (Do.HOLD_STALE,), (Do.TELL, Do.HONEST)],
        Outcome("33 43", UNREAD, NO_ANSWER, 1, {"late": 2, **REPEATED}),
    ),
    "a foreign transaction id": letter(
        [("ffff 0000 0005 01 03 02 0063",)], Outcome("334", counts={"late": 1, **REPEATED})
    ),
    "another unit": letter(
        [("[0:2] 0000 0005 02 03 02 0063",)], Outcome("334", counts={"mismatched": 1, **REPEATED})
    ),
    "a datagram cut short": letter(
        [("[0:2] 0000 0005 01 03 02 00",)], Outcome("334", counts={"malformed": 1, **REPEATED})
    ),
    "a byte count that contradicts the length": letter(
        [("[0:2] 0000 0005 01 03 04 0063",)], Outcome("334", counts={"malformed": 1, **REPEATED})
    ),
    "noise before the reply": letter(
        [(b"\xff" * 20, Do.HONEST)], Outcome("34", counts={"malformed": 1})
    ),
    "two replies in a datagram": letter(
        [("[0:2] 0000 0005 01 03 02 0011 [0:2] 0000 0005 01 03 02 0063",)],
        Outcome("34", counts={"late": 1}),
    ),
    "an empty datagram": letter([(b"", Do.HONEST)], Outcome("34")),
}


@pytest.mark.virtual_time
@pytest.mark.parametrize("name", ON_A_LINE)
async def test_what_comes_of_a_fault_on_a_line_is_known_exactly(name: str) -> None:
    with capture_logs():
        assert await outcome_of(ON_A_LINE[name]) == ON_A_LINE[name].outcome


@pytest.mark.virtual_time
@pytest.mark.parametrize("name", LETTERS)
async def test_what_comes_of_a_fault_over_udp_is_known_exactly(name: str) -> None:
    with capture_logs():
        assert await outcome_of(LETTERS[name]) == LETTERS[name].outcome
