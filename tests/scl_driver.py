"""What a driver's plan does with points and SCL, so that `check` can be run on imports."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from otgate.config.diagnostic import Diagnostic
from otgate.config.site import check_sites
from otgate.errors import Mistake, Mistakes
from otgate.model import Device, Scan, ValueType
from otgate_iec61850.address import BadReference, read_reference
from otgate_iec61850.scl import read_scl
from otgate_iec61850.scl.compare import compare
from otgate_iec61850.settings import Settings


class Planned:
    """Plans one scan of everything whose address and SCL agree; opens no link."""

    settings: type[Any] = Settings
    housekeeping: Sequence[str] = ()

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def link_key(self, device: Device) -> str:
        return device.id

    def plan(self, device: Device) -> Sequence[Scan]:
        wrong = [*self.bad_addresses(device), *self.differences(device)]
        if wrong:
            raise Mistakes(wrong)
        numbers = range(len(device.points))
        return [Scan("normal", 2.0, numbers, [ValueType.F64] * len(numbers))]

    def bad_addresses(self, device: Device) -> Sequence[Mistake]:
        wrong = []
        for point in device.points:
            try:
                read_reference(point.address)
            except BadReference as bad:
                wrong.append(Mistake("bad-address", bad.message, point.id, "address", bad.help))
        return wrong

    def differences(self, device: Device) -> Sequence[Mistake]:
        settings: Settings = device.settings
        if settings.scl is None:
            return []
        scl = read_scl(self.directory / settings.scl)
        servers = scl.ied(settings.ied or scl.ieds[0]).access_points
        return compare(device.points, next(s for s in servers if s.name == settings.access_point))

    def connect(self, link: Any) -> Any:
        raise NotImplementedError


def checked(site: Path) -> list[Diagnostic]:
    """Return everything that `otgate check` says of a site with IEC 61850 devices."""
    (outcome,) = check_sites([site], {"iec61850": Planned(site.parent)})
    return list(outcome.diagnostics)
