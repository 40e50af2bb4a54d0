"""Gives up what root may do beyond others: capabilities(7)."""

import ctypes
import os
import struct

VERSION = 0x2008_0522
"""_LINUX_CAPABILITY_VERSION_3: linux/capability.h."""
HEAD = struct.Struct("=Ii")
SETS = struct.Struct("=6I")
"""Effective, permitted, inheritable, of the lower 32 capabilities and then of the upper."""

DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, NET_BIND_SERVICE, NET_RAW = 1, 2, 3, 10, 13
KEPT = sum(1 << one for one in (DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, NET_BIND_SERVICE, NET_RAW))
"""Files of another user's, where the sandbox lets them be reached, ports below 1024, and, before
Linux 5.7, connecting by one interface; raw sockets are refused by the filter of calls."""


def held() -> int:
    """Return the capabilities in effect, a bit for each."""
    lower, upper = _sets()[::3]
    return upper << 32 | lower


def give_up() -> None:
    """Keep none but `KEPT`, and of those what there is; who has no others makes no call.

    A service manager that gave none may have forbidden the call, too.

    Raises:
        OSError: the kernel refused.
    """
    effective, permitted = held(), _permitted()
    if permitted & ~KEPT:
        data = SETS.pack(effective & KEPT, permitted & KEPT, 0, 0, 0, 0)
        _called("capset", HEAD.pack(VERSION, 0), data)


def _permitted() -> int:
    lower, upper = _sets()[1::3]
    return upper << 32 | lower


def _sets() -> tuple[int, ...]:
    data = ctypes.create_string_buffer(SETS.size)
    _called("capget", HEAD.pack(VERSION, 0), data)
    return SETS.unpack(data.raw)


def _called(name: str, head: bytes, data: "bytes | ctypes.Array[ctypes.c_char]") -> None:
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    if function(head, data) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
