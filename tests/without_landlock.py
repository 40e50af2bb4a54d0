"""Runs a command as on a kernel without Landlock: its first call answers that it does not exist.

python without_landlock.py COMMAND...
"""

import ctypes
import errno
import os
import sys

from otgate.sandbox import calls, landlock
from otgate.sandbox.kernel import called, gain_no_privileges

if __name__ == "__main__":
    here = calls.machine()
    assert here is not None
    code = [
        *calls.load(calls.NUMBER),
        (calls.IF_EQUAL, 0, 1, landlock.CREATE_RULESET),
        (calls.RETURN, 0, 0, 0x0005_0000 | errno.ENOSYS),
        (calls.RETURN, 0, 0, calls.ALLOW),
    ]
    held = ctypes.create_string_buffer(b"".join(calls.INSTRUCTION.pack(*one) for one in code))
    gain_no_privileges()
    head = calls.PROGRAM.pack(len(code), ctypes.addressof(held))
    called(here.seccomp, calls.SET_MODE_FILTER, 0, head)
    os.execv(sys.argv[1], sys.argv[1:])
