"""Sites under load: devices at `fast_modbus`, with as many registers as a test asks for."""

from dataclasses import dataclass
from pathlib import Path

from daemons import BUS, POLICY

DEVICE = """\
  - id: d{number}
    driver: modbus
    zone: bay
    points: points/load.csv
    scans: {{fast: {period_s}, slow: {period_s}}}
    modbus: {{url: "tcp://127.0.1.{number}:{port}", unit: 1, base: 0, timeout_s: {timeout_s}}}
"""
SITE = """\
config_version: 1
site: {{id: sub7, name: Substation 7, gateway: gw1}}
devices:
{devices}defaults: {{sensitivity: internal, max_age_s: 30}}
spool: {{directory: spool, size_mb: {spool_mb}, age_h: 24}}
policy: policy.yaml
"""


@dataclass(frozen=True, slots=True)
class Load:
    """How much a site reads: all registers change from scan to scan."""

    modbus_port: int
    devices: int = 2
    registers: int = 100
    statuses: int = 8
    period_s: float = 0.1
    spool_mb: int = 256
    replay_s: float = 3.0
    backlog: str = "{}"
    """Of the bus file, as YAML."""

    @property
    def samples_a_second(self) -> float:
        return self.devices * self.registers / self.period_s

    def write(self, folder: Path, broker_port: int) -> Path:
        """Write the site into ``folder``; return it."""
        for name, text in {
            "site.yaml": self._site(),
            "points/load.csv": self._points(),
            "policy.yaml": POLICY,
            "bus/analytics.yaml": BUS.format(port=broker_port)
            + f"replay_s: {self.replay_s}\nbacklog: {self.backlog}\n",
        }.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder

    def _site(self) -> str:
        timeout_s = max(0.09, min(1.0, self.period_s * 0.9))
        devices = "".join(
            DEVICE.format(
                number=number, period_s=self.period_s, port=self.modbus_port, timeout_s=timeout_s
            )
            for number in range(1, self.devices + 1)
        )
        return SITE.format(devices=devices, spool_mb=self.spool_mb)

    def _points(self) -> str:
        lines = ["id,kind,address,type,scan,tags"]
        lines += [f"r{n},measurement,hr {n},u16,fast,feeder" for n in range(self.registers)]
        lines += [f"s{n},status,di {n},bool,fast,feeder" for n in range(self.statuses)]
        return "\n".join(lines) + "\n"
