import json
from pathlib import Path

import pytest

from audit_logs import lines, rewrite, written
from otgate.cli import main
from otgate.config.signature import PrivateKey, make_key, read_private
from otgate.observe.audit.book import Ends


def test_a_log_that_holds_gives_an_anchor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, 3)
    assert main(["audit", "verify", str(tmp_path)]) == 0
    *_, holds, anchor = capsys.readouterr().out.splitlines()
    assert holds == "the log holds"
    (tmp_path / "noted").write_text(anchor)
    assert main(["audit", "verify", str(tmp_path), "--anchor", str(tmp_path / "noted")]) == 0
    rewrite(tmp_path, lines(tmp_path)[:-1])
    assert main(["audit", "verify", str(tmp_path), "--anchor", str(tmp_path / "noted")]) == 1
    told = capsys.readouterr().out
    assert "jsonl:3: truncation: the log ends without record 4, which is anchored" in told
    assert "the log does not hold: 1 break" in told


def test_signatures_are_held_against_a_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_key(tmp_path / "audit.key")
    written(tmp_path / "log", 3, Ends(PrivateKey(read_private(tmp_path / "audit.key"))))
    asked = ["audit", "verify", str(tmp_path / "log"), "--key", str(tmp_path / "audit.key.pub")]
    assert main([*asked, "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["holds"], told["signed"], told["last"], told["breaks"]) == (True, 1, 4, [])


def test_what_is_no_key_or_no_log_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "key").write_text("rubbish")
    assert main(["audit", "verify", str(tmp_path), "--key", str(tmp_path / "key")]) == 1
    assert main(["audit", "verify", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "it is no public key in PEM" in told
    assert f"there is no audit log in {tmp_path}" in told
