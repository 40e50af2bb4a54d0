"""Drivers are found by name and imported by need."""

import subprocess
import sys
from pathlib import Path

import pytest

from daemons import write_site
from otgate.driver import Driver, installed

NAMES = {"dnp3", "iec61850", "modbus"}

LOADED = """
import sys
from pathlib import Path
from otgate.config.site import load_site
from otgate.driver import installed
assert load_site(Path(sys.argv[1]), installed()).site
print(*sorted({name.partition(".")[0] for name in sys.modules if name.startswith("otgate_")}))
"""


def test_every_installed_driver_is_known_by_its_name() -> None:
    known = installed()
    assert set(known) >= NAMES
    assert len(known) == len(set(known))
    assert all(isinstance(driver, Driver) for driver in known.values())


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_driver_is_made_once(name: str) -> None:
    known = installed()
    assert name in known
    assert known[name] is known[name]


def test_a_driver_that_is_not_installed_is_none() -> None:
    assert "profibus" not in installed()
    assert installed().get("profibus") is None


def test_a_site_imports_the_drivers_that_it_names_and_no_other(tmp_path: Path) -> None:
    site = write_site(tmp_path, 1883) / "site.yaml"
    done = subprocess.run(
        [sys.executable, "-c", LOADED, site], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["otgate_modbus"]
