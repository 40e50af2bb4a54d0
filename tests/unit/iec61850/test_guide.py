"""The examples of docs/guide/iec61850.md are ones that the package takes."""

import re
from pathlib import Path

import pytest
import yaml

from otgate.quality import BY_NAME
from otgate_iec61850 import Iec61850
from otgate_iec61850.address import read_reference
from otgate_iec61850.flags import DETAILS
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


def test_the_defaults_it_states_are_the_defaults() -> None:
    found = re.search(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    block, plain = yaml.safe_load(found[1])["iec61850"], Settings(url="mms://h")
    for key in ("tls", "timeout_s", "keep_alive_s", "integrity_s"):
        assert block[key] == getattr(plain, key)


def test_the_table_of_quality_is_the_driver_s() -> None:
    words = re.findall(r"^\| (?:source: )?[a-zA-Z]+ \| `([a-z_]+)` \|$", GUIDE, re.MULTILINE)
    assert {BY_NAME[word] for word in words} >= set(DETAILS.values())


def test_every_write_that_it_tells_is_housekeeping() -> None:
    table = GUIDE[GUIDE.index("| written | when |") : GUIDE.index("Nothing else is ever")]
    told = set(re.findall(r"`([A-Z]\w+)`", table))
    listed = set(re.findall(r"\b[A-Z][a-zA-Z]+\b", " ".join(Iec61850.housekeeping)))
    assert told == listed & told
    assert told == {"RptEna", "Resv", "OptFlds", "TrgOps", "IntgPd", "DatSet", "EntryID", "GI"}


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_reads_as_it_stands(address: str) -> None:
    assert str(read_reference(address)) == address


def test_the_table_of_classes_is_complete() -> None:
    table = GUIDE[GUIDE.index("| class | kind |") : GUIDE.index("**Where the columns")]
    assert set(CLASS_NAMES.findall(table)) == set(CLASSES)
