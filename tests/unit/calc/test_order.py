from otgate.calc.calculation import in_order


def test_each_point_stands_behind_its_inputs() -> None:
    ordered, cycle = in_order({"c": ["b", "x"], "b": ["a"], "a": ["x"], "d": ["c", "b"]})
    assert not cycle
    assert ordered == ["a", "b", "c", "d"]


def test_a_cycle_is_told_by_its_way() -> None:
    assert in_order({"a": ["b"], "b": ["c"], "c": ["b"]}) == ([], ["b", "c", "b"])
    assert in_order({"a": ["a"]}) == ([], ["a", "a"])


def test_ten_thousand_in_a_row_are_no_matter() -> None:
    chain = {str(n): [str(n + 1)] for n in range(10_000)}
    ordered, cycle = in_order(chain)
    assert (len(ordered), ordered[0], cycle) == (10_000, "9999", [])


def test_a_diamond_is_no_cycle() -> None:
    ordered, cycle = in_order({"top": ["left", "right"], "left": ["end"], "right": ["end"]})
    assert (sorted(ordered), cycle) == (["left", "right", "top"], [])
