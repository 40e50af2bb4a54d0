import asyncio
import os
from contextlib import suppress
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from audit_logs import records
from daemons import wait_until
from otgate.app.auditing import audited, prepared, record_refusal
from otgate.config.audit_place import AuditPlace
from otgate.config.bus_side import Credential
from otgate.config.signature import PrivateKey, make_key, read_private, read_public
from otgate.errors import Refused
from otgate.observe.audit.proof import proved
from otgate.observe.control import Answer, Request, Verb

LOG = "sub7/gw1/field"


def told(directory: Path) -> list[tuple[str, dict[str, object]]]:
    found = [(record["event"], record["what"]) for record in records(directory)]
    return [each for each in found if each[0] != "checkpoint"]


def asked(verb: Verb, directory: Path, **arguments: object) -> dict[str, object]:
    """Ask a verb once, and return what the log says of that."""
    with audited(prepared(AuditPlace(directory), LOG), {}) as recorder:
        request = Request(arguments, os.getuid())
        with suppress(Refused):
            asyncio.run(recorder.verbs({"reload": verb})["reload"](request))  # type: ignore[arg-type]  a coroutine
    return told(directory)[1][1]


def test_a_run_is_recorded_from_start_to_stop(tmp_path: Path) -> None:
    with audited(prepared(AuditPlace(tmp_path), LOG), {"policy_hash": "87"}):
        structlog.get_logger().warning("device_lost", device="f1")
    (start, what), (heard, device), (stop, why) = told(tmp_path)
    assert (start, heard, stop) == ("start", "device_lost", "stop")
    assert (what["log"], what["policy_hash"], what["pid"]) == (LOG, "87", os.getpid())
    assert what["unsigned"] == "no key is named"
    assert (device, why) == ({"device": "f1"}, {})


def test_what_a_side_fails_with_is_recorded(tmp_path: Path) -> None:
    with pytest.raises(Refused), audited(prepared(AuditPlace(tmp_path), LOG), {}):
        raise Refused("cannot listen")
    assert told(tmp_path)[-1] == ("stop", {"error": "Refused: cannot listen"})


def test_a_side_that_is_told_to_stop_fails_with_nothing(tmp_path: Path) -> None:
    with pytest.raises(asyncio.CancelledError), audited(prepared(AuditPlace(tmp_path), LOG), {}):
        raise asyncio.CancelledError
    assert told(tmp_path)[-1] == ("stop", {})


def test_who_asks_for_what_is_recorded(tmp_path: Path) -> None:
    what = asked(lambda _: {}, tmp_path, allow_gain=True, policy="x" * 1000)
    assert (what["verb"], what["uid"]) == ("reload", os.getuid())
    assert what["with"]["allow_gain"] is True  # type: ignore[index]  a mapping
    assert "1000 characters, SHA-256" in what["with"]["policy"]  # type: ignore[index]  a mapping


def test_what_is_refused_is_recorded_with_its_reason(tmp_path: Path) -> None:
    async def refuse(_: Request) -> Answer:
        raise Refused("more would cross")

    assert asked(refuse, tmp_path)["refused"] == "more would cross"


def test_a_program_that_asks_each_second_fills_no_log(tmp_path: Path) -> None:
    with audited(prepared(AuditPlace(tmp_path), LOG), {}) as recorder:
        status = recorder.verbs({"status": lambda _: {}})["status"]
        for _ in range(100):
            asyncio.run(status(Request({}, os.getuid())))  # type: ignore[arg-type]  a coroutine
    events = [event for event, _ in told(tmp_path)]
    assert events == ["start", *["asked"] * 10, "repeated", "stop"]


def test_status_tells_whether_the_log_is_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    states = []
    for directory in (tmp_path / "log", tmp_path / "file" / "log"):
        with capture_logs(), audited(prepared(AuditPlace(directory), LOG), {}) as recorder:
            wait_until(lambda: recorder.audit.written or recorder.audit.error)
            status = recorder.verbs({"status": lambda _: {"side": "field"}})["status"]
            told = asyncio.run(status(Request({}, os.getuid())))  # type: ignore[arg-type]  a coroutine
            states.append((told["side"], told["audit"]))
    assert states[0] == ("field", "recording")
    in_the_way = f"a file stands where a directory has to be: {tmp_path / 'file' / 'log'}"
    assert states[1] == ("field", in_the_way)


def test_a_key_of_a_file_signs_checkpoints(tmp_path: Path) -> None:
    public = make_key(tmp_path / "audit.key")
    with audited(prepared(AuditPlace(tmp_path / "log", key=tmp_path / "audit.key"), LOG), {}):
        pass
    assert proved(tmp_path / "log", (public.id, public.holds)).signed == 1
    assert told(tmp_path / "log")[0][1]["key"] == public.id


def test_a_key_that_systemd_brings_signs_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = make_key(tmp_path / "otgate_audit.key")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with audited(prepared(AuditPlace(tmp_path / "log", key=Credential("audit.key")), LOG), {}):
        pass
    assert proved(tmp_path / "log", (public.id, public.holds)).signed == 1


def test_a_key_that_cannot_be_read_is_an_alarm_and_no_end(tmp_path: Path) -> None:
    with (
        capture_logs() as logs,
        audited(prepared(AuditPlace(tmp_path, key=tmp_path / "no.key"), LOG), {}),
    ):
        pass
    assert logs[0]["event"] == "audit_unsigned"
    assert "no.key" in str(told(tmp_path)[0][1]["unsigned"])


def test_a_start_that_is_refused_is_recorded_and_no_crash(tmp_path: Path) -> None:
    record_refusal(AuditPlace(tmp_path), LOG, "policy version 1 is older than 2")
    with audited(prepared(AuditPlace(tmp_path), LOG), {}):
        pass
    found = told(tmp_path)
    assert [event for event, _ in found] == ["start_refused", "start", "stop"]
    assert found[0][1]["why"] == "policy version 1 is older than 2"


def test_a_private_key_has_the_id_of_its_public_half(tmp_path: Path) -> None:
    made = make_key(tmp_path / "a.key")
    private = PrivateKey(read_private(tmp_path / "a.key"))
    assert private.id == made.id
    public = read_public((tmp_path / "a.key.pub").read_bytes())
    assert public.holds(private.sign(b"x"), b"x")
    assert not public.holds(private.sign(b"x"), b"y")
