"""A filter of system calls: seccomp(2) with a classic BPF program that we write here.

It closes what Landlock leaves open. Landlock's ports are those of TCP sockets alone: Multipath TCP,
and TCP Fast Open, which connects by sending, pass it by; so do all unix sockets that have a path.
"""

import ctypes
import errno
import platform
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from otgate.sandbox.kernel import called

SET_MODE_FILTER = 1
ALL_THREADS = 1 << 0
"""seccomp(2): SECCOMP_FILTER_FLAG_TSYNC."""

ALLOW, REFUSE = 0x7FFF_0000, 0x0005_0000 | errno.EPERM

LOAD, AND, IF_EQUAL, IF_ABOVE, IF_ANY_BIT, RETURN = 0x20, 0x54, 0x15, 0x25, 0x45, 0x06
"""linux/bpf_common.h: a word of the call, comparisons with a constant, the end."""
INSTRUCTION = struct.Struct("<HBBI")
PROGRAM = struct.Struct("@HP")
"""``struct sock_fprog``: how many instructions, and where they are."""
Code = list[tuple[int, int, int, int]]
"""Instructions: what to do, how many to skip where a comparison holds and where not, a constant."""

NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16
"""Where in ``struct seccomp_data`` a call's parts are; an argument has two words, low first."""
X32 = 0x4000_0000
"""Above are calls of the x32 interface, which have numbers of their own."""

AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16
"""Families; the C library asks by netlink which addresses we have."""
SOCK_STREAM, SOCK_DGRAM, OF_TYPE = 1, 2, 0xF
IPPROTO_TCP, IPPROTO_UDP = 6, 17
FAST_OPEN = 0x2000_0000
"""MSG_FASTOPEN: linux/socket.h."""

NEVER = (
    "execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd",
    "io_uring_setup", "bpf", "userfaultfd", "perf_event_open",
    "init_module", "finit_module", "kexec_load", "mount", "setns", "unshare",
)  # fmt: skip
"""Executing, looking into other processes, and doors past this filter."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What calls are numbered by on one kind of processor."""

    architecture: int
    """AUDIT_ARCH of linux/audit.h."""
    seccomp: int
    numbers: Mapping[str, int]


NEW = {"io_uring_setup": 425, "pidfd_getfd": 438}
"""Calls that came after numbers were made the same everywhere."""

MACHINES = {
    "x86_64": Machine(0xC000_003E, 317, {
        "socket": 41, "socketpair": 53, "sendto": 44, "sendmsg": 46, "sendmmsg": 307,
        "execve": 59, "execveat": 322, "ptrace": 101,
        "process_vm_readv": 310, "process_vm_writev": 311,
        "bpf": 321, "userfaultfd": 323, "perf_event_open": 298,
        "init_module": 175, "finit_module": 313, "kexec_load": 246,
        "mount": 165, "setns": 308, "unshare": 272, **NEW,
    }),
    "aarch64": Machine(0xC000_00B7, 277, {
        "socket": 198, "socketpair": 199, "sendto": 206, "sendmsg": 211, "sendmmsg": 269,
        "execve": 221, "execveat": 281, "ptrace": 117,
        "process_vm_readv": 270, "process_vm_writev": 271,
        "bpf": 280, "userfaultfd": 282, "perf_event_open": 241,
        "init_module": 105, "finit_module": 273, "kexec_load": 104,
        "mount": 40, "setns": 268, "unshare": 97, **NEW,
    }),
}  # fmt: skip
"""asm/unistd_64.h and asm-generic/unistd.h."""

SENDING = {"sendto": 3, "sendmsg": 2, "sendmmsg": 3}
"""Calls that take flags of sending, and which of their arguments these are."""


def machine() -> Machine | None:
    """Return how calls are numbered here, if it is known."""
    return MACHINES.get(platform.machine())


def restrict(here: Machine, *, unix: bool, datagrams: bool) -> None:
    """Give up the calls in `NEVER`, and sockets but TCP and, if wanted, unix and UDP.

    Binds every thread of the process.

    Raises:
        OSError: the kernel refused.
    """
    code = program(here, unix=unix, datagrams=datagrams)
    held = ctypes.create_string_buffer(b"".join(INSTRUCTION.pack(*one) for one in code))
    head = PROGRAM.pack(len(code), ctypes.addressof(held))
    called(here.seccomp, SET_MODE_FILTER, ALL_THREADS, head)


def program(here: Machine, *, unix: bool, datagrams: bool) -> Code:
    """Return the filter: pieces that refuse a call, or leave it to the next."""
    number = here.numbers
    code = [*load(ARCHITECTURE), *refuse_unless(here.architecture)]
    code += [*load(NUMBER), *refuse_if(IF_ABOVE, X32 - 1)]
    for name in NEVER:
        code += refuse_if(IF_EQUAL, number[name])
    for name, flags in SENDING.items():
        code += on(number[name], [*load_argument(flags), *refuse_if(IF_ANY_BIT, FAST_OPEN)])
    code += on(number["socket"], sockets(unix=unix, datagrams=datagrams))
    if not unix:
        code += on(number["socketpair"], [*load_argument(1), *refuse_unless_type(SOCK_STREAM)])
    return [*code, (RETURN, 0, 0, ALLOW)]


def sockets(*, unix: bool, datagrams: bool) -> Code:
    """Return what judges a new socket by its family, protocol and type."""
    code = [*load_argument(0), *allow_if(AF_NETLINK), *(allow_if(AF_UNIX) if unix else [])]
    code += refuse_unless(AF_INET, AF_INET6)
    if datagrams:
        code += [*load_argument(2), *refuse_unless(0, IPPROTO_TCP, IPPROTO_UDP)]
        return [*code, *load_argument(1), *refuse_unless_type(SOCK_STREAM, SOCK_DGRAM)]
    code += [*load_argument(2), *refuse_unless(0, IPPROTO_TCP)]
    return [*code, *load_argument(1), *refuse_unless_type(SOCK_STREAM)]


def on(number: int, code: Code) -> Code:
    """Return ``code`` for one call alone."""
    return [*load(NUMBER), (IF_EQUAL, 0, len(code), number), *code, *load(NUMBER)]


def load(offset: int) -> Code:
    """Take a word of ``struct seccomp_data`` to be compared."""
    return [(LOAD, 0, 0, offset)]


def load_argument(number: int) -> Code:
    """Take the low word of a call's argument, which is all of an int."""
    return load(ARGUMENTS + 8 * number)


def refuse_if(comparison: int, constant: int) -> Code:
    """Refuse the call where the comparison holds."""
    return [(comparison, 0, 1, constant), (RETURN, 0, 0, REFUSE)]


def allow_if(constant: int) -> Code:
    """Allow the call where the word is ``constant``."""
    return [(IF_EQUAL, 0, 1, constant), (RETURN, 0, 0, ALLOW)]


def refuse_unless(*constants: int) -> Code:
    """Refuse the call where the word is none of these."""
    most = len(constants)
    jumps = [(IF_EQUAL, most - at, 0, one) for at, one in enumerate(constants)]
    return [*jumps, (RETURN, 0, 0, REFUSE)]


def refuse_unless_type(*types: int) -> Code:
    """Refuse the call where a socket's type, apart from its flags, is none of these."""
    return [(AND, 0, 0, OF_TYPE), *refuse_unless(*types)]
