"""The site that is simulated: three devices on two lines, one conduit, one denied point."""

from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from otgate.config.bus import load_bus
from otgate.config.bus_side import BusFile
from otgate.config.site import Site, load_site
from otgate.driver import installed
from simulation.devices import SECRET_WORD

SITE = """\
config_version: 1
site: {id: sub7, name: Substation 7, gateway: gw1}
devices:
  - {id: d0, driver: modbus, zone: bay, points: points/d.csv, scans: {fast: 10, slow: 30},
     modbus: {url: "tcp://10.0.0.1:502", unit: 1, base: 0, timeout_s: 1}}
  - {id: d1, driver: modbus, zone: bay, points: points/d.csv, scans: {fast: 10, slow: 30},
     modbus: {url: "tcp://10.0.0.1:502", unit: 2, base: 0, timeout_s: 1}}
  - {id: d2, driver: modbus, zone: bay, points: points/d.csv, scans: {fast: 15, slow: 60},
     modbus: {url: "tcp://10.0.0.2:503", unit: 1, base: 0, timeout_s: 1}}
defaults: {sensitivity: internal, max_age_s: 90}
spool: {directory: spool, size_mb: 2, age_h: 48, reserve_mb: 1}
policy: policy.yaml
sandbox: "off"
"""
POINTS = """\
id,kind,address,type,scan,tags
c0,measurement,ir 0,u32,fast,feeder
c1,measurement,ir 2,u32,fast,feeder
c2,measurement,ir 4,u32,fast,feeder
c3,counter,ir 6,u32,slow,feeder
slow,measurement,ir 100,u16,fast,feeder
cb,status,di 3,bool,fast,feeder
xyzzy_relay,measurement,hr 200,u16,slow,protection
absent,measurement,ir 300,u16,slow,feeder
"""
POLICY = """\
config_version: 1
policy: {name: simulated, version: 1}
vocabulary: {tags: [feeder, protection]}
zones: {bay: {purdue: 1}, it: {purdue: 4}}
conduits:
  analytics: {from: [bay], to: it, ceiling: internal}
rules:
  - {name: feeder, effect: allow, conduits: [analytics], match: {tags_all: [feeder]}, why: a test}
  - {name: no-relay, effect: deny, match: {tags_any: [protection]}, why: a test}
"""
BUS = """\
config_version: 1
conduit: analytics
brokers: ["mqtt://127.0.0.1:1883"]
sandbox: "off"
"""
DENIED = (b"xyzzy", f'"v":{SECRET_WORD}'.encode())
"""What of the denied point would be seen in messages: its id, and its value."""
REFUSED = "absent"
"""The point that no device has."""


def varied(bus: BusFile, rng: Random) -> BusFile:
    """Return one of the many ways in which a bus side may be set."""
    order = rng.choice(("live", "strict"))
    backlog = replace(bus.backlog, order=order, messages_per_s=rng.choice((2, 20, 1000)))
    return replace(
        bus,
        backlog=backlog,
        window=rng.choice((1, 4, 20, 100)),
        last=rng.choice(("on", "off")),
        max_points=rng.choice((2, 1000)),
    )


@dataclass(frozen=True)
class Written:
    """A site on a real disk, loaded once and simulated many times."""

    site: Site
    bus: BusFile

    @classmethod
    def into(cls, folder: Path, policy: str = POLICY) -> "Written":
        for name, text in {
            "site.yaml": SITE, "points/d.csv": POINTS, "policy.yaml": policy,
            "bus/analytics.yaml": BUS,
        }.items():  # fmt: skip
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        loaded = load_site(folder / "site.yaml", installed())
        bus, said = load_bus(folder / "bus/analytics.yaml")
        assert loaded.site is not None, loaded.diagnostics
        assert bus is not None, said
        places = {"spool": loaded.site.spool.directory / bus.conduit, "state": folder / "bus-state"}
        return cls(loaded.site, replace(bus, **places))
