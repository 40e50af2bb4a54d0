"""A client of PyPI's `iec61850`, run as a process of its own against a simulated server.

It browses, reads, takes reports and commands, and prints what it found as JSON.
"""

import asyncio
import json
import sys
from typing import Any

from iec61850 import FC, Iec61850Client, Iec61850ClientConfig, RcbWriteMask


async def found(port: int) -> dict[str, Any]:
    config = Iec61850ClientConfig("127.0.0.1", port)
    async with Iec61850Client(config) as client:
        connection = client.connection
        domains = await connection.get_server_directory()
        nodes = await connection.get_logical_device_directory("F3Q1MEAS")
        hertz = await connection.read_float("F3Q1MEAS/MMXU1.Hz.mag.f", FC.MX)
        members = await connection.get_data_set_directory("F3Q1MEAS/LLN0.loads")
        values = await connection.get_data_set_values("F3Q1MEAS/LLN0.loads")
        await connection.write_float("F3Q1PROT/PTOC1.StrVal.setMag.f", FC.SP, 510.0)
        return {
            "domains": domains,
            "nodes": nodes,
            "hertz": hertz,
            "members": len(members.members),
            "values": len(values),
            **await reported(connection),
        }


async def reported(connection: Any) -> dict[str, Any]:
    """Enable a block of each kind and take what an interrogation brings."""
    said = {}
    for reference in ("F3Q1MEAS/LLN0.RP.urcbLoads01", "F3Q1CTRL/LLN0.BR.brcbPositions01"):
        came: list[Any] = []
        rcb = await connection.get_rcb_values(reference)
        await connection.install_report_handler(reference, came.append, rpt_id=rcb.rpt_id)
        rcb.rpt_ena = True
        await connection.set_rcb_values(rcb, RcbWriteMask.fields("rpt_ena"))
        await connection.trigger_gi(reference)
        for _ in range(50):
            if came:
                break
            await connection.poll_reports(100)
        said[reference] = [len(each.entries) for each in came]
    return {"reports": said}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(found(int(sys.argv[1])))))
