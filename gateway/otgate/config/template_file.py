"""The form of ``templates/*.yaml``: a type of device, and what differs between those of it."""

from typing import Annotated, Any, Literal

from pydantic import Field

from otgate.config.forms import Entry, Name, ParameterName, Version
from otgate.config.site_file import Scalar

EXAMPLE = {
    "driver": "modbus",
    "zone": "bay",
    "points": "feeder.csv",
    "modbus": {"url": "tcp://${host}:502"},
}
Type = Literal["text", "id", "integer", "number", "boolean"]


class ParameterEntry(Entry):
    """Something that differs between devices of a type."""

    type: Type = "text"
    """What may be given for it."""
    description: Annotated[str, Field(examples=["Address of the relay"])] = ""
    """What it is."""
    unit: Annotated[str, Field(examples=["A"])] = ""
    """The unit of a number."""
    example: Annotated[Scalar | None, Field(examples=["10.0.0.5"])] = None
    """What it may look like."""
    default: Annotated[Scalar | None, Field(examples=[1])] = None
    """What holds where it is not given; without one it has to be."""
    least: Annotated[float | None, Field(alias="min", examples=[1])] = None
    """The least number."""
    most: Annotated[float | None, Field(alias="max", examples=[247])] = None
    """The greatest number."""
    one_of: Annotated[list[Scalar] | None, Field(min_length=1, examples=[["ABCD", "CDAB"]])] = None
    """Everything that may be given."""


class TemplateFile(Entry):
    """`templates/*.yaml`: a type of device."""

    config_version: Version
    """The format of this file: 1."""
    about: Annotated[Name, Field(examples=["Feeder protection relay, firmware 4"])] = ""
    """What it is the template of."""
    parameters: Annotated[
        dict[ParameterName, ParameterEntry],
        Field(examples=[{"host": {"type": "text", "example": "10.0.0.5"}}]),
    ] = Field(default_factory=dict)
    """What differs between devices of this type."""
    device: Annotated[dict[str, Any], Field(min_length=1, examples=[EXAMPLE])]
    """An entry of `devices:` without its id, where `${name}` is the value of a parameter."""
