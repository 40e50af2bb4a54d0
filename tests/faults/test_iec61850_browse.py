"""`otgate browse mms://…` against a live server: what it has, and who has its reports."""

import asyncio
from pathlib import Path

import pytest
import yaml

from ied_served import BLOCK, Ied, ied
from mms_served import DOMAIN
from otgate.browser import Browsed
from otgate.cli import main
from otgate.config.written import point_map
from otgate.errors import LinkLost, Refused
from otgate_iec61850.browse import MmsBrowser, unit_of
from otgate_iec61850.mms import access
from otgate_iec61850.mms import typespec as ts
from otgate_iec61850.mms.naming import Name


async def browsed(served: Ied) -> Browsed:
    url = f"mms://127.0.0.1:{served.port}"
    return await asyncio.to_thread(MmsBrowser().browse, url, 5.0)


def with_units(served: Ied) -> None:
    code = ts.Scalar(ts.Kind.INTEGER, 8)
    units = ts.Structure((("SIUnit", code), ("multiplier", code)))
    served.put("MMXU1$CF$TotW", ts.Structure((("units", units),)), ((38, 3),))
    served.values[Name(DOMAIN, "MMXU1$CF$TotW$units")] = (38, 3)


async def test_values_data_sets_and_reports_are_listed() -> None:
    async with ied() as served:
        with_units(served)
        found = await browsed(served)
    said = found.table
    rows = [line.split() for line in said.splitlines()]
    assert ["IED1LD0/MMXU1.TotW.mag.f", "[MX]", "FLOAT32", "kW"] in rows
    assert ["IED1LD0/XCBR1.Pos.stVal", "[ST]", "Dbpos"] in rows
    assert "data set IED1LD0/LLN0.events: 2 members\n  IED1LD0/MMXU1.TotW [MX]" in said
    assert "report IED1LD0/LLN0.BR.brcb01: data set IED1LD0/LLN0$events, ConfRev 1, free" in said
    assert found.document["reports"][0]["held"] == "free"


async def test_it_says_who_has_a_report() -> None:
    async with ied() as served:
        served.block |= {"RptEna": True, "Owner": b"\x0a\0\0\7"}
        served._show()
        assert f"{BLOCK.domain}/LLN0.BR.brcb01" in (said := (await browsed(served)).table)
    assert "enabled by 10.0.0.7" in said


async def test_it_writes_nothing() -> None:
    async with ied() as served:
        await browsed(served)
        assert not [each for each in served.asked if isinstance(each, access.Write)]


async def test_its_point_map_is_one_that_check_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with ied() as served:
        found = await browsed(served)
    assert found.device is not None
    text = point_map(found.device.points)
    (tmp_path / "points.csv").write_text(text)
    (tmp_path / "site.yaml").write_text(
        "config_version: 1\nsite: {id: s, gateway: g}\n"
        "devices:\n  - {id: d, driver: iec61850, zone: bay, points: points.csv,\n"
        "     scans: {normal: 2}, iec61850: {url: 'mms://h'}}\n"
        "policy: policy.yaml\n"
    )
    (tmp_path / "policy.yaml").write_text(
        "config_version: 1\npolicy: {name: p, version: 1}\n"
        "zones: {bay: {purdue: 1}, out: {purdue: 4}}\n"
        "conduits: {c: {from: [bay], to: out, ceiling: internal}}\nrules: []\n"
    )
    assert await asyncio.to_thread(main, ["check", str(tmp_path / "site.yaml")]) == 0
    assert text.count("\n") == 6


async def test_a_whole_site_is_written_that_check_takes(tmp_path: Path) -> None:
    async with ied() as served:
        url = f"mms://127.0.0.1:{served.port}"
        asked = ["browse", url, "--output", str(tmp_path), "--id", "q1", "--site", "sub7"]
        assert await asyncio.to_thread(main, asked) == 0
    assert await asyncio.to_thread(main, ["check", str(tmp_path / "site.yaml")]) == 0
    entry = yaml.safe_load((tmp_path / "site.yaml").read_text())["devices"][0]
    assert (entry["id"], entry["points"]) == ("q1", "points/q1.csv")
    assert entry["iec61850"] == {"url": url}


def test_what_cannot_be_browsed_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["browse", "ftp://h"]) == 1
    assert "mms://HOST[:PORT]" in capsys.readouterr().err
    with pytest.raises(Refused, match="port"):
        MmsBrowser().browse("mms://h:0", 1.0)


async def test_nobody_there_is_a_lost_link() -> None:
    with pytest.raises(LinkLost):
        await asyncio.to_thread(MmsBrowser().browse, "mms://127.0.0.1:9", 1.0)


@pytest.mark.parametrize(
    ("codes", "unit"), [((38, 3), "kW"), ((29,), "V"), ((999, 3), ""), ((), "")]
)
def test_units(codes: tuple[int, ...], unit: str) -> None:
    assert unit_of(codes) == unit
