"""The little that the ThingsBoard gateway asks of its platform before it sends anything."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

REQUESTS = "v1/devices/me/rpc/request/"
UNLIMITED = {
    "maxPayloadSize": 65_536,
    "maxInflightMessages": 100,
    "rateLimits": {},
    "gatewayRateLimits": {},
}


@contextlib.contextmanager
def thingsboard_platform(broker: int) -> Iterator[None]:
    """Answer requests for the session's limits: there are none."""

    def answer(client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        limits = json.loads(message.payload).get("method") == "getSessionLimits"
        reply = UNLIMITED if limits else {}
        client.publish(message.topic.replace("request", "response"), json.dumps(reply), qos=1)

    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_message = answer
    client.on_connect = lambda *_: client.subscribe(REQUESTS + "+", 1)
    client.connect("127.0.0.1", broker)
    client.loop_start()
    try:
        yield
    finally:
        client.disconnect()
        client.loop_stop()
