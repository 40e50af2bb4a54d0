"""The search for canary tokens: what finds nothing proves nothing."""

import base64
import json
import zlib
from collections.abc import Callable

import pytest
import zstandard

import canary_tokens as tokens
from canary_tokens import found

WHOLE, REAL = tokens.number(tokens.WHOLE, 0x123, 7), tokens.number(tokens.REAL, 0x124, 4095)
SPELT: dict[str, Callable[[bytes], bytes]] = {
    "as the device sends it": lambda raw: raw,
    "as the spool holds it": lambda raw: raw[::-1],
    "in hexadecimal": lambda raw: raw.hex().encode(),
    "in hexadecimal with spaces": lambda raw: raw.hex(" ").encode(),
    "in hexadecimal with colons": lambda raw: raw.hex(":").encode(),
}


@pytest.mark.parametrize("spell", SPELT.values(), ids=SPELT)
def test_numbers_are_found_in_bytes(spell: Callable[[bytes], bytes]) -> None:
    assert found(b"xyz" + spell(WHOLE) + b"\0" + spell(REAL)) == {(0x123, "whole"), (0x124, "real")}


def test_numbers_are_found_in_json() -> None:
    said = json.dumps([str(int.from_bytes(WHOLE)), tokens.real(int.from_bytes(REAL))])
    assert found(said.encode()) == {(0x123, "whole"), (0x124, "real")}


@pytest.mark.parametrize(
    "pack", [zlib.compress, zstandard.ZstdCompressor().compress, base64.b64encode]
)
def test_texts_are_found_in_what_is_packed(pack: Callable[[bytes], bytes]) -> None:
    told = b"-" * 50 + tokens.text(0xABC, 4).encode() + b"-" * 50
    assert found(b"before " + pack(told) + b" after") == {(0xABC, "text 4")}
    assert found(pack(pack(told))) == {(0xABC, "text 4")}


@pytest.mark.parametrize("told", [b"illegal address hr 4008", b'{"addresses": "hr 4008-4015"}'])
def test_addresses_are_found_where_they_are_told(told: bytes) -> None:
    assert found(told) == {(1, "address")}


@pytest.mark.parametrize("spoilt", range(5, 8))
def test_a_number_of_which_a_byte_was_overwritten_is_nobodys(spoilt: int) -> None:
    torn = bytearray(WHOLE)
    torn[spoilt] ^= 0x10
    assert found(bytes(torn)) == found(bytes(torn)[::-1]) == set()


@pytest.mark.parametrize("told", [b"qzvx0123", b"qzvx012300", WHOLE[:5], b"4817.3062", b"hr 100"])
def test_half_a_token_and_other_numbers_are_nobodys(told: bytes) -> None:
    assert found(told) == set()
