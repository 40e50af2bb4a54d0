"""One end of one link: whose frames it takes, and what it answers without being told.

IEEE 1815-2012, clause 9. It sends user data unconfirmed, as the standard advises, and takes
confirmed user data by the frame count bit.
"""

from dataclasses import dataclass
from enum import Enum

from otgate_dnp3.stack.link import (
    BROADCASTS,
    DIR,
    FCB,
    FCV,
    PRM,
    SELF_ADDRESS,
    Frame,
    Primary,
    Secondary,
    frame,
)


class Role(Enum):
    """Which end of the link a station is."""

    MASTER = DIR
    OUTSTATION = 0


@dataclass(slots=True)
class StationCounts:
    """Frames that a station has taken, and those it dropped, by reason."""

    taken: int = 0
    link_status: int = 0
    """Answers to its own keep-alive."""
    foreign: int = 0
    """Dropped: from or to another address."""
    wrong_direction: int = 0
    """Dropped: sent by the same kind of station as this one."""
    repeated: int = 0
    """Dropped: confirmed user data whose frame count bit did not change."""
    unreset: int = 0
    """Refused: confirmed user data before the link states were reset."""
    not_supported: int = 0
    empty: int = 0


class Station:
    """One end of a link; ``receive`` takes a frame and says what to answer and pass on."""

    def __init__(
        self, role: Role, local: int, remote: int, *, answers_self_address: bool = False
    ) -> None:
        self.role = role
        self.local = local
        self.remote = remote
        self.counts = StationCounts()
        self._answers_self_address = answers_self_address
        self.reset()

    def reset(self) -> None:
        """Forget the link states; for a new connection."""
        self._expected: int | None = None

    def user_data(self, segment: bytes) -> bytes:
        """Return the frame that carries a transport segment."""
        control = self.role.value | PRM | Primary.UNCONFIRMED_USER_DATA
        return frame(control, self.remote, self.local, segment)

    def request_link_status(self) -> bytes:
        """Return the frame that asks whether the other end is there."""
        control = self.role.value | PRM | Primary.REQUEST_LINK_STATUS
        return frame(control, self.remote, self.local)

    def concerns(self, received: Frame) -> bool:
        """Tell whether a frame's addresses and direction make it this station's."""
        if received.source != self.remote or not self._addressed(received):
            self.counts.foreign += 1
            return False
        if received.control & DIR == self.role.value:
            self.counts.wrong_direction += 1
            return False
        return True

    def receive(self, received: Frame) -> tuple[bytes, bytes]:
        """Return the frame to answer with and the transport segment to pass on, b"" for none."""
        if not self.concerns(received):
            return b"", b""
        self.counts.taken += 1
        if not received.control & PRM:
            self.counts.link_status += received.function == Secondary.LINK_STATUS
            return b"", b""
        answer, segment = self._judged(received)
        if answer is None or received.destination in BROADCASTS:
            return b"", segment
        return frame(self.role.value | answer, self.remote, self.local), segment

    def _addressed(self, received: Frame) -> bool:
        if received.destination == self.local:
            return True
        if received.destination == SELF_ADDRESS:
            return self._answers_self_address
        return received.destination in BROADCASTS and self.role is Role.OUTSTATION

    def _judged(self, received: Frame) -> tuple[Secondary | None, bytes]:
        function = received.function
        if function == Primary.UNCONFIRMED_USER_DATA:
            return None, self._segment(received)
        if function == Primary.REQUEST_LINK_STATUS:
            return Secondary.LINK_STATUS, b""
        if function == Primary.RESET_LINK_STATES:
            self._expected = FCB
            return Secondary.ACK, b""
        counted = function in {Primary.CONFIRMED_USER_DATA, Primary.TEST_LINK_STATES}
        if not counted or not received.control & FCV:
            self.counts.not_supported += 1
            return Secondary.NOT_SUPPORTED, b""
        return self._counted(received)

    def _counted(self, received: Frame) -> tuple[Secondary, bytes]:
        """Judge a frame by its frame count bit."""
        if self._expected is None:
            self.counts.unreset += 1
            return Secondary.NACK, b""
        if received.control & FCB != self._expected:
            self.counts.repeated += 1
            return Secondary.ACK, b""
        self._expected ^= FCB
        if received.function == Primary.TEST_LINK_STATES:
            return Secondary.ACK, b""
        return Secondary.ACK, self._segment(received)

    def _segment(self, received: Frame) -> bytes:
        self.counts.empty += not received.data
        return received.data
