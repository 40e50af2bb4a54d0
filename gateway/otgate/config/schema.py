"""JSON Schemas of the files that users write, generated from their forms."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from otgate.config.bus_file import BusForm
from otgate.config.columns import COLUMNS, KINDS, SENSITIVITIES
from otgate.config.described import described
from otgate.config.forms import ID_PATTERN
from otgate.config.mapping_file import MappingFile
from otgate.config.policy_file import PolicyFile
from otgate.config.site_file import DeviceEntry, SiteFile
from otgate.config.site_template import SiteTemplateFile
from otgate.config.template import OWN
from otgate.config.template_file import TemplateFile
from otgate.driver import Driver

DIALECT = "https://json-schema.org/draft/2020-12/schema"
CELLS: Mapping[str, Mapping[str, Any]] = {
    "id": {"type": "string", "pattern": ID_PATTERN},
    "kind": {"enum": list(KINDS)},
    "sensitivity": {"enum": ["", *SENSITIVITIES]},
    "address": {"type": "string", "minLength": 1},
}
"""Columns whose cells are more than text."""


def file_schemas(drivers: Mapping[str, Driver]) -> dict[str, dict[str, Any]]:
    """Return the schema of every file a user writes, by name."""
    return {
        "site": described(site_schema(drivers)),
        "template": described(template_schema(drivers)),
        "site-template": described(model_schema(SiteTemplateFile)),
        "policy": described(model_schema(PolicyFile)),
        "bus": described(model_schema(BusForm)),
        "points": points_schema(),
        "mapping": described(model_schema(MappingFile)),
    }


def model_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of a form, as the file spells its keys."""
    return {"$schema": DIALECT, **model.model_json_schema(by_alias=True)}


def site_schema(drivers: Mapping[str, Driver]) -> dict[str, Any]:
    """Return the schema of a site file, with a block per installed driver."""
    schema = model_schema(SiteFile)
    definitions = schema["$defs"]
    device = definitions["DeviceEntry"]
    device["required"] = ["id"]
    for key in ("driver", "zone"):
        device["properties"][key]["default"] = None  # the template's
    device["anyOf"] = [{"required": ["template"]}, *has_points(["driver", "zone"])]
    device["properties"]["driver"]["enum"] = sorted(drivers)
    for name, driver in sorted(drivers.items()):
        template = f"#/$defs/{name}_{{model}}"
        own = driver.settings.model_json_schema(ref_template=template)
        for inner, definition in own.pop("$defs", {}).items():
            definitions[f"{name}_{inner}"] = definition
        definitions[name] = own
        device["properties"][name] = {
            "$ref": f"#/$defs/{name}",
            "description": f"Of a device with driver `{name}`: {own['description']}",
        }
        if own.get("required"):
            device.setdefault("allOf", []).append(needed(name))
    return schema


def has_points(besides: Sequence[str]) -> list[dict[str, Any]]:
    """Return that an entry without a template has points of its own."""
    return [{"required": [*besides, key]} for key in ("points", "blocks")]


def template_schema(drivers: Mapping[str, Driver]) -> dict[str, Any]:
    """Return the schema of a template: any value of its device may be that of a parameter."""
    schema = model_schema(TemplateFile)
    device = schema["properties"]["device"]
    own = {name: field.alias or name for name, field in DeviceEntry.model_fields.items()}
    keys = [key for key in own.values() if key not in OWN]
    device["propertyNames"] = {"enum": [*keys, *sorted(drivers)]}
    return schema


def needed(driver: str) -> dict[str, Any]:
    """Return that a device with this driver has to have the driver's block."""
    of_it = {"properties": {"driver": {"const": driver}}, "required": ["driver"]}
    return {"if": of_it, "then": {"required": [driver]}}


def points_schema() -> dict[str, Any]:
    """Return the schema of one row of a point map, every cell being text."""
    properties = {
        name: {
            **CELLS.get(name, {"type": "string"}),
            "description": column.about,
            "examples": [column.example],
            **({} if column.required else {"default": ""}),
        }
        for name, column in COLUMNS.items()
    }
    return {
        "$schema": DIALECT,
        "title": "PointMapRow",
        "description": "One row of `points/*.csv`, by the names of its header.",
        "type": "object",
        "additionalProperties": False,
        "required": [name for name, column in COLUMNS.items() if column.required],
        "properties": properties,
    }
