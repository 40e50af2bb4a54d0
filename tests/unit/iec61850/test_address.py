import pytest
from hypothesis import given
from hypothesis import strategies as st

from otgate_iec61850.address import (
    BadReference,
    ControlBlock,
    DataSetName,
    Fc,
    Reference,
    read_control_block,
    read_data_set,
    read_reference,
)

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True)
STEPS = st.builds(
    lambda name, index: name if index is None else f"{name}({index})",
    NAMES,
    st.none() | st.integers(0, 99),
)
REFERENCES = st.builds(
    Reference,
    NAMES,
    NAMES,
    st.lists(STEPS, min_size=1, max_size=6).map(".".join),
    st.sampled_from(list(Fc)),
)


@given(REFERENCES)
def test_a_reference_reads_as_it_is_written(reference: Reference) -> None:
    assert read_reference(str(reference)) == reference


def test_a_reference_knows_its_spelling_in_mms() -> None:
    reference = read_reference("IED1LD0/MMXU1.HA.phsAHar(3).cVal.mag.f [MX]")
    assert reference.item == "MMXU1$MX$HA$phsAHar$cVal$mag$f"
    assert reference.indices == (3,)


def test_a_control_block_reads_as_it_is_written() -> None:
    block = read_control_block("IED1LD0/LLN0.BR.brcb01")
    assert block == ControlBlock("IED1LD0", "LLN0", buffered=True, name="brcb01")
    assert read_control_block(str(block)) == block
    assert block.item == "LLN0$BR$brcb01"


def test_a_data_set_is_read_in_either_spelling() -> None:
    assert read_data_set("E1LD0/LLN0$ds1") == read_data_set("E1LD0/LLN0.ds1")
    assert DataSetName("E1LD0", "LLN0", "ds1").item == "LLN0$ds1"


@pytest.mark.parametrize(
    ("text", "message", "help_"),
    [
        (
            "E1LD0/MMXU1$MX$A$phsA$cVal$mag$f",
            "is in the spelling of MMS",
            "write `E1LD0/MMXU1.A.phsA.cVal.mag.f [MX]`",
        ),
        ("E1LD0/GGIO1.Ind1.stVal", "does not say its functional", "Ind1.stVal [ST]`"),
        ("E1LD0/GGIO1.Ind1.stVal [st]", "`st` is no functional", "did you mean `[ST]`?"),
        ("E1LD0/GGIO1.Ind1.stVal [XX]", "`XX` is no functional", "did you mean `[MX]`?"),
        ("GGIO1.Ind1.stVal [ST]", "names no logical device", "e.g. `IED1LD0/"),
        ("E1LD0/LLN0.BR.brcb01", "is a report control block", "under `iec61850.reports`"),
        ("E1LD0/GGIO1..stVal [ST]", "is no reference", "e.g. `IED1LD0/"),
        ("hr 100", "names no logical device", "e.g. "),
        ("", "names no logical device", "e.g. "),
        ("x/" + "a." * 200 + "b [ST]", "is too long", "e.g. "),
    ],
)
def test_what_is_no_reference_is_refused_with_help(text: str, message: str, help_: str) -> None:
    with pytest.raises(BadReference) as refused:
        read_reference(text)
    assert message in refused.value.message
    assert help_ in refused.value.help


@given(st.text(max_size=300))
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    for read in (read_reference, read_control_block, read_data_set):
        try:
            read(text)
        except BadReference as refused:
            assert refused.message  # noqa: PT017  either is right
