"""The model of a disk: what was synced stays, what was not may be lost, torn or reordered."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.disk.platter import SECTORS, Change, Damage, File, Truncate, Write, apply, pieces_of

SEEDS = 300
PAGE = 4096

changes = st.lists(
    st.builds(Write, st.integers(0, 9_000), st.binary(min_size=1, max_size=6_000))
    | st.builds(Truncate, st.integers(0, 12_000)),
    max_size=6,
)


def lefts(file: File) -> Iterator[bytes]:
    for seed in range(SEEDS):
        yield file.left(Random(seed))


def written(*after_sync: Change, before: bytes = bytes(3 * PAGE)) -> File:
    file = File(before, named=True)
    file.since += after_sync
    return file


@given(changes)
def test_what_was_synced_is_there_after_every_cut(synced: list[Change]) -> None:
    file, expected = File(named=False), bytearray()
    for change in synced:
        file.since.append(change)
        apply(expected, change)
    file.sync()

    assert file.left(Random(1)) == bytes(expected) and file.named


@given(changes, st.sampled_from(SECTORS))
def test_a_change_is_the_sum_of_its_sectors(made: list[Change], sector: int) -> None:
    whole, in_pieces = bytearray(b"before" * 1_000), bytearray(b"before" * 1_000)
    for change in made:
        apply(whole, change)
        for piece in pieces_of(change, sector):
            apply(in_pieces, piece)
            if isinstance(piece, Write):
                assert piece.offset // sector == (piece.offset + len(piece.data) - 1) // sector

    assert in_pieces == whole


@given(changes, st.integers(0, 1_000))
def test_a_cut_changes_no_byte_that_nobody_wrote(made: list[Change], seed: int) -> None:
    before = bytes(range(256)) * 64
    file = written(*(change for change in made if isinstance(change, Write)), before=before)
    touched = {
        at
        for change in file.since
        if isinstance(change, Write)
        for at in range(change.offset, change.offset + len(change.data))
    }
    left = file.left(Random(seed))

    assert all(left[at] == before[at] for at in range(len(before)) if at not in touched)


def test_what_was_not_synced_may_be_lost_or_kept() -> None:
    found = set(lefts(written(Write(0, b"n" * 512))))

    assert bytes(3 * PAGE) in found and b"n" * 512 + bytes(3 * PAGE - 512) in found


def test_a_sector_may_be_torn_at_either_end() -> None:
    ends = {(left[0], left[511]) for left in lefts(written(Write(0, b"n" * 512)))}

    assert ends == {(0, 0), (0, ord("n")), (ord("n"), 0), (ord("n"), ord("n"))}


def test_a_later_write_may_be_there_without_an_earlier_one() -> None:
    file = written(Write(0, b"1" * PAGE), Write(2 * PAGE, b"2" * PAGE))

    assert any(not any(left[:PAGE]) and left[2 * PAGE :] == b"2" * PAGE for left in lefts(file))


def test_one_write_may_be_there_in_some_sectors_only() -> None:
    kept = {
        tuple(left[at : at + 512] == b"n" * 512 for at in range(0, PAGE, 512))
        for left in lefts(written(Write(0, b"n" * PAGE)))
    }

    assert any(len(set(sectors)) == 2 for sectors in kept)


def test_a_lost_length_brings_the_old_end_back() -> None:
    found = {len(left) for left in lefts(written(Truncate(100)))}

    assert found == {100, 3 * PAGE}


def test_a_hole_before_what_is_left_is_zeros() -> None:
    content = bytearray(b"x")
    apply(content, Write(3, b"yz"))

    assert content == b"x\0\0yz"


def test_every_manner_of_damage_comes() -> None:
    drawn = [Damage.of(Random(seed)) for seed in range(SEEDS)]

    assert {each.sector for each in drawn} == set(SECTORS)
    assert {each.in_order for each in drawn} == {each.torn for each in drawn} == {True, False}


def test_what_a_failed_sync_took_is_gone_with_the_power() -> None:
    file = written(Write(0, b"n" * PAGE))
    file.fail_sync()
    file.since.append(Write(PAGE, b"m" * PAGE))
    file.sync()

    assert file.left(Random(1)) == bytes(PAGE) + b"m" * PAGE + bytes(PAGE)
