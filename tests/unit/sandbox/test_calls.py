"""The filter of system calls, run by an interpreter of its own for both kinds of processors."""

import errno

import pytest

from otgate.sandbox.calls import (
    ALLOW,
    AND,
    FAST_OPEN,
    IF_ABOVE,
    IF_ANY_BIT,
    IF_EQUAL,
    LOAD,
    MACHINES,
    NEVER,
    RETURN,
    Machine,
    program,
)

MPTCP, UDP, TCP = 262, 17, 6
UNIX, INET, INET6, NETLINK, PACKET = 1, 2, 10, 16, 17
STREAM, DGRAM, RAW, NONBLOCK = 1, 2, 3, 0o4000

machines = pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)


def judged(
    machine: Machine, call: str | int, *given: int, unix: bool = False, udp: bool = True
) -> bool:
    """Run the filter as the kernel does; tell whether the call is let through."""
    number = machine.numbers[call] if isinstance(call, str) else call
    words = {0: number, 4: machine.architecture}
    words |= {16 + 8 * at: word for at, word in enumerate(given)}
    return run(program(machine, unix=unix, datagrams=udp), words)


def run(code: list[tuple[int, int, int, int]], words: dict[int, int]) -> bool:
    at = loaded = 0
    holds = {
        IF_EQUAL: lambda constant: loaded == constant,
        IF_ABOVE: lambda constant: loaded > constant,
        IF_ANY_BIT: lambda constant: bool(loaded & constant),
    }
    while True:
        what, yes, no, constant = code[at]
        at += 1
        if what == RETURN:
            assert constant in {ALLOW, 0x0005_0000 | errno.EPERM}
            return constant == ALLOW
        if what == LOAD:
            loaded = words.get(constant, 0)
        elif what == AND:
            loaded &= constant
        else:
            at += yes if holds[what](constant) else no


@machines
@pytest.mark.parametrize("call", NEVER)
def test_what_no_side_calls_is_refused(machine: Machine, call: str) -> None:
    assert not judged(machine, call, unix=True)


@machines
def test_tcp_is_let_through_and_no_other_stream(machine: Machine) -> None:
    for family in (INET, INET6):
        assert judged(machine, "socket", family, STREAM | NONBLOCK, 0)
        assert judged(machine, "socket", family, STREAM, TCP)
        assert not judged(machine, "socket", family, STREAM, MPTCP)
        assert not judged(machine, "socket", family, RAW, TCP)
    assert not judged(machine, "socket", PACKET, RAW, 0)


@machines
def test_datagrams_are_sent_by_those_alone_who_look_names_up(machine: Machine) -> None:
    assert judged(machine, "socket", INET, DGRAM, UDP)
    assert judged(machine, "socket", NETLINK, RAW, 0)
    assert not judged(machine, "socket", INET, DGRAM, UDP, udp=False)
    assert not judged(machine, "socket", INET, DGRAM, 0, udp=False)


@machines
def test_a_unix_socket_is_made_by_the_field_side_alone(machine: Machine) -> None:
    assert judged(machine, "socket", UNIX, STREAM, 0, unix=True)
    assert not judged(machine, "socket", UNIX, STREAM, 0)
    assert judged(machine, "socketpair", UNIX, STREAM | NONBLOCK, 0)
    assert not judged(machine, "socketpair", UNIX, DGRAM, 0)


@machines
@pytest.mark.parametrize(("call", "flags"), [("sendto", 3), ("sendmsg", 2), ("sendmmsg", 3)])
def test_sending_does_not_connect(machine: Machine, call: str, flags: int) -> None:
    nothing = [0] * flags
    assert judged(machine, call, *nothing, 0x4000)
    assert not judged(machine, call, *nothing, 0x4000 | FAST_OPEN)


@machines
def test_calls_of_another_numbering_are_refused(machine: Machine) -> None:
    assert judged(machine, 1)
    assert not judged(machine, 1 | 0x4000_0000)
    assert not run(program(machine, unix=True, datagrams=True), {0: 1, 4: 0x4000_0003})
