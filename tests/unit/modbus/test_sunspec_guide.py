"""What the SunSpec page shows is so."""

import re
from pathlib import Path

import yaml

from otgate_modbus.settings import settings_of
from otgate_modbus.sunspec.survey import BOUNDS, target

GUIDE = (Path(__file__).parents[3] / "docs" / "guide" / "sunspec.md").read_text()


def test_the_device_entry_is_valid() -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    settings = settings_of(yaml.safe_load(block)["modbus"])
    assert settings.sunspec is not None
    assert settings.sunspec.models[-1] == "160/48"


def test_every_option_of_the_url_is_told() -> None:
    told = re.findall(r"^\| `(\w+)=\d+`", GUIDE, re.MULTILINE)
    assert set(told) == {*BOUNDS, "all"}


def test_the_urls_are_understood() -> None:
    urls = re.findall(r'otgate browse "(tcp://[^"]+)"', GUIDE)
    assert len(urls) == 2
    assert {target(url).unit for url in urls} == {1}
