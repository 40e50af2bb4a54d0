from pathlib import Path

import pytest

from otgate.config.diagnostic import Diagnostic
from otgate.config.site import load_site, read_signable
from sites import FAKE, POINTS, codes
from templated import F1, FILES, MAP, TEMPLATE, loaded, said_of, site_of, written

REPEATED = """\
  - id: f${n}
    template: templates/feeder.yaml
    repeat: {count: 3, from: 7, each: {size: {from: 10, step: 5}, url: [a, b, c]}}
    with: {url: "${url}", size: "${size}"}"""
BLOCKED = """\
  - id: rtu
    driver: fake
    zone: bay
    blocks: [{points: points/bay.csv, count: 2, each: {bay: [north, south]}}]
    fake: {url: here}"""


def only(outcome: object) -> Diagnostic:
    (one,) = outcome.diagnostics  # type: ignore[attr-defined]  # of a loaded site
    assert isinstance(one, Diagnostic)
    return one


def test_a_device_of_a_template_is_the_device_that_one_would_write(tmp_path: Path) -> None:
    plain = """\
  - id: f1
    driver: fake
    zone: bay
    points: points/f1.csv
    scans: {fast: 0.5, normal: 2}
    fake: {url: here, size: 3}"""
    of_template = site_of(tmp_path / "a", F1.replace("here", "here, size: 3, rated: 250.5"))
    map_text = MAP.replace("${rated}", "250.5")
    by_hand = site_of(tmp_path / "b", plain, files={"points/f1.csv": map_text})
    assert said_of(of_template) == said_of(by_hand)


def test_repetition_counts_and_steps(tmp_path: Path) -> None:
    devices = said_of(site_of(tmp_path, REPEATED))
    assert {name: (one[2].url, one[2].size) for name, one in devices.items()} == {
        "f7": ("a", 10),
        "f8": ("b", 15),
        "f9": ("c", 20),
    }


def test_digits_make_text_of_a_number(tmp_path: Path) -> None:
    entry = F1.replace("f1", '"f${nn}"').replace(
        "with: {url", "repeat: {count: 2, each: {nn: {from: 9, digits: 2}}}, with: {url"
    )
    assert list(said_of(site_of(tmp_path, entry))) == ["f09", "f10"]


def test_an_entry_without_a_template_can_be_repeated(tmp_path: Path) -> None:
    entry = """\
  - {id: "f${n}", driver: fake, zone: bay, points: points/f.csv, fake: {url: "u${n}", size: "${n}"},
     repeat: {count: 2}}"""
    points = POINTS.replace("1\n", "${n}\n").replace("cb,", "cb-${id},")
    site = site_of(tmp_path, entry, files={"points/f.csv": points})
    assert [one.settings.size for one in site.devices] == [1, 2]
    assert [one.points[0].address for one in site.devices] == ["1", "2"]
    assert [one.points[1].id for one in site.devices] == ["cb-f1", "cb-f2"]


def test_a_repeated_entry_keeps_its_neighbours_where_they_are(tmp_path: Path) -> None:
    plain = "  - {id: p, driver: fake, zone: yard, points: templates/feeder.csv, fake: {url: here}}"
    entries = (REPEATED, plain.replace("feeder", "plain"))
    files = {"templates/plain.csv": POINTS}
    one = only(loaded(tmp_path, *entries, files=files))
    assert (one.code, one.line, one.uses) == ("unknown-zone", 8, ())


def test_devices_that_agree_on_a_map_share_it(tmp_path: Path) -> None:
    others = [F1.replace("f1", f"f{n}").replace("here", f"here{n}") for n in range(2, 5)]
    site = site_of(tmp_path, F1, *others, F1.replace("f1", "f5").replace("here", "x, rated: 300"))
    first, *rest = (one.points for one in site.devices)
    assert [one is first for one in rest] == [True, True, True, False]


def test_a_value_that_the_map_does_not_ask_for_keeps_it_shared(tmp_path: Path) -> None:
    site = site_of(tmp_path, REPEATED)
    assert len({id(one.points) for one in site.devices}) == 1


def test_a_mistake_in_a_shared_map_is_that_of_every_device(tmp_path: Path) -> None:
    files = {"templates/feeder.csv": MAP.replace("1%", "x")}
    one = only(loaded(tmp_path, REPEATED, files=files))
    assert [use.name for use in one.uses] == ["device f7", "device f8", "device f9"]


def test_the_same_mistake_with_other_words_is_said_once(tmp_path: Path) -> None:
    files = {"templates/feeder.csv": MAP.replace("1%", "${url}")}
    template = {"templates/feeder.yaml": TEMPLATE, **files}
    one = only(loaded(tmp_path, REPEATED, files=template))
    assert (one.message, len(one.uses)) == ("expected a number, found `a`", 3)


def test_different_mistakes_at_one_place_are_all_said(tmp_path: Path) -> None:
    entry = F1.replace("with: {url: here}", "with: {}")
    files = {
        "templates/feeder.yaml": TEMPLATE.replace("  rated: {type", "  other: {}\n  rated: {type")
    }
    outcome = loaded(tmp_path, entry, entry.replace("f1", "f2"), files=files)
    missing = [one.message for one in outcome.diagnostics if one.code == "missing-parameter"]
    assert len(missing) == 4


