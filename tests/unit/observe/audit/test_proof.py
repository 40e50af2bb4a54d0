from pathlib import Path

import pytest

from audit_logs import audit, files, lines, records, rewrite, written
from otgate.config.signature import PrivateKey, PublicKey, make_key, read_private
from otgate.errors import Refused
from otgate.observe.audit.anchor import Anchored
from otgate.observe.audit.book import Ends
from otgate.observe.audit.proof import Break, Kind, Proof, proved
from otgate.observe.audit.record import digest


@pytest.fixture
def log(tmp_path: Path) -> Path:
    written(tmp_path, 9)
    return tmp_path


@pytest.fixture
def key(tmp_path_factory: pytest.TempPathFactory) -> PrivateKey:
    path = tmp_path_factory.mktemp("keys") / "audit.key"
    make_key(path)
    return PrivateKey(read_private(path))


def first(proof: Proof) -> Break:
    return proof.breaks[0]


def public(key: PrivateKey) -> PublicKey:
    return PublicKey(key.key.public_key().public_bytes_raw())


def test_a_log_as_it_was_written_holds(log: Path) -> None:
    proof = proved(log)
    assert not proof.breaks
    assert proof.records == 10
    assert proof.unvouched == 0
    assert "held against itself alone" in proof.remarks[0]


def test_an_edit_is_found_in_its_line(log: Path) -> None:
    kept = lines(log)
    kept[3] = kept[3].replace(b'"number":3', b'"number":4')
    rewrite(log, kept)
    proof = proved(log)
    assert [(one.kind, one.line) for one in proof.breaks] == [(Kind.EDIT, 4)]
    assert str(first(proof)).startswith(f"{files(log)[0].name}:4: edit: ")


def test_an_edited_link_is_found_in_its_line(log: Path) -> None:
    kept = lines(log)
    kept[5] = kept[5][:-6] + b"0000" + kept[5][-2:]
    rewrite(log, kept)
    assert (first(proved(log)).kind, first(proved(log)).line) == (Kind.EDIT, 6)


def test_an_edited_number_is_an_edit(log: Path) -> None:
    kept = lines(log)
    kept[5] = kept[5].replace(b'"seq":6', b'"seq":60000000000000000')
    rewrite(log, kept)
    assert (first(proved(log)).kind, first(proved(log)).line) == (Kind.EDIT, 6)


def test_what_is_no_record_is_an_edit(log: Path) -> None:
    kept = lines(log)
    kept[2] = b"{}"
    rewrite(log, kept)
    assert (first(proved(log)).kind, first(proved(log)).line) == (Kind.EDIT, 3)


def test_a_deletion_names_what_is_missing(log: Path) -> None:
    kept = lines(log)
    rewrite(log, kept[:3] + kept[5:])
    proof = proved(log)
    assert (first(proof).kind, first(proof).line) == (Kind.DELETION, 4)
    assert "records 4 to 5 are missing" in first(proof).what


def test_a_deletion_at_the_beginning_is_found(log: Path) -> None:
    rewrite(log, lines(log)[2:])
    proof = proved(log)
    assert (first(proof).kind, first(proof).line) == (Kind.DELETION, 1)
    assert "records 1 to 2 are missing, and no record says so" in first(proof).what


def test_a_swap_is_found_where_it_begins(log: Path) -> None:
    kept = lines(log)
    kept[2], kept[6] = kept[6], kept[2]
    rewrite(log, kept)
    assert (first(proved(log)).kind, first(proved(log)).line) == (Kind.SWAP, 3)


def test_a_line_that_stands_twice_is_found(log: Path) -> None:
    kept = lines(log)
    rewrite(log, [*kept[:4], kept[3], *kept[4:]])
    assert (first(proved(log)).kind, first(proved(log)).line) == (Kind.SWAP, 5)


