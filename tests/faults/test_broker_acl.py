"""The access list that `otgate policy acl` prints, kept by a real broker over a whole gateway."""

from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from brokers import Mosquitto, free_port
from daemons import running, said, simulated, wait_until, write_site
from otgate.cli import main
from otgate.cli.command import OK

pytestmark = pytest.mark.lab

READER = "\nuser auditor\ntopic read otgate/#\n"
NOT_AUTHORISED = 0x87


def answer(port: int, topic: str) -> int:
    """Publish as the bus side's user; return the reason code of the acknowledgement."""
    codes: list[int] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.username_pw_set("gw1-analytics")
    client.on_publish = lambda _c, _u, _mid, reason, _p: codes.append(int(reason.value))
    client.connect("127.0.0.1", port, properties=Properties(PacketTypes.CONNECT))
    client.publish(topic, b"{}", qos=1)
    while not codes:
        client.loop(1.0)
    client.disconnect()
    return codes[0]


def test_the_bus_side_may_publish_all_that_crosses_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    site = write_site(tmp_path / "site", port)
    with (site / "bus" / "analytics.yaml").open("a") as bus:
        bus.write("username: gw1-analytics\nlast: on\n")
    assert main(["policy", "acl", str(site), "--mosquitto"]) == OK
    acl = tmp_path / "otgate.acl"
    acl.write_text(capsys.readouterr().out + READER)
    with (
        Mosquitto(tmp_path / "broker", port=port, options=[f"acl_file {acl}"]),
        simulated(site) as endpoints,
        running(site, endpoints) as process,
    ):
        wait_until(lambda: said(site, "bus-analytics").get("samples", 0) > 50, process.log)
        status = said(site, "bus-analytics")
        assert (status["refused"], status["connections"]) == (0, 1)
        head = "otgate/v1/sub7/gw1"
        assert answer(port, f"{head}/analytics/f1/data") != NOT_AUTHORISED
        for elsewhere in (
            f"{head}/operations/f1/data",
            f"{head}/analytics/f9/data",
            f"{head}/analytics/f1/command",
            "otgate/v1/sub8/gw1/analytics/f1/data",
        ):
            assert answer(port, elsewhere) == NOT_AUTHORISED
