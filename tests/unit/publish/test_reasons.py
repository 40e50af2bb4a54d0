"""Reason codes in words."""

import pytest

from otgate.publish.reasons import words


def test_a_code_that_the_standard_lists_has_its_words() -> None:
    assert words(0x97) == "Quota exceeded"  # MQTT 5.0, §2.4


@pytest.mark.parametrize("code", [0x7F, 0xFE])
def test_another_code_has_its_number(code: int) -> None:
    assert words(code) == f"reason code 0x{code:02X}"
