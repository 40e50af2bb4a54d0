"""A running gateway whose files are signed: what does not hold changes nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from brokers import Mosquitto, broker
from daemons import Process, running, said, simulated, wait_until, write_site

__all__ = ["broker"]

pytestmark = pytest.mark.lab


def otgate(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "otgate", *map(str, words)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def signed(site: Path) -> None:
    done = otgate("policy", "sign", site, "--as", "security", "--key", site / "security.key")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def site(tmp_path: Path, broker: Mosquitto) -> Path:
    folder = write_site(tmp_path / "site", broker.port)
    assert otgate("policy", "key", folder / "security.key").returncode == 0
    with (folder / "site.yaml").open("a") as file:
        file.write("signatures: {security: security.key.pub}\n")
    edit(folder, "version: 1}", "version: 3}")
    signed(folder)
    return folder


@pytest.fixture
def gateway(site: Path) -> Iterator[Process]:
    with simulated(site) as endpoints, running(site, endpoints) as process:
        wait_until(lambda: said(site, "field").get("conduits"), process.log)
        yield process


def edit(site: Path, old: str, new: str, name: str = "policy.yaml") -> None:
    before = (site / name).read_text()
    assert old in before
    (site / name).write_text(before.replace(old, new))


def reload(site: Path) -> str:
    done = otgate("reload", site, "--allow-gain")
    return "" if done.returncode == 0 else done.stderr


def test_what_does_not_hold_changes_nothing(site: Path, gateway: Process) -> None:
    before = said(site, "field")["policy_hash"]
    policy, signature = site / "policy.yaml", site / "policy.yaml.sig"
    good, whole = policy.read_text(), signature.read_text()
    policy.write_text(good.replace("tags_any: [protection]", "kind: [setting]"))
    assert "the file has changed since it was signed" in reload(site)
    policy.write_text(good)
    signature.write_text(whole[:200])
    assert "bad-signature" in reload(site)
    signature.unlink()
    assert "missing-signature" in reload(site)
    edit(site, "signatures: {security: security.key.pub}\n", "", "site.yaml")
    assert "signers changed, which takes a restart" in reload(site)
    assert said(site, "field")["policy_hash"] == before


def test_an_older_policy_is_not_put_back_by_reload_or_restart(site: Path, gateway: Process) -> None:
    older = {path: path.read_bytes() for path in (site / "policy.yaml", site / "policy.yaml.sig")}
    edit(site, "version: 3}", "version: 4}")
    signed(site)
    assert reload(site) == ""
    for path, content in older.items():
        path.write_bytes(content)
    assert "policy version 3 is older than 4" in reload(site)
    done = otgate("run", site, "--field")
    assert done.returncode == os.EX_CONFIG
    assert "policy version 3 is older than 4" in done.stderr
