import csv
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from otgate.cli.schema import as_json, every_schema
from otgate.config.diagnostic import Diagnostics
from otgate.config.pages import as_markdown
from otgate.config.source import Source
from otgate.config.yaml_text import read_yaml
from sites import BUS, POLICY

ROOT = Path(__file__).parents[3]
SCHEMAS = every_schema()


def value(text: str) -> Any:
    tree = read_yaml(Source("f", text), Diagnostics())
    assert tree is not None
    return tree.value


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_the_schemas_in_the_repository_are_up_to_date(name: str) -> None:
    written = (ROOT / "config/schema" / f"{name}.json").read_text("utf-8")
    assert written == as_json(SCHEMAS[name]) + "\n", "run `otgate schema --write config/schema`"


def test_no_schema_is_left_over() -> None:
    assert {path.stem for path in (ROOT / "config/schema").glob("*.json")} == set(SCHEMAS)


def test_the_reference_page_is_up_to_date() -> None:
    written = (ROOT / "docs/reference/diagnostics.md").read_text("utf-8")
    assert written == as_markdown(), "run `otgate explain --markdown`"


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_schema_is_a_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize("name", ["site", "policy"])
def test_the_lab_fits_its_schemas(name: str) -> None:
    text = (ROOT / "config/lab" / f"{name}.yaml").read_text("utf-8")
    jsonschema.validate(value(text), SCHEMAS[name])


def test_the_labs_points_fit_their_schema() -> None:
    for path in (ROOT / "config/lab/points").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                jsonschema.validate(row, SCHEMAS["points"])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("policy", POLICY.replace("effect: allow", "effect: permit")),
        ("policy", POLICY.replace("version: 1}", "version: 0}")),
        ("policy", POLICY.replace("from:", "form:")),
        ("bus", BUS + "password: hunter2\n"),
        ("bus", BUS.replace("config_version: 1", "config_version: 2")),
    ],
)
def test_what_check_refuses_does_not_fit_either(name: str, text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value(text), SCHEMAS[name])


def test_every_key_that_a_user_writes_says_what_it_is_for() -> None:
    for name in ("site", "policy", "bus"):
        for key, one in SCHEMAS[name]["properties"].items():
            assert one.get("description") or "$ref" in one, (name, key)
