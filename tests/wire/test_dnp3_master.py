"""A master's first minute, octet by octet, as frames: TB2015-002a.

The frames and their CRCs were checked with the two implementations that are in the development
group; the outstation restarts, holds one event, and later sends another unasked.
"""

from py1815 import link as peer

from dnp3_masters import Told
from otgate_dnp3.stack.association import Association
from otgate_dnp3.stack.link import FrameReader
from otgate_dnp3.stack.outputs import Send
from otgate_dnp3.stack.station import Role, Station

NULL_UNSOLICITED = "0564 0a 44 0100 0a00 6e25  c0 f0 82 8000 6b7d"
OUT_DISABLE = "0564 11 c4 0a00 0100 0615  c0 c0 15 3c0206 3c0306 3c0406 1a55"
OUT_CONFIRM_NULL = "0564 08 c4 0a00 0100 fc42  c1 d0 00 a350"
IN_DISABLED = "0564 0a 44 0100 0a00 6e25  c1 c0 81 8000 b5d0"
OUT_CLEAR_RESTART = "0564 0e c4 0a00 0100 2529  c2 c1 02 5001 00 07 07 00 c5af"
IN_CLEARED = "0564 0a 44 0100 0a00 6e25  c2 c1 81 0000 786c"
OUT_INTEGRITY = "0564 14 c4 0a00 0100 8fed  c3 c2 01 3c0206 3c0306 3c0406 3c0106 429e"
IN_EVERYTHING = (
    "0564 20 44 0100 0a00 8768  c3 e2 81 0000 0202 17 01 05 81 0068e5cf 8b6e"
    " 0501 1e01 00 00 00 01 2a000000 417d"
)
"""The event's time runs on over the CRC of the first block: 68e5cf8b | 6e05 | 01."""
OUT_CONFIRM = "0564 08 c4 0a00 0100 fc42  c4 c2 00 36eb"
OUT_ENABLE = "0564 11 c4 0a00 0100 0615  c5 c3 14 3c0206 3c0306 3c0406 1a25"
IN_ENABLED = "0564 0a 44 0100 0a00 6e25  c4 c3 81 0000 c56e"
IN_EVENT = "0564 16 44 0100 0a00 1d8a  c5 f1 82 0000 0202 17 01 05 81 0068e5cf 8be8 1701 a1c9"
OUT_CONFIRM_EVENT = "0564 08 c4 0a00 0100 fc42  c6 d1 00 c5b7"


class Frames:
    """A session behind its link and transport: frames in, frames out."""

    def __init__(self) -> None:
        self.told = Told(unsolicited=frozenset({1, 2, 3}))
        self.association = Association(Station(Role.MASTER, 1, 10))
        self.reader = FrameReader()
        self.seen = 0

    def sent(self) -> list[str]:
        fresh, self.seen = self.told.out[self.seen :], len(self.told.out)
        frames = (
            self.association.frames(each.fragment) for each in fresh if isinstance(each, Send)
        )
        return [each.hex() for each in frames]

    def hears(self, text: str) -> list[str]:
        for received in self.reader.feed(bytes.fromhex(text)):
            answer, fragment = self.association.receive(received)
            assert answer == b""
            self.told.hears(fragment)
        return self.sent()

    def confirms(self, delivery: int) -> list[str]:
        self.told.confirms(self.told.deliveries()[delivery].token)
        return self.sent()


def octets(*texts: str) -> list[str]:
    return [bytes.fromhex(text).hex() for text in texts]


def test_the_first_minute_of_a_master_is_these_octets() -> None:
    session = Frames()
    session.told.up()
    assert session.sent() == octets(OUT_DISABLE)
    assert session.hears(NULL_UNSOLICITED) == octets(OUT_CONFIRM_NULL)
    assert session.hears(IN_DISABLED) == octets(OUT_CLEAR_RESTART)
    assert session.hears(IN_CLEARED) == octets(OUT_INTEGRITY)
    assert session.hears(IN_EVERYTHING) == []
    assert session.confirms(0) == octets(OUT_CONFIRM, OUT_ENABLE)
    assert session.hears(IN_ENABLED) == []
    assert session.hears(IN_EVENT) == []
    assert session.confirms(1) == octets(OUT_CONFIRM_EVENT)


def test_a_peer_reads_each_of_these_frames() -> None:
    frames = {name: text for name, text in globals().items() if name.startswith(("IN_", "OUT_"))}
    assert len(frames) == 12
    for name, text in frames.items():
        read = peer.parse(bytes.fromhex(text))
        assert (read.from_master, read.is_primary) == (name.startswith("OUT_"), True)