def test_a_truncation_is_found_by_an_anchor_alone(log: Path) -> None:
    kept = lines(log)
    rewrite(log, kept[:-1])
    assert not proved(log).breaks
    proof = proved(log, anchors=[Anchored(digest(kept[-1]), 10)])
    assert (first(proof).kind, first(proof).line) == (Kind.TRUNCATION, 9)


def test_a_hash_without_a_number_finds_a_truncation(log: Path) -> None:
    kept = lines(log)
    anchor = [Anchored(digest(kept[-1]))]
    assert not proved(log, anchors=anchor).breaks
    rewrite(log, kept[:-1])
    assert first(proved(log, anchors=anchor)).kind is Kind.TRUNCATION


def test_a_log_written_anew_is_found_by_an_anchor(log: Path, tmp_path: Path) -> None:
    anchor = Anchored(digest(lines(log)[4]), 5)
    anew = tmp_path / "anew"
    written(anew, 12, verb="status")
    assert not proved(anew).breaks
    proof = proved(anew, anchors=[anchor])
    assert (first(proof).kind, first(proof).line) == (Kind.EDIT, 5)


def started(directory: Path) -> Path:
    with audit(directory) as log:
        log.note("start", log="sub7/gw1/field")
    return directory


def test_anchors_of_another_log_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="of sub8/gw1/field, the log is of sub7/gw1/field"):
        proved(started(tmp_path), anchors=[Anchored("0" * 64, 5, "sub8/gw1/field")])


def test_anchors_of_this_log_are_picked_out_of_others(tmp_path: Path) -> None:
    log = started(tmp_path)
    ours = Anchored(digest(lines(log)[0]), 1, "sub7/gw1/field")
    assert not proved(log, anchors=[ours, Anchored("0" * 64, 1, "sub8/gw1/field")]).breaks
    wrong = Anchored("0" * 64, 1, "sub7/gw1/field")
    assert first(proved(log, anchors=[wrong])).kind is Kind.EDIT


def test_signed_checkpoints_hold_against_their_key(tmp_path: Path, key: PrivateKey) -> None:
    written(tmp_path, 3, Ends(key))
    proof = proved(tmp_path, (key.id, public(key).holds))
    assert not proof.breaks
    assert proof.signed == 1


def test_a_log_chained_anew_is_found_by_its_signatures(tmp_path: Path, key: PrivateKey) -> None:
    written(tmp_path, 3, Ends(key))
    signed = records(tmp_path)[-1]["what"]
    for path in files(tmp_path):
        path.unlink()
    written(tmp_path, 4, Forger(key.id, signed["ed25519"]).ends())
    proof = proved(tmp_path, (key.id, public(key).holds))
    assert (first(proof).kind, first(proof).line) == (Kind.SIGNATURE, 5)
    assert "does not hold" in first(proof).what


class Forger:
    """Signs everything with a signature that it has seen."""

    def __init__(self, key: str, seen: str) -> None:
        self.id = key
        self._seen = bytes.fromhex(seen)

    def sign(self, _: bytes) -> bytes:
        return self._seen

    def ends(self) -> Ends:
        return Ends(self)


def test_a_checkpoint_without_the_wanted_signature_is_a_break(
    tmp_path: Path, key: PrivateKey
) -> None:
    written(tmp_path, 3)
    proof = proved(tmp_path, (key.id, public(key).holds))
    assert first(proof).kind is Kind.SIGNATURE
    assert "not signed" in first(proof).what


def test_records_after_the_last_checkpoint_are_counted(log: Path) -> None:
    rewrite(log, lines(log)[:-1])
    assert proved(log).unvouched == 9


def test_an_unfinished_last_line_is_a_remark(log: Path) -> None:
    path = files(log)[0]
    path.write_bytes(path.read_bytes() + b'{"seq":11,')
    proof = proved(log)
    assert not proof.breaks
    assert "the last line is unfinished" in proof.remarks[0]


def test_where_there_is_no_log_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="there is no audit log in"):
        proved(tmp_path)
    with pytest.raises(Refused, match=r"cannot read the audit log in .*: No such file"):
        proved(tmp_path / "absent")
