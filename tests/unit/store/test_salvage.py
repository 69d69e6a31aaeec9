"""A damaged log.db: what can be read is taken over, what is missing is known as missing."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from random import Random

import apsw
import pytest

from meshrelay.core.entry import read_entry
from meshrelay.core.gaps import lacks
from meshrelay.core.signing import hash32
from meshrelay.errors import UnreadableError
from meshrelay.store.log import LogStore
from meshrelay.store.opening import mark_damaged, open_store
from meshrelay.store.reader import LogReader
from meshrelay.store.salvage import ASIDE, salvage
from meshrelay.store.sqlite import PAGE_BYTES
from tests.unit.core.city import CHUO, KITA, NETWORK, RECORDS, chain, log_of
from tests.unit.store.disks import commit_of, opened, write

LOGS = (log_of(KITA), log_of(CHUO), log_of(KITA, 0))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of three logs of 120 entries, some places written, checkpointed."""
    directory = tmp_path_factory.mktemp("whole")
    store = opened(directory)
    write(store, commit_of([], RECORDS))
    for entries in (chain(KITA, 120), chain(CHUO, 120), chain(KITA, 120, lane=0)):
        write(store, commit_of(entries))
    store.add_incarnation(b"day one.")
    store.keep_answer("K001", b"m" * 16, b"content", b"answer")
    store._place()
    store.connection.pragma("wal_checkpoint(truncate)")
    store.connection.close()
    return directory / "log.db"


def copied(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(whole, tmp_path / "log.db"))


def check(store: LogStore, path: Path) -> int:
    """Everything that is there verifies and hangs together; how many entries there are."""
    loaded = store.load()
    reader = LogReader(path)
    held = 0
    for line, _ in loaded.lines:
        gaps = loaded.gaps.get(line.log, ())
        seqs = [seq for seq, _ in reader.from_lowest(line.log)]
        assert seqs == [seq for seq in range(1, line.height + 1) if not lacks(gaps, seq)]
        for seq, one in reader.from_lowest(line.log):
            entry = read_entry(one.raw)
            assert (entry.log, entry.seq) == (line.log, seq)
            assert hash32(one.raw) == reader.named(line.log, seq)
            held += 1
    reader.close()
    return held


def test_of_a_sound_store_everything_is_taken_over(whole: Path, tmp_path: Path) -> None:
    path = copied(whole, tmp_path)
    before = LogReader(path)
    lines, records = before.lines(), set(before.records())
    before.close()
    saved = salvage(path, NETWORK)
    store = LogStore(path)

    assert (saved.entries, saved.records) == (360, len(RECORDS))
    assert check(store, path) == 360
    after = LogReader(path)
    assert sorted(after.lines()) == sorted(lines) and set(after.records()) == records
    assert after.answer("K001", b"m" * 16) == (b"content", b"answer")
    assert [each for each, _ in store.load().incarnations] == [b"day one."]
    assert (tmp_path / f"log.db{ASIDE}").exists()


def test_what_a_page_took_with_it_is_a_gap(whole: Path, tmp_path: Path) -> None:
    path = copied(whole, tmp_path)
    connection = apsw.Connection(str(path))
    query = "SELECT pageno FROM dbstat WHERE name='entries' AND pagetype='leaf' ORDER BY pageno"
    try:
        pages = [row[0] for row in connection.execute(query)]
    except apsw.SQLError:  # this SQLite was built without dbstat
        pages = [path.stat().st_size // PAGE_BYTES // 2]
    connection.close()
    data = bytearray(path.read_bytes())
    at = (pages[len(pages) // 2] - 1) * PAGE_BYTES
    data[at : at + PAGE_BYTES] = bytes(PAGE_BYTES)
    path.write_bytes(bytes(data))
    salvage(path, NETWORK)
    store = LogStore(path)

    assert 340 <= check(store, path) < 360
    assert store.load().gaps


@pytest.mark.parametrize("seed", range(60))
def test_flipped_bits_anywhere_leave_a_store_that_starts(
    whole: Path, tmp_path: Path, seed: int
) -> None:
    path = copied(whole, tmp_path)
    dice = Random(seed)
    data = bytearray(path.read_bytes())
    for _ in range(dice.choice([1, 1, 3, 20])):
        at = dice.randrange(len(data)) if dice.random() < 0.6 else dice.randrange(400)
        data[at] ^= 1 << dice.randrange(8)
    path.write_bytes(bytes(data))
    store, _ = open_store(path, NETWORK)
    reader = LogReader(path)

    with suppress(UnreadableError):  # damage below the heads is found when it is read
        for line in reader.lines():
            assert line.height >= sum(1 for _ in reader.from_lowest(line.log))
    reader.close()
    store.connection.close()
    saved = salvage(path, NETWORK)
    again = LogStore(path)
    assert check(again, path) == saved.entries


def test_a_salvaged_store_asks_for_a_new_incarnation_until_one_is_drawn(
    whole: Path, tmp_path: Path
) -> None:
    """Its change number may pass the witness's though its newest own entry is lost."""
    path = copied(whole, tmp_path)
    salvage(path, NETWORK)
    for _ in range(2):  # a crash may come before it is drawn
        store = LogStore(path)
        assert store.load().is_salvaged
        store.connection.close()
    store = LogStore(path)
    store.load()

    assert store.add_incarnation(b"day two.") == 0
    loaded = LogStore(path).load()
    assert not loaded.is_salvaged
    assert loaded.incarnations[-1] == (b"day two.", 0)


def test_a_file_of_noise_gives_an_empty_store_and_is_kept_aside(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    noise = Random(1).randbytes(50_000)
    path.write_bytes(noise)
    store, loaded = open_store(path, NETWORK)

    assert loaded.lines == [] and store.change == 0
    assert (tmp_path / f"log.db{ASIDE}").read_bytes()[100:] == noise[100:]


def test_what_was_found_while_running_is_mended_at_the_next_start(
    whole: Path, tmp_path: Path
) -> None:
    path = copied(whole, tmp_path)
    mark_damaged(path)
    store, loaded = open_store(path, NETWORK)

    assert LogReader(path).counted("salvaged") == 1
    assert check(store, path) == 360 and len(loaded.lines) == len(LOGS)
    store.connection.close()
    open_store(path, NETWORK)
    assert LogReader(path).counted("salvaged") == 1  # once
