"""Forms that values of the files take: ids, switches, periods, and the strict model."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

ID_PATTERN = r"^[a-z0-9_-]{1,64}$"
ID_HELP = "1 to 64 of `a-z`, `0-9`, `_` and `-`"
NEWEST = 1
"""The format that files are written in today."""
MIN_PERIOD_S = 0.01
MAX_PERIOD_S = 86_400.0


class Entry(BaseModel):
    """A mapping of a file: strict types, no unknown key."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


def wrong(code: str, message: str, help_: str = "") -> PydanticCustomError:
    """Return an error that becomes the diagnostic ``code`` at the value's place."""
    return PydanticCustomError(code, "{message}", {"message": message, "help": help_})


def known_version(version: int) -> int:
    """Accept today's format and say what another number means."""
    if version > NEWEST:
        help_ = f"this otgate reads `config_version: {NEWEST}`"
        raise wrong("newer-version", "written for a newer otgate", help_)
    if version < NEWEST:
        help_ = f"write `config_version: {NEWEST}`"
        raise wrong("wrong-value", f"there is no format {version}", help_)
    return version


def possible_period(period_s: float) -> float:
    """Accept seconds that a device can be read at."""
    if not MIN_PERIOD_S <= period_s <= MAX_PERIOD_S:
        message = f"a scan cannot repeat each {period_s:g} s"
        raise wrong(
            "impossible-period", message, f"seconds from {MIN_PERIOD_S:g} to {MAX_PERIOD_S:g}"
        )
    return period_s


def not_reserved(name: str) -> str:
    """Refuse the device id that the gateway uses for itself."""
    if name == "_gateway":
        raise wrong("reserved-id", "`_gateway` is the gateway's own device", "choose another id")
    return name


Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
DeviceId = Annotated[Id, AfterValidator(not_reserved)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
File = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
Version = Annotated[int, AfterValidator(known_version), Field(json_schema_extra={"const": NEWEST})]
Period = Annotated[
    float,
    AfterValidator(possible_period),
    Field(json_schema_extra={"minimum": MIN_PERIOD_S, "maximum": MAX_PERIOD_S}),
]
Seconds = Annotated[float, Field(ge=0, le=31_536_000)]
Switch = Literal["on", "off"]
ParameterName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""What may stand in ``${}``."""
SensitivityName = Literal["public", "internal", "restricted", "bcsi"]


class ReportingEntry(Entry):
    """How often points of a device are sent; 0 is off."""

    min_interval_s: Seconds = 0.0
    """A point is sent at most this often (seconds); the newest value is held meanwhile."""
    max_interval_s: Seconds = 0.0
    """A point is sent at least this often (seconds), changed or not."""
    refresh_s: Seconds = 0.0
    """Every point is sent again this often (seconds)."""
