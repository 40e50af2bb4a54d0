"""`otgate schema`: JSON Schema of every file and every payload."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from otgate.cli.command import FAILED, OK, USAGE, Command
from otgate.config.nearest import did_you_mean
from otgate.config.schema import file_schemas
from otgate.driver import installed
from otgate.publish.payload import payload_schemas

DESCRIPTION = """\
Print the JSON Schema of a file that you write (site, policy, bus, points: one row of a point map)
or of a payload that leaves (data, event, replay, meta, status, gap, last). Editors use them to
complete and check while you type. Without a name: list the names.

  otgate schema site
  otgate schema --write config/schema

Exit: 0 done, 1 a file cannot be written, 2 no such schema.
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="such as `site` or `data`")
    parser.add_argument(
        "--write", type=Path, metavar="DIR", help="write NAME, or all, as DIR/NAME.json"
    )


def run(options: Namespace) -> int:
    """Print or write schemas."""
    schemas = every_schema()
    if options.name is not None and options.name not in schemas:
        near = did_you_mean(options.name, schemas, otherwise="schemas")
        print(f"otgate schema: no schema `{options.name}`; {near}", file=sys.stderr)
        return USAGE
    if options.write is not None:
        wanted = schemas if options.name is None else {options.name: schemas[options.name]}
        return write(wanted, options.write)
    print("\n".join(schemas) if options.name is None else as_json(schemas[options.name]), end="\n")
    return OK


def every_schema() -> dict[str, Mapping[str, Any]]:
    """Return every schema by name: files first, then payloads."""
    return {**file_schemas(installed()), **payload_schemas()}


def as_json(schema: Mapping[str, Any]) -> str:
    """Return a schema as it is written."""
    return json.dumps(schema, indent=2, ensure_ascii=False)


def write(schemas: Mapping[str, Mapping[str, Any]], directory: Path) -> int:
    """Write each schema to its file."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, schema in schemas.items():
            (directory / f"{name}.json").write_text(as_json(schema) + "\n", encoding="utf-8")
    except OSError as error:
        print(f"otgate schema: cannot write {directory}: {error.strerror}", file=sys.stderr)
        return FAILED
    return OK


COMMAND = Command(
    name="schema",
    summary="JSON Schema of every file and every payload",
    arguments=arguments,
    run=run,
    description=DESCRIPTION,
)
