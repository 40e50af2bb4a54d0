"""`otgate policy key`, `sign` and `verify`, and what `otgate run` refuses."""

from pathlib import Path

import pytest

from daemons import write_site
from otgate.cli import main
from otgate.config.source import MAX_YAML_BYTES

SIGNED = "signatures: {security: security.key.pub, ot: ot.key.pub}\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = write_site(tmp_path / "site", 1883)
    monkeypatch.chdir(folder)
    for role in ("security", "ot"):
        assert main(["policy", "key", f"{role}.key"]) == 0
    with (folder / "site.yaml").open("a") as file:
        file.write(SIGNED)
    return folder


def signed(role: str, key: str = "") -> int:
    return main(["policy", "sign", ".", "--as", role, "--key", key or f"{role}.key"])


def test_each_signs_what_is_theirs(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "."]) == 1
    assert signed("security") == 0
    assert sorted(path.name for path in site.rglob("*.sig")) == ["policy.yaml.sig"]
    assert signed("ot") == 0
    capsys.readouterr()
    assert main(["check", "."]) == 0
    assert main(["policy", "verify", "."]) == 0
    said = capsys.readouterr().out
    assert "policy.yaml: signed by security, key " in said
    assert "points/f1.csv: signed by ot, key " in said


@pytest.mark.parametrize("name", ["policy.yaml", "site.yaml", "points/f1.csv"])
def test_a_comment_more_in_any_file_is_refused(
    site: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert signed("security") == signed("ot") == 0
    with (site / name).open("a") as file:
        file.write("\n" if name.endswith("csv") else "# harmless\n")
    capsys.readouterr()
    assert main(["policy", "verify", "."]) == 1
    said = capsys.readouterr()
    assert f"the signature of `{name}` does not hold: the file has changed" in said.err
    assert not said.out


def test_the_others_key_signs_nothing_that_holds(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert signed("security", "ot.key") == signed("ot", "security.key") == 0
    capsys.readouterr()
    assert main(["check", "."]) == 1
    assert capsys.readouterr().out.count("it is signed with key ") == 3


def test_a_site_with_errors_is_not_signed(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = site / "policy.yaml"
    policy.write_text(policy.read_text().replace("[feeder]", "[feedr]"))
    assert signed("security") == 1
    assert "unknown-tag" in capsys.readouterr().err
    assert not list(site.rglob("*.sig"))


def test_a_site_without_signatures_verifies_nothing(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site_file = site / "site.yaml"
    site_file.write_text(site_file.read_text().removesuffix(SIGNED))
    assert main(["policy", "verify", "."]) == 1
    assert "policy.yaml: needs no signature" in capsys.readouterr().out


def test_a_site_that_dropped_its_signatures_does_not_run(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site_file = site / "site.yaml"
    site_file.write_text(site_file.read_text().removesuffix(SIGNED))
    assert main(["run", ".", "--field", "--signed-by", "security=3be52ce5c7edf5bf"]) == 78
    said = capsys.readouterr().err
    assert "site.yaml is not signed by security=3be52ce5c7edf5bf" in said


def test_a_signature_file_as_large_as_a_disk_is_not_read(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert signed("ot") == 0
    with (site / "policy.yaml.sig").open("wb") as file:
        file.truncate(1000 * MAX_YAML_BYTES)
    assert main(["check", "."]) == 1
    assert "file-too-large" in capsys.readouterr().out
