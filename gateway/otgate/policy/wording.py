"""Say which conceivable points an answer of the prover is about, in words and as JSON."""

from collections.abc import Iterator, Sequence
from typing import Any

from otgate.policy.decide import Verdict
from otgate.policy.globs import Term
from otgate.policy.prover import Undecided, Witness
from otgate.policy.region import KINDS, LEVELS, words

KIND_NAMES = tuple(map(str, KINDS))
LEVEL_NAMES = tuple(level.name.lower() for level in LEVELS)


def witness_lines(witness: Witness) -> Iterator[str]:
    """Write all points of a witness, and one of them."""
    yield f"    all points of  {such(witness)}"
    yield f"    for example    {example(witness)}"


def such(witness: Witness) -> str:
    """Describe all points of a witness by what they have to be; what is free is left out."""
    return "; ".join(traits_of(witness)) or "any kind, any name"


def traits_of(witness: Witness) -> Iterator[str]:
    """Say each attribute that is not free."""
    said = attributes(witness)
    for key in ("kind", "zone", "sensitivity"):
        if key in said:
            yield f"{key} {either(said[key])}"
    if "tags_all" in said:
        yield f"tags {', '.join(said['tags_all'])}"
    if "tags_none" in said:
        yield f"without tags {', '.join(said['tags_none'])}"
    yield from sorted(map(term_words, witness.region.names), reverse=True)


def attributes(witness: Witness) -> dict[str, list[str]]:
    """Return what is not free besides the name, in the words of a match."""
    space, region, free = witness.space, witness.region, witness.free
    said = {
        "kind": words(KIND_NAMES, region.kinds) if region.kinds != free.kinds else [],
        "zone": words(space.zones, region.zones) if region.zones != free.zones else [],
        "sensitivity": words(LEVEL_NAMES, region.levels) if region.levels != free.levels else [],
        "tags_all": words(space.tags, region.on),
        "tags_none": words(space.tags, region.off & ~free.off),
    }
    return {key: value for key, value in said.items() if value}


def term_words(term: Term) -> str:
    """Say what one term asks of a name."""
    globs = either([f"`{glob}`" for glob in term.globs])
    return f"{term.part} {'' if term.wanted else 'not '}{globs}"


def either(said: Sequence[str]) -> str:
    """List alternatives: a, b or c."""
    return " or ".join(filter(None, [", ".join(said[:-1]), *said[-1:]]))


def example(witness: Witness) -> str:
    """Describe the one point of a witness that was judged."""
    verdict, seen = witness.verdict, witness.verdict.seen
    tags = ", ".join(sorted(seen.tags)) or "none"
    return (
        f"{path(verdict)}  kind {seen.kind}, zone {seen.zone}"
        f", sensitivity {seen.sensitivity.name.lower()}, tags {tags}"
    )


def path(verdict: Verdict) -> str:
    """Return ``device/point``."""
    return f"{verdict.device.id}/{verdict.point.id}"


def rules_of(witness: Witness) -> list[str]:
    """Name the rules that let the judged point cross."""
    return [rule.name for rule in witness.verdict.allows]


def why_undecided(answer: Undecided) -> tuple[str, str]:
    """Say why nobody can tell, and what to write instead."""
    if not answer.globs:
        return "its rules combine in too many ways", "write fewer rules with several attributes"
    globs = ", ".join(f"`{glob}`" for glob in answer.globs)
    return f"the globs {globs} are too tangled", "write whole names, `begins*` or `*ends`"


def witness_json(witness: Witness) -> dict[str, Any]:
    """Describe a witness for a program; an attribute that is left out is free."""
    seen = witness.verdict.seen
    return {
        "points": {**attributes(witness), **names_json(witness.region.names)},
        "example": {
            "point": path(witness.verdict),
            "kind": str(seen.kind),
            "zone": seen.zone,
            "sensitivity": seen.sensitivity.name.lower(),
            "tags": sorted(seen.tags),
        },
        "allowed_by": rules_of(witness),
    }


def names_json(names: frozenset[Term]) -> dict[str, list[list[str]]]:
    """Return the globs of names by key: of each list one matches, or with ``_none`` none does."""
    said: dict[str, list[list[str]]] = {}
    for term in sorted(names):
        said.setdefault(f"{term.part}{'' if term.wanted else '_none'}", []).append(list(term.globs))
    return said
