"""A small site of a template on disk."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from otgate.config.site import Loaded, Site, load_site
from sites import FAKE, POLICY

TEMPLATE = """\
config_version: 1
parameters:
  url: {}
  size: {type: integer, min: 1, default: 1}
  rated: {type: number, default: 400}
device:
  driver: fake
  zone: bay
  points: feeder.csv
  scans: {fast: 0.5, normal: 2}
  fake:
    url: ${url}
    size: ${size}
"""
MAP = """\
id,name,kind,address,eu_lo,eu_hi,deadband,scan
ia,Current A,measurement,1,0,${rated},1%,fast
cb,Breaker,status,2,,,,
"""
SITE = """\
config_version: 1
site: {{id: sub7, gateway: gw1}}
devices:
{devices}
defaults: {{sensitivity: internal, tags: [feeder]}}
policy: policy.yaml
"""
FILES: Mapping[str, str] = {
    "templates/feeder.yaml": TEMPLATE,
    "templates/feeder.csv": MAP,
    "policy.yaml": POLICY,
}
F1 = "  - {id: f1, template: templates/feeder.yaml, with: {url: here}}"


def written(directory: Path, *devices: str, files: Mapping[str, str] | None = None) -> Path:
    """Write a site of these entries and return its site file."""
    site = {"site.yaml": SITE.format(devices="\n".join(devices))}
    for name, text in {**FILES, **site, **(files or {})}.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return directory / "site.yaml"


def loaded(directory: Path, *devices: str, files: Mapping[str, str] | None = None) -> Loaded:
    """Write a site of these entries and load it."""
    return load_site(written(directory, *devices, files=files), FAKE)


def site_of(directory: Path, *devices: str, files: Mapping[str, str] | None = None) -> Site:
    """Write a site that has no mistake, and return it."""
    outcome = loaded(directory, *devices, files=files)
    assert outcome.site is not None, outcome.diagnostics
    return outcome.site


def said_of(site: Site) -> dict[str, Any]:
    """Return everything that a site says of its devices."""
    return {
        device.id: (device.zone, device.scans, device.settings, list(device.points))
        for device in site.devices
    }
