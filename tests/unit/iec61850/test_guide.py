"""The examples of docs/guide/iec61850.md are ones that the package takes."""

import re
from pathlib import Path

import pytest
import yaml

from otgate_iec61850.address import read_reference
from otgate_iec61850.scl.classes import CLASSES
from otgate_iec61850.settings import Settings

GUIDE = (Path(__file__).parents[3] / "docs/guide/iec61850.md").read_text("utf-8")
ADDRESSES = re.findall(r"^\| `(\S+/.+ \[..\])` \|", GUIDE, re.MULTILINE)
CLASS_NAMES = re.compile(r"\b[A-Z]{2,3}\b")


def test_the_entry_is_one_that_the_driver_takes() -> None:
    found = re.search(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    block = yaml.safe_load(found[1])["iec61850"]
    assert set(block) == set(Settings.model_fields)
    Settings.model_validate(block)


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_reads_as_it_stands(address: str) -> None:
    assert str(read_reference(address)) == address


def test_the_table_of_classes_is_complete() -> None:
    table = GUIDE[GUIDE.index("| class | kind |") : GUIDE.index("**Where the columns")]
    assert set(CLASS_NAMES.findall(table)) == set(CLASSES)
