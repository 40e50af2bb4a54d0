"""Files that are made to hurt whoever reads them: each by name, for which file, and its bytes."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from daemons import POINTS, POLICY, SITE

MB = 1 << 20
HEADER = POINTS.partition("\n")[0] + "\n"
DEVICES = SITE.partition("defaults")[0]
RULE = "  - {{name: r{0}, effect: permit, match: {{kindd: [x]}}, why: x}}\n"
ROW = "I A,B C,measurementt,xx 0,u99,a,A,fastt,feederr\n"


class Hostile(NamedTuple):
    """One such file. ``code`` is what it is refused with."""

    file: str
    code: str
    text: Callable[[], str | bytes]

    @property
    def content(self) -> bytes:
        made = self.text()
        return made if isinstance(made, bytes) else made.encode()


def policy(code: str, text: Callable[[], str | bytes]) -> Hostile:
    return Hostile("policy.yaml", code, text)


def site(code: str, text: Callable[[], str | bytes]) -> Hostile:
    return Hostile("site.yaml", code, text)


def points(code: str, text: Callable[[], str | bytes]) -> Hostile:
    return Hostile("points/f1.csv", code, text)


def laughs() -> str:
    """Thirty lines that stand for nine to the thirtieth words."""
    lines = ["a0: &a0 [lol]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    return "\n".join(lines)


def words(count: int, form: str = "t{}") -> str:
    return ", ".join(form.format(number) for number in range(count))


QUICK: Mapping[str, Hostile] = {
    "billion laughs": policy("yaml-alias", laughs),
    "nul": policy("illegal-character", lambda: POLICY + "\0"),
    "byte order marks": policy("illegal-character", lambda: b"\xef\xbb\xbf" * 2 + POLICY.encode()),
    "utf-16": policy("wrong-encoding", lambda: POLICY.encode("utf-16")),
    "a tab": policy("yaml-tab", lambda: POLICY.replace("  - ", "\t- ")),
    "two encodings": policy("wrong-encoding", lambda: f"# é\n{POLICY}".encode() + b"# caf\xe9\n"),
    "deep lists": policy("too-deep", lambda: "[" * 10_000),
    "a tag nobody declared": policy("unknown-tag", lambda: POLICY.replace("[feeder]}", "[feedr]}")),
    "contradiction": policy(
        "impossible-match",
        lambda: POLICY.replace("tags_all: [feeder]", "tags_all: [feeder], tags_none: [feeder]"),
    ),
    "no policy": policy("empty-file", lambda: ""),
    "a workbook": points("wrong-encoding", lambda: b"PK\x03\x04" + b"\0" * 1000),
    "an open quote": points("bad-csv", lambda: POINTS + '"'),
    "nul in a map": points("illegal-character", lambda: POINTS + "\0"),
}
"""What a person may well do by accident, or a vandal by hand."""

LARGE: Mapping[str, Hostile] = {
    "100 MB of policy": policy("file-too-large", lambda: "#" * (100 * MB)),
    "100 MB of points": points("file-too-large", lambda: POINTS + "\n" * (100 * MB)),
    "aliases": policy("yaml-alias", lambda: "a: &a [x]\nb:\n" + "- *a\n" * 800_000),
    "keys": policy("unknown-key", lambda: POLICY + words(99_000, "k{}: 1").replace(", ", "\n")),
    "one line of keys": policy("unknown-key", lambda: "{" + words(49_000, "k{}: 1") + "}"),
    "rules": policy(
        "unknown-key", lambda: POLICY + "".join(RULE.format(number) for number in range(8000))
    ),
    "words": policy(
        "unknown-tag",
        lambda: POLICY.replace("tags_all: [feeder]", f"tags_all: [{words(95_000)}]"),
    ),
    "words against words": policy(
        "unknown-tag",
        lambda: POLICY.replace("tags: [", f"tags: [{words(49_000)}, ").replace(
            "tags_all: [feeder]", f"tags_all: [{words(49_000, 'u{}')}]"
        ),
    ),
    "devices": site("wrong-type", lambda: DEVICES + "  - {id: 1, x: 1}\n" * 18_000),
    "a secret without end": policy("unknown-key", lambda: POLICY + "x: " + "token" * 600_000),
    "rows": points("bad-id", lambda: HEADER + ROW * 300_000),
    "rows ended by CR": points("bad-id", lambda: HEADER + ROW.replace("\n", "\r") * 300_000),
    "addresses": points(
        "bad-address",
        lambda: HEADER + "".join(f"p{n},N,measurement,zz {n},u16,,,,\n" for n in range(99_000)),
    ),
    "one row": points("file-too-large", lambda: HEADER + "a," * (7 * MB)),
    "one header": points("file-too-large", lambda: "a," * (7 * MB)),
    "one cell": points("file-too-large", lambda: HEADER + "a" * (15 * MB)),
    "empty rows": points("file-too-large", lambda: HEADER + "\n" * (15 * MB)),
    "an open quote before everything": points("file-too-large", lambda: HEADER + '"' + "a\n" * MB),
}
"""What takes long, or much, if it is read to its end."""
