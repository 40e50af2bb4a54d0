from pathlib import Path

import pytest

from otgate.config.credential import resolve
from otgate.errors import Refused

SECRET = "correct horse"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    kept = tmp_path / "credentials"
    kept.mkdir(mode=0o700)
    (kept / "broker").write_text(SECRET + "\n")
    (kept / "broker").chmod(0o600)
    return kept


def test_a_credential_lies_in_its_directory(directory: Path) -> None:
    secret = resolve("broker", directory, {})
    assert (secret.text, secret.path, secret.warning) == (SECRET, directory / "broker", "")


def test_systemds_credentials_go_first(directory: Path, tmp_path: Path) -> None:
    given = tmp_path / "systemd"
    given.mkdir()
    (given / "broker").write_text("newer")
    (given / "broker").chmod(0o444)
    assert resolve("broker", directory, {"CREDENTIALS_DIRECTORY": str(given)}).text == "newer"


def test_the_environment_goes_last_and_warns(directory: Path) -> None:
    environment = {"OTGATE_CREDENTIAL_BROKER_2": "x", "OTGATE_CREDENTIAL_BROKER": "y"}
    assert resolve("broker", directory, environment).text == SECRET
    secret = resolve("broker-2", directory, environment)
    assert (secret.text, secret.path) == ("x", None)
    assert "environment" in secret.warning


def test_a_secret_does_not_show_itself(directory: Path) -> None:
    assert SECRET not in repr(resolve("broker", directory, {}))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_read_is_refused(directory: Path, mode: int) -> None:
    (directory / "broker").chmod(mode)
    with pytest.raises(Refused, match="open to others") as refused:
        resolve("broker", directory, {})
    assert SECRET not in str(refused.value)


def test_a_directory_that_others_enter_is_refused(directory: Path) -> None:
    directory.chmod(0o750)
    with pytest.raises(Refused, match="chmod"):
        resolve("broker", directory, {})


@pytest.mark.parametrize("name", ["", ".", "..", "../broker", "a/b", "x" * 65, "a\0"])
def test_a_name_is_no_path(directory: Path, name: str) -> None:
    with pytest.raises(Refused, match="cannot be the name"):
        resolve(name, directory, {})


def test_an_absent_credential_says_where_it_was_looked_for(directory: Path) -> None:
    with pytest.raises(Refused, match=str(directory)):
        resolve("other", directory, {})
    with pytest.raises(Refused, match="neither"):
        resolve("other", None, {})


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"x" * 70_000])
def test_what_is_no_small_text_is_refused(directory: Path, raw: bytes) -> None:
    (directory / "broker").write_bytes(raw)
    with pytest.raises(Refused):
        resolve("broker", directory, {})
