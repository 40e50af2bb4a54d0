"""Devices that were put under maintenance while the field side runs, and those taken out of it.

What was switched holds over reloads and restarts, whatever the site file says, until it is left to
the site file again.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import structlog

from otgate.config.site import Site
from otgate.model import Device
from otgate.spool.files import OS
from otgate.spool.state_file import StateFile

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Switched:
    """What somebody said of a device."""

    on: bool
    by: str
    why: str
    at: str
    """When, ISO 8601 in UTC."""


class Maintenance:
    """The switches of a site's devices; kept in ``maintenance.json``."""

    def __init__(self, directory: Path) -> None:
        self._file = StateFile(directory / "maintenance.json", OS)
        self.switched: dict[str, Switched] = {}
        self._load()

    def _load(self) -> None:
        try:
            found = json.loads(self._file.read())
            self.switched = {str(device): Switched(**told) for device, told in found.items()}
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, AttributeError) as error:
            log.error("maintenance_unreadable", error=str(error))  # noqa: TRY400  no traceback

    def switch(self, device: str, told: Switched | None) -> None:
        """Take note; None leaves the device to the site file again.

        Raises:
            OSError: it holds until a restart only.
        """
        self.switched.pop(device, None)
        if told is not None:
            self.switched[device] = told
        said = {device: asdict(one) for device, one in self.switched.items()}
        self._file.write(json.dumps(said, ensure_ascii=False).encode())

    def of(self, site: Site) -> Site:
        """Return the site with its devices as they were switched."""
        return replace(site, devices=tuple(map(self._of, site.devices)))

    def _of(self, device: Device) -> Device:
        told = self.switched.get(device.id)
        if told is None or told.on == device.maintenance:
            return device
        return replace(device, maintenance=told.on)

    def status(self, site: Site) -> Mapping[str, object]:
        """Describe every device that is under maintenance or was switched."""
        return {
            device.id: {
                "maintenance": device.maintenance,
                **(asdict(self.switched[device.id]) if device.id in self.switched else {}),
            }
            for device in site.devices
            if device.maintenance or device.id in self.switched
        }


def now_told() -> str:
    """Return the time as a person reads it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
