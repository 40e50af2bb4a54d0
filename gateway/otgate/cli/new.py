"""`otgate new`: starting files, explained line by line."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from otgate.cli.command import OK, USAGE, Command, add_verbs
from otgate.cli.importing import an_id, write
from otgate.cli.schema import as_json
from otgate.config.nearest import did_you_mean
from otgate.config.schema import file_schemas
from otgate.config.starting import Starting
from otgate.driver import Example, installed
from otgate.errors import Refused

DESCRIPTION = """\
Write files to begin with. Each key is explained; those that may be left out stand as comments.

  otgate new site substation-7 --driver modbus --driver dnp3
  otgate new device f4 --driver modbus --output substation-7
  otgate new policy --output substation-7
  otgate new bus historian --output substation-7

Overwrites nothing unless told to.
"""
SITE = """\
Write a whole site that `otgate check` finds nothing wrong with: site.yaml, policy.yaml,
bus/analytics.yaml, a point map for each device, and schema/*.json, by which editors complete and
check the files. Without --driver: a Modbus device.

  otgate new site substation-7 --id sub7 --driver iec61850
"""
DEVICE = """\
Write devices/ID.yaml, to be pasted below `devices:` of a site file, and points/ID.csv.

  otgate new device rtu1 --driver dnp3 --output substation-7
"""
POLICY = """\
Write policy.yaml: zones, a conduit, an allow, a deny, and an assertion.

  otgate new policy --output substation-7
"""
BUS = """\
Write bus/CONDUIT.yaml: where one conduit publishes.

  otgate new bus historian --output substation-7
"""

Files = Iterator[tuple[str, str]]


def site_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``new site``."""
    parser.add_argument("output", metavar="DIR", type=Path, help="folder, made where there is none")
    parser.add_argument("--id", type=an_id, default="sub7", metavar="ID", help="default: sub7")
    parser.add_argument("--gateway", type=an_id, default="gw1", metavar="ID", help="default: gw1")
    driver_argument(parser, "a device of this protocol; may be repeated", action="append")
    force_argument(parser)


def device_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``new device``."""
    parser.add_argument("id", type=an_id, metavar="ID", help="the device, as topics name it")
    driver_argument(parser, "its protocol", required=True)
    output_arguments(parser)


def bus_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``new bus``."""
    parser.add_argument("conduit", type=an_id, metavar="CONDUIT", help="as the policy names it")
    output_arguments(parser)


def output_arguments(parser: ArgumentParser) -> None:
    """Add where files go."""
    parser.add_argument(
        "--output", type=Path, default=Path(), metavar="DIR", help="default: this folder"
    )
    force_argument(parser)


def force_argument(parser: ArgumentParser) -> None:
    """Add whether to overwrite."""
    parser.add_argument("--force", action="store_true", help="overwrite files")


def driver_argument(parser: ArgumentParser, about: str, **how: object) -> None:
    """Add ``--driver``."""
    parser.add_argument("--driver", metavar="NAME", help=about, **how)  # type: ignore[arg-type]  # argparse's own keywords


def new_site(options: Namespace) -> Files:
    """Yield the files of a whole site."""
    starting = Starting(installed())
    entries = []
    for driver in dict.fromkeys(options.driver or ["modbus"]):
        example = example_of(starting, driver)
        name = f"{driver}-1"
        entries.append(starting.device(name, driver, example))
        yield f"points/{name}.csv", example.points
    yield "site.yaml", starting.site(options.id, options.gateway, entries)
    yield "policy.yaml", starting.policy()
    yield "bus/analytics.yaml", starting.bus("analytics")
    for name, schema in file_schemas(installed()).items():
        yield f"schema/{name}.json", as_json(schema) + "\n"


def new_device(options: Namespace) -> Files:
    """Yield the files of one device."""
    starting = Starting(installed())
    example = example_of(starting, options.driver)
    yield f"devices/{options.id}.yaml", starting.device(options.id, options.driver, example)
    yield f"points/{options.id}.csv", example.points


def new_policy(options: Namespace) -> Files:
    """Yield a policy."""
    del options
    yield "policy.yaml", Starting({}).policy()


def new_bus(options: Namespace) -> Files:
    """Yield a bus file."""
    yield f"bus/{options.conduit}.yaml", Starting({}).bus(options.conduit)


def example_of(starting: Starting, driver: str) -> Example:
    """Return a driver's example.

    Raises:
        Refused: there is no such driver, or it has none.
    """
    known: Mapping[str, Example] = starting.exemplary()
    if driver not in known:
        raise Refused(f"no driver `{driver}` to begin with; {near(driver, known)}")
    return known[driver]


def near(driver: str, known: Mapping[str, Example]) -> str:
    """Say what was probably meant."""
    return did_you_mean(driver, known, otherwise="drivers")


def writing(files: Callable[[Namespace], Files], then: str) -> Callable[[Namespace], int]:
    """Return a verb that writes files and says what comes next.

    Raises:
        Refused: a file is there already, or cannot be written.
    """

    def execute(options: Namespace) -> int:
        texts = {options.output / name: text for name, text in files(options)}
        write(texts, overwrite=options.force)
        print("\n".join(map(str, texts)))
        print(then.format(output=options.output), file=sys.stderr)
        return OK

    return execute


VERBS: Sequence[Command] = (
    Command(
        "site",
        "a whole site",
        site_arguments,
        writing(new_site, "next: edit them, then: otgate check {output}"),
        SITE,
    ),
    Command(
        "device",
        "a device entry and its point map",
        device_arguments,
        writing(new_device, "next: paste the entry below `devices:` of the site file"),
        DEVICE,
    ),
    Command(
        "policy",
        "a policy",
        output_arguments,
        writing(new_policy, "next: name it in the site file, then: otgate check {output}"),
        POLICY,
    ),
    Command(
        "bus",
        "where a conduit publishes",
        bus_arguments,
        writing(new_bus, "next: name the brokers, then: otgate check {output}"),
        BUS,
    ),
)


def arguments(parser: ArgumentParser) -> None:
    """Add a sub-verb for each kind of file."""
    kinds = parser.add_subparsers(metavar="WHAT", title="what to write", dest="new_what")
    add_verbs(kinds, VERBS, "run_new")


def run(options: Namespace) -> int:
    """Write what was asked for."""
    if "run_new" not in options:
        print("otgate new WHAT: see otgate new --help", file=sys.stderr)
        return USAGE
    code: int = options.run_new(options)
    return code


COMMAND = Command("new", "write files to begin with, explained", arguments, run, DESCRIPTION)
