import msgspec
import pytest
import zstandard

from otgate.errors import Refused
from otgate.publish.compression import compressor, unpacked
from otgate.publish.payload import DeviceStatus, GatewayStatus
from otgate.publish.settings import Compression
from otgate.publish.subscribe import decode
from otgate.publish.topics import GATEWAY, Address, MessageClass

GATEWAY_STATUS = GatewayStatus(
    site="s", gateway="g", conduit="c", bus="alive", field="alive", sent_us=1
)
DEVICE_STATUS = DeviceStatus(
    site="s",
    gateway="g",
    conduit="c",
    device="d",
    state="good",
    bus="alive",
    field="alive",
    sent_us=1,
)


def address(device: str = "d", message_class: MessageClass = MessageClass.STATUS) -> Address:
    return Address("s", "g", "c", device, message_class)


def test_a_status_is_read_by_whose_it_is() -> None:
    assert decode(address(GATEWAY), msgspec.json.encode(GATEWAY_STATUS)) == GATEWAY_STATUS
    assert decode(address(), msgspec.json.encode(DEVICE_STATUS)) == DEVICE_STATUS


def test_a_cleared_message_is_nothing() -> None:
    assert decode(address(), b"") is None


@pytest.mark.parametrize(
    "payload", [b"{", b"\xff", b"[]", b"{}", b'{"schema":"otgate.data/1"}', b"\x28\xb5\x2f\xfd\0\0"]
)
@pytest.mark.parametrize("message_class", MessageClass)
def test_what_is_not_ours_is_refused(message_class: MessageClass, payload: bytes) -> None:
    with pytest.raises(Refused):
        decode(address(message_class=message_class), payload)


def test_a_field_of_tomorrow_does_not_stop_a_reader_of_today() -> None:
    entry = {**msgspec.to_builtins(DEVICE_STATUS), "mood": "fine"}
    assert decode(address(), msgspec.json.encode(entry)) == DEVICE_STATUS


def test_zstd_is_recognised_by_its_magic_number() -> None:
    packed = compressor(Compression.ZSTD)(b'{"a": 1}' * 100)
    assert len(packed) < 100
    assert unpacked(packed) == b'{"a": 1}' * 100
    assert unpacked(b"{}") == b"{}"


@pytest.mark.parametrize("says_its_size", [False, True])
def test_a_bomb_does_not_unpack(says_its_size: bool) -> None:  # noqa: FBT001  a parameter
    packer = zstandard.ZstdCompressor(write_content_size=says_its_size)
    bomb = packer.compress(bytes(128 << 20))
    with pytest.raises(Refused):
        unpacked(bomb)
