"""Run the literate cases: each is a claim, the files it is about, and what `check` says of them."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from otgate.cli import main
from otgate.config.codes import registry
from otgate.config.diagnostic import NOT_SHOWN

CASES = Path(__file__).parent / "cases"
SAID = re.compile(r"^(?:error|warning)\[([a-z-]+)\]", re.MULTILINE)
FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass
class Case:
    claim: str
    files: dict[str, bytes]
    expected: str


def fences(text: str) -> tuple[dict[str, bytes], str]:
    files, expected = {}, ""
    for form, name, body in FENCE.findall(text):
        if form == "text":
            expected = body
        elif form == "escaped":
            files[name] = body.encode("ascii").decode("unicode_escape").encode("latin-1")
        elif form == "large":
            files[name] = body.encode() * (5_000_000 // len(body))
        else:
            files[name] = body.encode()
    return files, expected


def cases() -> list[tuple[str, Case]]:
    """Read every case; files above a page's first claim are there for each of its cases."""
    read = []
    for page in sorted(CASES.glob("*.md")):
        ground, *claims = re.split(r"^## ", page.read_text("utf-8"), flags=re.MULTILINE)
        shared, _ = fences(ground)
        for claim in claims:
            title, _, body = claim.partition("\n")
            files, expected = fences(body)
            case = Case(title, {**shared, **files}, expected)
            read.append((f"{page.stem}: {title}", case))
    return read


def outcome(case: Case, directory: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    for name, content in case.files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
    sites = sorted(name for name in case.files if Path(name).name == "site.yaml")
    code = main(["check", *sites])
    return code, capsys.readouterr().out


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in cases()])
def test_a_case_holds(
    case: Case,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, said = outcome(case, tmp_path, capsys)
    assert said == case.expected
    assert code == (1 if "error[" in case.expected else 0)


def test_every_code_is_produced_by_a_case() -> None:
    said = {code for _, case in cases() for code in SAID.findall(case.expected)}
    assert said | {NOT_SHOWN} == set(registry())  # it takes a hundred: test_many_mistakes.py
