"""A bill of materials of a bundle: CycloneDX 1.6, JSON, the same for the same bundle."""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from licences import Inside

NAMESPACE = uuid.UUID("6f1d5a3e-3f62-5c0b-9a57-6d9b0f2f6c11")
"""Of serial numbers, which follow from what is listed."""


@dataclass(frozen=True, slots=True)
class Part:
    """A package as it is in the bundle."""

    name: str
    version: str
    licence: str
    wheels: Mapping[str, str]
    """SHA-256 by file name."""
    needs: Sequence[str]
    inside: Sequence[Inside] = ()

    @property
    def purl(self) -> str:
        """The package as a URL of its kind, which vulnerability databases know it by."""
        return f"pkg:pypi/{self.name}@{self.version}"


def bill(project: Part, parts: Sequence[Part], epoch: int) -> str:
    """Return the bill of a bundle of ``parts`` that ``project`` stands on."""
    refs = {part.name: part.purl for part in (project, *parts)}
    listed = [component(part) for part in parts]
    told = json.dumps(listed, sort_keys=True)
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.uuid5(NAMESPACE, f"{epoch} {told}").urn,
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(epoch, UTC).isoformat(),
            "component": {**component(project), "type": "application"},
        },
        "components": listed,
        "dependencies": [
            {"ref": part.purl, "dependsOn": sorted(refs[name] for name in part.needs)}
            for part in (project, *parts)
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def component(part: Part) -> dict[str, Any]:
    """Return one package, with what its wheels bring along."""
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": part.purl,
        "name": part.name,
        "version": part.version,
        "licenses": [{"expression": part.licence}],
        "purl": part.purl,
    }
    if len(part.wheels) == 1:
        found["hashes"] = [{"alg": "SHA-256", "content": digest} for digest in part.wheels.values()]
    if part.wheels:
        found["properties"] = [*properties(part.wheels)]
    if part.inside:
        found["components"] = [
            {
                "type": "data" if each.why.startswith("data") else "library",
                "bom-ref": f"{part.purl}#{each.what}",
                "name": each.what,
                "licenses": [{"expression": each.licence}],
                "description": each.why,
            }
            for each in part.inside
        ]
    return found


def properties(wheels: Mapping[str, str]) -> Iterable[dict[str, str]]:
    """Yield the wheels of a package, of which a bundle for several machines has several."""
    for name, digest in sorted(wheels.items()):
        yield {"name": "otgate:wheel", "value": f"{name} sha256:{digest}"}
