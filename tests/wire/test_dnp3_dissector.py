"""What we send as tshark's dissector reads it: nothing malformed, every CRC right."""

from pathlib import Path

from captures import capture, dissected, shown
from dnp3_columns import DELIVERED
from dnp3_dissected import DNP3_PORT, complaints, unknown
from otgate_dnp3.stack import encode
from otgate_dnp3.stack.application import FIR, Function, confirm, request, response
from otgate_dnp3.stack.association import Association
from otgate_dnp3.stack.commands import AnalogCommand, BinaryCommand, Trip, Width, command_objects
from otgate_dnp3.stack.layouts import LAYOUTS, Shape
from otgate_dnp3.stack.objects import counted
from otgate_dnp3.stack.points import GROUPS, Columns
from otgate_dnp3.stack.requests import CLEAR_RESTART, INTEGRITY, classes, time_now, time_recorded
from otgate_dnp3.stack.station import Role, Station

MISREAD = (43, 3)
"""tshark 4.0 steps over two of its value's four octets; dnp3py reads it as we do."""

MS = 1_700_000_000_000
COMMON = counted(51, 1, [MS.to_bytes(6, "little")])
COMMANDS = [
    BinaryCommand(3, Trip.CLOSE_PULSE_ON, 1, 100, 100),
    BinaryCommand(4, Trip.LATCH_OFF),
    *(AnalogCommand(at, 5, width) for at, width in enumerate(Width)),
]

REQUESTS = [
    request(Function.DISABLE_UNSOLICITED, 0, classes((1, 2, 3))),
    request(Function.READ, 1, INTEGRITY),
    request(Function.ENABLE_UNSOLICITED, 2, classes((1, 2, 3))),
    request(Function.WRITE, 3, CLEAR_RESTART),
    request(Function.DELAY_MEASURE, 4),
    request(Function.RECORD_CURRENT_TIME, 5),
    request(Function.WRITE, 6, time_recorded(MS)),
    request(Function.WRITE, 7, time_now(MS)),
    request(Function.SELECT, 8, command_objects(COMMANDS)),
    request(Function.OPERATE, 9, command_objects(COMMANDS)),
    confirm(10, unsolicited=False),
    confirm(11, unsolicited=True),
]


def example(kind: tuple[int, int]) -> bytes:
    """A block of three objects of a kind, with an index each where it is an event."""
    layout, of = LAYOUTS[kind], GROUPS[kind[0]]
    values: list[object] = [1, 0, 1]
    if layout.shape is Shape.STRING:
        values = [b"a" * layout.size] * 3
    if kind[0] in {50, 51}:
        values = [MS] * 3
    made = Columns(*kind, of.point_type, of.event, [3, 4, 5], values, [1] * 3, [MS + 5] * 3)
    return encode.block(made, index_width=2 if of.event else 0, common_ms=MS)


def test_no_request_is_malformed(tmp_path: Path) -> None:
    master = Association(Station(Role.MASTER, 1, 10))
    status = master.station.request_link_status()
    frames = [(True, octets) for octets in (status, *map(master.frames, REQUESTS))]
    capture(tmp_path / "requests.pcap", frames, DNP3_PORT)
    packets = dissected(tmp_path / "requests.pcap")
    assert len(packets) == len(frames)
    assert [complaints(each) for each in packets] == [[]] * len(frames)


def test_no_variation_is_malformed(tmp_path: Path) -> None:
    outstation = Association(Station(Role.OUTSTATION, 10, 1))
    kinds = [kind for kind in DELIVERED if kind[0] != 52 and kind != MISREAD]
    frames = [
        (False, outstation.frames(response(0xC0 | at % 16, 0, COMMON + example(kind))))
        for at, kind in enumerate(kinds)
    ]
    capture(tmp_path / "objects.pcap", frames, DNP3_PORT)
    packets = dissected(tmp_path / "objects.pcap")
    judged = {k: complaints(p) for k, p in zip(kinds, packets, strict=True) if not unknown(p)}
    assert len(judged) >= 75
    assert {kind: said for kind, said in judged.items() if said} == {}


def test_a_fragment_of_many_frames_is_put_together(tmp_path: Path) -> None:
    outstation = Association(Station(Role.OUTSTATION, 10, 1))
    objects = example((30, 1)) * 80
    said = outstation.frames(response(FIR | 0x40, 0, objects))
    capture(tmp_path / "long.pcap", [(False, said)], DNP3_PORT)
    (packet,) = dissected(tmp_path / "long.pcap")
    assert complaints(packet) == []
    assert len(shown(packet, "dnp3.al.obj")) == 80
