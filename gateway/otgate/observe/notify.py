"""Tells a service manager how a side is: sd_notify(3), a datagram to a socket that it names."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

SOCKET = "NOTIFY_SOCKET"
WATCHDOG = "WATCHDOG_USEC"
WATCHDOG_PID = "WATCHDOG_PID"


class Notifier:
    """What the environment says of the service manager; without one nothing is told.

    Its socket is made at once: a side in its sandbox makes none any more.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get(SOCKET, "")
        self._sender = sender_to(self._address) if self._address else None
        self.watchdog_s = watchdog_s(environment)
        """Within which a sign of life is wanted; 0 where none is."""

    def tell(self, *states: str) -> None:
        """Send states such as ``READY=1``; a manager that is gone is no harm."""
        if self._sender is None:
            return
        text = "\n".join(states).encode()
        with suppress(OSError):
            if self._address.startswith("@"):
                self._sender.send(text)
            else:
                self._sender.sendto(text, self._address)

    def close(self) -> None:
        """Tell nothing any more."""
        if self._sender is not None:
            self._sender.close()
            self._sender = None


def sender_to(address: str) -> socket.socket:
    """Return a socket to send from, connected where the address is abstract.

    A sandbox would not let it be connected later.
    """
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.settimeout(0)
    if address.startswith("@"):
        with suppress(OSError):
            sender.connect(f"\0{address[1:]}")
    return sender


def watchdog_s(environment: Mapping[str, str]) -> float:
    """Return within how many seconds the service manager wants a sign of life, 0 for never."""
    given, pid = environment.get(WATCHDOG, ""), environment.get(WATCHDOG_PID, "")
    if not given.isdecimal() or (pid and pid != str(os.getpid())):
        return 0.0
    return int(given) / 1e6
