"""What the YAML parser says, in our words."""

from typing import Any

import yaml

from otgate.config.diagnostic import Diagnostics
from otgate.config.source import Source

COLON = "put text that holds `: ` in quotes; keys of one entry begin in the same column"
CLOSE = "close every `[` with `]` and every `{` with `}`"
QUOTE = "put text that holds `: ` or `#`, or begins with one of `@ % & * ! [ {`, in quotes"
ALIGN = "keys of one entry begin in the same column, as do the `-` of one list"
PHRASES = (
    ("mapping values are not allowed", "a `:` that belongs to no key here", COLON),
    ("unexpected end of stream", "a quote that is never closed", "close it with the same quote"),
    ("',' or ']'", "a list in `[ ]` that is not closed", "separate with `,` and close with `]`"),
    ("',' or '}'", "an entry in `{ }` that is not closed", "separate with `,` and close with `}`"),
    ("node content", "a value is missing, or a `[` or `{` is not closed", CLOSE),
    ("expected '-' indicator", "a key among list items", ALIGN),
    ("could not find expected ':'", "a key without `:`", "write `name: value`"),
    ("expected key", "neither a key nor a deeper entry: the indentation fits nothing above", ALIGN),
    ("cannot start any token", "text cannot begin like this", QUOTE),
)
"""Part of what the parser says; what is wrong; what to do."""


def in_our_words(source: Source, error: yaml.YAMLError, found: Diagnostics) -> None:
    """Translate a parser's error, at the parser's mark."""
    problem = str(getattr(error, "problem", None) or "not YAML")
    opened = "end of stream" in problem
    mark: Any = getattr(error, "context_mark" if opened else "problem_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    place = source.place(min(line, len(source.lines)), column, column + 1)
    if is_tab(source, line, column) or "tab character" in problem:
        found.say("yaml-tab", place, "a tab indents this line", "indent with spaces")
        return
    if source.lines[place.line - 1][:column].endswith("${"):
        message = "a `${…}` inside `{ }` or `[ ]` needs quotes"
        found.say("bad-yaml", place, message, 'write `"${name}"`')
        return
    for phrase, message, help_ in PHRASES:
        if phrase in problem:
            found.say("bad-yaml", place, message, help_)
            return
    found.say("bad-yaml", place, problem)


def is_tab(source: Source, line: int, column: int) -> bool:
    """Tell whether the character at a place is a tab."""
    written = source.lines[line - 1] if line <= len(source.lines) else ""
    return written[column - 1 : column] == "\t"
