"""The common model: what a SunSpec device says that it is.

Clause: SunSpec Information Model Specification, model 1.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping

from otgate_modbus.settings import SunSpec
from otgate_modbus.sunspec.chain import HEADER, MARKER

COMMON = "1"
TEXTS = (("vendor", 16), ("model", 16), ("options", 8), ("revision", 8), ("serial number", 16))
"""The registers of each text, in their order: Mn, Md, Opt, Vr, SN."""

Read = Callable[[int, int], Awaitable[bytes | None]]
"""Read registers from an address on; None where there is no answer."""


def texts(sunspec: SunSpec) -> Iterator[tuple[str, int, int]]:
    """Yield name, address and registers of each text; none where the first model is another."""
    model, _, length = sunspec.models[0].partition("/")
    at = sunspec.at + len(MARKER) + HEADER
    end = at + int(length)
    for name, size in TEXTS:
        if model == COMMON and at + size <= end:
            yield name, at, size
        at += size


async def common(sunspec: SunSpec, read: Read) -> Mapping[str, str]:
    """Return what the device says of itself, by name; all of it, or nothing."""
    found: dict[str, str] = {}
    for name, at, size in texts(sunspec):
        answer = await read(at, size)
        if answer is None:
            return {}
        found[name] = answer.split(b"\0")[0].decode("utf-8", "replace").strip()
    return found
