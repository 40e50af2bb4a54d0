"""What pydantic finds, in our codes and words."""

from collections.abc import Sequence
from typing import Any

from otgate.config.forms import ID_HELP, ID_PATTERN
from otgate.config.nearest import did_you_mean

Words = tuple[str, str, str]
"""Code, message, help."""

QUOTE = "'"
IN_QUOTES = "text that looks like something else needs quotes"
TYPES = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number that is not infinite",
    "bool_type": "`true` or `false`",
    "bool_parsing": "`true` or `false`",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dataclass_type": "a mapping",
    "is_instance_of": "something else",
}
BOUNDS = {
    "greater_than": ("greater than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
    "multiple_of": ("a multiple of", "multiple_of"),
}
LENGTHS = {
    "string_too_short": ("at least", "min_length", "character"),
    "string_too_long": ("at most", "max_length", "character"),
    "too_short": ("at least", "min_length", "entry"),
    "too_long": ("at most", "max_length", "entry"),
}


def in_our_words(error: Any, path: Sequence[str | int], known: Sequence[str]) -> Words:
    """Return code, message and help of one pydantic error at ``path``."""
    kind, context = error["type"], error.get("ctx", {})
    key = named(path)
    if kind == "extra_forbidden":
        word = str(error["loc"][-1])
        return "unknown-key", f"unknown key `{word}`", did_you_mean(word, known)
    if kind == "missing":
        return "missing-key", f"missing key `{error['loc'][-1]}`", ""
    if "-" in kind:
        return kind, f"{key}{context.get('message', error['msg'])}", str(context.get("help", ""))
    if kind in TYPES:
        return wrong_type(kind, key, error["input"])
    if kind in BOUNDS or kind in LENGTHS:
        return out_of_range(kind, key, context)
    return wrong_value(kind, key, error)


def named(path: Sequence[str | int]) -> str:
    """Name the last key of a path; a list item has none of its own."""
    names = [step for step in path if isinstance(step, str)]
    return f"`{names[-1]}`: " if names else ""


def wrong_type(kind: str, key: str, value: Any) -> Words:
    """Say what was expected and what stands there."""
    help_ = ""
    if kind == "string_type" and isinstance(value, int | float):
        help_ = IN_QUOTES
    return "wrong-type", f"{key}expected {TYPES[kind]}, found {shown(value)}", help_


def out_of_range(kind: str, key: str, context: dict[str, Any]) -> Words:
    """Say which bound a number or a length is beyond."""
    if kind in BOUNDS:
        words, bound = BOUNDS[kind]
        return "out-of-range", f"{key}has to be {words} {context[bound]:g}", ""
    words, bound, what = LENGTHS[kind]
    count = context[bound]
    what = what if count == 1 else {"entry": "entries"}.get(what, f"{what}s")
    return "out-of-range", f"{key}has to have {words} {count} {what}", ""


def wrong_value(kind: str, key: str, error: Any) -> Words:
    """Say what may stand there."""
    context, value = error.get("ctx", {}), error["input"]
    if kind == "string_pattern_mismatch" and context.get("pattern") == ID_PATTERN:
        return "bad-id", f"{key}{shown(value)} is not an id", ID_HELP
    if kind in {"literal_error", "enum"}:
        expected = str(context.get("expected", ""))
        help_ = f"{'one of' if ' or ' in expected else 'write'} {expected.replace(QUOTE, '`')}"
        if not isinstance(value, str) and f"'{value}'" in expected:
            help_ = IN_QUOTES
        return "wrong-value", f"{key}{shown(value)} is not possible here", help_
    if kind == "string_pattern_mismatch":
        pattern = context.get("pattern", "")
        return (
            "wrong-value",
            f"{key}{shown(value)} is not possible here",
            f"has to match `{pattern}`",
        )
    message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return "wrong-value", f"{key}{message[:1].lower()}{message[1:]}", ""


def shown(value: Any) -> str:
    """Show a scalar as written, anything else by its form."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str | int | float):
        text = str(value)
        return f"`{text if len(text) <= 60 else text[:57] + '…'}`"
    return "a mapping" if isinstance(value, dict) else "a list"
