"""`otgate check --live` against simulated devices whose maps somebody got wrong."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemons import simulated, spoil
from otgate.cli import main

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The lab's devices, as they really are."""
    site = tmp_path_factory.mktemp("real") / "site"
    shutil.copytree(ROOT / "config/lab", site)
    with simulated(site):
        yield site


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The lab's files, for somebody to get wrong."""
    shutil.copytree(ROOT / "config/lab", tmp_path / "site")
    return tmp_path / "site"


def edited(path: Path, pattern: str, by: str) -> None:
    text, count = re.subn(pattern, by, path.read_text("utf-8"), flags=re.MULTILINE)
    assert count
    path.write_text(text, "utf-8")


class Checked:
    def __init__(self, lab: Path, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.lab, self.site, self.capsys = lab, site, capsys

    def __call__(self, *more: str) -> tuple[int, str]:
        endpoints = str(self.lab / "endpoints.json")
        code = main(["check", str(self.site), "--live", "--endpoints", endpoints, *more])
        return code, self.capsys.readouterr().out

    def of(self, device: str) -> dict[str, Any]:
        _, said = self("--device", device, "--format", "json")
        (found,) = json.loads(said)
        assert found["device"] == device
        return dict(found)


@pytest.fixture
def check(lab: Path, site: Path, capsys: pytest.CaptureFixture[str]) -> Checked:
    return Checked(lab, site, capsys)


def best(found: dict[str, Any]) -> dict[str, str]:
    """The first guess for each suspect that has one."""
    return {
        each["id"]: each["guesses"][0]["write"] for each in found["suspects"] if each["guesses"]
    }


def test_right_maps_of_every_protocol_look_right(check: Checked) -> None:
    for _ in range(3):  # a machine that is busy with other tests may keep a device too long
        code, said = check()
        if not code:
            break
    assert code == 0, said
    assert said.count("nothing looks wrong") == 8


def test_a_wrong_order_of_a_device_is_found(check: Checked) -> None:
    edited(check.site / "site.yaml", r"(7\.0\.11:502.*)ABCD", r"\1CDAB")
    found = check.of("f1")
    assert found["setting"]["write"] == "order: ABCD"
    assert list(best(found).values()).count("order: ABCD") >= 3
    code, said = check("--device", "f1")
    assert code == 1
    assert re.search(r"\w+ at hr \d+: reads \S+ \S+: (no quantity is that|its range is)", said)
    assert re.search(r"ABCD gives \S+ \S+: write `order: ABCD`", said)
    assert "would be mended by `order: ABCD` in the block `modbus`" in said


def test_a_wrong_base_is_found(check: Checked) -> None:
    edited(check.site / "site.yaml", "base: 1, order", "base: 0, order")
    found = check.of("p1")
    assert found["setting"]["write"] == "base: 1"
    assert best(found)["set_51"] == "address: hr 100"


def test_a_wrong_scale_is_found(check: Checked) -> None:
    edited(check.site / "points/feeder-1.csv", r"^f,(.*),u16,,0\.001", r"f,\1,u16,,0.01")
    assert best(check.of("f1")) == {"f": "scale: 0.001"}


def test_points_that_the_device_does_not_have_are_named(check: Checked) -> None:
    edited(check.site / "points/feeder-3.csv", r"^(cb_spring,.*),bi 3,", r"\1,bi 33,")
    edited(check.site / "points/bay-3.csv", r"GGIO1\.IntIn1", "GGIO1.IntIn9")
    edited(check.site / "site.yaml", r"scl: [^,}\n]*,? *", "")
    for device, point in (("f3", "cb_spring"), ("f3q1", "ggio1_intin1")):
        (suspect,) = check.of(device)["suspects"]
        assert (suspect["id"], suspect["why"]) == (point, "illegal address")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["silent", "garbage", "close", "exception"])
def test_a_device_that_lies_or_stalls_is_said_and_ends(kind: str, check: Checked) -> None:
    spoil(check.lab, "f2", kind)
    try:
        code, said = check("--device", "f2")
    finally:
        spoil(check.lab, "f2", "none")
    assert code == 1
    assert said.startswith("f2: ")
    assert "nothing looks wrong" not in said


def test_a_device_that_is_not_there_is_said(check: Checked) -> None:
    code = main(["check", str(check.site), "--live", "--device", "f9"])
    assert code == 2
    assert "no device `f9`" in check.capsys.readouterr().err


def test_files_with_errors_are_not_held_against_devices(check: Checked) -> None:
    edited(check.site / "site.yaml", "zone: bay", "zone: nowhere")
    code, said = check()
    assert code == 1
    assert "unknown-zone" in said
    assert "asked in" not in said
