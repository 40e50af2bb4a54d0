"""What `otgate doctor` tries, with and without a sandbox around it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from confined import needs_landlock
from daemons import write_site
from otgate.cli import main
from otgate.sandbox.deeds import forbidden, refusal
from otgate.sandbox.kernel import PR_GET_NO_NEW_PRIVS, controlled
from otgate.sandbox.needs import Needs
from otgate.sandbox.probe import targets

WITHOUT = [sys.executable, str(Path(__file__).parents[2] / "without_landlock.py")]


@pytest.fixture
def victim() -> Iterator[int]:
    """A process of our own user."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process.pid
        process.kill()


def doctor(*words: str | Path, prefix: list[str] | None = None) -> tuple[int, str]:
    command = [*(prefix or ()), sys.executable, "-m", "otgate", "doctor", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_whoever_is_not_confined_can_do_it_all(victim: int, tmp_path: Path) -> None:
    if controlled(PR_GET_NO_NEW_PRIVS):
        pytest.skip("whoever runs these tests has given up privileges already")
    needs = Needs(read=[tmp_path], datagrams=False)
    with targets() as aimed_at:
        deeds = forbidden(needs, replace(aimed_at, process=victim))
        refused = {deed.what: refusal(deed.do) for deed in deeds}
    assert not any(deed.allowed for deed in deeds)
    # a kernel without Multipath TCP refuses it to everybody, and most users are not root
    beyond_us = {"connect by Multipath TCP", "use the rights of root"}
    assert {what for what, why in refused.items() if why} <= beyond_us
    assert (refused["use the rights of root"] is None) == (os.geteuid() == 0)


def test_a_doctor_finds_both_sides_kept_from_all_they_do_not_need(tmp_path: Path) -> None:
    needs_landlock()
    site = write_site(tmp_path, 1883)
    (site / "spool/analytics").mkdir(parents=True)
    code, said = doctor(site, "--format", "json")
    assert code == 0, said
    field, bus = json.loads(said).values()
    assert {one["what"] for one in field["forbidden"] if one["allowed"]} == {
        "read files that are not its own", "send datagrams", "reach unix sockets",
    }  # fmt: skip
    assert not any(one["allowed"] for one in bus["forbidden"])
    assert f"write {site / 'spool/analytics'}" in {one["what"] for one in bus["forbidden"]}
    assert "connect to TCP port 1883" in {one["what"] for one in bus["needed"]}
    assert not list((site / "spool/analytics").iterdir())


def test_a_kernel_without_landlock_leaves_open_what_it_says(tmp_path: Path) -> None:
    bus = write_site(tmp_path, 1883) / "bus/analytics.yaml"
    code, said = doctor(bus, prefix=WITHOUT)
    lines = [line.split(maxsplit=1) for line in said.splitlines() if line]
    assert code == 1
    assert ["lacking", "Landlock: no file is out of reach (Linux 5.13 has it, if enabled)"] in lines
    assert ["OPEN", "connect to other TCP ports"] in lines
    assert ["in", "force execute a program (Operation not permitted)"] in [
        [words[0], " ".join(words[1].split())] for words in lines if len(words) > 1
    ]


def test_what_is_off_is_not_called_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bus = write_site(tmp_path, 1883) / "bus/analytics.yaml"
    bus.write_text(bus.read_text() + "sandbox: off\n")
    assert main(["doctor", str(bus)]) == 1
    assert "sandbox: off" in capsys.readouterr().out


def test_a_file_with_errors_is_left_to_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bus = write_site(tmp_path, 1883) / "bus/analytics.yaml"
    bus.write_text(bus.read_text() + "sandbox: perhaps\n")
    assert main(["doctor", str(bus)]) == 1
    assert capsys.readouterr().err == f"otgate: {bus} has errors: `otgate check` says which\n"
