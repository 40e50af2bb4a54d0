"""Who may use a report control block: Resv, ResvTms and Owner, IEC 61850-7-2."""

from dataclasses import dataclass

from otgate_sim.iec61850.holding import Client

NS = 1_000_000_000


@dataclass(slots=True)
class Reservation:
    """The client that has a block, and how long it stays its own once the client is gone."""

    default_s: int = 0
    client: Client | None = None
    address: bytes = b""
    """The owner's network address; empty where nobody has the block."""
    seconds: int = 0
    """ResvTms; -1 means: reserved by configuration, for ``address`` alone."""
    until: int | None = None
    """When a lost client's reservation ends, in ns."""

    def admits(self, client: Client, now: int) -> bool:
        """Tell whether a client may write to the block."""
        self.tick(now)
        if self.client is not None:
            return self.client is client
        return not self.address or self.address == client.address

    def take(self, client: Client, seconds: int | None = None) -> None:
        """Reserve the block for a client that is admitted."""
        self.client, self.address, self.until = client, client.address, None
        if self.seconds >= 0:
            self.seconds = (self.seconds or self.default_s) if seconds is None else seconds

    def ask(self, client: Client, seconds: int) -> bool:
        """Take a write of ResvTms by a client that is admitted; False means: refused."""
        if seconds < 0 or self.seconds < 0:
            return False
        if seconds:
            self.take(client, seconds)
        else:
            self.release()
        return True

    def assign(self, address: bytes) -> None:
        """Reserve the block by configuration for whoever calls from an address."""
        self.client, self.address, self.seconds, self.until = None, address, -1, None

    def release(self) -> None:
        """Let anybody have the block, unless the configuration says whose it is."""
        self.client = self.until = None
        if self.seconds >= 0:
            self.address, self.seconds = b"", 0

    def lost(self, client: Client, now: int) -> None:
        """Keep the block for a client whose association ended, for as long as it asked."""
        if self.client is not client:
            return
        if self.seconds > 0:
            self.client, self.until = None, now + self.seconds * NS
        else:
            self.release()

    def tick(self, now: int) -> None:
        """End a reservation whose time has come."""
        if self.until is not None and now >= self.until:
            self.release()
