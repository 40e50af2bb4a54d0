"""The lab with its Modbus devices on every other link than TCP."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LAB = Path(__file__).parents[2] / "config" / "lab"
LINKS = {
    "tcp://10.7.0.11:502": "udp://10.7.0.11",
    "tcp://10.7.0.12:502": "rtu+tcp://10.7.0.12:4001",
    "tcp://10.7.0.41:502": "serial:///dev/ttyS7?baud=38400",
}

pytestmark = [pytest.mark.lab, pytest.mark.slow]


def test_the_lab_loses_nothing_over_udp_a_terminal_server_and_a_serial_line(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("lab")
    site = folder / "site"
    shutil.copytree(LAB, site)
    text = (site / "site.yaml").read_text()
    for url, other in LINKS.items():
        assert url in text
        text = text.replace(url, other)
    (site / "site.yaml").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "otgate", "lab", "--site", site, "--for", "8", "--json"],
        env=os.environ | {"TMPDIR": str(folder)},
        capture_output=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr.decode()
    result = json.loads(done.stdout)
    assert (result["lost"], result["denied_points_seen"]) == (0, 0)
    for device in ("f1", "f2", "m1", "m2"):
        assert result["devices"][device]["received"] > 0, device
    assert not list(folder.glob("otgate-sim-*"))
