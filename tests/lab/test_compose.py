"""compose.yaml as Docker Compose itself reads it, which takes no engine."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from images import COMPOSE, ROOT

pytestmark = pytest.mark.slow

PROGRAM = "docker-compose"


def read(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Let Docker Compose read a file and write what it understood."""
    if shutil.which(PROGRAM) is None:
        pytest.skip("docker-compose is not installed (Debian: docker-compose)")
    # Debian 12 has version 1.29, from before the specification had names for projects
    (folder / "compose.yaml").write_text(text.replace("name: otgate-lab\n", ""))
    words = "--project-directory", str(ROOT), "--file", str(folder / "compose.yaml"), "config"
    return subprocess.run(
        [PROGRAM, *words], capture_output=True, text=True, timeout=60, check=False
    )


def understood(folder: Path) -> Mapping[str, Any]:
    done = read(COMPOSE.read_text(), folder)
    assert done.returncode == 0, done.stderr
    told: Mapping[str, Any] = yaml.safe_load(done.stdout)
    return told


def test_compose_understands_what_is_meant(tmp_path: Path) -> None:
    told = understood(tmp_path)
    services = told["services"]
    networks = {name: set(service["networks"]) for name, service in services.items()}
    assert networks == {"devices": {"ot"}, "field": {"ot"}, "bus": {"it"}, "broker": {"it"}}
    assert all(network["internal"] for network in told["networks"].values())
    assert all(service["read_only"] for service in services.values())
    assert "spool:/var/lib/otgate/spool:ro" in services["bus"]["volumes"]
    assert services["field"]["depends_on"]["devices"]["condition"] == "service_healthy"
    assert any("uid=10002" in mount for mount in services["bus"]["tmpfs"])


def test_compose_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    done = read(COMPOSE.read_text().replace("read_only:", "readonly:"), tmp_path)
    assert done.returncode != 0
    assert "readonly" in done.stderr
