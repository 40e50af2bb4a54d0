"""The shipped broker configurations start a broker."""

import shutil
from pathlib import Path

import pytest
import trustme

from otgate_sim.lab.broker import SEARCH, answering, free_port
from otgate_sim.lab.children import Children
from pems import keep_private

CONFIG = Path(__file__).parents[2] / "config" / "mosquitto"
MOSQUITTO = shutil.which("mosquitto", path=SEARCH)

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="Mosquitto is not installed")


def certificates(directory: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "ca.pem")
    issued = authority.issue_cert("localhost")
    keep_private(issued, directory / "broker.key")
    issued.cert_chain_pems[0].write_to_path(directory / "broker.pem")


@pytest.mark.parametrize(("name", "port"), [("lab.conf", "1883"), ("durable.conf", "8883")])
async def test_a_shipped_configuration_starts_a_broker(
    tmp_path: Path, name: str, port: str
) -> None:
    certificates(tmp_path)
    text = (CONFIG / name).read_text().replace("/etc/mosquitto/certs", str(tmp_path))
    text = text.replace("/var/lib/mosquitto/", f"{tmp_path}/")
    free = free_port()
    conf = tmp_path / name
    conf.write_text(text.replace(f"listener {port}", f"listener {free}") + "user root\n")
    async with Children(tmp_path) as children:
        child = await children.start("broker", [str(MOSQUITTO), "-c", str(conf)])
        await answering(child, free)
        assert "rror" not in child.last_words()
