"""The bundle on a box: installed without a network, run by a real systemd."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxes import WATCHDOG_S, Box, booted, box_tree, once

pytestmark = [pytest.mark.slow, pytest.mark.lab, pytest.mark.timeout(400)]

FIELD, BUS = "otgate-field", "otgate-bus@analytics"
OTGATE = "/opt/otgate/bin/otgate"
LOADED_S = 2.0
"""By which a service manager may be late where other tests run."""


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with booted(tmp_path_factory.mktemp("box") / "console.log") as running:
        yield running


@pytest.fixture
def running(box: Box) -> Box:
    """The box with both sides ready, whatever the test before did to them."""
    box.run("systemctl", "reset-failed")
    box.run("systemctl", "start", "otgate.target", FIELD, BUS)
    return box


def pid(box: Box, unit: str) -> int:
    return int(box.show(unit, "MainPID")["MainPID"])


def kernel(box: Box) -> str:
    """What `otgate doctor` says of the kernel, outside the units."""
    words = (
        "runuser",
        "-u",
        "otgate-bus",
        "--",
        OTGATE,
        "doctor",
        "/etc/otgate/bus/analytics.yaml",
    )
    return box.run(*words, code=None).stdout.splitlines()[0]


def send(box: Box, unit: str, signal: str) -> None:
    box.run("systemctl", "kill", "--kill-whom=main", f"--signal={signal}", unit)


def hashes(box: Box) -> object:
    return box.status("/run/otgate-field").get("field", {}).get("policy_hash")


def test_the_bundle_installs_and_runs_without_a_network() -> None:
    tree = box_tree()
    assert "otgate 0.1.0" in (tree / "root/set-up.log").read_text()
    check = f"{OTGATE} check /opt/*/config/lab"
    script = f"wc -l < /proc/net/route; {check}; {OTGATE} lab --for 5 --json"
    done = once(tree, ["/bin/sh", "-c", script], 100)
    routes, checked, lab = done.stdout.splitlines()
    assert routes == "1", "the heading alone"
    assert "no errors" in checked, done.stderr
    told = json.loads(lab)
    assert (told["lost"], told["denied_points_seen"]) == (0, 0)
    assert told["samples_received"] > 0


def test_at_boot_both_sides_start_with_their_target_and_values_reach_the_broker(box: Box) -> None:
    for unit in (FIELD, BUS):
        assert box.show(unit, "ActiveState", "StatusText", "NRestarts") == {
            "ActiveState": "active",
            "StatusText": "running",
            "NRestarts": "0",
        }
    first, second = map(json.loads, box.messages(2))
    assert (first["conduit"], first["device"]) == ("analytics", "modbus-1")
    assert second["seq"] > first["seq"]
    for state in ("/var/lib/otgate/field", "/var/lib/otgate-bus/analytics"):
        assert "records" in box.run(OTGATE, "audit", "verify", f"{state}/audit").stdout
    assert "audit_failing" not in box.journal(BUS)


def test_a_hung_field_side_is_ended_and_started_again_within_a_second(running: Box) -> None:
    hung, last = pid(running, FIELD), "WatchdogTimestampMonotonic"
    send(running, FIELD, "STOP")
    last_us = int(running.show(FIELD, last)[last])
    running.until(lambda: pid(running, FIELD) not in {0, hung})
    begun = "ExecMainStartTimestampMonotonic"
    took_s = (int(running.show(FIELD, begun)[begun]) - last_us) / 1e6
    assert WATCHDOG_S <= took_s < WATCHDOG_S + 1 + LOADED_S
    assert "Watchdog timeout" in running.journal(FIELD)
    running.messages(1)


def test_a_killed_side_is_back_at_once_as_often_as_it_takes(running: Box) -> None:
    for _ in range(11):
        killed = pid(running, BUS)
        send(running, BUS, "KILL")
        running.until(lambda killed=killed: pid(running, BUS) not in {0, killed})
    running.messages(1)


def test_what_ends_by_itself_is_tried_again_until_it_can_run(running: Box) -> None:
    running.run("chmod", "0", "/var/lib/otgate/spool")
    running.run("systemctl", "restart", FIELD, code=1)
    assert "cannot be written: Permission denied" in running.journal(FIELD)
    running.run("chmod", "2750", "/var/lib/otgate/spool")
    running.until(lambda: running.show(FIELD, "ActiveState")["ActiveState"] == "active")
    running.messages(1)


def test_a_refused_configuration_is_said_and_not_started_again(running: Box) -> None:
    site = running.root / "etc/otgate/field/site.yaml"
    right = site.read_text()
    site.write_text(right.replace("driver: modbus", "driver: modbuss"))
    running.run("systemctl", "restart", FIELD, code=1)
    assert "no driver `modbuss` is installed" in running.journal(FIELD)
    site.write_text(right)
    told = running.show(FIELD, "ActiveState", "SubState", "ExecMainStatus")
    assert told == {"ActiveState": "failed", "SubState": "failed", "ExecMainStatus": "78"}


def test_a_reload_takes_a_changed_policy_and_keeps_the_process(running: Box) -> None:
    before, ran = hashes(running), pid(running, FIELD)
    policy = running.root / "etc/otgate/field/policy.yaml"
    policy.write_text(policy.read_text().replace("name: feeder-values", "name: feeders"))
    running.run("systemctl", "reload", FIELD)
    running.until(lambda: hashes(running) not in {None, before})
    assert pid(running, FIELD) == ran
    running.messages(1)


def test_a_new_password_is_used_from_the_next_start_on(running: Box) -> None:
    folder = running.root / "etc/otgate/bus-credentials"
    (folder / "analytics/broker-password").write_text("second")
    (folder / "other").mkdir()
    (folder / "other/key").write_text("of another conduit")
    running.run("mosquitto_passwd", "-b", "/etc/mosquitto/users", "gw1", "second")
    running.run("systemctl", "restart", "mosquitto")
    running.until(lambda: "Not authorized" in running.journal(BUS))
    running.run("systemctl", "restart", BUS)
    running.messages(1)
    held = running.run("ls", f"/run/credentials/{BUS}.service").stdout.split()
    assert held == ["otgate", "otgate_broker-password"]


def test_a_conduit_without_its_directory_of_credentials_says_itself_what_it_lacks(
    running: Box,
) -> None:
    folder, away = "/etc/otgate/bus-credentials/analytics", "/etc/otgate/bus-credentials/away"
    running.run("mv", folder, away)
    running.run("systemctl", "restart", BUS, code=1)
    running.until(lambda: "credential `broker-password`" in running.journal(BUS))
    running.run("mv", away, folder)
    running.until(lambda: running.show(BUS, "ActiveState")["ActiveState"] == "active")
    running.messages(1)


def test_members_of_the_admin_group_ask_and_others_are_told_why_not(running: Box) -> None:
    for directory, side in (("/run/otgate-field", "field"), ("/run/otgate-bus-analytics", "bus")):
        words = ("runuser", "-u", "{}", "--", OTGATE, "status", "--control", directory)
        as_ann, as_bob = ([word.format(user) for word in words] for user in ("ann", "bob"))
        assert f"side             {side}" in running.run(*as_ann).stdout
        assert f"{directory} is closed to you" in running.run(*as_bob, code=1).stderr


def test_the_sides_cannot_read_each_others_secrets_or_write_what_is_not_theirs(
    running: Box,
) -> None:
    for user, path in (
        ("otgate-bus", "/etc/otgate/field/site.yaml"),
        ("otgate-bus", "/var/lib/otgate/field"),
        ("otgate-bus", "/run/otgate-field"),
        ("otgate-bus", "/etc/otgate/bus-credentials/analytics/broker-password"),
        ("otgate-field", "/etc/otgate/bus/analytics.yaml"),
        ("otgate-field", "/var/lib/otgate-bus/analytics"),
        ("otgate-field", "/run/otgate-bus-analytics"),
    ):
        running.run("runuser", "-u", user, "--", "test", "-r", path, code=1)
    spool = "/var/lib/otgate/spool/analytics/data"
    running.run("runuser", "-u", "otgate-bus", "--", "test", "-r", spool)
    running.run("runuser", "-u", "otgate-bus", "--", "test", "-w", spool, code=1)


def test_beneath_the_units_both_sides_have_a_sandbox_of_their_own(running: Box) -> None:
    for directory, side in (("otgate-field", "field"), ("otgate-bus-analytics", "bus-analytics")):
        sandbox = str(running.status(f"/run/{directory}")[side]["sandbox"])
        assert sandbox.endswith("a filter of system calls")
        assert ("Landlock" in sandbox) == ("is not there" not in kernel(running))


def test_each_sides_user_finds_it_kept_from_what_it_does_not_need(running: Box) -> None:
    if "is not there" in kernel(running):
        pytest.skip("no Landlock in a container here")
    for user, file in (
        ("otgate-bus", "/etc/otgate/bus/analytics.yaml"),
        ("otgate-field", "/etc/otgate/field"),
    ):
        said = running.run("runuser", "-u", user, "--", OTGATE, "doctor", file).stdout
        assert "OPEN" not in said
        assert "in force  signal other processes" in said


def test_stopping_the_target_stops_both_in_good_order(running: Box) -> None:
    running.run("systemctl", "stop", "otgate.target")
    for unit in (FIELD, BUS):
        running.until(lambda unit=unit: running.show(unit, "SubState")["SubState"] == "dead")
        told = running.show(unit, "ActiveState", "Result")
        assert told == {"ActiveState": "inactive", "Result": "success"}


def test_a_tree_keeps_nothing_of_a_box_that_ran(box: Box) -> None:
    assert not [*Path(box_tree() / "var/lib/otgate/spool").iterdir()]
