"""A report as headings, paragraphs and tables, and the same as Markdown and as HTML."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

STYLE = (
    "body{font:14px/1.4 sans-serif;margin:2em;max-width:80em}"
    "table{border-collapse:collapse}"
    "th,td{border:1px solid #999;padding:.2em .5em;text-align:left;vertical-align:top}"
    "th{background:#eee}"
    ".crosses{background:#fde8c8}"
)
"""No script and nothing from elsewhere: a report is read on machines without a network."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A title; level 1 is the report's own."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Table:
    """Rows below column names. ``marked`` is how cells begin that stand out in HTML."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    marked: str = ""


MARKUP = re.compile(r"[\\`*\[\]<>|#]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")
"""What CommonMark would read as markup; an underscore within a word it does not."""

Block = Heading | Table | str


def as_markdown(blocks: Sequence[Block]) -> str:
    """Return CommonMark with pipe tables."""
    return "\n\n".join(filter(None, map(markdown_block, blocks))) + "\n"


def markdown_block(block: Block) -> str:
    """Return one block as Markdown; an empty table is nothing."""
    if isinstance(block, str):
        return markdown_text(block)
    if isinstance(block, Heading):
        return f"{'#' * block.level} {markdown_text(block.text)}"
    lines = [block.columns, ["---"] * len(block.columns), *block.rows] if block.rows else []
    return "\n".join(f"| {' | '.join(map(markdown_cell, line))} |" for line in lines)


def markdown_text(text: str) -> str:
    """Keep what a file says from being read as markup."""
    return MARKUP.sub(r"\\\g<0>", text)


def markdown_cell(text: str) -> str:
    """Return text that stays within a cell."""
    rule = text == "---"
    return text if rule else markdown_text(" ".join(text.split()))


def as_html(blocks: Sequence[Block]) -> str:
    """Return one page that needs no other file."""
    title = next((one.text for one in blocks if isinstance(one, Heading)), "otgate")
    body = "\n".join(filter(None, map(html_block, blocks)))
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n{body}\n"
        "</body></html>\n"
    )


def html_block(block: Block) -> str:
    """Return one block as HTML; an empty table is nothing."""
    if isinstance(block, str):
        return f"<p>{escape(block)}</p>"
    if isinstance(block, Heading):
        return f"<h{block.level}>{escape(block.text)}</h{block.level}>"
    return "\n".join(html_table(block)) if block.rows else ""


def html_table(table: Table) -> Iterator[str]:
    """Yield the lines of a table."""
    yield "<table>"
    yield f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in table.columns)}</tr>"
    for row in table.rows:
        yield f"<tr>{''.join(html_cell(cell, table.marked) for cell in row)}</tr>"
    yield "</table>"


def html_cell(text: str, marked: str) -> str:
    """Return a cell, marked where it begins as what is looked for."""
    mark = f' class="{escape(marked)}"' if marked and text.startswith(marked) else ""
    return f"<td{mark}>{escape(text)}</td>"


def as_text(table: Table) -> str:
    """Return aligned columns for a terminal."""
    lines = [table.columns, *table.rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
