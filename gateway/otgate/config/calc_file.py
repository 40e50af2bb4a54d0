"""The form of ``calc:`` in a site file: points that are calculated from others."""

from typing import Annotated, Any, Literal

from pydantic import Field

from otgate.config.forms import (
    DeviceId,
    Entry,
    Id,
    Name,
    ReportingEntry,
    Seconds,
    SensitivityName,
    Switch,
)

KindName = Literal["measurement", "status", "counter", "event", "setting", "control"]
AggregateName = Literal["min", "mean", "max", "last", "count", "good_share", "late"]

Text = Annotated[str, Field(max_length=1024)]
Glob = Annotated[str, Field(pattern=r"^[a-z0-9_*?-]+/[a-z0-9_*?-]+$")]
Stretch = Annotated[int, Field(ge=1, le=86_400)]


class CalculatedEntry(Entry):
    """A calculated point: a formula, or windows over other points."""

    id: Annotated[Id | None, Field(examples=["p_total"])] = None
    """The point, unique within its device; windows may go without."""
    name: Annotated[Name | None, Field(examples=["Feeders together"])] = None
    """The point, as people name it."""
    description: Annotated[Text, Field(examples=["without the wind farm"])] = ""
    """Anything more about it."""
    unit: Annotated[str | None, Field(max_length=64, examples=["kW"])] = None
    """The unit of the result; checked against those of its inputs."""
    kind: Annotated[KindName | None, Field(examples=["measurement"])] = None
    """What it is to people; measurement or status, by its type, when absent."""
    formula: Annotated[str | None, Field(min_length=1, examples=["f1/p + f2/p"])] = None
    """How it follows from other points, as `device/point`."""
    of: Annotated[Glob | None, Field(examples=["f1/ia", "f1/i*"])] = None
    """The point that windows are about; `*` and `?` stand for several points that are read."""
    aggregates: Annotated[
        list[AggregateName] | None, Field(min_length=1, examples=[["mean", "max"]])
    ] = None
    """What each window says of the values that stood in it; a point each."""
    every_s: Annotated[Stretch | None, Field(examples=[600])] = None
    """Seconds from one window's end to the next, on the grid of UTC."""
    over_s: Annotated[Stretch | None, Field(examples=[3600])] = None
    """Seconds that a window is about, a multiple of `every_s`; `every_s` when absent."""
    grace_s: Annotated[int | None, Field(ge=0, le=3600, examples=[15])] = None
    """Seconds that a window waits after its end for samples that come late; 2 when absent."""
    tags: list[Id] = Field(default_factory=list, examples=[["feeder"]])
    """Tags beside those of its inputs, which it has anyway."""
    sensitivity: Annotated[SensitivityName | None, Field(examples=["internal"])] = None
    """Classification where it is stricter than that of its inputs."""
    deadband: Annotated[float | None, Field(ge=0, examples=[0.5])] = None
    """Change of a formula worth reporting, in its unit."""
    latch: Annotated[Switch | None, Field(examples=["off"])] = None
    """`on` sends every change of a formula; `min_interval_s` holds none back."""
    max_age_s: Seconds = 0.0
    """Seconds without a result after which it is stale; 0 is never."""
    owner: Annotated[str | None, Field(max_length=256, examples=["protection"])] = None
    """Who answers for it; who answers for its inputs when absent."""
    external_id: Annotated[Text, Field(examples=["_4f1a"])] = ""
    """Its id in another system (CIM, IEC 61850, historian)."""


class CalcEntry(Entry):
    """A device that is calculated: it is no device on a wire, but a topic of its own."""

    device: Annotated[DeviceId, Field(examples=["sums"])]
    """The device, as topics name it; unique within the site."""
    points: Annotated[list[CalculatedEntry], Field(min_length=1)]
    """Its points."""
    reporting: Annotated[ReportingEntry | None, Field(examples=[{"min_interval_s": 5}])] = None
    """How often its points are sent; replaces `defaults.reporting`."""


class CalcOutline(CalcEntry):
    """`CalcEntry` with its points unread, so that one's mistakes leave the others."""

    points: Annotated[list[dict[str, Any]], Field(min_length=1)]  # type: ignore[assignment]
    """Its points."""
