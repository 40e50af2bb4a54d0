"""Say whether an assertion holds, conduit by conduit, and on what the proof rests."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from otgate.policy.language import Assertion, Conduit, Effect, Policy
from otgate.policy.prover import Answer, Prover, Undecided, Witness, space_of, spoken_of
from otgate.policy.region import Union
from otgate.policy.sentence import said
from otgate.policy.wording import rules_of, why_undecided, witness_json, witness_lines


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known of one assertion on one conduit."""

    conduit: Conduit
    answer: Answer
    """None is a proof."""
    ground: str
    """What a proof rests on."""

    @property
    def outcome(self) -> str:
        """The answer in one word."""
        if isinstance(self.answer, Witness):
            return "refuted"
        return "undecided" if isinstance(self.answer, Undecided) else "proved"


@dataclass(frozen=True, slots=True)
class Judgement:
    """An assertion and what is known of it on every conduit that it speaks of."""

    assertion: Assertion
    proofs: Sequence[Proof]

    @property
    def outcome(self) -> str:
        """The worst answer: one point that crosses refutes an assertion."""
        return min((proof.outcome for proof in self.proofs), key=WORST.index, default="proved")


WORST = ("refuted", "undecided", "proved")


def judged(policy: Policy, assertions: Sequence[Assertion]) -> list[Judgement]:
    """Prove or refute ``assertions``."""
    space = space_of(policy, matches=[assertion.never for assertion in assertions])
    prover = Prover(policy, space)
    return [
        Judgement(
            assertion,
            [
                proof(prover, conduit, space.matched(assertion.never))
                for conduit in spoken_of(policy, assertion)
            ],
        )
        for assertion in assertions
    ]


def proof(prover: Prover, conduit: Conduit, never: Union) -> Proof:
    """Decide whether points of ``never`` cross ``conduit``."""
    answer = prover.witness(conduit, never)
    return Proof(conduit, answer, ground(prover, conduit, never) if answer is None else "")


def ground(prover: Prover, conduit: Conduit, never: Union) -> str:
    """Say what keeps points of ``never`` from crossing ``conduit``, if nothing else would."""
    inside = prover.inside(conduit)
    if not any(inside.meet(region) for region in never):
        return "the guards stop every such point"
    denies = prover.rules(conduit, Effect.DENY)
    if prover.witness(conduit, never, without=denies) is None:
        return "no rule allows such a point"
    needed = [
        rule.name for rule in denies if prover.witness(conduit, never, without=[rule]) is not None
    ]
    return f"it rests on deny {', '.join(needed)}" if needed else "several denies stop each of them"


def as_text(judgements: Sequence[Judgement]) -> str:
    """Write judgements for a person."""
    return "\n".join(line for judgement in judgements for line in lines(judgement))


def lines(judgement: Judgement) -> Iterator[str]:
    """Write one judgement: the outcome, then every conduit."""
    yield f"{judgement.outcome}: {said(judgement.assertion)}"
    for found in judgement.proofs:
        yield from proof_lines(found)


def proof_lines(found: Proof) -> Iterator[str]:
    """Write what is known on one conduit."""
    if isinstance(found.answer, Witness):
        yield f"  {found.conduit.id}: crosses by {', '.join(rules_of(found.answer))}"
        yield from witness_lines(found.answer)
    elif isinstance(found.answer, Undecided):
        why, instead = why_undecided(found.answer)
        yield f"  {found.conduit.id}: cannot be told, {why}; {instead}"
    else:
        yield f"  {found.conduit.id}: no conceivable point crosses; {found.ground}"


def as_json(judgements: Sequence[Judgement]) -> list[dict[str, Any]]:
    """Describe judgements for a program."""
    return [
        {
            "assertion": said(judgement.assertion),
            "why": judgement.assertion.why,
            "outcome": judgement.outcome,
            "conduits": [proof_json(found) for found in judgement.proofs],
        }
        for judgement in judgements
    ]


def proof_json(found: Proof) -> dict[str, Any]:
    """Describe what is known on one conduit."""
    described: dict[str, Any] = {"conduit": found.conduit.id, "outcome": found.outcome}
    if isinstance(found.answer, Witness):
        return {**described, "witness": witness_json(found.answer)}
    if isinstance(found.answer, Undecided):
        return {**described, "globs": list(found.answer.globs)}
    return {**described, "ground": found.ground}
