"""Report control blocks: reading them, and the order in which they are set up."""

import pytest

from mms_served import Peer, Served, serving
from otgate_iec61850.mms import pdu, rcb
from otgate_iec61850.mms.access import Read, Write, Written
from otgate_iec61850.mms.association import Ends
from otgate_iec61850.mms.blocks import read_control_block, set_up
from otgate_iec61850.mms.client import connected
from otgate_iec61850.mms.errors import AccessFailed, Malformed
from otgate_iec61850.mms.naming import Name
from otgate_iec61850.mms.rcb import ControlBlock, Need, Wanted, configured, enabled, read_block
from otgate_iec61850.mms.values import BinaryTime, Bits, Failure, Unsigned

BUFFERED = Name("LD", "LLN0$BR$b01")
UNBUFFERED = Name("LD", "LLN0$RP$u01")

BRCB = (
    "", False, "LD/LLN0$ds", Unsigned(1), rcb.EVERYTHING, Unsigned(0), Unsigned(0),
    rcb.EVERY_TRIGGER, Unsigned(0), False, False, bytes(8), BinaryTime(bytes(6)), 0, b"",
)  # fmt: skip
URCB = (
    "u", False, False, "LD/LLN0$ds", Unsigned(1), Bits(10, 0), Unsigned(0), Unsigned(0),
    Bits(6, 0), Unsigned(0), False,
)  # fmt: skip


def order(settings: list[rcb.Setting]) -> list[str]:
    return [each.attribute for each in settings]


def changed(block: ControlBlock, **attributes: object) -> ControlBlock:
    return ControlBlock(block.name, {**block.attributes, **attributes})


@pytest.mark.parametrize(("name", "value", "names"), [
    (BUFFERED, BRCB, rcb.BUFFERED), (BUFFERED, BRCB[:13], rcb.BUFFERED[:13]),
    (BUFFERED, BRCB[:14], rcb.BUFFERED[:14]), (UNBUFFERED, URCB, rcb.UNBUFFERED[:11]),
    (UNBUFFERED, (*URCB, b"\x0a\0\0\1"), rcb.UNBUFFERED),
])  # fmt: skip
def test_blocks_of_both_editions_are_known_by_their_size(
    name: Name, value: tuple[object, ...], names: tuple[str, ...]
) -> None:
    assert tuple(read_block(name, value).attributes) == names


def test_what_is_no_block_says_so() -> None:
    for value in ((), (1, 2, 3), 5):
        with pytest.raises(Malformed):
            read_block(BUFFERED, value)


def test_an_owner_of_zeros_is_nobody_and_none_is_not_told() -> None:
    block = read_block(BUFFERED, BRCB)
    assert block.owner == b""
    assert changed(block, Owner=bytes(4)).owner == b""
    assert changed(block, Owner=b"\x0a\0\0\1").owner == b"\x0a\0\0\1"
    assert read_block(BUFFERED, BRCB[:13]).owner is None


def test_reports_of_a_block_without_id_bear_its_reference() -> None:
    assert read_block(BUFFERED, BRCB).rpt_id == "LD/LLN0$BR$b01"
    assert read_block(UNBUFFERED, URCB).rpt_id == "u"


def test_what_is_as_wanted_is_not_written_as_it_would_empty_the_buffer() -> None:
    block = read_block(BUFFERED, BRCB)
    wanted = Wanted("LD/LLN0$ds", rcb.EVERYTHING, rcb.EVERY_TRIGGER, 0, 0)
    assert configured(block, wanted) == []


def test_the_order_is_off_reserved_configured() -> None:
    wanted = Wanted("LD/LLN0$x", rcb.EVERYTHING, rcb.EVERY_TRIGGER, 100, 60_000)
    block = changed(read_block(UNBUFFERED, URCB), RptEna=True)
    assert order(configured(block, wanted)) == [
        "RptEna", "Resv", "DatSet", "OptFlds", "TrgOps", "BufTm", "IntgPd",
    ]  # fmt: skip
    assert configured(block, wanted)[0].value is False


def test_a_buffered_block_resumes_after_an_entry_or_from_an_empty_buffer() -> None:
    block = read_block(BUFFERED, BRCB)
    assert order(enabled(block, resume=b"12345678")) == ["EntryID", "RptEna"]
    assert order(enabled(block, resume=b"12345678", purge=True)) == ["PurgeBuf", "RptEna"]
    assert order(enabled(block)) == ["RptEna"]
    assert order(enabled(read_block(UNBUFFERED, URCB), resume=b"12345678")) == ["RptEna"]


@pytest.mark.parametrize("held", [0, -1, None])
def test_a_reservation_by_configuration_is_left_alone(held: int | None) -> None:
    block = changed(read_block(BUFFERED, BRCB), ResvTms=held)
    assert ("ResvTms" in order(configured(block, Wanted(reserve_s=30)))) is (held == 0)


def test_a_number_is_written_in_the_kind_in_which_the_server_has_it() -> None:
    block = read_block(BUFFERED, BRCB)
    found = {
        each.attribute: each.value for each in configured(block, Wanted(buffer_ms=5, reserve_s=5))
    }
    assert (type(found["BufTm"]), type(found["ResvTms"])) == (Unsigned, int)


async def test_a_block_is_read_attribute_by_attribute_where_a_server_wants_it_so() -> None:
    served = Served()
    for each, value in zip(rcb.BUFFERED[:13], BRCB, strict=False):
        served.values[Name("LD", f"LLN0$BR$b01${each}")] = value
    async with (
        serving(served),
        connected("127.0.0.1", served.port, Ends(), lambda *_: None) as client,
    ):
        block = await read_control_block(client, BUFFERED)
    assert tuple(block.attributes) == rcb.BUFFERED[:13]
    assert isinstance(served.asked[0], Read)


async def test_a_refused_wish_is_told_and_a_refused_need_ends_the_setting_up() -> None:
    served = Served()
    block = read_block(UNBUFFERED, URCB)

    def refuse(peer: Peer, asked: pdu.Request) -> bool:
        if isinstance(asked.service, Write):
            assert not isinstance(asked.service.access, Name)
            refused = asked.service.access[0].name.item.endswith(("OptFlds", "DatSet"))
            peer.responder.respond(asked, Written([Failure(3) if refused else None]))
            return False
        return True

    served.answer = refuse
    async with (
        serving(served),
        connected("127.0.0.1", served.port, Ends(), lambda *_: None) as client,
    ):
        wanted = Wanted(options=rcb.EVERYTHING, triggers=rcb.EVERY_TRIGGER)
        refused = await set_up(client, block, [*configured(block, wanted), *enabled(block)])
        assert [(each.attribute, why) for each, why in refused] == [
            ("OptFlds", "object_access_denied")
        ]
        settings = configured(block, Wanted(data_set="LD/LLN0$x"))
        assert settings[-1].need is Need.REQUIRED
        with pytest.raises(AccessFailed):
            await set_up(client, block, settings)


def test_a_block_tells_what_it_holds() -> None:
    block = changed(read_block(BUFFERED, BRCB), EntryID=b"12345678", ResvTms=-1)
    assert (block.buffered, block.enabled, block.reserved) == (True, False, True)
    assert (block.data_set, block.conf_rev, block.entry_id) == ("LD/LLN0$ds", 1, b"12345678")
    assert block.entry_time == BinaryTime(bytes(6))
    bare = ControlBlock(UNBUFFERED, {"RptEna": True})
    assert (bare.buffered, bare.enabled, bare.reserved) == (False, True, False)
    assert (bare.data_set, bare.conf_rev, bare.entry_id, bare.entry_time) == ("", None, None, None)
