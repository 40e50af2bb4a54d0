"""What one writes in an hour with pymodbus and paho-mqtt; runs in an environment of its own.

usage: pymodbus_paho.py MODBUS_PORT BROKER_PORT DEVICES REGISTERS
"""

import asyncio
import json
import sys

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from pymodbus.client import AsyncModbusTcpClient

BLOCK = 125


async def relay(device: int, port: int, registers: int, broker: mqtt.Client) -> None:
    """Read a device once a second and send what it says."""
    name = f"127.0.{1 + device // 250}.{1 + device % 250}"
    link = AsyncModbusTcpClient(name, port=port)
    await link.connect()
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        words: list[int] = []
        for first in range(0, registers, BLOCK):
            count = min(BLOCK, registers - first)
            words += (await link.read_input_registers(first, count=count)).registers
        points = {f"p{at}": word for at, word in enumerate(words)}
        broker.publish(f"minimal/d{device}", json.dumps(points), qos=1)
        due += 1
        await asyncio.sleep(max(0.0, due - loop.time()))


async def main(modbus_port: int, broker_port: int, devices: int, registers: int) -> None:
    """Relay all devices side by side."""
    broker = mqtt.Client(CallbackAPIVersion.VERSION2)
    broker.connect("127.0.0.1", broker_port)
    broker.loop_start()
    await asyncio.gather(*(relay(at, modbus_port, registers, broker) for at in range(devices)))


asyncio.run(main(*map(int, sys.argv[1:])))
