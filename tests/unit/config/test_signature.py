"""Signatures of a site's files: what holds, and that nothing else does."""

import base64
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otgate.config.signature import (
    BadSignature,
    Claim,
    PublicKey,
    Role,
    make_key,
    read_private,
    read_public,
    sign,
)
from otgate.errors import Refused

CLAIM = Claim(Role.SECURITY, "policy.yaml", "ab" * 32)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "security.key"
    make_key(path)
    return path


@pytest.fixture(scope="module")
def public(key: Path) -> PublicKey:
    return read_public(key.with_name("security.key.pub").read_bytes())


@pytest.fixture(scope="module")
def signed(key: Path) -> str:
    return sign(read_private(key), CLAIM)


def test_a_signature_holds_for_its_claim(public: PublicKey, signed: str) -> None:
    public.verify(signed, CLAIM)
    public.verify(signed.replace("\n", "\r\n"), CLAIM)


@pytest.mark.parametrize(
    "other",
    [
        Claim(Role.OT, CLAIM.file, CLAIM.digest),
        Claim(CLAIM.role, "policy2.yaml", CLAIM.digest),
        Claim(CLAIM.role, CLAIM.file, "ac" * 32),
    ],
)
def test_it_holds_for_no_other(public: PublicKey, signed: str, other: Claim) -> None:
    with pytest.raises(BadSignature):
        public.verify(signed, other)


@given(at=st.integers(0, 1000), other=st.characters(codec="ascii"))
def test_no_character_of_it_can_be_another(
    public: PublicKey, signed: str, at: int, other: str
) -> None:
    at %= len(signed) - 1
    changed = signed[:at] + other + signed[at + 1 :]
    if changed == signed or decoded(changed) == decoded(signed):
        return
    with pytest.raises(BadSignature):
        public.verify(changed, CLAIM)


def decoded(signed: str) -> Any:
    """Return the claim and the signature's bytes; spare bits of base64 say nothing."""
    claim, _, encoded = signed.rstrip("\n").rpartition("\n")
    try:
        return claim, base64.b64decode(encoded.removeprefix("ed25519: "), validate=True)
    except ValueError:
        return signed


@given(length=st.integers(0, 1000))
def test_nothing_shorter_holds(public: PublicKey, signed: str, length: int) -> None:
    with pytest.raises(BadSignature) as bad:
        public.verify(signed[: length % (len(signed) - 1)], CLAIM)
    assert 1 <= bad.value.line <= 6


def test_a_line_more_does_not_hold(public: PublicKey, signed: str) -> None:
    with pytest.raises(BadSignature):
        public.verify(signed + signed, CLAIM)


def test_a_private_key_is_its_owners_alone(key: Path) -> None:
    assert key.stat().st_mode & 0o777 == 0o600
    other = key.with_name("shared.key")
    other.write_bytes(key.read_bytes())
    other.chmod(0o644)
    with pytest.raises(Refused, match="open to others"):
        read_private(other)


def test_no_key_is_made_over_another(key: Path) -> None:
    before = key.read_bytes()
    with pytest.raises(Refused, match="File exists"):
        make_key(key)
    assert key.read_bytes() == before


@pytest.mark.parametrize("pem", ["", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_what_is_no_private_key_is_refused_and_not_repeated(tmp_path: Path, pem: str) -> None:
    path = tmp_path / "key"
    path.write_text(pem)
    path.chmod(0o600)
    with pytest.raises(Refused, match="is no private key") as refused:
        read_private(path)
    assert not pem or pem not in str(refused.value)


def test_a_private_key_is_no_public_one(key: Path) -> None:
    with pytest.raises(Refused, match="no public key"):
        read_public(key.read_bytes())


def test_a_key_that_openssl_made_is_as_good(tmp_path: Path) -> None:
    path, public = tmp_path / "key", tmp_path / "key.pub"
    run = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(path)]
    subprocess.run(run, check=True, capture_output=True)
    path.chmod(0o600)
    run = ["openssl", "pkey", "-in", str(path), "-pubout", "-out", str(public)]
    subprocess.run(run, check=True, capture_output=True)
    read_public(public.read_bytes()).verify(sign(read_private(path), CLAIM), CLAIM)


def test_another_algorithms_key_is_named(tmp_path: Path) -> None:
    path, public = tmp_path / "key", tmp_path / "key.pub"
    run = ["openssl", "genpkey", "-algorithm", "x25519", "-out", str(path)]
    subprocess.run(run, check=True, capture_output=True)
    path.chmod(0o600)
    with pytest.raises(Refused, match="another algorithm"):
        read_private(path)
    run = ["openssl", "pkey", "-in", str(path), "-pubout", "-out", str(public)]
    subprocess.run(run, check=True, capture_output=True)
    with pytest.raises(Refused, match="another algorithm"):
        read_public(public.read_bytes())


def test_without_the_library_a_needed_signature_refuses(
    monkeypatch: pytest.MonkeyPatch, key: Path
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(Refused, match=r"pip install 'otgate\[sign\]'"):
        read_public(key.with_name("security.key.pub").read_bytes())
