"""Landlock: rules for files, TCP ports and signals that a process makes for itself.

They bind the calling thread and what it starts afterwards, and are never lifted. Which rights a
kernel can withhold is told by the version of its interface, the ABI: landlock(7).
"""

import os
import stat
import struct
from collections.abc import Iterable
from contextlib import suppress
from enum import IntFlag
from pathlib import Path

from otgate.sandbox.kernel import called
from otgate.sandbox.needs import Needs, every_process_reads

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""Numbers of the system calls, the same on x86-64 and ARM64."""
VERSION = 1
"""Flag of landlock_create_ruleset(2) that asks for the interface's version alone."""
BENEATH, PORT = 1, 2
"""Types of rules: what lies beneath a folder, and a TCP port."""

FILES_ABI, REFER_ABI, TRUNCATE_ABI, PORTS_ABI, IOCTL_ABI, SCOPES_ABI = 1, 2, 3, 4, 5, 6

ATTRIBUTES = struct.Struct("<QQQ")
"""``struct landlock_ruleset_attr``: rights over files, over ports, scopes."""
ATTRIBUTE_SIZES = ((SCOPES_ABI, 24), (PORTS_ABI, 16), (FILES_ABI, 8))
PATH_RULE = struct.Struct("<Qi")
PORT_RULE = struct.Struct("<QQ")


class Right(IntFlag):
    """What may be done to files; the order is the kernel's."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14
    IOCTL_DEV = 1 << 15


READ = Right.READ_FILE | Right.READ_DIR
WRITE = (
    READ
    | Right.WRITE_FILE
    | Right.TRUNCATE
    | Right.REMOVE_DIR
    | Right.REMOVE_FILE
    | Right.MAKE_DIR
    | Right.MAKE_REG
    | Right.REFER
)
"""No link, pipe, socket or device is made, and nothing executed."""
DEVICE = Right.READ_FILE | Right.WRITE_FILE | Right.READ_DIR | Right.IOCTL_DEV
OF_A_FILE = Right.EXECUTE | Right.WRITE_FILE | Right.READ_FILE | Right.TRUNCATE | Right.IOCTL_DEV
"""What a rule for a file that is no folder may give."""

BIND, CONNECT = 1 << 0, 1 << 1
ABSTRACT_SOCKETS, SIGNALS = 1 << 0, 1 << 1


def version() -> int:
    """Return the version of the kernel's Landlock interface; 0 where it has none for us."""
    with suppress(OSError):
        return called(CREATE_RULESET, None, 0, VERSION)
    return 0


def withheld(abi: int) -> Right:
    """Return every right over files that this version of the interface can withhold."""
    newest = {FILES_ABI: Right.MAKE_SYM, REFER_ABI: Right.REFER, TRUNCATE_ABI: Right.TRUNCATE}
    last = Right.IOCTL_DEV if abi >= IOCTL_ABI else newest[min(abi, TRUNCATE_ABI)]
    return Right(2 * last - 1)


def restrict(needs: Needs, abi: int) -> None:
    """Give up whatever ``needs`` does not name, as far as version ``abi`` of the interface goes.

    What is not there cannot be named: it stays out of reach when it appears.

    Raises:
        OSError: the kernel refused.
    """
    ports = BIND * (needs.listen is not None) | CONNECT * (needs.connect is not None)
    attributes = ATTRIBUTES.pack(withheld(abi), ports, ABSTRACT_SOCKETS | SIGNALS)
    size = next(size for least, size in ATTRIBUTE_SIZES if abi >= least)
    rules = called(CREATE_RULESET, attributes[:size], size, 0)
    try:
        _allow_files(rules, needs, withheld(abi))
        if abi >= PORTS_ABI:
            _allow_ports(rules, needs.connect or (), CONNECT)
            _allow_ports(rules, needs.listen or (), BIND)
        called(RESTRICT_SELF, rules, 0)
    finally:
        os.close(rules)


def _allow_files(rules: int, needs: Needs, known: Right) -> None:
    read = [*every_process_reads(), *needs.read]
    for paths, rights in ((read, READ), (needs.write, WRITE), (needs.devices, DEVICE)):
        for path in paths:
            _allow(rules, path, rights & known)


def _allow(rules: int, path: Path, rights: Right) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # it is not there, or not for us: no rule can let us have it
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= OF_A_FILE
        called(ADD_RULE, rules, BENEATH, PATH_RULE.pack(rights, place), 0)
    finally:
        os.close(place)


def _allow_ports(rules: int, ports: Iterable[int], right: int) -> None:
    for port in ports:
        called(ADD_RULE, rules, PORT, PORT_RULE.pack(right, port), 0)
