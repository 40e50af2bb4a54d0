"""Fragments cut and put together: IEEE 1815-2012, clause 8."""

import pytest

from otgate_dnp3.stack.transport import FIN, FIR, Reassembly, Segmenter

FRAGMENT = bytes(at & 0xFF for at in range(600))


def test_a_fragment_is_cut_at_249_octets() -> None:
    assert [len(each) for each in Segmenter().cut(FRAGMENT)] == [250, 250, 103]


def test_the_first_the_last_and_the_sequence_are_told() -> None:
    segmenter = Segmenter()
    assert [each[0] for each in segmenter.cut(FRAGMENT)] == [FIR, 1, FIN | 2]
    assert [each[0] for each in segmenter.cut(b"x")] == [FIR | FIN | 3]


@pytest.mark.parametrize("size", [1, 248, 249, 250, 498, 499, 16_000])
def test_what_was_cut_comes_together(size: int) -> None:
    reassembly, segmenter = Reassembly(), Segmenter()
    for _ in range(3):
        fragment = bytes(size)
        assert [each for each in map(reassembly.feed, segmenter.cut(fragment)) if each] == [
            fragment
        ]
    assert reassembly.counts.fragments == 3


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_lost_segment_costs_its_fragment_alone(lost: int) -> None:
    reassembly, segmenter = Reassembly(), Segmenter()
    segments = segmenter.cut(FRAGMENT)
    del segments[lost]
    assert not any(map(reassembly.feed, segments))
    assert [each for each in map(reassembly.feed, segmenter.cut(FRAGMENT)) if each] == [FRAGMENT]


@pytest.mark.parametrize("twice", [0, 1])
def test_a_segment_sent_twice_counts_once(twice: int) -> None:
    reassembly = Reassembly()
    segments = Segmenter().cut(FRAGMENT)
    segments.insert(twice, segments[twice])
    assert [each for each in map(reassembly.feed, segments) if each] == [FRAGMENT]


def test_segments_out_of_order_make_no_fragment() -> None:
    reassembly = Reassembly()
    first, second, third = Segmenter().cut(FRAGMENT)
    assert not any(map(reassembly.feed, (first, third, second)))
    assert (reassembly.counts.out_of_sequence, reassembly.counts.unstarted) == (1, 1)


def test_a_fragment_begun_anew_replaces_the_old_one() -> None:
    reassembly, segmenter = Reassembly(), Segmenter()
    reassembly.feed(segmenter.cut(FRAGMENT)[0])
    assert reassembly.feed(segmenter.cut(b"new")[0]) == b"new"
    assert reassembly.counts.abandoned == 1


@pytest.mark.parametrize("load", [b"", b"x" * 249])
def test_segments_without_end_are_bounded(load: bytes) -> None:
    reassembly = Reassembly(cap=2048)
    reassembly.feed(bytes((FIR,)) + load)
    for sequence in range(1, 10_000):
        reassembly.feed(bytes((sequence & 0x3F,)) + load)
        assert len(reassembly._loads) <= 2048
    assert reassembly.counts.oversized >= 1


def test_an_empty_segment_is_nothing() -> None:
    assert Reassembly().feed(b"") == b""
