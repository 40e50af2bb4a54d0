"""Whether a device's scans fit into the rate of requests that it is to be spared with."""

from collections.abc import Iterable, Sequence

from otgate.errors import Mistake
from otgate.model import Scan
from otgate_modbus.settings import Settings

OF_PERIOD = 0.9
"""Share of a scan's period that its requests may take."""


def over_budget(settings: Settings, scans: Sequence[Scan]) -> Iterable[Mistake]:
    """Return what is wrong with scans that cannot be read at the rate of the settings."""
    rate = settings.requests_per_s
    if rate is None:
        return
    for scan in scans:
        least_s = len(scan.requests) / rate / OF_PERIOD
        if least_s > scan.period_s:
            yield _mistake(
                f"scan class `{scan.name}` makes {len(scan.requests)} requests each "
                f"{scan.period_s:g} s, which `requests_per_s: {rate:g}` does not allow",
                f"read it each {least_s:.3g} s or less often, or allow more",
            )
    asked = sum(len(scan.requests) / scan.period_s for scan in scans)
    if asked > rate:
        yield _mistake(
            f"the scans make {asked:.3g} requests per second in all, "
            f"`requests_per_s` allows {rate:g}",
            "give some points a slower scan class, or allow more",
        )


def _mistake(message: str, help_text: str) -> Mistake:
    return Mistake("bad-setting", message, None, "modbus.requests_per_s", help_text)
