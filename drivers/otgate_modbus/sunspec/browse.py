"""Modbus devices browsed: the SunSpec models and points of those that have any."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from otgate.browser import Browsed
from otgate.endpoint.tls import TlsFiles
from otgate.importer import ImportedDevice
from otgate_modbus.sunspec.chain import BASES
from otgate_modbus.sunspec.definitions import folder
from otgate_modbus.sunspec.layout import Field
from otgate_modbus.sunspec.points import STRUCTURE, Mapped, mapped, point_id, unit_of
from otgate_modbus.sunspec.survey import EXAMPLE, MOST_REGISTERS, Model, Survey, surveyed, target
from otgate_modbus.sunspec.values import Absent, spelled

SCANS = {"normal": 2.0, "slow": 60.0}
INSTALL = "the models' definitions are not installed: pip install otgate[sunspec]"


class ModbusBrowser:
    """Reads SunSpec devices; see `otgate.browser.Browser`."""

    example = EXAMPLE
    about = (
        "of a SunSpec device its models and points with their values; of another what it says\n"
        "that it is (function 43/14). The URL is a device entry's, with unit=N behind it; tcps://\n"
        "takes ca=FILE, cert=FILE and key=FILE too. One request at a time; max_registers=N keeps\n"
        "them small, gap_ms=N rests between them. Points that the device does not implement now\n"
        "are left out of the point map; all=1 keeps them."
    )

    def browse(self, url: str, timeout_s: float) -> Browsed:
        """Read a device.

        Raises:
            Refused: the URL is none of a Modbus server's, or it gives no answer.
            LinkLost: there is no connection.
        """
        bare, everything = without_all(url)
        survey = asyncio.run(surveyed(target(bare), timeout_s))
        rows = mapped(survey.models, everything=everything)
        return Browsed(
            table="\n".join(as_table(survey)),
            document=as_document(survey),
            device=imported(survey, rows) if rows.points else None,
            shortfall=shortfall(survey),
        )


def without_all(url: str) -> tuple[str, bool]:
    """Return the URL without its option ``all=1``, and whether it had that."""
    head, _, query = url.partition("?")
    options = [each for each in query.split("&") if each]
    rest = [each for each in options if each != "all=1"]
    return f"{head}?{'&'.join(rest)}" if rest else head, len(rest) < len(options)


def shortfall(survey: Survey) -> str:
    """Say what could not be found out; empty where nothing is missing."""
    if survey.chain is None:
        places = ", ".join(map(str, BASES))
        return f"the device speaks no SunSpec: there is no `SunS` at {places}"
    if survey.chain.complaint:
        return survey.chain.complaint
    if not survey.chain.blocks:
        return f"the SunSpec chain at {survey.chain.base} has no model"
    return "" if folder() else INSTALL


def imported(survey: Survey, rows: Mapped) -> ImportedDevice:
    """Return the device entry and its points."""
    where, chain = survey.target, survey.chain
    settings: dict[str, Any] = {"url": where.url, "unit": where.unit, "base": 0}
    if survey.max_registers < MOST_REGISTERS:
        settings["max_registers"] = survey.max_registers
    if where.tls is not None:
        settings["tls"] = tls_block(where.tls)
    if where.gap_ms:
        settings["quirks"] = {"request_gap_s": where.gap_ms / 1000}
    if chain is not None:
        settings["sunspec"] = {"at": chain.base, "models": list(map(str, chain.blocks))}
    return ImportedDevice(
        id="device",
        driver="modbus",
        source=f"unit {where.unit} at {where.url}{named(survey)}",
        settings=settings,
        files={},
        scans=SCANS,
        points=rows.points,
        left_out=rows.left_out,
    )


def tls_block(tls: TlsFiles) -> dict[str, str]:
    """Return the certificates as a device entry names them."""
    named = {"server_name": tls.server_name} if tls.server_name else {}
    files = {"ca": tls.authority, "cert": tls.certificate, "key": tls.key}
    return {name: str(path) for name, path in files.items()} | named


def named(survey: Survey) -> str:
    """Return manufacturer, model and serial number as the common model gives them."""
    said = {
        each.path[0]: str(model.value(each))
        for model in survey.models
        if model.block.model == 1
        for each in model.fields
        if not isinstance(model.value(each), Absent)
    }
    words = [said[name] for name in ("Mn", "Md", "SN") if name in said]
    return f", {' '.join(words)}" if words else ""


def as_table(survey: Survey) -> Iterator[str]:
    """Write what was found for a person."""
    for name, text in survey.identity.items():
        yield f"{name}: {text}"
    if survey.chain is None:
        return
    yield f"SunSpec at {survey.chain.base}: {len(survey.chain.blocks)} models"
    for model in survey.models:
        yield ""
        block = model.block
        label = f", {model.label}" if model.label else ""
        yield f"model {block.model}{label}, at {block.at}, {block.length} registers"
        yield from (f"  ({remark})" for remark in model.remarks)
        yield from point_lines(model)


def point_lines(model: Model) -> Iterator[str]:
    """Write the points of a model that have a value, and how many have none."""
    absent = 0
    for each in model.fields:
        if each.entry.type in STRUCTURE or each.offset < 2:
            continue
        value = model.value(each)
        if value is Absent.NOT_IMPLEMENTED:
            absent += 1
            continue
        text = f"{spelled(each, value)} {unit_of(each.entry)}".rstrip()
        yield f"  {point_id(model, each):<24} {text:<28} {each.entry.label}".rstrip()
    if absent:
        yield f"  and {absent} that the device does not implement"


def as_document(survey: Survey) -> Mapping[str, Any]:
    """Write the same for a program."""
    chain = survey.chain
    document: dict[str, Any] = {"unit": survey.target.unit, "identity": dict(survey.identity)}
    if chain is not None:
        document["sunspec"] = {
            "at": chain.base,
            "complaint": chain.complaint,
            "models": [model_document(model) for model in survey.models],
        }
    return document


def model_document(model: Model) -> Mapping[str, Any]:
    """Describe one model and its points."""
    return {
        "model": model.block.model,
        "length": model.block.length,
        "at": model.block.at,
        "label": model.label,
        "remarks": model.remarks,
        "points": [
            {
                "id": point_id(model, each),
                "address": model.block.at + each.offset,
                "type": each.entry.type,
                "unit": unit_of(each.entry),
                **value_document(model, each),
            }
            for each in model.fields
            if each.entry.type not in STRUCTURE and each.offset >= 2
        ],
    }


def value_document(model: Model, each: Field) -> Mapping[str, Any]:
    """Describe a value: a number or a text, or null and why."""
    value = model.value(each)
    if isinstance(value, Absent):
        return {"value": None, "why": spelled(each, value)}
    if isinstance(value, str):
        return {"value": value}
    number = {"value": int(value) if value == int(value) else float(value)}
    return {**number, "text": spelled(each, value)} if each.entry.symbols else number
