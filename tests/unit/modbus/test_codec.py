"""The codec alone: frames out, judged frames in."""

import pytest

from otgate_modbus.codec import UNASKED, Ask, Codec, FramingLost, Missing

READ_ONE = (1, 3, 0, 1)


def asked(*place: int) -> tuple[Codec, Ask]:
    codec, ask = Codec(), Ask(*(place or READ_ONE))
    codec.request(ask)
    return codec, ask


def answered(codec: Codec, reply: str) -> list[Ask]:
    return codec.feed(bytes.fromhex(reply))


@pytest.mark.parametrize(
    ("place", "frame"),
    [
        ((1, 3, 107, 3), "0001 0000 0006 01 03 006b 0003"),  # AP §6.3, example
        ((17, 1, 19, 19), "0001 0000 0006 11 01 0013 0013"),  # AP §6.1, example
        ((255, 4, 8, 1), "0001 0000 0006 ff 04 0008 0001"),  # AP §6.4, example
        ((1, 2, 196, 22), "0001 0000 0006 01 02 00c4 0016"),  # AP §6.2, example
    ],
)
def test_a_request_is_framed(place: tuple[int, int, int, int], frame: str) -> None:
    assert Codec().request(Ask(*place)) == bytes.fromhex(frame)


@pytest.mark.parametrize("function", [0, 5, 6, 15, 16, 22, 23, 43, 0x83])
def test_what_is_no_read_cannot_be_asked(function: int) -> None:
    with pytest.raises(ValueError, match="no read"):
        Ask(1, function, 0, 1)


@pytest.mark.parametrize(
    ("function", "count", "size"), [(1, 1, 1), (1, 8, 1), (2, 9, 2), (3, 9, 18)]
)
def test_an_ask_knows_the_size_of_its_reply(function: int, count: int, size: int) -> None:
    assert Ask(1, function, 0, count).size == size


def test_an_ask_starts_unasked() -> None:
    assert Ask(*READ_ONE).answer is Missing.NOT_ASKED


def test_a_right_reply_is_its_data() -> None:
    codec, ask = asked()
    assert answered(codec, "0001 0000 0005 01 03 02 002a") == [ask]
    assert ask.answer == b"\x00\x2a"
    assert codec.counts.replies == 1


def test_an_exception_is_its_code() -> None:
    codec, ask = asked()
    assert answered(codec, "0001 0000 0003 01 83 02") == [ask]
    assert ask.answer == 2


def test_a_reply_is_believed_once() -> None:
    codec, ask = asked()
    assert answered(codec, "0001 0000 0005 01 03 02 002a" * 2) == [ask]
    assert codec.counts.late == 1


def test_a_retried_ask_takes_either_answer_and_the_other_is_late() -> None:
    codec, ask = asked()
    codec.request(ask)
    assert answered(codec, "0001 0000 0005 01 03 02 0001 0002 0000 0005 01 03 02 0002") == [ask]
    assert ask.answer == b"\x00\x01"
    assert codec.counts.late == 1


def test_a_server_that_keeps_saying_what_nobody_asked_for_is_no_server() -> None:
    codec, _ = asked()
    unasked = "0009 0000 0003 01 83 02"
    assert answered(codec, unasked * (1 + UNASKED)) == []
    with pytest.raises(FramingLost, match="66 frames came that nobody asked for"):
        answered(codec, unasked)


def test_a_server_that_says_everything_twice_is_put_up_with() -> None:
    codec = Codec()
    for number in range(1, 10 * UNASKED):
        codec.request(ask := Ask(*READ_ONE))
        assert answered(codec, f"{number:04x} 0000 0005 01 03 02 002a" * 2) == [ask]
    assert codec.counts.late == codec.counts.replies


def test_transaction_ids_go_on_where_another_connection_left_off() -> None:
    assert Codec(7).request(Ask(*READ_ONE))[:2] == bytes((0, 8))


def test_what_was_forgotten_is_late() -> None:
    codec, ask = asked()
    codec.forget()
    assert answered(codec, "0001 0000 0005 01 03 02 002a") == []
    assert (ask.answer, codec.counts.late) == (Missing.NOT_ASKED, 1)


def test_several_may_be_pending_and_answered_in_any_order() -> None:
    codec, first = asked()
    second = Ask(1, 4, 0, 1)
    codec.request(second)
    got = answered(codec, "0002 0000 0005 01 04 02 0002 0001 0000 0005 01 03 02 0001")
    assert got == [second, first]
    assert (first.answer, second.answer) == (b"\x00\x01", b"\x00\x02")


def test_a_bad_header_is_seen_before_its_frame_is_complete() -> None:
    codec, _ = asked()
    with pytest.raises(FramingLost, match="no Modbus TCP header: 00 01 00 07 00 05"):
        answered(codec, "0001 0007 0005")


@pytest.mark.parametrize("length", ["0003", "00fe"])
def test_the_shortest_and_longest_frame_pass(length: str) -> None:
    codec, _ = asked()
    body = "01 83 02" + "00" * (int(length, 16) - 3)
    assert answered(codec, f"0009 0000 {length} {body}") == []
    assert codec.counts.late == 1


@pytest.mark.parametrize("length", ["0000", "0002", "00ff", "ffff"])
def test_any_other_length_is_no_modbus(length: str) -> None:
    codec, _ = asked()
    with pytest.raises(FramingLost):
        answered(codec, f"0001 0000 {length}")


def test_the_unfinished_frame_is_all_that_is_kept() -> None:
    codec, ask = asked()
    answered(codec, "0009 0000 0003 01 83 02" * 50 + "0001 0000 0005 01 03")
    assert codec._rest == bytes.fromhex("0001 0000 0005 01 03")
    assert answered(codec, "02 002a") == [ask]
