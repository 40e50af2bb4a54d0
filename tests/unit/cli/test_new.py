"""Files to begin with: right as they are, and right with any of their comments undone."""

import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from otgate.cli import main
from otgate.config.diagnostic import Diagnostics
from otgate.config.schema import file_schemas
from otgate.config.source import Source
from otgate.config.starting import Starting, explained
from otgate.config.yaml_text import read_yaml
from otgate.driver import installed

DRIVERS = installed()
SCHEMAS = file_schemas(DRIVERS)
STARTING = Starting(DRIVERS)
OFF = re.compile(r"( *)# (\w+: ?\S.*|\w+:  # .*)")
"""A key that stands as a comment."""


def value(text: str) -> Any:
    found = Diagnostics()
    tree = read_yaml(Source("f", text), found)
    assert tree is not None, found.sorted()
    return tree.value


def uncommented(text: str) -> Iterator[str]:
    """Undo one comment after another, alone; a block's comments go with its head."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        found = OFF.fullmatch(line)
        if found is None or line.startswith("# yaml"):
            continue
        inner = f"{found[1]}#  "
        below = list(
            takewhile(lambda later, inner=inner: later.startswith(inner), lines[number + 1 :])
        )
        undone = [found[1] + found[2], *(line.replace("# ", "", 1) for line in below)]
        yield "\n".join([*lines[:number], *undone, *lines[number + 1 + len(below) :]])


@pytest.mark.parametrize("driver", sorted(DRIVERS))
def test_a_new_site_has_no_mistake(
    driver: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", "site", str(tmp_path), "--driver", driver]) == 0
    said = capsys.readouterr()
    assert said.err == f"next: edit them, then: otgate check {tmp_path}\n"
    assert {Path(line) for line in said.out.splitlines()} == {
        path for path in tmp_path.rglob("*") if path.is_file()
    }
    assert main(["check", "--strict", str(tmp_path)]) == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", ["site.yaml", "policy.yaml", "bus/analytics.yaml"])
def test_a_new_file_names_its_schema(name: str, tmp_path: Path) -> None:
    main(["new", "site", str(tmp_path)])
    first = (tmp_path / name).read_text().splitlines()[0]
    place = first.removeprefix("# yaml-language-server: $schema=")
    assert ((tmp_path / name).parent / place).resolve().is_relative_to(tmp_path / "schema")
    assert ((tmp_path / name).parent / place).is_file()


@pytest.mark.parametrize("driver", sorted(DRIVERS))
def test_any_comment_of_a_new_device_can_be_undone(driver: str) -> None:
    form = jsonschema.Draft202012Validator({**SCHEMAS["site"], "required": []})
    text = "devices:\n" + STARTING.device("f4", driver, STARTING.exemplary()[driver])
    undone = list(uncommented(text))
    assert len(undone) > 12
    for variant in undone:
        form.validate(value(variant))


def test_any_comment_of_a_new_bus_file_can_be_undone() -> None:
    form = jsonschema.Draft202012Validator(SCHEMAS["bus"])
    undone = list(uncommented(STARTING.bus("analytics")))
    assert len(undone) > 12
    for variant in undone:
        form.validate(value(variant))


def test_any_comment_of_a_new_policy_can_be_undone() -> None:
    form = jsonschema.Draft202012Validator(SCHEMAS["policy"])
    undone = list(uncommented(STARTING.policy()))
    assert len(undone) == 5
    for variant in undone:
        form.validate(value(variant))


def test_a_new_device_is_an_entry_to_be_pasted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["new", "site", str(tmp_path)])
    assert main(["new", "device", "rtu1", "--driver", "dnp3", "--output", str(tmp_path)]) == 0
    site = tmp_path / "site.yaml"
    entry = (tmp_path / "devices/rtu1.yaml").read_text()
    site.write_text(
        site.read_text().replace("\n# What holds where", f"{entry}\n# What holds where")
    )
    capsys.readouterr()
    assert main(["check", "--strict", str(tmp_path)]) == 0
    assert "2 devices" in capsys.readouterr().out


def test_a_new_conduits_bus_file_is_the_one_that_check_misses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["new", "site", str(tmp_path)])
    (tmp_path / "bus/analytics.yaml").rename(tmp_path / "analytics.old")
    main(["new", "bus", "analytics", "--output", str(tmp_path)])
    assert (tmp_path / "bus/analytics.yaml").read_text() == (tmp_path / "analytics.old").read_text()
    assert main(["check", "--strict", str(tmp_path)]) == 0, capsys.readouterr().out


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "policy.yaml").write_text("mine")
    assert main(["new", "site", str(tmp_path)]) == 1
    assert "policy.yaml is there already; nothing was written" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["policy.yaml"]
    assert main(["new", "policy", "--output", str(tmp_path), "--force"]) == 0
    assert value((tmp_path / "policy.yaml").read_text())["policy"]["name"] == "egress"


def test_an_unknown_driver_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "site", str(tmp_path / "s"), "--driver", "modbuss"]) == 1
    assert "no driver `modbuss` to begin with; did you mean `modbus`?" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_what_is_wanted_has_to_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new"]) == 2
    assert "otgate new --help" in capsys.readouterr().err


def test_a_long_explanation_stands_above_its_key() -> None:
    about = (
        "What a key means that needs more words than fit behind it on one line of a file, at all"
    )
    one = {"description": about, "default": 5.0}
    assert list(explained({"properties": {"key": one}}, {}, {})) == [f"# {about}", "# key: 5.0"]
    short = {"description": "What it means.", "default": 5.0}
    assert list(explained({"properties": {"key": short}}, {"key": 7}, {})) == [
        "key: 7  # What it means."
    ]
