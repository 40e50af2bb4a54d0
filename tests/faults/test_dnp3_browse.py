"""`otgate browse` against our outstation: what it prints, and what it leaves alone."""

import asyncio
from pathlib import Path

import pytest
import yaml

from otgate.cli import main
from otgate.config.written import point_map
from otgate.errors import LinkLost, Refused
from otgate_dnp3.browse import surveyed, target
from otgate_dnp3.found import as_document, as_table, points_of
from otgate_sim.dnp3.database import Entry
from otgate_sim.dnp3.faults import Dnp3Fault
from otgate_sim.dnp3.outstation import Outstation
from outstations import AI, BI, DBI, OCT, listening, outstation

SITE = """\
config_version: 1
site: {id: sub7, gateway: gw1}
devices:
  - id: rtu1
    driver: dnp3
    zone: bay
    points: rtu1.csv
    scans: {integrity: 3600}
    dnp3: {url: "tcp://10.0.0.5", outstation: 10}
defaults: {sensitivity: internal, tags: [feeder], max_age_s: 0}
policy: policy.yaml
"""
POLICY = """\
config_version: 1
policy: {name: egress, version: 1}
vocabulary: {tags: [feeder]}
zones: {bay: {purdue: 1}, enterprise: {purdue: 4}}
conduits:
  analytics: {from: [bay], to: enterprise, ceiling: internal}
rules:
  - {name: loads, effect: allow, match: {tags_all: [feeder]}, why: load forecasting}
"""


def rtu(**options: object) -> Outstation:
    made = outstation(
        *(Entry(AI, index, 2, 5, 7, value=1.5) for index in range(200)),
        Entry(BI, 3, 1, value=1),
        Entry(DBI, 0, 1, value=2),
        Entry(OCT, 2, 3, value=b"RTU 7"),
        **{"fragment": 500, "unsolicited": False, "needs_time": False} | options,  # type: ignore[arg-type]
    )
    made.burst(BI, 3, 100)
    made.set(AI, 7, 9.0)
    return made


async def test_every_point_is_listed_with_variations_and_classes() -> None:
    made = rtu()
    async with listening(made) as endpoint:
        survey = await surveyed(target(f"dnp3://127.0.0.1:{endpoint.port}?outstation=10"), 2.0)
    lines = {line[:10].strip(): line.split() for line in as_table(survey)}
    assert len(lines) == 204
    assert lines["bi 3"] == ["bi", "3", "g1v2", "g2v2", "1", "0x01", "1"]
    assert lines["ai 7"] == ["ai", "7", "g30v5", "g32v7", "2", "0x01", "9"]
    assert lines["dbi 0"] == ["dbi", "0", "g3v2", "-", "-", "0x01", "2"]
    spelled = {each["point"]: each for each in as_document(survey)["points"]}
    assert spelled["bi 3"]["events"] == ["g2v2"]
    assert lines["oct 2"] == ["oct", "2", "g110v5", "-", "-", "-", "RTU", "7"]


async def test_it_writes_nothing_and_confirms_no_event() -> None:
    made = rtu()
    async with listening(made) as endpoint:
        await surveyed(target(f"dnp3://127.0.0.1:{endpoint.port}?outstation=10&master=1"), 2.0)
        await asyncio.sleep(0.05)
        assert not made.confirmed
        assert made.rtu.restarted
        known = {name: count for name, count in made.session.counts.items() if count}
        assert known == {"READ": 4}


async def test_an_outstation_that_announces_itself_is_not_waited_for() -> None:
    made = rtu(unsolicited=True)
    async with listening(made) as endpoint:
        survey = await surveyed(target(f"dnp3://127.0.0.1:{endpoint.port}?outstation=10"), 2.0)
    assert len(survey.points) == 203


async def test_the_point_map_is_one_that_check_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = rtu()
    async with listening(made) as endpoint:
        survey = await surveyed(target(f"dnp3://127.0.0.1:{endpoint.port}?outstation=10"), 2.0)
    (tmp_path / "rtu1.csv").write_text(point_map(points_of(survey)))
    (tmp_path / "site.yaml").write_text(SITE)
    (tmp_path / "policy.yaml").write_text(POLICY)
    monkeypatch.chdir(tmp_path)
    assert main(["check", "site.yaml"]) == 0
    assert "1 device, 203 points" in capsys.readouterr().out


async def test_a_whole_site_is_written_that_check_takes(tmp_path: Path) -> None:
    made = rtu()
    async with listening(made) as endpoint:
        url = f"dnp3://127.0.0.1:{endpoint.port}?outstation=10&master=1"
        asked = ["browse", url, "--output", str(tmp_path), "--site", "sub7"]
        assert await asyncio.to_thread(main, asked) == 0
    assert await asyncio.to_thread(main, ["check", str(tmp_path / "site.yaml")]) == 0
    entry = yaml.safe_load((tmp_path / "site.yaml").read_text())["devices"][0]
    assert entry["id"] == "rtu10"
    assert entry["dnp3"] == {
        "url": f"tcp://127.0.0.1:{endpoint.port}", "outstation": 10, "master": 1,
    }  # fmt: skip


async def test_silence_and_a_closed_port_are_said() -> None:
    made = rtu()
    made.trouble.begin(Dnp3Fault.SILENT)
    async with listening(made) as endpoint:
        where = target(f"dnp3://127.0.0.1:{endpoint.port}?outstation=10")
        with pytest.raises(Refused, match=r"did not answer within 0\.2 s"):
            await surveyed(where, 0.2)
    with pytest.raises(LinkLost):
        await surveyed(where, 0.2)


@pytest.mark.parametrize(
    "url",
    [
        "10.0.0.5",
        "tcp://10.0.0.5?outstation=10",
        "dnp3://10.0.0.5",
        "dnp3://?outstation=10",
        "dnp3://10.0.0.5?outstation=ten",
        "dnp3://10.0.0.5?outstation=1",
        "dnp3://10.0.0.5?outstation=65535",
        "dnp3://10.0.0.5?outstation=10&unit=1",
        "dnp3://10.0.0.5/x?outstation=10",
    ],
)
def test_a_url_that_names_no_outstation_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        target(url)