def test_a_row_that_was_wrong_for_one_device_is_wrong_for_the_next(tmp_path: Path) -> None:
    entry = "  - {{id: {0}, driver: fake, zone: {1}, points: points/f.csv, fake: {{url: {0}}}}}"
    entries = [entry.format("a", "bay"), entry.format("b", "enterprise")]
    files = {"points/f.csv": "id,kind,address,scale\nia,measurement,1,x\n"}
    assert codes(loaded(tmp_path, *entries, files=files)) == ["wrong-type"]


def test_an_entry_goes_over_its_template_key_by_key(tmp_path: Path) -> None:
    entry = F1.replace("with", "scans: {fast: 1}, zone: enterprise, fake: {size: 9}, with")
    ((zone, scans, settings, _),) = said_of(site_of(tmp_path, entry)).values()
    assert (zone, scans) == ("enterprise", {"fast": 1, "normal": 2})
    assert (settings.url, settings.size) == ("here", 9)


def test_points_can_be_otherwise_in_columns_that_the_map_lacks(tmp_path: Path) -> None:
    entry = F1.replace("with", "except: {ia: {unit: A, tags: protection}, cb: absent}, with")
    ((*_, points),) = said_of(site_of(tmp_path, entry)).values()
    assert [(one.id, one.unit, one.tags) for one in points] == [
        ("ia", "A", frozenset({"protection"}))
    ]


def test_a_driver_that_refuses_a_changed_cell_is_pointed_at_the_change(tmp_path: Path) -> None:
    entry = F1.replace("with", "except: {cb: {address: bad}}, with")
    one = only(loaded(tmp_path, entry))
    assert (one.code, Path(one.file).name, one.line) == ("bad-address", "site.yaml", 4)


def test_points_of_a_block_are_those_of_one_device(tmp_path: Path) -> None:
    files = {"points/bay.csv": "id,name,kind,address\nb${n},${bay} of ${id},status,${n}\n"}
    ((*_, points),) = said_of(site_of(tmp_path, BLOCKED, files=files)).values()
    assert [(one.id, one.name, one.address) for one in points] == [
        ("b1", "north of rtu", "1"),
        ("b2", "south of rtu", "2"),
    ]


def test_a_block_joins_the_map_of_its_device_with_other_columns(tmp_path: Path) -> None:
    entry = BLOCKED.replace("    blocks", "    points: points/station.csv\n    blocks")
    files = {
        "points/bay.csv": "id,unit,kind,address\nb${n},A,measurement,${n}\n",
        "points/station.csv": "address,kind,id,deadband\n9,measurement,v,0.5\n",
    }
    ((*_, points),) = said_of(site_of(tmp_path, entry, files=files)).values()
    assert [(one.id, one.unit, one.address) for one in points] == [
        ("v", "", "9"),
        ("b1", "A", "1"),
        ("b2", "A", "2"),
    ]


def test_what_a_driver_says_of_a_block_names_its_number(tmp_path: Path) -> None:
    files = {"points/bay.csv": "id,kind,address,name\nb${n},status,bad,${bay}\n"}
    one = only(loaded(tmp_path, BLOCKED, files=files))
    assert (Path(one.file).name, one.line) == ("bay.csv", 2)
    assert [use.name for use in one.uses] == ["device rtu, n = 1", "device rtu, n = 2"]


def test_a_template_can_have_blocks_of_its_own(tmp_path: Path) -> None:
    block = '  blocks: [{points: bay.csv, count: "${size}"}]\n'
    files = {
        "templates/feeder.yaml": TEMPLATE + block,
        "templates/bay.csv": "id,kind,address\nb${n},measurement,${rated}\n",
    }
    ((*_, points),) = said_of(
        site_of(tmp_path, F1.replace("here", "x, size: 3"), files=files)
    ).values()
    assert [one.id for one in points] == ["ia", "cb", "b1", "b2", "b3"]


@pytest.mark.parametrize("name", ["templates/feeder.yaml", "templates/feeder.csv"])
def test_the_map_hash_is_another_when_a_template_is(tmp_path: Path, name: str) -> None:
    before = site_of(tmp_path, F1).map_hash
    changed = {name: FILES[name].replace("fast", "fast ").replace("fast : 0.5", "fast: 0.6")}
    assert site_of(tmp_path, F1, files=changed).map_hash != before


def test_templates_are_signed_with_the_site(tmp_path: Path) -> None:
    files, said = read_signable(written(tmp_path, F1), FAKE)
    assert not said
    assert [one.name for one in files] == [
        "site.yaml",
        "templates/feeder.csv",
        "templates/feeder.yaml",
        "policy.yaml",
    ]


def test_many_sites_can_share_a_folder_of_templates(tmp_path: Path) -> None:
    entry = F1.replace("templates/", "")
    site = written(tmp_path / "sites/north", entry)
    text = site.read_text()
    site.write_text(text.replace("defaults:", "templates: ../../templates\ndefaults:"))
    for name in ("feeder.yaml", "feeder.csv"):
        (tmp_path / "templates").mkdir(exist_ok=True)
        (site.parent / "templates" / name).rename(tmp_path / "templates" / name)
    assert load_site(site, FAKE).site is not None
    site.write_text(site.read_text().replace("feeder.yaml", "../sites/north/site.yaml"))
    assert codes(load_site(site, FAKE)) == ["outside-templates"]
