import re
import subprocess
import sys
from pathlib import Path

import pytest

from otgate.config.bus import load_bus
from otgate.config.bus_apart import load_bus_apart
from otgate.errors import Refused
from sites import BUS

EVERYTHING = (
    BUS.replace("mqtt:", "mqtts:")
    + "tls: {ca: ca.pem, certificate: gw.pem, key: {credential: key}, server_name: broker}\n"
    + "username: gw\npassword: {credential: broker}\ncredentials: secrets\nreplay_s: 1.5\n"
)


def written(directory: Path, text: str) -> Path:
    path = directory / "analytics.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("text", [BUS, EVERYTHING])
def test_a_file_read_apart_says_the_same(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    bus, _ = load_bus_apart(path)
    assert bus is not None
    assert (bus, []) == load_bus(path)


@pytest.mark.parametrize("text", ["", "a: [", BUS + "windw: 5\n", BUS.replace("//", "//u:p@")])
def test_a_refused_file_is_refused_apart_for_the_same_reasons(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    bus, diagnostics = load_bus_apart(path)
    assert bus is None
    assert diagnostics
    assert (bus, diagnostics) == load_bus(path)


def test_an_absent_file_is_refused_apart(tmp_path: Path) -> None:
    bus, (said,) = load_bus_apart(tmp_path / "none.yaml")
    assert (bus, said.code) == (None, "unreadable-file")


@pytest.mark.parametrize(
    ("script", "ending"),
    [("exit 3", "failed with exit code 3"), ("kill -9 $$", "was ended by signal 9")],
)
def test_a_reading_process_that_dies_is_told_from_a_refused_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, ending: str
) -> None:
    interpreter = tmp_path / "python"
    interpreter.write_text(f"#!/bin/sh\n{script}\n")
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    with pytest.raises(Refused, match=f"cannot read {re.escape(str(tmp_path))}.*{ending}"):
        load_bus_apart(written(tmp_path, BUS))


def test_a_bus_side_never_imports_what_checks_files(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import otgate.app.bus, otgate.cli.bus;"
        "assert otgate.cli.bus.load_bus_apart(Path(sys.argv[1]))[0];"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    command = [sys.executable, "-c", code, str(written(tmp_path, BUS))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not {"pydantic", "pydantic_core", "yaml"} & set(done.stdout.split())


def test_an_answer_that_nobody_waits_for_is_dropped_without_a_word(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "otgate.config.bus_apart", written(tmp_path, BUS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as apart:
        assert apart.stdout is not None
        assert apart.stderr is not None
        apart.stdout.close()
        assert apart.stderr.read() == b""
    assert apart.returncode == 0
