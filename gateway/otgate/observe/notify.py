"""Tells a service manager how a side is: sd_notify(3), a datagram to a socket that it names."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

SOCKET = "NOTIFY_SOCKET"
WATCHDOG = "WATCHDOG_USEC"
WATCHDOG_PID = "WATCHDOG_PID"


class Notifier:
    """What the environment says of the service manager; without one nothing is told."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get(SOCKET, "")
        self.watchdog_s = watchdog_s(environment)
        """Within which a sign of life is wanted; 0 where none is."""

    def tell(self, *states: str) -> None:
        """Send states such as ``READY=1``; a manager that is gone is no harm."""
        if not self._address:
            return
        address = self._address
        if address.startswith("@"):
            address = f"\0{address[1:]}"
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(0)
            sender.sendto("\n".join(states).encode(), address)


def watchdog_s(environment: Mapping[str, str]) -> float:
    """Return within how many seconds the service manager wants a sign of life, 0 for never."""
    given, pid = environment.get(WATCHDOG, ""), environment.get(WATCHDOG_PID, "")
    if not given.isdecimal() or (pid and pid != str(os.getpid())):
        return 0.0
    return int(given) / 1e6
