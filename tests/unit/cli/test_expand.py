import json
from pathlib import Path

import pytest

from otgate.cli import main
from test_cases import fences

GUIDE = Path(__file__).parents[3] / "docs/guide/templates.md"


@pytest.fixture(autouse=True)
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The fleet of the guide."""
    files, _ = fences(GUIDE.read_text("utf-8"))
    for name, content in files.items():
        if name:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "fleet"


def expand(*more: str) -> int:
    places = ("--template", "fleet/template", "--output", "fleet/sites")
    return main(["expand", "fleet/sites.csv", *places, "--overlay", "fleet/overlay", *more])


def content(site: Path) -> dict[str, bytes]:
    found = (path for path in site.rglob("*") if path.is_file())
    return {str(path.relative_to(site)): path.read_bytes() for path in found}


def test_the_guides_fleet_is_two_sites_without_mistakes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert expand() == 0
    assert capsys.readouterr().out == "2 sites: 8 files written, 0 removed, 0 left alone\n"
    assert main(["check", "--strict", "fleet/sites/north", "fleet/sites/south"]) == 0
    said = capsys.readouterr().out
    assert "north/site.yaml: 13 devices, 49 points" in said
    assert "south/site.yaml: 5 devices, 17 points" in said


def test_what_is_filled_in_stands_where_it_stood(fleet: Path) -> None:
    expand()
    text = (fleet / "sites/north/site.yaml").read_text()
    assert 'with: {host: "10.1.0.${host}"} # the first part from the inventory\n' in text
    assert "    repeat: {count: 12, each: {host: {from: 11}}}\n" in text


def test_a_name_with_a_comma_is_one_cell(fleet: Path) -> None:
    expand()
    rows = (fleet / "sites/south/points/rtu.csv").read_text().splitlines()
    assert rows[1] == 'battery,"Substation South, old battery",measurement,ai 0'


def test_an_overlay_goes_over_entries_with_its_ids(fleet: Path) -> None:
    expand()
    text = (fleet / "sites/south/site.yaml").read_text()
    assert 'url: "tcp://10.2.1.9:20000"\n    master: 3\n    outstation: 12' in text
    assert "- id: t1" in text
    assert "t1" not in (fleet / "sites/north/site.yaml").read_text()


def test_a_file_of_an_overlay_takes_the_place_of_the_templates(fleet: Path) -> None:
    (fleet / "overlay/south/policy.yaml").write_text("for: ${site.name}\n")
    (fleet / "template/ca.pem").write_bytes(b"\xff${site.name}")
    expand()
    assert (fleet / "sites/south/policy.yaml").read_text() == 'for: "Substation South, old"\n'
    assert (fleet / "sites/south/ca.pem").read_bytes() == b"\xff${site.name}"


def test_a_second_time_changes_nothing(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expand()
    before = content(fleet / "sites")
    assert expand("--diff") == 0
    assert expand() == 0
    assert content(fleet / "sites") == before
    assert "0 files written, 0 removed, 0 left alone" in capsys.readouterr().out


def test_a_difference_is_shown_and_not_written(
    fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expand()
    before = content(fleet / "sites")
    inventory = fleet / "sites.csv"
    inventory.write_text(inventory.read_text().replace(",12,", ",14,"))
    capsys.readouterr()
    assert expand("--diff") == 1
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if line[:1] in {"-", "+"}] == [
        "--- fleet/sites/north/site.yaml",
        "+++ fleet/sites/north/site.yaml",
        "-    repeat: {count: 12, each: {host: {from: 11}}}",
        "+    repeat: {count: 14, each: {host: {from: 11}}}",
    ]
    assert content(fleet / "sites") == before


def test_what_somebody_changed_is_left_alone_unless_forced(
    fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expand()
    policy = fleet / "sites/north/policy.yaml"
    policy.write_text(policy.read_text() + "# mine\n")
    template = fleet / "template/policy.yaml"
    template.write_text(template.read_text().replace("version: 1}", "version: 2}"))
    for _ in range(2):
        assert expand() == 1
        assert "left alone: fleet/sites/north/policy.yaml" in capsys.readouterr().err
        assert policy.read_text().endswith("# mine\n")
        assert "version: 2}" in (fleet / "sites/south/policy.yaml").read_text()
    assert expand("--force") == 0
    assert "version: 2}" in policy.read_text()


def test_a_file_that_was_there_before_is_somebodys(fleet: Path) -> None:
    (fleet / "sites/north").mkdir(parents=True)
    (fleet / "sites/north/site.yaml").write_text("mine\n")
    assert expand() == 1
    assert (fleet / "sites/north/site.yaml").read_text() == "mine\n"


def test_what_the_template_no_longer_has_goes_unless_changed(fleet: Path) -> None:
    expand()
    (fleet / "template/bus/analytics.yaml").unlink()
    changed = fleet / "sites/north/bus/analytics.yaml"
    changed.write_text("mine\n")
    expand()
    assert changed.read_text() == "mine\n"
    assert not (fleet / "sites/south/bus/analytics.yaml").exists()


def test_a_note_that_lies_leads_nowhere_else(fleet: Path, tmp_path: Path) -> None:
    expand()
    (tmp_path / "secret").write_text("x")
    note = fleet / "sites/north/expanded.json"
    said = json.loads(note.read_text())
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    said["sha256"] = {"../../../secret": digest, str(tmp_path / "secret"): digest}
    note.write_text(json.dumps(said))
    expand("--force")
    assert (tmp_path / "secret").exists()


@pytest.mark.parametrize("note", ["", "{", "[]", '{"sha256": []}', "\0"])
def test_a_note_that_is_none_protects_what_is_there(fleet: Path, note: str) -> None:
    expand()
    (fleet / "sites/north/expanded.json").write_text(note)
    (fleet / "sites/north/policy.yaml").write_text("mine\n")
    assert expand() == 1
    assert (fleet / "sites/north/policy.yaml").read_text() == "mine\n"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("site,name", "site,nmae", ["unknown-column", "did you mean `name`?", "missing-column"]),
        (",gateway,", ",relays,", ["duplicate-column", "missing-column"]),
        ("north,Sub", "North,Sub", ["bad-id", "sites.csv:2:1"]),
        ("south,", "north,", ["duplicate-id", "it is first listed on line 2"]),
        (",12,", ",x,", ["wrong-type", "`feeders`: expected a whole number, found `x`"]),
        (",12,", ",41,", ["out-of-range", "at most 40"]),
        (",12,", ",,", ["missing-cell", "a site needs its `feeders`"]),
        (",12,", ",1,2,", ["ragged-row", "8 cells, but the header has 7"]),
        ("Substation North", '"x', ["bad-csv"]),
    ],
)
def test_what_is_wrong_with_an_inventory_is_said_at_its_cell(
    fleet: Path, capsys: pytest.CaptureFixture[str], before: str, after: str, said: list[str]
) -> None:
    inventory = fleet / "sites.csv"
    inventory.write_text(inventory.read_text().replace(before, after, 1))
    assert expand() == 1
    shown = capsys.readouterr().err
    assert all(one in shown for one in said), shown
    assert not (fleet / "sites").exists()


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("site.yaml", "a: ${site.nmae}\n", "did you mean `name`?"),
        ("site.yaml", "a: ${site.name\n", "`${` is not closed"),
        ("site.yaml", "${site.name}: 1\n", "only values are filled in"),
        ("site.yaml", "a: |\n  x ${site.name}\n", "stands on one line"),
        ("site.yaml", "a: {b: ${site.name}}\n", "needs quotes"),
        ("points/rtu.csv", "id\n${site.nmae}\n", "did you mean `name`?"),
        (
            "template.yaml",
            "config_version: 1\nparameters: {name: {}}\n",
            "write `site: {type: id}`",
        ),
    ],
)
def test_what_is_wrong_with_a_template_is_said_once(
    fleet: Path, capsys: pytest.CaptureFixture[str], file: str, text: str, said: str
) -> None:
    (fleet / "template" / file).write_text(text)
    assert expand() == 1
    shown = capsys.readouterr().err
    assert said in shown
    assert "1 error in 1 file" in shown
    assert not (fleet / "sites").exists()


def test_an_overlay_of_no_site_is_a_mistake(
    fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (fleet / "overlay/suoth").mkdir()
    assert expand() == 1
    assert "the inventory has no site `suoth`" in capsys.readouterr().err


def test_sites_are_not_written_into_their_template(
    fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert expand("--output", "fleet/template/sites") == 1
    assert "the sites cannot lie in the template" in capsys.readouterr().err
    assert not (fleet / "template/sites").exists()


def test_a_folder_that_cannot_be_written_is_told(
    fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (fleet / "sites").write_text("a file")
    assert expand() == 1
    assert "fleet/sites" in capsys.readouterr().err


def test_a_template_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert expand("--template", "nowhere") == 1
    assert "cannot read `nowhere/template.yaml`: no such file" in capsys.readouterr().err
