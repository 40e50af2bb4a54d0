"""A small site on disk, and a driver that plans anything."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from otgate.config.site import Loaded, load_site
from otgate.driver import Driver, Link, Session
from otgate.errors import Mistake, Mistakes
from otgate.model import Device, Scan, ValueType

SITE = """\
config_version: 1
site: {id: sub7, name: Substation 7, gateway: gw1}
devices:
  - id: f3
    driver: fake
    zone: bay
    points: points/f3.csv
    scans: {fast: 0.5, normal: 2}
    fake: {url: here}
defaults: {sensitivity: internal, tags: [feeder]}
policy: policy.yaml
"""
POINTS = """\
id,kind,address
ia,measurement,1
cb,status,2
"""
POLICY = """\
config_version: 1
policy: {name: egress, version: 1}
vocabulary: {tags: [feeder, protection]}
zones: {bay: {purdue: 1}, enterprise: {purdue: 4}}
conduits:
  analytics: {from: [bay], to: enterprise, ceiling: internal}
rules:
  - {name: loads, effect: allow, match: {tags_all: [feeder]}, why: load forecasting}
"""
BUS = """\
config_version: 1
conduit: analytics
brokers: ["mqtt://127.0.0.1:1883"]
"""


class FakeSettings(BaseModel):
    """Settings of a driver that reads nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    size: int = Field(default=1, ge=1)
    ranges: tuple[str, ...] = ()

    @field_validator("url")
    @classmethod
    def known(cls, url: str) -> str:
        if url == "nowhere":
            raise ValueError("Nobody is there")
        return url


class Fake:
    """Plans one scan per class; an address `bad` and a url `hopeless` are mistakes."""

    settings: type[Any] = FakeSettings
    housekeeping: Sequence[str] = ()

    def link_key(self, device: Device) -> str:
        return str(device.settings.url)

    def plan(self, device: Device) -> Sequence[Scan]:
        wrong = [
            Mistake("bad-address", "no such address", point.id, "address", "write a number")
            for point in device.points
            if point.address == "bad"
        ]
        if device.settings.url == "hopeless":
            wrong.append(Mistake("bad-setting", "no hope", None, "fake.url"))
        if wrong:
            raise Mistakes(wrong)
        return [
            Scan(name, period_s, points, [ValueType.F64] * len(points))
            for name, period_s in device.scans.items()
            if (points := [at for at, one in enumerate(device.points) if one.scan == name])
        ]

    def connect(self, link: Link) -> AbstractAsyncContextManager[dict[str, Session]]:
        raise NotImplementedError


FAKE: dict[str, Driver] = {"fake": Fake()}


def written(
    directory: Path,
    site: str = SITE,
    points: str | bytes = POINTS,
    policy: str | bytes = POLICY,
    **more: str,
) -> Path:
    """Write a site and return its site file; ``more`` are bus files by conduit."""
    for folder in ("points", "bus"):
        (directory / folder).mkdir(parents=True, exist_ok=True)
    (directory / "site.yaml").write_text(site)
    for name, content in (("points/f3.csv", points), ("policy.yaml", policy)):
        raw = content.encode() if isinstance(content, str) else content
        (directory / name).write_bytes(raw)
    for name, content in more.items():
        (directory / "bus" / f"{name}.yaml").write_text(content)
    return directory / "site.yaml"


def loaded(directory: Path, **files: Any) -> Loaded:
    """Write a site and load it."""
    return load_site(written(directory, **files), FAKE)


def codes(outcome: Loaded) -> list[str]:
    """Return the codes of what was said, in order."""
    return [one.code for one in outcome.diagnostics]
