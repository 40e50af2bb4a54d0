"""Texts of configuration files, spoilt in ways that people and hostile hands spoil them."""

import re

from hypothesis import strategies as st

SNIPPETS = [
    *"\"':,;{}[]|&*!%@#-?>\t\n\r \0\\",
    *("&a", "*a", "<<: ", "---\n", "...\n", "!!int ", "%YAML 9\n", "? ", "null", "1e999", "-0"),
    *(
        "\ufeff",
        "\u2028",
        "é",
        "\x1b[31m",
        "{{{{",
        "]]]]",
        "9" * 400,
        "#REF!",
        '""',
        "config_version: 2",
    ),
]


@st.composite
def mutations(draw: st.DrawFn, text: str) -> bytes:
    """Return ``text`` with a few places cut, doubled, or spoilt."""
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text)))
        stop = min(len(text), start + draw(st.integers(0, 30)))
        middle = draw(
            st.sampled_from(SNIPPETS) | st.just(text[start:stop] * 2) | st.text(max_size=5)
        )
        text = text[:start] + middle + text[stop:]
    raw = text.encode("utf-8", "surrogatepass")
    at = draw(st.integers(0, len(raw)))
    return raw[:at] + draw(st.just(b"") | st.binary(max_size=3)) + raw[at:]


LEAF = re.compile(r"(?<=: )[^\s{}\[\],][^,{}\[\]\n]*|(?<=[\[ ])[a-z][\w/]*(?=[\],])|[a-z_]+(?=: )")
NASTY = [
    *("9" * 100, "1e400", ".nan", "-.inf", "null", "true", "[]", "{}", "[[]]", "{a: {}}", "''"),
    *(
        "0x" + "f" * 90,
        "-1",
        "1.5",
        "[null]",
        "{1: 2}",
        r'"\0"',
        r'"\ud800"',
        "'*'",
        "'/'",
        r'"\n"',
    ),
]
