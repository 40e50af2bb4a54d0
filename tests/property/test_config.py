"""Whatever stands in a file: a site or something said, never an exception, never a long wait."""

import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otgate.config.bus import load_bus
from otgate.config.render import Form, rendered
from otgate.config.site import check_sites
from otgate.config.source import MAX_CSV_BYTES
from sites import BUS, FAKE, POINTS, POLICY, SITE, written
from spoilt import LEAF, NASTY, mutations

RICH_POINTS = (
    "id,name,kind,address,scale,eu_lo,eu_hi,states,deadband,scan,max_age_s,tags\n"
    'ia,"Feeder 3, north",measurement,1,0.1,0,600,,1%,fast,30,feeder\n'
    "cb,Breaker,status,2,,,,0=open|1=closed,,,,feeder protection\n"
)


def judged(**files: bytes) -> None:
    """Check files in every form, in time."""
    started = time.process_time()
    with TemporaryDirectory() as directory:
        path = written(Path(directory))
        for name, content in files.items():
            (path.parent / NAMES[name]).write_bytes(content)
        (outcome,) = check_sites([path], FAKE)
        assert (outcome.site is None) <= bool(outcome.diagnostics)
        for form in Form:
            rendered(outcome.diagnostics, form)
        for one in outcome.diagnostics:
            assert one.line >= 1 <= one.column < one.end_column
    assert time.process_time() - started < 2


NAMES = {
    "site": "site.yaml",
    "points": "points/f3.csv",
    "policy": "policy.yaml",
    "bus": "bus/analytics.yaml",
}


@settings(deadline=None)
@given(site=mutations(SITE), points=mutations(RICH_POINTS))
def test_a_spoilt_site_is_judged(site: bytes, points: bytes) -> None:
    judged(site=site, points=points)


@settings(deadline=None)
@given(policy=mutations(POLICY), bus=mutations(BUS + "tls: {ca: c}\npassword: {credential: x}\n"))
def test_a_spoilt_policy_and_bus_are_judged(policy: bytes, bus: bytes) -> None:
    judged(policy=policy, bus=bus)


RICH_POLICY = POLICY.replace(
    "match: {tags_all: [feeder]}",
    "match: {kind: [status], tags_any: [feeder], zone: [bay], sensitivity: [internal],"
    " device: [f3], point: [f3/ia]}, limits: {min_interval_s: 5, quantize: 1, strip: [name],"
    " kinds: [counter]}, review_by: 2027-01-01",
)
RICH_BUS = BUS + (
    "tls: {ca: c, key: {credential: x}}\npassword: {credential: p}\nwindow: 3\nprotocol: auto\n"
    "batch: {max_points: 3}\nlast: on\nreplay_s: 3\nroot: r\nspool: s\nplain: accepted\n"
)


@settings(deadline=None)
@given(st.sampled_from(["site", "policy", "bus"]), st.data())
def test_any_value_in_any_place_is_judged(name: str, data: st.DataObject) -> None:
    text = {"site": SITE, "policy": RICH_POLICY, "bus": RICH_BUS}[name]
    leaf = data.draw(st.sampled_from(list(LEAF.finditer(text))))
    value = data.draw(st.sampled_from(NASTY))
    judged(**{name: (text[: leaf.start()] + value + text[leaf.end() :]).encode()})


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from(sorted(NAMES)))
def test_random_bytes_are_judged(raw: bytes, name: str) -> None:
    judged(**{name: raw})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["site", "devices", "rules", "match", "id", "limits", "brokers", "tls"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ),
    st.sampled_from(["site", "policy", "bus"]),
)
@settings(deadline=None)
def test_any_shape_of_values_is_judged(value: object, name: str) -> None:
    judged(**{name: json.dumps(value).encode()})


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "x" * 3_000_000,
        "- " * 20_000,
        "{a: 1, " * 20_000,
        "a:\n" * 30_000,
        "k: v\n" * 30_000,
        '"' * 100_000,
        "&a " * 100_000,
        "? " * 100_000,
        "a: |\n" + " x\n" * 300_000,
        "[" + "[]," * 150_000,
        "#" * 3_000_000,
        "x" * 1023 + ":" * 10_000,
    ],
    ids=lambda text: text[:10],
)
def test_large_nonsense_is_refused_in_time(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bus.yaml"
    path.write_text(text)
    started = time.process_time()
    bus, said = load_bus(path)
    rendered(said)
    assert bus is None
    assert said
    assert time.process_time() - started < 4


@pytest.mark.parametrize(
    "row",
    ['"' + "x" * 100_000, "x," * 50_000 + "\n", "ia,x,1\n" * 40_000, ";" * 100_000, '"\n' * 50_000],
    ids=lambda row: row[:4],
)
def test_large_tables_of_nonsense_are_refused_in_time(tmp_path: Path, row: str) -> None:
    path = written(tmp_path, points=POINTS + row)
    assert len(row) < MAX_CSV_BYTES
    started = time.process_time()
    (outcome,) = check_sites([path], FAKE)
    rendered(outcome.diagnostics)
    assert outcome.site is None
    assert time.process_time() - started < 4
