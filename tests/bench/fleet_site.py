"""Sites of many equal Modbus devices behind one server, for benchmarks."""

from dataclasses import dataclass
from pathlib import Path

from bench.fleet_load import host

SITE = """\
config_version: 1
site: {{id: sub7, gateway: gw1}}
devices:
{devices}
defaults: {{sensitivity: internal, tags: [feeder], max_age_s: 30}}
spool: {{directory: spool, size_mb: 256, age_h: 24}}
policy: policy.yaml
"""
DEVICE = """\
  - id: d{number}
    driver: modbus
    zone: bay
    points: points/d.csv
    scans: {{normal: 1}}
    modbus: {{url: "tcp://{host}:{port}", unit: 1, base: 0}}
"""
POLICY = """\
config_version: 1
policy: {name: fleet, version: 1}
vocabulary: {tags: [feeder]}
zones: {bay: {purdue: 1}, it: {purdue: 4}}
conduits:
  analytics: {from: [bay], to: it, ceiling: internal}
rules:
  - {name: all, effect: allow, conduits: [analytics], match: {tags_all: [feeder]}, why: a benchmark}
"""
BUS = """\
config_version: 1
conduit: analytics
brokers: ["mqtt://127.0.0.1:{port}"]
"""


@dataclass(frozen=True, slots=True)
class Fleet:
    """How large a load is."""

    devices: int
    registers: int
    scaled: bool = False
    """Every point has the scale 0.1."""

    def named(self, changed: float) -> str:
        """Return what a run with this share of changing registers is called in the results."""
        share = "" if changed == 100 else f"_{changed:g}pc"
        return f"fleet_{self.devices}x{self.registers}{share}{'_scaled' * self.scaled}"


def write_site(folder: Path, fleet: Fleet, server: int, broker: int) -> None:
    """Write a site of equal devices that all lie behind one server."""
    scale = "0.1" if fleet.scaled else ""
    rows = [f"p{at},measurement,ir {at},u16,{scale},A,normal\n" for at in range(fleet.registers)]
    devices = [
        DEVICE.format(number=number, host=host(number), port=server)
        for number in range(fleet.devices)
    ]
    for name, text in {
        "site.yaml": SITE.format(devices="".join(devices).rstrip()),
        "points/d.csv": "id,kind,address,type,scale,unit,scan\n" + "".join(rows),
        "policy.yaml": POLICY,
        "bus/analytics.yaml": BUS.format(port=broker),
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
