"""Validate a tree against a form, key by key, and put every mistake at its place.

One key's mistake leaves the others readable, so that everything wrong is said at once.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError, create_model

from otgate.config.diagnostic import MAX_PER_FILE, Diagnostics
from otgate.config.forms import Entry
from otgate.config.nearest import nearest
from otgate.config.pydantic_words import in_our_words
from otgate.config.yaml_text import Path, Tree

M = TypeVar("M", bound=BaseModel)

MANY = 1000
"""Errors of one entry that are looked at one by one."""


def partial(
    model: type[BaseModel],
    tree: Tree,
    path: Path,
    found: Diagnostics,
    *,
    besides: Collection[str] = (),
) -> dict[str, Any]:
    """Return the fields of ``model`` that are right, defaults included; say what is not.

    ``besides`` are keys that are read elsewhere.
    """
    raw = value_at(tree, path)
    if not isinstance(raw, dict):
        name = f"`{path[-1]}`" if path else "the file"
        say = f"{name} has to be a mapping, this is {form_of(raw)}"
        found.say("wrong-type", tree.at(*path), say, "write `name: value` lines")
        return {}
    mine = {
        key: value for key, value in raw.items() if key not in besides or key in model.model_fields
    }
    try:
        entry = model.model_validate(mine)
    except ValidationError as error:
        said = errors_of(error, model, mine, None)
        say_all(said, error.error_count(), model, tree, path, found)
        if len(said) < error.error_count():
            return {}
        wrong = {str(one["loc"][0]) for one in said}
        right = right_part(model, frozenset(wrong.intersection(fields_at(model, ()))))
        entry = right.model_validate({key: mine[key] for key in mine if key not in wrong})
    return {name: getattr(entry, name) for name in type(entry).model_fields}


@cache
def right_part(model: type[BaseModel], wrong: frozenset[str]) -> type[BaseModel]:
    """Return ``model`` without the fields whose keys are ``wrong``."""
    fields: dict[str, Any] = {
        name: (field.annotation, field)
        for name, field in model.model_fields.items()
        if (field.alias or name) not in wrong
    }
    return create_model(model.__name__, __base__=Entry, **fields)


def whole(
    model: type[M],
    value: Any,
    tree: Tree,
    path: Path,
    found: Diagnostics,
    *,
    context: Mapping[str, Any] | None = None,
) -> M | None:
    """Return ``model`` if everything in ``value``, which stands at ``path``, is right.

    ``context`` is for the model's validators.
    """
    try:
        return model.model_validate(value, context=context)
    except ValidationError as error:
        said = errors_of(error, model, value, context)
        say_all(said, error.error_count(), model, tree, path, found)
        return None


def errors_of(
    error: ValidationError, model: type[BaseModel], value: Any, context: Mapping[str, Any] | None
) -> Sequence[Any]:
    """Return pydantic's errors; of very many those of the beginning, as each takes a kilobyte."""
    if error.error_count() <= MANY:
        return error.errors(include_url=False)
    for most in (MANY // 10, MANY, 10 * MANY):
        try:
            model.model_validate(beginning(value, most), context=context)
        except ValidationError as first:
            return first.errors(include_url=False)[:MANY]
    return error.errors(include_url=False)[:MANY]


def beginning(value: Any, most: int) -> Any:
    """Return at most so many of the entries of each list and mapping in ``value``."""
    if isinstance(value, dict):
        return {key: beginning(one, most) for key, one in islice(value.items(), most)}
    return [beginning(one, most) for one in value[:most]] if isinstance(value, list) else value


def say_all(
    said: Sequence[Any], count: int, form: Any, tree: Tree, path: Path, found: Diagnostics
) -> None:
    """Say pydantic's errors, of which there are ``count``, in our words, each at its place."""
    shown = said[: 2 * MAX_PER_FILE]
    for one in without_echoes(shown, form):
        inner = real_path(tree, path, one["loc"])
        if one["type"] == "missing" and (*path, *one["loc"]) in tree.keys:
            continue  # it is beyond the beginning
        code, message, help_ = in_our_words(one, inner, fields_at(form, one["loc"][:-1]))
        on_key = one["type"] in {"missing", "extra_forbidden"} or one["loc"][-1:] == ("[key]",)
        place = tree.key(*inner) if on_key else tree.at(*inner)
        found.say(code, place, message, help_ or missing_help(one, form))
    if count > len(shown):
        found.leave_out(tree.source.name, count=count - len(shown))


def without_echoes(errors: Sequence[Any], form: Any) -> Iterator[Any]:
    """Leave out the missing key that an unknown one beside it is a misspelling of."""
    meant = {
        (*one["loc"][:-1], nearest(str(one["loc"][-1]), fields_at(form, one["loc"][:-1])))
        for one in errors
        if one["type"] == "extra_forbidden"
    }
    return (one for one in errors if one["type"] != "missing" or one["loc"] not in meant)


def real_path(tree: Tree, path: Path, loc: Iterable[str | int]) -> Path:
    """Follow pydantic's location as far as it is in the file; union branches are not."""
    for step in loc:
        here = (*path, step)
        if here in tree.values or here in tree.keys:
            path = here
    return path


def value_at(tree: Tree, path: Path) -> Any:
    """Return the value at ``path``."""
    value = tree.value
    for step in path:
        value = value[step]
    return value


def fields_at(form: Any, loc: Iterable[str | int]) -> list[str]:
    """Return the keys that ``form`` has at ``loc``."""
    return [
        field.alias or name
        for model in models_at(form, loc)
        for name, field in model.model_fields.items()
    ]


def models_at(form: Any, loc: Iterable[str | int]) -> list[type[BaseModel]]:
    """Return the models that ``form`` has at ``loc``."""
    forms = models_in(form)
    for step in loc:
        inner = [
            one
            for model in forms
            for name, field in model.model_fields.items()
            if step == (field.alias or name)
            for one in models_in(field.annotation)
        ]
        forms = inner or forms
    return forms


def models_in(form: Any) -> list[type[BaseModel]]:
    """Return the models that an annotation speaks of."""
    if isinstance(form, type) and issubclass(form, BaseModel):
        return [form]
    return [model for inner in get_args(form) for model in models_in(inner)]


def form_of(value: Any) -> str:
    """Name the form of a value as a user sees it."""
    return FORMS.get(type(value), "something else")


FORMS: Mapping[type, str] = {
    dict: "a mapping",
    list: "a list",
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "`true` or `false`",
    type(None): "empty",
}


def missing_help(error: Any, form: Any) -> str:
    """Say what a missing key is for."""
    if error["type"] != "missing":
        return ""
    key = str(error["loc"][-1])
    if key in EXAMPLES:
        return EXAMPLES[key]
    for model in models_at(form, error["loc"][:-1]):
        for name, field in model.model_fields.items():
            if key == (field.alias or name) and field.description:
                about = field.description.splitlines()[0]
                return about[:1].lower() + about[1:].rstrip(".")
    return ""


EXAMPLES = {
    "config_version": "write `config_version: 1` at the top of the file",
    "policy": "without a policy nothing may cross",
    "why": "write why the rule is there; an auditor reads it",
    "ca": "write `ca: ca.pem`, the certificates that sign the broker's",
}
