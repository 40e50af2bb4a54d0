"""Answer on a device's address for servers on loopback: ``python plant_relay.py ADDRESS PORT…``."""

import asyncio
import sys
from contextlib import suppress

from otgate.together import together


async def carried(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes until they end, which ends the other direction too."""
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    raise EOFError


async def serve(address: str, ports: list[int]) -> None:
    """Relay every connection to the same port of loopback."""

    def at(port: int) -> object:
        async def joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError, EOFError):
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    await together(carried(reader, far_writer), carried(far_reader, writer))
                finally:
                    far_writer.close()
                    writer.close()

        return joined

    for port in ports:
        await asyncio.start_server(at(port), address, port)  # type: ignore[arg-type]
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], list(map(int, sys.argv[2:]))))
