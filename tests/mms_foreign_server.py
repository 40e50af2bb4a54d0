"""A server of PyPI's `iec61850`, run as a process of its own: prints its port, obeys its stdin.

``f PATH VALUE``, ``b PATH 0|1`` and ``i PATH VALUE`` change a value; ``quit`` ends it.
"""

import asyncio
import sys
from typing import Any

from iec61850 import IedServer

MEASURED = 30


def da(name: str, fc: str, kind: Any, trg: list[str], **value: Any) -> dict[str, Any]:
    found = {"name": name, "fc": fc, "type": kind, "trg_ops": trg}
    return {**found, "value": value} if value else found


def measured(name: str) -> dict[str, Any]:
    """A measured value: mag.f, q, t."""
    return {
        "name": name,
        "das": [da("q", "MX", "Quality", ["quality_changed"]), da("t", "MX", "Timestamp", [])],
        "constructed_das": [
            {
                "name": "mag",
                "fc": "MX",
                "trg_ops": ["data_changed"],
                "children": [da("f", "MX", "Float32", ["data_changed"], type="float32", value=1.5)],
            }
        ],
    }


def status(name: str) -> dict[str, Any]:
    """A single point: stVal, q, t, and a description."""
    return {
        "name": name,
        "das": [
            da("stVal", "ST", "Boolean", ["data_changed"], type="bool", value=False),
            da("q", "ST", "Quality", ["quality_changed"]),
            da("t", "ST", "Timestamp", []),
            da("d", "DC", {"type": "VisibleString", "max_len": 255}, []),
        ],
    }


def spec() -> dict[str, Any]:
    inputs = [status(f"Ind{at}") for at in range(1, 9)]
    outputs = [measured(f"AnIn{at}") for at in range(1, MEASURED + 1)]
    mod = da("stVal", "ST", "Enumerated", ["data_changed"], type="int", value=1)
    return {
        "ied_name": "PEER",
        "lds": [
            {
                "inst": "LD0",
                "lns": [
                    {"lln0": True, "dos": [{"name": "Mod", "das": [mod]}]},
                    {"class": "GGIO", "inst": "1", "dos": [*inputs, *outputs]},
                ],
            }
        ],
    }


def serve() -> IedServer:
    server = IedServer.from_model_spec(spec())
    server.bind("127.0.0.1:0")
    server.vendor, server.model_name, server.revision = "foreign", "peer", "1"
    paths = [f"LD0/GGIO1.Ind{at}.stVal" for at in range(1, 9)]
    paths += [f"LD0/GGIO1.AnIn{at}.mag.f" for at in range(1, MEASURED + 1)]
    server.add_dataset("LLN0$events", paths)
    triggers = ["data_changed", "quality_changed", "integrity", "gi"]
    server.register_brcb(
        "LD0/LLN0.brcb01", dataset="LLN0$events", rpt_id="b1", trg_ops=triggers,
        with_resv_tms=True, with_owner=True, buffer_capacity=1000,
    )  # fmt: skip
    server.register_urcb("LD0/LLN0.urcb01", dataset="LLN0$events", rpt_id="u1", trg_ops=triggers)
    return server


async def main() -> None:
    server = serve()
    await server.start()
    print(server.bound_addr, flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        kind, *rest = line.split()
        if kind == "quit":
            break
        path, value = rest
        if kind == "f":
            server.update_float32(path, float(value))
        elif kind == "b":
            server.update_bool(path, value == "1")
        else:
            server.update_int32(path, int(value))
    await server.stop()


if __name__ == "__main__":
    asyncio.run(main())
