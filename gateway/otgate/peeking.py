"""Every point of a device read once, by a driver's own scans, with nothing kept."""

from typing import Any

from otgate.driver import Driver, Emit, Link
from otgate.model import Device


class Forgotten:
    """State that lasts as long as one look at a device; see `otgate.driver.DeviceState`."""

    def __init__(self) -> None:
        self._held: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        """Return what was put under ``key``, or None."""
        return self._held.get(key)

    def put(self, key: str, value: Any) -> None:
        """Keep ``value`` for now."""
        self._held[key] = value


async def scanned(driver: Driver, device: Device, emit: Emit) -> None:
    """Connect, do every scan of the device's plan once, and let go of it.

    Raises:
        LinkLost, Unusable, TimeoutError: as the driver's `connect` and its session's `scan`.
        Mistakes: the device cannot be planned.
    """
    plan = driver.plan(device)
    link = Link([device], {device.id: plan}, {device.id: Forgotten()})
    async with driver.connect(link) as sessions:
        for scan in plan:
            await sessions[device.id].scan(scan, emit)
