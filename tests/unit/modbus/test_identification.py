"""Read device identification, 43/14: Modbus Application Protocol V1.1b3, §6.21."""

import pytest

from otgate.errors import LinkLost
from otgate_modbus.codec import Answer, Ask, Codec, Identify, Missing
from otgate_modbus.identification import Category, Stream, identified
from otgate_modbus.rtu import RtuCodec, framed


def reply(*objects: tuple[int, bytes], more: tuple[int, int] = (0, 0)) -> bytes:
    """Return a reply from its MEI type on."""
    listed = b"".join(bytes((number, len(text))) + text for number, text in objects)
    return bytes((14, 1, 0x82, *more, len(objects))) + listed


def test_the_request_is_byte_exact() -> None:
    assert Codec().request(Identify(17, 1, 0)).hex(" ") == "00 01 00 00 00 05 11 2b 0e 01 00"


def test_the_reply_of_the_standard_is_understood() -> None:
    ask = Identify(1, 1, 0)
    codec = Codec()
    codec.request(ask)
    objects = (0, b"Company identification"), (1, b"Product code XX"), (2, b"V2.11")
    body = b"\x01\x2b" + reply(*objects)
    assert codec.feed(b"\0\1\0\0" + len(body).to_bytes(2) + body) == [ask]
    assert isinstance(ask.answer, bytes)
    stream = Stream()
    stream.take(ask.answer)
    assert stream.objects == {0: "Company identification", 1: "Product code XX", 2: "V2.11"}
    assert stream.next is None


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("01 ab 01", 1),
        ("01 03 02 00 00", Missing.MISMATCHED),
        ("02 2b 0e 01 01 00 00 00", Missing.MISMATCHED),
    ],
)
def test_another_answer_is_none(body: str, answer: Answer) -> None:
    ask = Identify(1, 1, 0)
    codec = Codec()
    codec.request(ask)
    packed = bytes.fromhex(body)
    codec.feed(b"\0\1\0\0" + len(packed).to_bytes(2) + packed)
    assert ask.answer == answer


def test_an_identification_is_no_answer_to_a_read() -> None:
    ask = Ask(1, 3, 0, 1)
    codec = Codec()
    codec.request(ask)
    codec.feed(bytes.fromhex("0001 0000 0008 01 2b 0e 01 01 00 00 00"))
    assert ask.answer is Missing.MISMATCHED


def test_an_exception_that_is_too_long_ends_the_link() -> None:
    codec = Codec()
    codec.request(Identify(1, 1, 0))
    with pytest.raises(LinkLost):
        codec.feed(bytes.fromhex("0001 0000 0004 01 ab 01 00"))


class Device:
    """Answers with what a test gave, and remembers what was asked."""

    def __init__(self, *replies: Answer) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[Category, int]] = []

    async def ask(self, category: Category, first: int) -> Answer:
        self.asked.append((category, first))
        return self.replies.pop(0)


async def test_objects_come_in_as_many_replies_as_they_need() -> None:
    device = Device(
        reply((0, b"Ours"), more=(0xFF, 1)), reply((1, b"PM10"), (2, b"3.1")), reply((4, b"Meter"))
    )
    assert await identified(device.ask) == {
        "vendor": "Ours", "product code": "PM10", "revision": "3.1", "product name": "Meter",
    }  # fmt: skip
    assert device.asked == [(Category.BASIC, 0), (Category.BASIC, 1), (Category.REGULAR, 0)]


async def test_a_device_that_knows_the_basic_category_alone_is_heard() -> None:
    device = Device(reply((0, b"Ours"), (1, b"PM10"), (2, b"3.1")), 3)
    assert len(await identified(device.ask)) == 3


async def test_a_device_that_refuses_says_nothing() -> None:
    assert await identified(Device(1, 1).ask) == {}


async def test_a_device_that_repeats_itself_is_not_asked_for_ever() -> None:
    loop = reply((0, b"Ours"), more=(0xFF, 0))
    device = Device(loop, loop)
    assert await identified(device.ask) == {"vendor": "Ours"}
    assert len(device.asked) == 2


@pytest.mark.parametrize(
    "broken",
    [b"", b"\x0e\x01\x82\x00\x00", b"\x0d" + reply((0, b"Ours"))[1:], reply((0, b"Ours"))[:-1]],
)
def test_a_reply_that_contradicts_itself_gives_nothing(broken: bytes) -> None:
    stream = Stream()
    stream.take(broken)
    assert (stream.objects, stream.next) == ({}, None)


def fed(*chunks: bytes) -> tuple[Ask, RtuCodec]:
    codec, ask = RtuCodec(), Identify(1, 1, 0)
    assert codec.request(ask).hex(" ") == "01 2b 0e 01 00 70 77"
    for chunk in chunks:
        codec.feed(chunk)
    return ask, codec


WHOLE = framed(b"\x01\x2b" + reply((0, b"Ours"), (1, b""), (2, b"3.1")))


@pytest.mark.parametrize("cut", range(1, len(WHOLE)))
def test_on_a_line_the_objects_say_where_the_reply_ends(cut: int) -> None:
    ask, _ = fed(WHOLE[:cut])
    assert ask.answer is Missing.NOT_ASKED
    ask, _ = fed(WHOLE[:cut], WHOLE[cut:])
    assert ask.answer == WHOLE[2:-2]


def test_a_refusal_on_a_line_is_one() -> None:
    ask, _ = fed(framed(b"\x01\xab\x01"))
    assert ask.answer == 1


@pytest.mark.parametrize(
    "bad",
    [
        WHOLE[:-1] + bytes((WHOLE[-1] ^ 1,)),
        WHOLE + b"\0",
        framed(b"\x01\x2b\x0d" + reply((0, b"Ours"))[1:]),
        framed(b"\x02\x2b" + reply((0, b"Ours"))),
        framed(b"\x01\x2b" + reply(*[(0, b"x" * 200)] * 2)),
    ],
)
def test_noise_on_a_line_is_no_identification(bad: bytes) -> None:
    ask, codec = fed(bad)
    assert ask.answer is Missing.NOT_ASKED
    assert codec.spoilt
