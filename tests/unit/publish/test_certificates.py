import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from otgate.publish.certificates import end_s, first_end_s, in_file

ENDS = [datetime(year, 6, 1, 12, 30, 45, tzinfo=UTC) for year in (2031, 2049, 2050, 2099)]


def certificate(end: datetime, name: str = "broker.example") -> bytes:
    return trustme.CA().issue_cert(name, not_after=end).cert_chain_pems[0].bytes()


@pytest.mark.parametrize("end", ENDS, ids=str)
def test_the_end_of_a_certificate_is_read_in_both_forms_of_time(end: datetime) -> None:
    assert end_s(ssl.PEM_cert_to_DER_cert(certificate(end).decode())) == end.timestamp()


def test_of_a_file_with_several_the_first_that_ends_is_told(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(b"a comment\n" + b"\n".join(map(certificate, reversed(ENDS))) + b"\nrest")
    assert len(list(in_file(file))) == len(ENDS)
    assert first_end_s(in_file(file)) == ENDS[0].timestamp()


def test_a_library_reads_the_same_end_of_an_authority() -> None:
    pem = trustme.CA().cert_pem.bytes()
    expected = x509.load_pem_x509_certificate(pem).not_valid_after_utc.timestamp()
    assert end_s(ssl.PEM_cert_to_DER_cert(pem.decode())) == expected


@pytest.mark.parametrize("content", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\n!!\n"])
def test_a_file_without_certificates_ends_never(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(content)
    assert first_end_s(in_file(file)) is None


def test_an_absent_file_ends_never(tmp_path: Path) -> None:
    assert first_end_s(in_file(tmp_path / "ca.pem")) is None
    assert first_end_s(in_file(None)) is None


DER = ssl.PEM_cert_to_DER_cert(certificate(ENDS[0]).decode())


@given(st.integers(0, len(DER) - 1), st.integers(0, 255), st.integers(0, len(DER)))
def test_a_spoilt_certificate_is_none_or_another_moment(at: int, byte: int, length: int) -> None:
    spoilt = (DER[:at] + bytes([byte]) + DER[at + 1 :])[:length]
    assert isinstance(end_s(spoilt), float | None)


@given(st.binary(max_size=64))
def test_any_bytes_are_none_or_a_moment(anything: bytes) -> None:
    assert isinstance(end_s(anything), float | None)
