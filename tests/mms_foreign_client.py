"""A client of PyPI's `iec61850`, run as a process of its own against the port it is given.

It browses, reads, writes, and prints what it found as JSON.
"""

import asyncio
import json
import sys
from typing import Any

from iec61850 import FC, Iec61850Client, Iec61850ClientConfig


async def found(port: int) -> dict[str, Any]:
    config = Iec61850ClientConfig("127.0.0.1", port)
    async with Iec61850Client(config) as client:
        connection = client.connection
        domains = await connection.get_server_directory()
        nodes = await connection.get_logical_device_directory(domains[0])
        one = await connection.read_float(f"{domains[0]}/MMXU1.Val0007.mag.f", FC.MX)
        members = await connection.get_data_set_directory(f"{domains[0]}/LLN0.all")
        values = await connection.get_data_set_values(f"{domains[0]}/LLN0.all")
        await connection.write_float(f"{domains[0]}/MMXU1.Val0007.mag.f", FC.MX, 70.5)
        return {
            "domains": domains,
            "nodes": nodes,
            "one": one,
            "members": len(members.members),
            "values": len(values),
        }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(found(int(sys.argv[1])))))
