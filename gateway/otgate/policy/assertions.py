"""Find assertions of a policy that are not proved for every conceivable point."""

from collections.abc import Iterator
from dataclasses import replace

from otgate.policy.finding import Finding, Where
from otgate.policy.language import Effect, Policy, Rule
from otgate.policy.prover import Prover, Undecided, Witness, refutations, space_of
from otgate.policy.wording import either, path, rules_of, such, why_undecided


def unproved(policy: Policy) -> Iterator[Finding]:
    """Find every assertion and conduit for which a point could cross that never may."""
    if not policy.assertions:
        return
    prover = Prover(policy, space_of(policy))
    for number, assertion in enumerate(policy.assertions):
        for answer in refutations(prover, assertion):
            where: Where = ("assertions", number, "never")
            yield refuted(answer, where) if isinstance(answer, Witness) else unsure(answer, where)


def upholds(policy: Policy, rule: Rule) -> bool:
    """Tell whether an assertion may not hold without ``rule``; a doubt is a yes."""
    if rule.effect is not Effect.DENY or not policy.assertions:
        return False
    rules = tuple(one for one in policy.rules if one is not rule)
    return any(unproved(replace(policy, rules=rules)))


def refuted(witness: Witness, where: Where) -> Finding:
    """Say which point crosses although it never may."""
    verdict, seen = witness.verdict, witness.verdict.seen
    tags = f", tags {', '.join(sorted(seen.tags))}" if seen.tags else ", no tags"
    rules = [f"`{name}`" for name in rules_of(witness)]
    return Finding(
        "unproved-assertion",
        where,
        f"a point could cross conduit `{verdict.conduit.id}` that never may:"
        f" {seen.kind} `{path(verdict)}` in zone {seen.zone}, {seen.sensitivity.name.lower()}"
        f"{tags}, by rule {' and '.join(rules)}",
        f"deny it, narrow {either(rules)}, or correct the assertion; so crosses: {such(witness)}",
    )


def unsure(answer: Undecided, where: Where) -> Finding:
    """Say that nobody can tell, and why."""
    why, instead = why_undecided(answer)
    return Finding(
        "undecided-assertion",
        where,
        f"whether such a point could cross conduit `{answer.conduit.id}` cannot be told: {why}",
        instead,
    )
