"""How busy a plan keeps a link, told before a device is asked.

A link serves one poll at a time, so what a scan has to wait for is its own requests and, at worst,
the longest poll of any other scan on the same link.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from otgate.driver import Driver, Timed
from otgate.model import Device, Scan


@dataclass(frozen=True, slots=True)
class ScanLoad:
    """What one scan asks of its link."""

    device: str
    scan: str
    period_s: float
    busy_s: float
    """How long one poll keeps the link busy."""
    limit_s: float
    """How long one poll may take."""

    @property
    def share(self) -> float:
        """Which part of its period the link is busy with it."""
        return self.busy_s / self.period_s

    @property
    def name(self) -> str:
        """Device and scan, as a person writes them."""
        return f"{self.device}/{self.scan}"


@dataclass(frozen=True, slots=True)
class Late:
    """A scan that cannot keep its period, and why."""

    scan: ScanLoad
    code: str
    message: str
    help: str


@dataclass(frozen=True, slots=True)
class LinkLoad:
    """All scans of all devices that share one link."""

    scans: Sequence[ScanLoad]

    @property
    def devices(self) -> list[str]:
        """The devices that share it."""
        return list(dict.fromkeys(scan.device for scan in self.scans))

    @property
    def share(self) -> float:
        """Which part of the time the link is busy."""
        return sum(scan.share for scan in self.scans)

    def late(self) -> Iterator[Late]:
        """Yield the scans that cannot keep their period, each once."""
        overloaded = self.share > 1.0
        too_long = [scan for scan in self.scans if scan.busy_s > min(scan.limit_s, scan.period_s)]
        if overloaded and not too_long:
            yield self._overloaded()
        for scan in self.scans:
            if scan in too_long:
                yield _too_long(scan)
            elif not overloaded and (found := self._held_up(scan)):
                yield found

    def _overloaded(self) -> Late:
        """Lay it to the scan that asks most."""
        most = max(self.scans, key=lambda scan: scan.share)
        message = (
            f"the polls of this link take {percent(self.share)} of the time: it cannot keep up; "
            f"`{most.name}` alone takes {percent(most.share)}"
        )
        return Late(most, "link-overloaded", message, "lengthen periods, or read fewer points")

    def _held_up(self, scan: ScanLoad) -> Late | None:
        """Judge a scan by the longest poll that it may have to wait for."""
        others = [other for other in self.scans if other is not scan]
        longest = max(others, key=lambda other: other.busy_s, default=None)
        if longest is None or scan.busy_s + longest.busy_s <= scan.period_s:
            return None
        message = (
            f"`{scan.name}` misses slots while `{longest.name}` is read on the same link: "
            f"{seconds(scan.busy_s)} and {seconds(longest.busy_s)} do not fit into "
            f"its period of {scan.period_s:g} s"
        )
        help_ = f"lengthen it, or part the points of `{longest.scan}` over several scan classes"
        return Late(scan, "scan-too-fast", message, help_)


def _too_long(scan: ScanLoad) -> Late:
    if scan.limit_s < scan.period_s:
        may = f"the {seconds(scan.limit_s)} that it may take"
    else:
        may = f"its period of {scan.period_s:g} s"
    message = f"a poll of `{scan.name}` takes about {seconds(scan.busy_s)}, longer than {may}"
    help_ = "lengthen its period or the device's timeout, or move points to another scan class"
    return Late(scan, "scan-too-long", message, help_)


def link_loads(
    devices: Sequence[Device], plans: Mapping[str, Sequence[Scan]], drivers: Mapping[str, Driver]
) -> list[LinkLoad]:
    """Return how busy each link will be, of the drivers that tell; without a device."""
    links: dict[Hashable, list[ScanLoad]] = {}
    for device in devices:
        driver = drivers[device.driver]
        if isinstance(driver, Timed) and device.id in plans:
            key = (device.driver, driver.link_key(device))
            links.setdefault(key, []).extend(_loads(device, plans[device.id], driver))
    return [LinkLoad(scans) for scans in links.values() if any(scan.busy_s for scan in scans)]


def _loads(device: Device, plan: Sequence[Scan], timed: Timed) -> Iterator[ScanLoad]:
    for scan in plan:
        busy_s = sum(request.takes_s for request in scan.requests)
        limit_s = timed.limit_s(device, scan)
        yield ScanLoad(device.id, scan.name, scan.period_s, busy_s, limit_s)


def seconds(duration_s: float) -> str:
    """Write a duration for a person, to three digits."""
    return f"{duration_s:.3g} s" if duration_s >= 1.0 else f"{duration_s * 1000:.3g} ms"


def percent(share: float) -> str:
    """Write a share for a person."""
    return f"{100 * share:.3g} %"
