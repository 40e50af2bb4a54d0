"""What a broker took since the start: bytes, gaps by reason, and how long each hop took."""

from collections import Counter

from otgate.histogram import Histogram
from otgate.publish.message import Claim, Message
from otgate.spool.items import GapReason


class Throughput:
    """Counts per message that was taken, which may hold a thousand samples."""

    def __init__(self) -> None:
        self.size_bytes = 0
        """Topics and payloads."""
        self.gaps: Counter[str] = Counter({reason.value: 0 for reason in GapReason})
        """Samples that were announced to be gone, by reason."""
        self.spooled = Histogram()
        """From received to spooled."""
        self.published = Histogram()
        """From spooled to sent."""
        self.acknowledged = Histogram()
        """From sent to acknowledged."""
        self.whole = Histogram()
        """From received to acknowledged."""

    def taken(self, message: Message, now_ns: int) -> None:
        """Count a message that the broker acknowledged."""
        self.size_bytes += message.size
        claim = message.claim
        if claim is None:
            return
        if claim.reason:
            self.gaps[claim.reason] += claim.count
        if claim.spooled_ns:
            self._timed(claim, now_ns)

    def _timed(self, claim: Claim, now_ns: int) -> None:
        received_ns, spooled_ns, sent_ns = claim.received_ns, claim.spooled_ns, claim.sent_ns
        self.spooled.observe((spooled_ns - received_ns) / 1e9)
        self.published.observe((sent_ns - spooled_ns) / 1e9)
        self.acknowledged.observe((now_ns - sent_ns) / 1e9)
        self.whole.observe((now_ns - received_ns) / 1e9)
