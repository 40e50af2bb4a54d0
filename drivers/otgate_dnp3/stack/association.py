"""A station with its transport function: frames in, fragments out, and back."""

from otgate_dnp3.stack.link import Frame
from otgate_dnp3.stack.station import Station
from otgate_dnp3.stack.transport import FRAGMENT_CAP, Reassembly, Segmenter


class Association:
    """One master and one outstation over a line that others may share."""

    def __init__(self, station: Station, cap: int = FRAGMENT_CAP) -> None:
        self.station = station
        self.reassembly = Reassembly(cap)
        self._segmenter = Segmenter()

    def reset(self) -> None:
        """Forget what was under way; for a new connection."""
        self.station.reset()
        self.reassembly.reset()

    def receive(self, frame: Frame) -> tuple[bytes, bytes]:
        """Return the octets to answer with and the fragment that is complete, b"" for none."""
        answer, segment = self.station.receive(frame)
        return answer, self.reassembly.feed(segment) if segment else b""

    def frames(self, fragment: bytes) -> bytes:
        """Return the octets that carry ``fragment``."""
        return b"".join(map(self.station.user_data, self._segmenter.cut(fragment)))
