"""A running gateway of which each hop is broken once; `otgate doctor` names it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from brokers import Mosquitto
from daemons import Process, said, simulated, spoil, wait_until, write_site
from otgate.cli import main

pytestmark = [pytest.mark.lab, pytest.mark.slow]


class Gateway:
    """Both sides as processes of their own, so that each can be stopped alone."""

    def __init__(self, site: Path, endpoints: Path, broker: Mosquitto) -> None:
        self.site, self.broker = site, broker
        how = ("--log", "json")
        self.field = Process(
            site / "field.log", "run", site, "--field", "--endpoints", endpoints, *how
        )
        self.bus = Process(site / "bus.log", "bus", site / "bus" / "analytics.yaml", *how)

    def connected(self) -> bool:
        told = said(self.site, "bus-analytics")
        return bool(told.get("connected") and told["samples"])

    def good(self) -> bool:
        told = said(self.site, "field").get("devices", {})
        return all(one["state"] == "good" for one in told.values()) and bool(told)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("doctor")
    with Mosquitto(folder / "broker") as broker:
        site = write_site(folder / "site", broker.port)
        points = site / "points" / "f1.csv"
        header, *rows = points.read_text().splitlines()
        banded = [f"{row},{'1000' if row.startswith('ib') else ''}" for row in rows]
        points.write_text("\n".join([f"{header},deadband", *banded]) + "\n")
        with simulated(site) as endpoints:
            made = Gateway(site, endpoints, broker)
            with made.field, made.bus:
                wait_until(lambda: made.connected() and made.good(), made.field.log, made.bus.log)
                yield made


class Doctor:
    def __init__(self, gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
        self._site, self._capsys = gateway.site, capsys

    def __call__(self, point: str, *more: str) -> tuple[int, str]:
        code = main(["doctor", str(self._site), point, *more])
        return code, self._capsys.readouterr().out

    def comes_to(self, point: str, sentence: str) -> bool:
        return sentence in self(point)[1]


@pytest.fixture
def doctor(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> Doctor:
    return Doctor(gateway, capsys)


def otgate(*words: object) -> None:
    assert main([str(word) for word in words]) == 0


def test_a_point_that_arrives_is_followed_to_the_broker(doctor: Doctor) -> None:
    wait_until(lambda: doctor.comes_to("f1/cb", "f1/cb on analytics arrives"))
    code, told = doctor("f1/cb")
    assert code == 0
    for hop in ("configured", "planned", "polled", "decoded", "deadband", "policy", "spool"):
        assert hop in told
    assert "true, good, read" in told
    assert "the broker has it" in told


def test_what_the_policy_denies_is_barred_by_name(doctor: Doctor) -> None:
    code, told = doctor("f1/secret")
    assert code == 1
    assert (
        "f1/secret on analytics is barred at policy: it does not cross: denied by no-relay" in told
    )


def test_a_value_within_its_deadband_waits_and_is_no_fault(doctor: Doctor) -> None:
    wait_until(lambda: doctor.comes_to("f1/ib", "; deadband: it has not moved by more than 1000 A"))
    assert doctor("f1/ib")[0] == 0


def test_a_silent_device_is_named_with_its_error(gateway: Gateway, doctor: Doctor) -> None:
    spoil(gateway.site, "f2", "silent")
    try:
        wait_until(lambda: doctor.comes_to("f2/ia", "f2/ia stops at polled: f2 has been lost for"))
        assert doctor("f2/ia")[0] == 1
        assert doctor.comes_to("f2/ia", "is it switched on")
    finally:
        spoil(gateway.site, "f2", "none")
    wait_until(gateway.good)


def test_a_device_that_answers_without_a_value_stops_at_decoded(
    gateway: Gateway, doctor: Doctor
) -> None:
    spoil(gateway.site, "f2", "exception")
    try:
        wait_until(
            lambda: doctor.comes_to("f2/ia", "f2/ia stops at decoded: the newest read is inv")
        )
    finally:
        spoil(gateway.site, "f2", "none")
    wait_until(gateway.good)


def test_a_stopped_conduit_is_named_with_what_opens_it(gateway: Gateway, doctor: Doctor) -> None:
    otgate("policy", "stop", gateway.site, "analytics")
    try:
        code, told = doctor("f1/ia")
        assert "f1/ia on analytics stops at policy: the conduit is shut: stopped by" in told
        assert f"otgate policy start {gateway.site}/site.yaml analytics" in told
        assert code == 1
    finally:
        otgate("policy", "start", gateway.site, "analytics")


def test_a_device_under_maintenance_is_dropped_at_the_gate(
    gateway: Gateway, doctor: Doctor
) -> None:
    otgate("maintenance", gateway.site, "f2", "on")
    try:
        wait_until(
            lambda: doctor.comes_to("f2/ia", "stops at policy: the device is under maintenance")
        )
    finally:
        otgate("maintenance", gateway.site, "f2", "site")
    wait_until(gateway.good)


def test_a_point_that_the_running_side_does_not_have_takes_a_reload(
    gateway: Gateway, doctor: Doctor
) -> None:
    points = gateway.site / "points" / "f1.csv"
    before = points.read_text()
    points.write_text(f"{before}new,New,measurement,ir 20,u16,1,A,fast,feeder,\n")
    try:
        assert doctor.comes_to(
            "f1/new", "the field side that runs does not know it: no point `new`"
        )
        assert doctor.comes_to("f1/new", "otgate reload")
        assert doctor.comes_to("f1/ia", "note: the files are not those that run")
    finally:
        points.write_text(before)


def test_a_broker_that_is_gone_stops_it_at_published(gateway: Gateway, doctor: Doctor) -> None:
    gateway.broker.kill()
    try:
        wait_until(
            lambda: doctor.comes_to("f1/ia", "f1/ia on analytics stops at published: mqtt://")
        )
    finally:
        gateway.broker.start()
    wait_until(gateway.connected)


def test_a_bus_side_that_does_not_run_is_named_with_what_starts_it(
    gateway: Gateway, doctor: Doctor
) -> None:
    gateway.bus.stop()
    try:
        wait_until(lambda: doctor.comes_to("f1/ia", "stops at published: no bus side runs for it"))
        assert doctor.comes_to("f1/ia", "systemctl start otgate-bus@analytics")
    finally:
        gateway.bus.start()
    wait_until(gateway.connected)


def test_a_field_side_that_does_not_run_is_named_with_what_starts_it(
    gateway: Gateway, doctor: Doctor
) -> None:
    gateway.field.stop()
    try:
        code, told = doctor("f1/ia")
        assert code == 1
        assert "f1/ia stops at polled: no field side runs: nobody answers" in told
        assert "data/" in told  # what is in the spool is told all the same
    finally:
        gateway.field.start()
    wait_until(gateway.good)
