"""What editors are told of each key: what it is, its unit, its default, an example."""

from collections.abc import Iterator
from typing import Annotated, Any

import jsonschema
import pytest
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from otgate.config.bus_file import BusForm
from otgate.config.described import described, keys, unit_of
from otgate.config.policy_file import PolicyFile
from otgate.config.schema import file_schemas
from otgate.config.site_file import SiteFile
from otgate.driver import installed

DRIVERS = installed()
SCHEMAS = file_schemas(DRIVERS)


def referred(schema: dict[str, Any], one: dict[str, Any]) -> dict[str, Any]:
    name = one.get("$ref", one.get("items", {}).get("$ref", "")).removeprefix("#/$defs/")
    found: dict[str, Any] = schema.get("$defs", {}).get(name, {})
    return found


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=list(SCHEMAS))
def test_every_key_says_what_it_is_with_unit_default_and_example(schema: dict[str, Any]) -> None:
    lacking = set()
    for key, one, required in keys(schema):
        inner = referred(schema, one)
        about = one.get("description") or inner.get("description", "")
        if len(about) < 5 or unit_of(key) not in about.lower():
            lacking.add((key, "description"))
        if not (required or "default" in one or key in DRIVERS):
            lacking.add((key, "default"))
        if not (one.get("examples") or "const" in one or inner.get("properties")):
            lacking.add((key, "example"))
    assert not lacking


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=list(SCHEMAS))
def test_every_example_is_one(schema: dict[str, Any]) -> None:
    for _, one, _ in keys(schema):
        form = jsonschema.Draft202012Validator({"$defs": schema.get("$defs", {}), **one})
        for example in one.get("examples", ()):
            form.validate(example)


def fields(model: type[BaseModel], seen: set[type]) -> Iterator[FieldInfo]:
    seen.add(model)
    for field in model.model_fields.values():
        yield field
        yield from inner_fields(field.annotation, seen)


def inner_fields(annotation: Any, seen: set[type]) -> Iterator[FieldInfo]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation not in seen:
            yield from fields(annotation, seen)
        return
    for part in getattr(annotation, "__args__", ()):
        yield from inner_fields(part, seen)


@pytest.mark.parametrize(
    "model", [SiteFile, PolicyFile, BusForm, *(one.settings for one in DRIVERS.values())]
)
def test_what_a_schema_shows_is_read_without_a_complaint(model: type[BaseModel]) -> None:
    shown = [field for field in fields(model, set()) if field.examples]
    assert len(shown) > 5
    for field in shown:
        form = TypeAdapter(Annotated[field.annotation, *field.metadata, None])
        for example in field.examples or ():
            form.validate_python(example)


def test_a_device_needs_its_drivers_block() -> None:
    device = {"id": "f3", "driver": "modbus", "zone": "bay", "points": "p.csv"}
    schema = {"$ref": "#/$defs/DeviceEntry", "$defs": SCHEMAS["site"]["$defs"]}
    with pytest.raises(jsonschema.ValidationError, match="'modbus' is a required"):
        jsonschema.validate(device, schema)
    jsonschema.validate({**device, "modbus": {"url": "tcp://10.0.0.5:502"}}, schema)


def test_a_description_that_names_its_unit_is_left_alone() -> None:
    told = {"type": "number", "description": "At most this often (seconds)."}
    untold = {"type": "number", "description": "How long.", "default": 5}
    schema = {"properties": {"told_s": told, "untold_s": untold}, "required": ["told_s"]}
    described(schema)
    assert told == {"type": "number", "description": "At most this often (seconds)."}
    assert untold["description"] == "How long (seconds)."
    assert untold["examples"] == [5]


def test_a_rate_is_not_measured_in_seconds() -> None:
    assert unit_of("timeout_s") == "seconds"
    assert not unit_of("requests_per_s")
