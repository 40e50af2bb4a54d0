"""A frame on its way to the disk, as the event loop hands it to the committer."""

from otgate.spool.frame import GAP, GAP_HEAD, pack_gap
from otgate.spool.items import GapReason

Entry = tuple[int, int, bytes]
"""First sequence number, count and body of a frame."""

BUFFER_BYTES = 8 << 20
"""What all frames on their way take at most, and so what is written again after a fault."""

ENTRY_BYTES = 160
"""What Python needs to hold a frame beside its bytes."""


def cost_bytes(entry: Entry) -> int:
    """Return what an entry counts against the buffer: gaps nothing, they are few and small."""
    body = entry[2]
    return 0 if body[0] == GAP else len(body) + ENTRY_BYTES


def merged_gaps(one: Entry, other: Entry) -> Entry | None:
    """Return two gaps that touch as one, or None where they are not that."""
    if one[2][0] != GAP or other[2][0] != GAP or one[0] + one[1] != other[0]:
        return None
    from_ns = min(GAP_HEAD.unpack(entry[2])[4] for entry in (one, other))
    to_ns = max(GAP_HEAD.unpack(entry[2])[5] for entry in (one, other))
    count = one[1] + other[1]
    return one[0], count, pack_gap(one[0], count, from_ns, to_ns, GapReason.DROPPED)
