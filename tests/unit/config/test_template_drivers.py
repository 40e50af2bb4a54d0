"""Templates and blocks with the drivers that come with the gateway."""

from pathlib import Path

import pytest

from otgate.config.site import load_site
from otgate.driver import installed
from templated import written

ENTRIES = {
    "modbus": (
        'url: "tcp://${host}"',
        "ia${n},measurement,hr 100+150,u32,hr 20\n",
        ["hr 100+150", "hr 140+190"],
    ),
    "dnp3": (
        'url: "tcp://${host}:20000", master: 100, outstation: "${number}"',
        "ia${n},measurement,ai 5,,\n",
        ["ai 5", "ai 45"],
    ),
    "iec61850": (
        'url: "mms://${host}"',
        "ia${n},measurement,LD0/MMXU${n}.A.phsA.cVal.mag.f [MX],FLOAT32,\n",
        ["LD0/MMXU1.A.phsA.cVal.mag.f [MX]", "LD0/MMXU2.A.phsA.cVal.mag.f [MX]"],
    ),
}


@pytest.mark.parametrize("driver", ENTRIES)
def test_a_template_with_blocks_serves_every_driver(tmp_path: Path, driver: str) -> None:
    block, row, addresses = ENTRIES[driver]
    stride = "" if driver == "iec61850" else ", stride: 40, sf_stride: 0"
    files = {
        "templates/d.yaml": f"""\
config_version: 1
parameters: {{host: {{}}, number: {{type: integer, default: 1}}}}
device:
  driver: {driver}
  zone: bay
  blocks: [{{points: bay.csv, count: 2{stride}}}]
  {driver}: {{{block}}}
""",
        "templates/bay.csv": f"id,kind,address,type,sf\n{row}",
    }
    entry = """\
  - id: d${n}
    template: templates/d.yaml
    repeat: {count: 2}
    with: {host: "10.0.0.${n}", number: "${n}"}"""
    site = written(tmp_path, entry, files=files)
    site.write_text(site.read_text().replace(", tags: [feeder]", ""))
    loaded = load_site(site, installed())
    wrong = [one for one in loaded.diagnostics if one.code != "unused-parameter"]
    assert loaded.site is not None, [(one.message, one.help) for one in wrong]
    assert [one.id for one in loaded.site.devices] == ["d1", "d2"]
    for device in loaded.site.devices:
        assert [point.address for point in device.points] == addresses
    assert "10.0.0.2" in loaded.site.devices[1].settings.url


def test_scale_factors_move_on_if_they_are_to(tmp_path: Path) -> None:
    entry = """\
  - id: d
    driver: modbus
    zone: bay
    blocks: [{points: bay.csv, count: 2, stride: 40, sf_stride: 2}]
    modbus: {url: "tcp://10.0.0.1"}"""
    files = {"bay.csv": "id,kind,address,type,sf\nia${n},measurement,hr 100,i16,hr 20\n"}
    loaded = load_site(written(tmp_path, entry, files=files), installed())
    assert loaded.site is not None, loaded.diagnostics
    (device,) = loaded.site.devices
    assert [(one.address, one.sf) for one in device.points] == [
        ("hr 100", "hr 20"),
        ("hr 140", "hr 22"),
    ]
