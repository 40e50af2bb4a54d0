"""`make bundle`: what goes in, from the lock; its papers; the same bytes every time."""

import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Iterator
from email.message import Message
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import cyclonedx.schema
import pytest
from jsonschema import Draft7Validator
from license_expression import get_spdx_licensing
from referencing import Registry, Resource

ROOT = Path(__file__).parents[3]
HERE = (sys.version_info[0], sys.version_info[1])
SCHEMAS = Path(str(cyclonedx.schema.__file__)).parent / "_res"
EPOCH = 1_790_000_000


@pytest.fixture(scope="module")
def tools() -> Iterator[Any]:
    """The modules of `make bundle`, the lock read once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tools"))
        import bundle  # noqa: PLC0415  found on the path just now

        patch.setattr(bundle, "Lock", cache(bundle.Lock))
        yield bundle
    for name in ("bundle", "licences", "locked", "sbom"):
        sys.modules.pop(name, None)


def names(tools: Any, python: tuple[int, int], machine: str = "x86_64") -> dict[str, str]:
    target = tools.Target(python, machine)
    return {each.name: each.version for each in tools.Lock().packages(tools.LAB, target)}


def test_what_is_packed_follows_the_markers_of_the_lock(tools: Any) -> None:
    old, new = names(tools, (3, 11)), names(tools, (3, 13))
    assert old["numpy"] != new["numpy"]
    assert {"uvloop", "cryptography", "pysunspec2", "amqtt", "argon2-cffi"} <= set(old)
    assert not {"colorama", "pytest", "pip", "otgate"} & set(old)


def test_a_gateway_has_none_of_the_labs_packages(tools: Any) -> None:
    packages = tools.Lock().packages(tools.GATEWAY, tools.Target(HERE, "x86_64"))
    assert not {"amqtt", "pymodbus", "rich"} & {each.name for each in packages}


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("minor", [11, 12, 13])
def test_every_package_has_a_wheel_for_every_box(tools: Any, minor: int, machine: str) -> None:
    target = tools.Target((3, minor), machine)
    chosen = [each.wheel(target) for each in tools.Lock().packages(tools.LAB, target)]
    assert all(machine in name or name.endswith("-any.whl") for name in chosen)
    assert any(f"-cp3{minor}-" in name for name in chosen)


def test_the_best_wheel_is_the_newest_that_the_box_can_load(tools: Any) -> None:
    begin = "x-1-cp311-cp311-manylinux"
    wheels = dict.fromkeys(
        [f"{begin}_2_17_x86_64.whl", f"{begin}_2_28_x86_64.whl", f"{begin}_2_34_x86_64.whl"], ""
    )
    package = tools.Package("x", "1", wheels, ())
    assert package.wheel(tools.Target((3, 11), "x86_64")) == f"{begin}_2_28_x86_64.whl"
    with pytest.raises(LookupError, match="x 1 has no wheel for cp312 on aarch64"):
        package.wheel(tools.Target((3, 12), "aarch64"))


def test_a_wheel_that_is_not_the_locks_is_refused(tools: Any, tmp_path: Path) -> None:
    target = tools.Target((3, 11), "x86_64")
    package = tools.Lock().one("msgspec")
    name = package.wheel(target)
    (tmp_path / name).write_bytes(b"somebody else's")
    with pytest.raises(LookupError, match=r"is not what uv\.lock names: remove it"):
        list(tools.fetched([package], target, tmp_path))


@pytest.mark.skipif(HERE != (3, 11), reason="the page is written by Python 3.11")
def test_the_page_of_licences_is_what_the_lock_and_the_packages_say(tools: Any) -> None:
    from licences import Licences, listed, rows  # type: ignore[import-not-found] # noqa: PLC0415

    known = Licences()
    page = listed([*rows(tools.Lock(), known, tools.Target(HERE, "x86_64"))], known.inside)
    written = (ROOT / "docs/reference/licences.md").read_text()
    assert page == written, "python tools/licences.py > docs/reference/licences.md"


def test_every_licence_is_permissive_or_named_with_its_reason(tools: Any) -> None:
    from licences import installed  # noqa: PLC0415

    known = tools.Licences()
    for name in names(tools, HERE):
        assert known.permits(known.of(name, installed(name))), name
        libraries = [path.name for path in distribution(name).files or () if ".libs/" in str(path)]
        assert not known.unnamed(name, libraries), name
    for each in known.inside:
        assert known.permits(each.licence) or len(each.why) > 40, each


def test_what_is_not_permissive_does_not_pass(tools: Any) -> None:
    known = tools.Licences()
    assert known.permits("EPL-2.0 OR BSD-3-Clause")
    assert known.permits("(MIT AND Zlib)")
    assert not known.permits("GPL-3.0-only")
    assert not known.permits("MIT AND LGPL-2.1-or-later")
    assert known.unnamed("numpy", ["libgfortran-1.so", "libreadline.so"]) == ["libreadline.so"]
    with pytest.raises(LookupError, match="nobody names no licence"):
        known.of("nobody", Message())


def bill(tools: Any) -> dict[str, Any]:
    """A bill of what is installed here, of which some is in the wheels of two interpreters."""
    from licences import installed  # noqa: PLC0415

    known = tools.Licences()
    parts = [
        tools.Part(
            each.name, each.version, known.of(each.name, installed(each.name)),
            dict(list(each.wheels.items())[:2]), each.needs,
            [one for one in known.inside if one.package == each.name],
        )
        for each in tools.Lock().packages(tools.LAB, tools.Target(HERE, "x86_64"))
    ]  # fmt: skip
    own = tools.Part("otgate", "0.1.0", "Apache-2.0", {}, [part.name for part in parts])
    text = tools.bill(own, parts, EPOCH)
    assert text == tools.bill(own, parts, EPOCH)
    read: dict[str, Any] = json.loads(text)
    return read


def test_the_bill_of_materials_is_valid_cyclonedx(tools: Any) -> None:
    files = {path.name: json.loads(path.read_text()) for path in SCHEMAS.glob("*.json")}
    registry: Registry[Any] = Registry().with_resources(
        [(each["$id"], Resource.from_contents(each)) for each in files.values() if "$id" in each]
    )
    schema = files["bom-1.6.SNAPSHOT.schema.json"]
    validator = Draft7Validator(schema, registry=registry)
    told = bill(tools)
    assert not [error.message for error in validator.iter_errors(told)]
    told["components"][0]["licenses"] = "free"
    assert not validator.is_valid(told)


def test_the_bill_names_every_package_once_with_hashes_and_an_spdx_licence(tools: Any) -> None:
    told = bill(tools)
    spdx = get_spdx_licensing()
    assert {each["name"]: each["version"] for each in told["components"]} == names(tools, HERE)
    for each in told["components"]:
        assert each["purl"] == f"pkg:pypi/{each['name']}@{each['version']}"
        assert all("sha256:" in one["value"] for one in each["properties"])
        (licence,) = each["licenses"]
        assert not spdx.validate(licence["expression"]).errors, licence
    refs = {each["ref"] for each in told["dependencies"]}
    assert refs >= {ref for each in told["dependencies"] for ref in each["dependsOn"]}


def test_an_archive_is_the_same_whoever_packs_it_in_whatever_order(
    tools: Any, tmp_path: Path
) -> None:
    held = {"b.txt": b"b", "a/install.sh": b"a"}
    turned = dict(reversed(held.items()))
    one = tools.archived(tmp_path / "1.tar", "top", held, EPOCH).read_bytes()
    other = tools.archived(tmp_path / "2.tar", "top", turned, EPOCH).read_bytes()
    assert hashlib.sha256(one).digest() == hashlib.sha256(other).digest()
    with tarfile.open(fileobj=io.BytesIO(one)) as archive:
        told = [(each.name, each.mode, each.mtime, each.uid) for each in archive]
    assert told == [("top/a/install.sh", 0o755, EPOCH, 0), ("top/b.txt", 0o644, EPOCH, 0)]
