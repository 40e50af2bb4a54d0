from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, field_validator

from otgate.config.diagnostic import Diagnostic, Diagnostics
from otgate.config.forms import Entry, Id, Period
from otgate.config.source import Source
from otgate.config.validate import partial, whole
from otgate.config.yaml_text import Tree, read_yaml


class Inner(Entry):
    size: Annotated[int, Field(ge=1, le=9)] = 1
    names: Annotated[list[Id], Field(max_length=2)] = Field(default_factory=list)


class Outer(Entry):
    word: Literal["one", "two", "5"] = "one"
    text: str = ""
    number: float = 0.0
    switch: bool = False
    inner: Inner | None = None
    many: dict[Id, Inner] = Field(default_factory=dict)
    choice: list[int] | Literal["all"] = "all"
    scans: dict[Id, Period] = Field(default_factory=dict)
    port: int = 1

    @field_validator("port")
    @classmethod
    def usual(cls, port: int) -> int:
        if port == 13:
            raise ValueError("Port 13 brings bad luck")
        return port


def tree_of(text: str) -> Tree:
    tree = read_yaml(Source("f.yaml", text), Diagnostics())
    assert tree is not None
    return tree


def said(text: str, model: type[BaseModel] = Outer) -> list[Diagnostic]:
    found = Diagnostics()
    partial(model, tree_of(text), (), found)
    return found.sorted()


@pytest.mark.parametrize(
    ("text", "code", "message", "help_"),
    [
        ("wrd: one", "unknown-key", "unknown key `wrd`", "did you mean `word`?"),
        ("inner: {sise: 1}", "unknown-key", "unknown key `sise`", "did you mean `size`?"),
        ("many: {a: {sise: 1}}", "unknown-key", "unknown key `sise`", "did you mean `size`?"),
        ("word: three", "wrong-value", "`word`: `three` is not possible here", None),
        ("word: 5", "wrong-value", "`word`: `5` is not possible here", None),
        ("text: 1", "wrong-type", "`text`: expected text, found `1`", None),
        ("text: null", "wrong-type", "`text`: expected text, found nothing", None),
        ("number: x", "wrong-type", "`number`: expected a number, found `x`", None),
        ("number: .inf", "wrong-type", None, None),
        ("switch: 1", "wrong-type", "`switch`: expected `true` or `false`, found `1`", None),
        ("inner: [1]", "wrong-type", "`inner`: expected a mapping, found a list", None),
        ("inner: {size: 1.5}", "wrong-type", None, None),
        ("inner: {size: true}", "wrong-type", None, None),
        ("inner: {size: 10}", "out-of-range", "`size`: has to be at most 9", None),
        ("inner: {names: [a, b, c]}", "out-of-range", None, None),
        ("inner: {names: [A b]}", "bad-id", "`names`: `A b` is not an id", None),
        ("many: {A: {}}", "bad-id", "`A`: `A` is not an id", None),
        ("scans: {fast: 0}", "impossible-period", "`fast`: a scan cannot repeat each 0 s", None),
        ("port: 13", "wrong-value", "`port`: port 13 brings bad luck", None),
    ],
)
def test_a_mistake_is_said_in_words(
    text: str, code: str, message: str | None, help_: str | None
) -> None:
    (one,) = said(text)
    assert one.code == code
    assert message in {None, one.message}
    assert help_ in {None, one.help}


def test_branches_of_a_union_are_said_at_the_value() -> None:
    assert {(one.line, one.column) for one in said("choice: {x: 1}")} == {(1, 9)}


def test_one_keys_mistake_leaves_the_others() -> None:
    tree = tree_of("word: three\nnumber: 2\nport: x\n")
    found = Diagnostics()
    given: dict[str, Any] = partial(Outer, tree, (), found)
    assert given["number"] == 2.0
    assert given["text"] == ""
    assert given.keys().isdisjoint({"word", "port"})
    assert found.errors == 2


def test_keys_that_are_read_elsewhere_are_left_out() -> None:
    found = Diagnostics()
    partial(Outer, tree_of("word: one\nmodbus: {}"), (), found, besides={"modbus"})
    assert len(found) == 0


def test_whole_is_all_or_nothing() -> None:
    tree = tree_of("size: 10\nsise: 1")
    found = Diagnostics()
    assert whole(Inner, tree.value, tree, (), found) is None
    assert [one.line for one in found.sorted()] == [1, 2]
