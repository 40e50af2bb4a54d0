"""What was asked of the gateway, beside what was measured."""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any


@dataclass(frozen=True, slots=True)
class Claim:
    """A figure that must not be above a limit."""

    what: str
    path: tuple[str, ...]
    """Where it stands in the results."""
    most: float
    unit: str

    def measured(self, results: Mapping[str, Any]) -> float | None:
        """Return what was measured, None where it was not."""
        try:
            return float(reduce(operator.getitem, self.path, results))
        except KeyError:
            return None


def fleet(
    devices: int, run: str = "", registers: int = 1000
) -> Callable[[str, str, float, str], Claim]:
    """Return a maker of claims about a run of the fleet benchmark."""
    section = f"fleet_{devices}x{registers}{run}"
    return lambda what, key, most, unit: Claim(
        f"{devices} devices: {what}", (section, key), most, unit
    )


fifty, one_dead, thousand = fleet(50), fleet(50, "_dead"), fleet(1000, "_10pc")
idle = fleet(10, "_0pc", registers=50)

CLAIMS = (
    Claim(
        "own client, a read of 125 registers in a poll of eight at depth 1",
        ("modbus", "uvloop", "us_per_read_at_depth_one"),
        20,
        "µs",
    ),
    fifty("CPU per million points, all changing", "cpu_s_per_million_points", 0.4, "s"),
    fifty("change to MQTT beyond the period, p50", "change_ms_p50", 5, "ms"),
    fifty("change to MQTT beyond the period, p99", "change_ms_p99", 25, "ms"),
    fifty("samples lost", "holes", 0, ""),
    one_dead("slots missed by the others, one dead", "missed_slots", 0, ""),
    thousand("field side, 10 % changed", "field_core_share", 0.35, "core"),
    thousand("bus side, 10 % changed", "bus_core_share", 0.25, "core"),
    thousand("field side", "field_mb", 150, "MB"),
    thousand("bus side", "bus_mb", 150, "MB"),
    thousand("polls late, p99", "late_ms_p99", 5, "ms"),
    thousand("slots missed", "missed_slots", 0, ""),
    thousand("change to MQTT beyond the period, p50", "change_ms_p50", 5, "ms"),
    thousand("change to MQTT beyond the period, p99", "change_ms_p99", 25, "ms"),
    thousand("samples lost", "holes", 0, ""),
    idle("field side, nothing changes", "field_core_share", 0.004, "core"),
    idle("bus side, nothing changes", "bus_core_share", 0.001, "core"),
    idle("field side, nothing changes", "field_mb", 60, "MB"),
    idle("bus side, nothing changes", "bus_mb", 60, "MB"),
)


def asked_table(results: Mapping[str, Any]) -> str:
    """Return every claim with its limit, the figure and whether it holds, as lines."""
    heading = f"{'asked':<64}{'at most':>12}{'measured':>12}  holds"
    return "\n".join([heading, *(row(claim, claim.measured(results)) for claim in CLAIMS)])


def row(claim: Claim, found: float | None) -> str:
    """Return one claim as a line."""
    limit = f"{claim.most:g} {claim.unit}".rstrip()
    if found is None:
        return f"{claim.what:<64}{limit:>12}{'-':>12}  not measured"
    return f"{claim.what:<64}{limit:>12}{found:>12.3g}  {'yes' if found <= claim.most else 'NO'}"


FLEET_COLUMNS = (
    ("points/s", "points_per_s", ".0f"),
    ("scanned/s", "scanned_per_s", ".0f"),
    ("CPU s/M pts", "cpu_s_per_million_points", ".2f"),
    ("CPU s/M scan", "cpu_s_per_million_scanned", ".3f"),
    ("floor", "floor_cpu_s_per_million_points", ".2f"),
    ("field %", "field_core_share", ".1%"),
    ("bus %", "bus_core_share", ".1%"),
    ("field MB", "field_mb", ".0f"),
    ("bus MB", "bus_mb", ".0f"),
    ("late p50", "late_ms_p50", ".1f"),
    ("late p99", "late_ms_p99", ".1f"),
    ("change p50", "change_ms_p50", ".1f"),
    ("change p99", "change_ms_p99", ".1f"),
    ("missed", "missed_slots", ".0f"),
    ("holes", "holes", ".0f"),
)


def fleet_table(results: Mapping[str, Any]) -> str:
    """Return the runs of the fleet benchmark, a line each."""
    heading = f"{'fleet':<22}" + "".join(f"{name:>13}" for name, _, _ in FLEET_COLUMNS)
    runs = (name for name in results if name.startswith("fleet_"))
    return "\n".join([heading, *(fleet_row(name, results[name]) for name in runs)])


def fleet_row(name: str, figures: Mapping[str, Any]) -> str:
    """Return one run as a line."""
    return f"{name.removeprefix('fleet_'):<22}" + "".join(cells(figures))


def cells(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield a cell for each column; what was not measured is a dash."""
    for _, key, form in FLEET_COLUMNS:
        yield f"{format(figures[key], form) if key in figures else '-':>13}"
