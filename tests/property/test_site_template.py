"""Whatever an inventory holds: its values come out of the files as they went in."""

import csv
import io

from hypothesis import example, given
from hypothesis import strategies as st

from otgate.config.diagnostic import Diagnostics
from otgate.config.guard import unguarded
from otgate.config.site_template import filled_file
from otgate.config.source import UNWANTED, Source
from otgate.config.yaml_text import read_yaml

TEXT = st.text(max_size=20).filter(lambda text: not UNWANTED.search(text) and "${" not in text)
VALUES = TEXT | st.integers() | st.booleans() | st.floats(-1e9, 1e9)


@given(TEXT, VALUES)
def test_a_value_in_yaml_is_itself_and_changes_nothing_beside_it(text: str, value: object) -> None:
    source = Source(
        "f.yaml", 'a: {b: "x${site.t}", c: "${site.v}"} # ${site.t}\nd: ${site.v}\ne: 1\n'
    )
    found = Diagnostics()
    raw = filled_file("f.yaml", source, {"t": text, "v": value}, found)
    tree = read_yaml(Source("f.yaml", raw.decode()), found)
    assert tree is not None
    assert tree.value == {"a": {"b": f"x{text}", "c": value}, "d": value, "e": 1}
    assert not list(found)


@given(TEXT)
@example("\r")
@example("\r0")
def test_a_value_in_a_cell_is_itself_and_stays_in_it(text: str) -> None:
    source = Source("f.csv", "id,name\na,${site.t}\nb,c\n")
    found = Diagnostics()
    raw = filled_file("f.csv", source, {"t": text}, found)
    rows = list(csv.reader(io.StringIO(raw.decode(), newline="")))
    assert [rows[0], rows[2]] == [["id", "name"], ["b", "c"]]
    assert unguarded(rows[1][1]) == text
