from pathlib import Path

import pytest

from otgate.config.bus import load_bus

BUS = 'config_version: 1\nconduit: analytics\nbrokers: ["mqtt://127.0.0.1"]\n'


def told(folder: Path, listen: str) -> list[str]:
    path = folder / "analytics.yaml"
    path.write_text(f"{BUS}metrics: {{listen: {listen}}}\n")
    bus, said = load_bus(path)
    assert (bus is None) == bool(said)
    return [f"{one.message}; {one.help}" for one in said]


@pytest.mark.parametrize(
    "listen", ['"127.0.0.1:9464"', '"[::1]:9464"', '"10.9.0.4:80"', '"mgmt0.sub7:9464"', '""']
)
def test_an_address_of_an_interface_is_taken(tmp_path: Path, listen: str) -> None:
    assert told(tmp_path, listen) == []


@pytest.mark.parametrize("listen", ['"0.0.0.0:9464"', '"[::]:9464"', '"0:9464"'])
def test_every_address_at_once_is_refused(tmp_path: Path, listen: str) -> None:
    (said,) = told(tmp_path, listen)
    assert "every address of the machine" in said
    assert "management interface" in said


@pytest.mark.parametrize(
    "listen",
    ['"9464"', '"127.0.0.1"', '"127.0.0.1:0"', '"127.0.0.1:70000"', '"a b:1"', '"::1:9464"'],
)
def test_what_is_no_address_is_refused_with_one_that_is(tmp_path: Path, listen: str) -> None:
    (said,) = told(tmp_path, listen)
    assert "127.0.0.1:9464" in said


def test_without_it_no_port_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "analytics.yaml"
    path.write_text(BUS)
    bus, _ = load_bus(path)
    assert bus is not None
    assert bus.metrics_listen == ""
