"""The witness: it proves that a store continues, and is silent about everything else."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshrelay.errors import ConfigError
from meshrelay.node.witness import Witness, is_tmpfs

TMPFS = Path("/dev/shm")
DAY, OTHER = b"day one.", b"day two."


@pytest.fixture
def witness() -> Iterator[Witness]:
    made = Witness(TMPFS, b"network id 16 by", secrets.token_bytes(32))
    yield made
    made.close()
    made.path.unlink(missing_ok=True)


def test_without_a_witness_nothing_is_proved(witness: Witness) -> None:
    assert not witness.proves(DAY, 0)


@pytest.mark.parametrize(("change", "proved"), [(7, True), (8, True), (6, False), (0, False)])
def test_a_store_that_is_not_behind_its_witness_continues(
    witness: Witness, change: int, proved: bool
) -> None:
    witness.write(DAY, 7)

    assert witness.proves(DAY, change) is proved


def test_another_incarnation_is_not_proved(witness: Witness) -> None:
    witness.write(DAY, 7)

    assert not witness.proves(OTHER, 9)
    assert witness.last() == DAY


def test_the_newest_word_replaces_the_last(witness: Witness) -> None:
    for change in (5, 1_000_000, 12):
        witness.write(DAY, change)

    assert witness.proves(DAY, 12) and not witness.proves(DAY, 11)


def test_another_boot_proves_nothing(witness: Witness) -> None:
    witness.write(DAY, 7)
    text = witness.path.read_bytes()
    witness.path.write_bytes(b"00000000" + text[8:])

    assert not witness.proves(DAY, 7) and witness.last() is None


@pytest.mark.parametrize("damage", [b"", b"noise", b"a b", b"a b c d"])
def test_a_damaged_witness_proves_nothing(witness: Witness, damage: bytes) -> None:
    witness.path.write_bytes(damage)

    assert not witness.proves(DAY, 7) and witness.last() is None


def test_two_nodes_on_one_machine_have_two_witnesses(witness: Witness) -> None:
    other = Witness(TMPFS, b"network id 16 by", secrets.token_bytes(32))

    assert other.path != witness.path


def test_a_directory_that_is_no_tmpfs_is_refused_with_its_key() -> None:
    disk = Path("/proc")

    assert is_tmpfs(TMPFS) and not is_tmpfs(disk) and not is_tmpfs(disk / "nowhere")
    with pytest.raises(ConfigError, match=r"/proc: key witness\.dir: expected .* tmpfs"):
        Witness(disk, b"network id 16 by", b"n" * 32)
