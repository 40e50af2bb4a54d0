"""A template gives what one would have written; a spoilt one gives something said, in time."""

import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otgate.config.columns import COLUMNS
from otgate.config.filling import as_text, filled
from otgate.config.render import Form, rendered
from otgate.config.site import Site, load_site
from otgate.config.written import written as yaml_of
from sites import FAKE
from spoilt import LEAF, NASTY, mutations
from templated import FILES, MAP, SITE, TEMPLATE, said_of, site_of, written

RICH_SITE = SITE.format(
    devices="""\
  - id: f${n}
    template: templates/feeder.yaml
    repeat: {count: 3, from: 7, each: {size: {from: 10, step: 5, digits: 0}, url: [a, b, c]}}
    with: {url: "${url}", size: "${size}"}
    except: {ia: {deadband: 2%, tags: feeder}, cb: absent}
    scans: {normal: 5}
  - id: rtu
    driver: fake
    zone: bay
    points: points/station.csv
    blocks: [{points: points/bay.csv, count: 2, from: 3, each: {bay: [north, south]}}]
    fake: {url: here}"""
)
RICH: Mapping[str, str] = {
    **FILES,
    "site.yaml": RICH_SITE,
    "points/station.csv": "id,kind,address\nv,measurement,9\n",
    "points/bay.csv": "id,name,kind,address\nb${n},${bay} of ${id},status,${n}\n",
}
TEXTS = sorted(RICH.keys() - {"policy.yaml"})


def judged(**changed: bytes) -> None:
    """Check the rich site with some files changed, in every form."""
    started = time.process_time()
    with TemporaryDirectory() as directory:
        path = written(Path(directory), files=RICH)
        for name, content in changed.items():
            (path.parent / name).write_bytes(content)
        outcome = load_site(path, FAKE)
        assert (outcome.site is None) <= bool(outcome.diagnostics)
        for form in Form:
            rendered(outcome.diagnostics, form)
        for one in outcome.diagnostics:
            assert one.line >= 1 <= one.column < one.end_column
    assert time.process_time() - started < 2


def test_the_rich_site_has_no_mistake(tmp_path: Path) -> None:
    site = site_of(tmp_path, files=RICH)
    assert [one.id for one in site.devices] == ["f7", "f8", "f9", "rtu"]
    assert [one.id for one in site.devices[3].points] == ["v", "b3", "b4"]


@settings(deadline=None)
@given(st.sampled_from(TEXTS), st.data())
def test_a_spoilt_template_is_judged(name: str, data: st.DataObject) -> None:
    judged(**{name: data.draw(mutations(RICH[name]))})


@settings(deadline=None)
@given(st.sampled_from([name for name in TEXTS if name.endswith("yaml")]), st.data())
def test_any_value_in_any_place_is_judged(name: str, data: st.DataObject) -> None:
    text = RICH[name]
    leaf = data.draw(st.sampled_from(list(LEAF.finditer(text))))
    value = data.draw(st.sampled_from([*NASTY, "${url}", '"${size}"', "${", '"$${n}"']))
    judged(**{name: (text[: leaf.start()] + value + text[leaf.end() :]).encode()})


def by_hand(directory: Path, devices: list[dict[str, object]]) -> Site:
    """Write every device and its map for itself."""
    entries, files = [], {}
    for values in devices:
        entries.append(
            f"  - {{id: {values['id']}, driver: fake, zone: bay, points: {values['id']}.csv,"
            f" scans: {{fast: 0.5, normal: 2}}, fake: {{url: {values['url']},"
            f" size: {values['size']}}}}}"
        )
        files[f"{values['id']}.csv"] = "\n".join(
            ",".join(as_text(filled(cell, values)) for cell in line.split(","))
            for line in MAP.splitlines()
        )
    return site_of(directory, *entries, files=files)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[a-z]{3,9}", fullmatch=True).filter(lambda url: url != "nowhere"),
            st.integers(1, 10**6),
            st.integers(1, 10**6) | st.floats(0.001, 1e6),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_a_template_gives_what_one_would_have_written(given_: list[tuple[str, int, float]]) -> None:
    devices: list[dict[str, object]] = [
        {"id": f"d{number}", "url": f"u-{url}", "size": size, "rated": rated}
        for number, (url, size, rated) in enumerate(given_)
    ]
    entries = [
        f"  - {{id: {one['id']}, template: templates/feeder.yaml,"
        f" with: {{url: {one['url']}, size: {one['size']}, rated: {one['rated']}}}}}"
        for one in devices
    ]
    with TemporaryDirectory() as a, TemporaryDirectory() as b:
        assert said_of(site_of(Path(a), *entries)) == said_of(by_hand(Path(b), devices))


@settings(deadline=None, max_examples=40)
@given(st.dictionaries(st.sampled_from(sorted(COLUMNS)), st.sampled_from([*NASTY, "1", "x"])))
def test_a_point_that_is_otherwise_in_any_way_is_judged(cells: dict[str, str]) -> None:
    changed = yaml_of({"ia": cells}).replace("\n", " ").strip()
    judged(
        **{
            "site.yaml": RICH_SITE.replace(
                "{ia: {deadband: 2%, tags: feeder}, cb: absent}", f"{{{changed}}}"
            ).encode()
        }
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"templates/feeder.yaml": TEMPLATE.replace("${url}", "${url}" * 100_000)},
        {"templates/feeder.csv": MAP + "a${n},${url},status,1,,,,\n" * 20_000},
        {"site.yaml": RICH_SITE.replace("count: 3", "count: 10000")},
        {"site.yaml": RICH_SITE.replace("count: 2", "count: 10000")},
        {"site.yaml": RICH_SITE.replace("[a, b, c]", f"[{'x' * 60_000}, b, c]")},
        {
            "points/bay.csv": "id,kind,address,name\n" + f"b${{n}},status,1,{'${bay}' * 40_000}\n",
            "site.yaml": RICH_SITE.replace("north", "x" * 1_000),
        },
    ],
    ids=["text", "rows", "devices", "blocks", "value", "cell"],
)
def test_what_grows_by_repetition_is_refused_in_time(changed: dict[str, str]) -> None:
    judged(**{name: text.encode() for name, text in changed.items()})
