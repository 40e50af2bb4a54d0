"""From evidence to sentences; `tests/lab/test_doctor.py` has a gateway give the evidence."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daemons import write_site
from otgate.cli import main
from otgate.cli.doctor.evidence import Evidence, Way
from otgate.cli.doctor.hop import Diagnosis, Found, Hop
from otgate.cli.doctor.judging import judged
from otgate.config.site import Site, load_site
from otgate.driver import installed
from otgate.model import Lane, Reporting
from otgate.observe.control import serve
from otgate.policy.decide import decide
from otgate.quality import Quality, names
from otgate.spool.cursor import Place
from otgate.spool.latest import Latest

S = 10**9
UNREAD = Quality.INVALID | Quality.NO_VALUE | Quality.NOT_YET_READ
WINDOW = {"calculated": True, "address": "max of f1/ia each 600 s"}
NOW_NS = 1_790_000_000 * S
NEWEST = Latest(Lane.DATA, Place(40, 7), 12.5, 0, NOW_NS - S, NOW_NS - S)
BUS: dict[str, Any] = {
    "broker": "mqtt://broker:1883",
    "connected": True,
    "error": None,
    "spool": "readable",
    "held": "",
    "not_offered": "",
    "identity": "",
    "lanes": {"data": {"epoch": "00000018", "complete_through": 7}},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = write_site(tmp_path_factory.mktemp("doctor"), 1883)
    found = load_site(folder / "site.yaml", installed()).site
    assert found is not None
    return found


def field_side(site: Site, **other: Any) -> dict[str, Any]:
    """What a field side says of a point that does well."""
    about = {
        "value": 12.5,
        "quality": ["good"],
        "time_ns": NOW_NS - S,
        "read_ns": NOW_NS - S,
        "sent_value": 12.5,
        "sent_quality": ["good"],
        "held": False,
        "deadband": 0.0,
    }
    conduit = {
        "shut": "",
        "crosses": True,
        "because": "allowed by feeder",
        "min_interval_s": 0.0,
        "delay_s": 0.0,
        "kept_back": False,
        "drops_tests": True,
        "spool_error": "",
    }
    told = {
        "map_hash": site.map_hash,
        "policy_hash": site.policy_hash,
        "calculated": False,
        "maintenance": False,
        "state": "good",
        "since_ns": NOW_NS - 60 * S,
        "last_good_ns": NOW_NS - S,
        "error": "",
        "overruns": 0,
        "scans": [{"name": "fast", "period_s": 1.0, "at_ns": NOW_NS - S, "error": ""}],
    }
    return {
        **told,
        **{key: value for key, value in other.items() if key in told},
        "about": {**about, **{key: value for key, value in other.items() if key in about}},
        "conduits": {
            "analytics": {**conduit, **{k: value for k, value in other.items() if k in conduit}}
        },
    }


Case = Callable[..., Diagnosis]


@pytest.fixture
def case(site: Site) -> Case:
    """Judge f1/ia, of which everything is well but what is given."""

    def diagnosis(
        *,
        bus: dict[str, Any] | None = BUS,
        newest: Latest | None = NEWEST,
        sample: dict[str, bool] | None = None,
        told: dict[str, Any] | None = None,
        reporting: Reporting | None = None,
        address: str | None = None,
        refused: str = "why",
        answers: bool = True,
        **other: Any,
    ) -> Diagnosis:
        device = replace(site.devices[0], reporting=reporting or site.devices[0].reporting)
        point = device.points[0]
        if address is not None:
            point = msgspec.structs.replace(point, address=address)
        verdict = decide(site.policy, site.policy.conduits["analytics"], device, point)
        sample = {"acknowledged": True, "in_flight": False} if sample is None else sample
        way = Way(verdict, Path("spool"), newest, "", bus, "nobody answers", sample)
        says = field_side(site, **other) if told is None else told
        scans = tuple(site.plans["f1"][:1])
        evidence = Evidence(
            site,
            device,
            point,
            scans,
            says or None,
            refused=refused,
            answers=answers,
            ways=(way,),
        )
        return judged(evidence, NOW_NS)

    return diagnosis


def hop(diagnosis: Diagnosis, name: str) -> Hop:
    every = [*diagnosis.hops, *(each for way in diagnosis.ways for each in way.hops)]
    [found] = [each for each in every if each.name == name]
    return found


def test_what_does_well_arrives_and_every_hop_is_told(case: Case) -> None:
    diagnosis = case()
    assert diagnosis.arrives
    every = [*diagnosis.hops, *diagnosis.ways[0].hops]
    assert {each.found for each in every} == {Found.OK}
    assert [each.name for each in every] == [
        "configured", "planned", "polled", "decoded", "deadband",
        "policy", "spool", "published", "acknowledged",
    ]  # fmt: skip
    assert diagnosis.remarks == []


STOPS = [
    ("polled", {"state": "unusable", "error": "no unit 7"}, "cannot be used as it is configured"),
    ("polled", {"state": "lost", "error": "Connection refused"}, "has been lost for 60 s: Con"),
    (
        "polled",
        {"scans": [{"name": "fast", "period_s": 1.0, "at_ns": NOW_NS - S, "error": "no answer"}]},
        "scan fast failed 1.0 s ago: no answer",
    ),
    (
        "polled",
        {"scans": [{"name": "fast", "period_s": 1.0, "at_ns": NOW_NS - 9 * S, "error": ""}]},
        "scan fast was answered 9.0 s ago, and is due each 1 s",
    ),
    ("decoded", {"quality": names(0x100003 | Quality.NO_VALUE), "read_ns": 0}, "no answer held it"),
    (
        "decoded",
        {"quality": names(Quality.INVALID | Quality.ILLEGAL_ADDRESS), "value": None},
        "invalid, illegal_address. It is published as such",
    ),
    ("policy", {"shut": "stopped by ada"}, "the conduit is shut: stopped by ada"),
    ("policy", {"maintenance": True}, "drops what is under test"),
    ("spool", {"spool_error": "No space left on device"}, "cannot be written: No space left"),
    ("spool", {"newest": None}, "no sample of it is in spool"),
    ("published", {"bus": None, "sample": {}}, "no bus side runs for it: nobody answers"),
    (
        "published",
        {"bus": BUS | {"connected": False, "error": "refused"}, "sample": {"acknowledged": False}},
        "mqtt://broker:1883 cannot be reached: refused",
    ),
    (
        "published",
        {"bus": BUS | {"spool": "spool/data cannot be read: Permission denied."}, "sample": {}},
        "cannot read its spool: spool/data cannot be read",
    ),
    (
        "published",
        {"bus": BUS | {"held": "3 refused (Not authorized)"}, "sample": {"acknowledged": False}},
        "the broker refuses: 3 refused (Not authorized)",
    ),
    (
        "published",
        {"bus": BUS | {"not_offered": "otgate/v1/x"}, "sample": {"acknowledged": False}},
        "closes upon these topics, which rest: otgate/v1/x",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "says"), STOPS)
def test_where_it_stops_is_said(case: Case, name: str, given: dict[str, Any], says: str) -> None:
    diagnosis = case(**given)
    found = hop(diagnosis, name)
    assert (found.found, says in found.says) == (Found.STOPS, True), found
    assert not diagnosis.arrives


WAITS = [
    (
        "polled",
        {"scans": [{"name": "slow", "period_s": 60.0, "at_ns": 0, "error": ""}]},
        "scan slow of f1 was not served yet; it is due each 60 s",
    ),
    ("polled", {"state": "failing", "error": "no answer"}, "but f1 has been failing for 60 s: no"),
    ("polled", {"state": "starting", "scans": []}, "f1 has been starting for 60 s"),
    ("deadband", {"sent_quality": None}, "nothing was passed on yet"),
    ("deadband", {"value": 12.7, "deadband": 0.5}, "not moved by more than 0.5 A since 12.5 A"),
    ("deadband", {"value": 13.0, "held": True}, "a change waits for min_interval_s"),
    ("policy", {"kept_back": True, "min_interval_s": 10.0}, "is kept back: min_interval_s 10"),
    ("spool", {"newest": None, "delay_s": 900.0}, "this conduit holds back for 15 min"),
    ("published", {"sample": {"acknowledged": False}}, "complete through 00000018/7"),
    ("acknowledged", {"sample": {"acknowledged": False, "in_flight": True}}, "not yet"),
]


@pytest.mark.parametrize(("name", "given", "says"), WAITS)
def test_what_waits_is_no_fault(case: Case, name: str, given: dict[str, Any], says: str) -> None:
    diagnosis = case(**given)
    found = hop(diagnosis, name)
    assert (found.found, says in found.says) == (Found.WAITS, True), found
    assert diagnosis.arrives


def test_what_the_policy_bars_is_looked_at_no_further(case: Case) -> None:
    diagnosis = case(crosses=False, because="denied by no-relay")
    [way] = diagnosis.ways
    assert [(each.name, each.found) for each in way.hops] == [("policy", Found.BARRED)]
    assert "denied by no-relay" in way.hops[0].says
    assert not diagnosis.arrives


def test_what_is_no_hop_is_remarked(case: Case) -> None:
    assert "the files are not those that run" in case(map_hash="other").remarks[0]
    assert "no bus side answers" in case(bus=None).remarks[0]
    assert "not connected" in case(bus=BUS | {"connected": False}).remarks[0]
    assert "a copy of this box" in case(bus=BUS | {"identity": "a copy of this box"}).remarks[0]


def test_of_several_scans_the_best_counts(case: Case) -> None:
    failed = {"name": "fast", "period_s": 1.0, "at_ns": NOW_NS - S, "error": "no answer"}
    assert hop(case(scans=[failed, failed | {"error": ""}]), "polled").found is Found.OK


def test_a_calculated_point_is_led_back_to_its_inputs(case: Case) -> None:
    formula = {"calculated": True, "address": "f1/ib + f2/ia^2 / nothing/here"}
    assert hop(case(**formula), "polled").says == "not itself; its inputs are: f1/ib, f2/ia"
    lost = hop(case(quality=names(Quality.INVALID | Quality.COMM_LOST), **formula), "decoded")
    assert "otgate doctor" in lost.help
    assert lost.help.endswith("f2/ia")


def test_what_was_never_passed_on_is_not_missed_in_the_spool(case: Case) -> None:
    diagnosis = case(sent_quality=None, newest=None, quality=names(UNREAD), read_ns=0, **WINDOW)
    assert hop(diagnosis, "decoded").says == "not calculated yet: a window has to end first"
    assert hop(diagnosis, "spool").found is Found.WAITS
    assert diagnosis.arrives


def test_what_sends_a_quiet_value_is_named(case: Case) -> None:
    quiet = {"value": 12.7, "deadband": 0.5}
    assert "or refresh_s, sends it sooner" in hop(case(**quiet), "deadband").help
    every_10_min = hop(case(reporting=Reporting(refresh_s=600), **quiet), "deadband")
    assert every_10_min.help == "refresh_s sends it each 10 min all the same"


SILENT = [
    ("no point `x`", True, "does not know it: no point `x`", "otgate reload"),
    ("unknown request; verbs are status", True, "is of an older version", "restart it"),
    ("not permitted: be root", False, "not permitted: be root", "run this as"),
    (
        "nobody answers at run/field.sock",
        False,
        "no field side runs: nobody",
        "start it: otgate run",
    ),
]


@pytest.mark.parametrize(("refused", "answers", "says", "help_"), SILENT)
def test_why_the_field_side_says_nothing_is_told_with_what_to_do(
    case: Case, refused: str, answers: Any, says: str, help_: str
) -> None:
    found = hop(case(told={}, refused=refused, answers=answers), "polled")
    assert (found.found, says in found.says, help_ in found.help) == (Found.STOPS, True, True)


async def answered(folder: Path, *words: str) -> int:
    said = {"status": lambda _: {"side": "field"}}
    async with serve(folder / "run" / "field.sock", said):
        return await asyncio.to_thread(main, ["doctor", str(folder), *words])


async def test_a_side_of_an_older_version_is_said_to_know_nothing(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await answered(site.path.parent, "f1/ia", "--format", "json") == 1
    told = json.loads(capsys.readouterr().out)
    [polled] = [each for each in told["hops"] if each["name"] == "polled"]
    assert "is of an older version" in polled["says"]
    assert told["arrives"] is False


def test_nothing_that_runs_is_said_with_what_starts_it(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", str(site.path), "f1/ia"]) == 1
    told = capsys.readouterr().out
    assert "f1/ia stops at polled: no field side runs" in told
    assert f"otgate run {site.path}" in told
    assert "no sample of it is in" in told


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["f1/iaa"], "no point `f1/iaa`: did you mean `f1/ia`?"),
        (["f1/ia", "--conduit", "analytic"], "no conduit `analytic`: did you mean `analytics`?"),
    ],
)
def test_a_name_that_is_not_known_is_corrected(
    site: Site, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", str(site.path), *words]) == 2
    assert says in capsys.readouterr().err
