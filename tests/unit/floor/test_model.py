import subprocess
import sys

import numpy as np
import pytest

from otgate.model import Batch, Origin, ValueType, distinct


def batch(source: bool) -> Batch:  # noqa: FBT001
    return Batch(
        "f1",
        ValueType.F64,
        Origin.POLL,
        np.arange(3, dtype=np.int32),
        np.array([1.0, 2.0, 3.0]),
        np.zeros(3, np.uint32),
        7,
        np.array([4, 5, 6]) if source else None,
    )


def test_kept_samples_keep_their_columns_together() -> None:
    kept = batch(source=True).kept(np.array([True, False, True]))
    assert kept.index.tolist() == [0, 2]
    assert kept.values.tolist() == [1.0, 3.0]
    assert kept.source_ns is not None
    assert kept.source_ns.tolist() == [4, 6]
    assert len(kept) == 2


def test_a_batch_without_device_time_stays_without_it() -> None:
    assert batch(source=False).kept(np.array([True, True, False])).source_ns is None


def test_every_value_type_has_a_column_type() -> None:
    kinds = {value_type.name: value_type.dtype.kind for value_type in ValueType}
    assert kinds == {"F64": "f", "I64": "i", "U64": "u", "BOOL": "b", "TEXT": "O"}


@pytest.mark.parametrize("numbers", [[], [7], [3, 1, 3, 2**62, 1]])
def test_distinct_numbers_come_once_and_in_order(numbers: list[int]) -> None:
    assert distinct(np.array(numbers, np.int64)) == np.unique(np.array(numbers, np.int64)).tolist()


def test_a_device_that_is_lost_brings_no_masked_arrays_in() -> None:
    code = """if True:
        import sys
        from otgate.model import Device, Kind, Point, ValueType
        from otgate.report import Report
        device = Device("d1", "x", "bay", [Point("a", Kind.MEASUREMENT)], {}, None)
        report = Report(device, [ValueType.F64])
        assert report.lost(1) and report.refresh(2)
        assert "numpy.ma" not in sys.modules
    """
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert not done.returncode, done.stderr
