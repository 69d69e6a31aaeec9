"""Copies on a stick: whole, signed, without keys; two stay, and a bad stick spoils nothing."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from meshrelay.core.events import Now
from meshrelay.core.signing import Signer, hash32
from meshrelay.errors import RefusedError
from meshrelay.node import backup
from meshrelay.node.backup import (
    FREE_BYTES_MIN,
    Copy,
    Made,
    folder_of,
    make_copy,
    newest,
    paths_in,
    read_copy,
    verify_copy,
)
from meshrelay.node.beginning import LOST
from meshrelay.node.identity import Box, Keys
from meshrelay.node.restoring import BEFORE, check_maker, choose, restore
from meshrelay.store.copying import Loss
from meshrelay.store.log import LogStore
from meshrelay.store.reader import LogReader
from tests.unit.core.city import CHUO, KITA, NETWORK, PT_MS, RECORDS, chain, person
from tests.unit.store.disks import commit_of, opened, write

SATO = person("1001", KITA)
CHAIN = chain(KITA, 40)
SEED, BOX = bytes([2]) * 32, b"secret box".ljust(32)
SECRET = "broker-password"
TOML = f'[node]\nname = "北区役所"\n[mqtt]\nusername = "kita"\npassword = "{SECRET}"\n'
NOW = Now(0, PT_MS, 4, 0)


def silent(what: str, done: int, total: int) -> None:
    assert what and 0 <= done <= total


class Office:
    """A node's directory with ten entries in its log.db, and a stick."""

    def __init__(self, home: Path, signer: Signer = KITA) -> None:
        self.directory, self.stick = home / "node", home / "stick"
        self.keys = Keys(signer, Box(BOX), NETWORK, self.directory / "enrolment.cbor")
        (self.directory / "keys").mkdir(parents=True)
        (self.directory / "keys" / "node.key").write_text(SEED.hex())
        (self.directory / "keys" / "box.key").write_text(BOX.hex())
        (self.directory / "node.toml").write_text(TOML, "utf-8")
        (self.directory / "enrolment.cbor").write_bytes(backup.encode([]))
        self.stick.mkdir(exist_ok=True)
        self.store: LogStore = opened(self.directory)
        write(self.store, commit_of(CHAIN[:10], [*RECORDS, *SATO.records]))
        self.height = 10

    def say(self, count: int = 1) -> None:
        write(self.store, commit_of(CHAIN[self.height : self.height + count]))
        self.height += count

    def copy(self, tell: backup.Tell = silent) -> Made:
        return make_copy(self.directory, self.stick, self.keys, "北区役所", NOW, tell)

    def refused(self, tell: backup.Tell = silent) -> RefusedError:
        with pytest.raises(RefusedError) as refused:
            self.copy(tell)
        error = refused.value
        assert all([error.ja, error.en, error.next_ja, error.next_en])
        return error

    @property
    def folder(self) -> Path:
        return folder_of(self.stick, self.keys.signer.public)

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def held(copy: Copy) -> int:
    return verify_copy(copy, silent).entries


def test_a_copy_holds_all_and_says_whose_it_is_and_of_when(office: Office) -> None:
    made = office.copy()

    copy = newest(office.stick, KITA.public)
    assert copy == made.copy
    assert (copy.node, copy.stamp.name, copy.stamp.network) == (KITA.public, "北区役所", NETWORK)
    assert (copy.stamp.made_ms, copy.stamp.quality) == (PT_MS, 4)
    assert (copy.stamp.entries, copy.stamp.records) == (10, len(RECORDS) + 3)
    assert held(copy) == 10
    assert sorted(path.name for path in copy.path.iterdir()) == ["copy.cbor", "log.db", "node.toml"]


def test_no_key_and_no_password_is_on_the_stick(office: Office) -> None:
    copy = office.copy().copy

    assert 'username = "kita"' in (copy.path / "node.toml").read_text("utf-8")
    for path in office.stick.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            for secret in (SEED, SEED.hex().encode(), BOX, BOX.hex().encode(), SECRET.encode()):
                assert secret not in data, path


@pytest.mark.parametrize(
    "toml", ['mqtt = {password = "broker-password"}', 'mqtt.password = "broker-password"', "[mq"]
)
def test_a_configuration_whose_password_cannot_be_taken_out_is_not_copied(
    office: Office, toml: str
) -> None:
    (office.directory / "node.toml").write_text(toml, "utf-8")

    assert not (office.copy().copy.path / "node.toml").exists()


def test_the_stick_says_in_two_languages_what_it_is_and_how_to_restore_it(office: Office) -> None:
    office.copy()
    text = (office.stick / "README.txt").read_text("utf-8")

    assert "鍵は入っていません" in text and "keys are not in it" in text
    assert text.count("meshrelay archive restore") == text.count("meshrelay archive verify") == 2


def test_the_two_newest_copies_stay(office: Office) -> None:
    removed = []
    for _ in range(4):
        office.say()
        removed.append(office.copy().removed)

    assert removed == [0, 0, 1, 1]
    assert office.names() == ["copy-000003", "copy-000004"]
    assert [held(read_copy(path)) for path in paths_in(office.folder)] == [13, 14]


def test_copies_of_a_lost_store_stay_however_many_nights_pass(office: Office) -> None:
    office.copy()
    office.copy()
    (office.directory / LOST).touch()
    for _ in range(3):
        office.copy()

    assert office.names() == ["copy-000001", "copy-000002", "copy-000005"]


def test_what_an_interrupted_copy_left_goes_and_names_no_copy(office: Office) -> None:
    office.copy()
    rest = office.folder / "copy-000002.part"
    rest.mkdir()
    (rest / "log.db").write_bytes(b"half")
    assert [path.name for path in paths_in(office.folder)] == ["copy-000001"]

    office.copy()

    assert office.names() == ["copy-000001", "copy-000002"]


@pytest.mark.parametrize("at", [0, 100, 5_000, 30_000, -1])
def test_one_altered_byte_is_noticed(office: Office, at: int) -> None:
    copy = office.copy().copy
    log = copy.path / "log.db"
    data = bytearray(log.read_bytes())
    data[at] ^= 1
    log.write_bytes(data)

    with pytest.raises(RefusedError, match="is not what was copied") as refused:
        verify_copy(copy, silent)
    assert refused.value.code == "copy_damaged"


def test_every_altered_byte_of_the_stamp_is_noticed(office: Office) -> None:
    path = office.copy().copy.path / "copy.cbor"
    good = path.read_bytes()

    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with pytest.raises(RefusedError):
            read_copy(path.parent)
    path.write_bytes(good[:-1])
    with pytest.raises(RefusedError):
        read_copy(path.parent)


def test_a_stamp_that_cannot_be_read_does_not_hide_an_older_copy(office: Office) -> None:
    first = office.copy().copy
    (office.copy().copy.path / "copy.cbor").unlink()

    assert newest(office.stick, KITA.public) == first


def test_a_copy_that_no_node_of_the_network_made_is_refused(tmp_path: Path) -> None:
    stranger = Office(tmp_path, Signer(b"stranger".ljust(32)))
    copy = stranger.copy().copy

    verify_copy(copy, silent)
    with pytest.raises(RefusedError, match="no node of the network made it"):
        check_maker(copy, copy.path / "log.db")


def test_a_damaged_log_is_never_the_newest_copy(office: Office) -> None:
    office.copy()
    office.store.connection.execute("UPDATE entries SET raw = zeroblob(90) WHERE seq = 5")

    assert office.refused().code == "copy_damaged"
    assert office.names() == ["copy-000001"]
    assert held(read_copy(office.folder / "copy-000001")) == 10


# Sticks that are away, small, or pulled out


def test_a_stick_that_is_not_there_is_refused(office: Office) -> None:
    office.stick.rmdir()

    assert office.refused().code == "no_stick"
    assert not office.stick.exists()


def test_a_stick_pulled_out_at_any_step_is_told_and_the_next_copy_is_good(office: Office) -> None:
    steps: list[str] = []
    office.copy(lambda what, done, total: steps.append(what))
    assert set(steps) == {"copying", "checking", "reading back"}

    for number in range(len(steps)):
        office.say()

        def pull(what: str, done: int, total: int, left: list[int] = [number]) -> None:  # noqa: B006
            if not left[0]:
                shutil.rmtree(office.stick)
            left[0] -= 1

        assert office.refused(pull).code == "stick_failed"
        office.stick.mkdir()
        assert held(office.copy().copy) == office.height


@contextmanager
def small_disk(path: Path, size: int) -> Iterator[None]:
    if os.geteuid() != 0:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must run this as root: it mounts a small disk")
        pytest.skip("mounting a small disk needs root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(path)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(path)], check=True)


def test_a_stick_without_space_is_refused_before_anything_is_written(office: Office) -> None:
    with small_disk(office.stick, FREE_BYTES_MIN):
        error = office.refused()

        assert (error.code, office.names()) == ("stick_full", [])
        assert "0 MB" in error.en


def test_a_stick_that_fills_in_the_middle_keeps_its_older_copy(office: Office) -> None:
    def fill(what: str, done: int, total: int) -> None:
        with (office.stick / "film").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1 << 16))
            except OSError as error:
                assert error.errno == errno.ENOSPC

    with small_disk(office.stick, FREE_BYTES_MIN + (1 << 20)):
        first = office.copy().copy
        office.say()

        assert office.refused(fill).code == "stick_full"
        assert office.names() == ["copy-000001"]
        assert held(first) == 10


def test_a_stick_that_cannot_be_written_is_told_and_still_gives_its_copy(office: Office) -> None:
    with small_disk(office.stick, FREE_BYTES_MIN + (1 << 20)):
        first = office.copy().copy
        subprocess.run(["mount", "-o", "remount,ro", str(office.stick)], check=True)

        error = office.refused()
        assert error.code == "stick_failed" and "Read-only" in error.en
        assert newest(office.stick, KITA.public) == first
        assert held(first) == 10


def test_two_copies_at_a_time_are_not_made(office: Office) -> None:
    office.folder.mkdir()

    def second(what: str, done: int, total: int) -> None:
        assert office.refused().code == "backup_busy"

    office.copy(second)
    assert office.names() == ["copy-000001"]


def test_a_node_that_writes_too_much_is_not_held_up(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[Path] = []

    def never(source: Path, target: Path, tell: Callable[[int, int], None]) -> bool:
        target.write_bytes(b"half")
        tries.append(target)
        return False

    monkeypatch.setattr(backup, "copy_log", never)

    assert office.refused().code == "backup_busy"
    assert (len(tries), office.names()) == (backup.ATTEMPTS, [])


# Photos and files


def blob(office: Office, text: bytes) -> Path:
    name = hash32(text).hex()
    path = office.directory / "blobs" / name[:2] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)
    return path


def test_photos_are_copied_once_and_come_back(office: Office) -> None:
    first = blob(office, b"photo 1")
    (first.parent / f"{first.name}.part").write_bytes(b"half")
    assert office.copy().blobs == 1
    second = blob(office, b"photo 2")
    made = office.copy()
    assert made.blobs == 1

    for path in (first, second):
        path.unlink()
    office.store.connection.close()
    done = restore(made.copy, office.directory, office.keys, False, silent)

    assert done.blobs == 2
    assert (first.read_bytes(), second.read_bytes()) == (b"photo 1", b"photo 2")
    kept = sorted(path.name for path in office.folder.rglob("blobs/??/*"))
    assert kept == sorted([first.name, second.name])


# Back again


def test_what_would_be_lost_is_named_before_it_goes(office: Office) -> None:
    copy = office.copy().copy
    office.say(3)
    office.store.connection.close()

    with pytest.raises(RefusedError) as refused:
        restore(copy, office.directory, office.keys, False, silent)
    assert refused.value.code == "newer_here"
    assert "3 entries (3 written here) and 0 records" in refused.value.en
    assert opened(office.directory).load().lines[0][0].height == 13

    done = restore(copy, office.directory, office.keys, True, silent)
    assert done.loss == Loss(3, 3, 0)
    assert opened(office.directory).load().lines[0][0].height == 10
    kept = LogReader(office.directory / BEFORE)
    assert [line.height for line in kept.lines()] == [13]


def test_a_log_that_cannot_be_read_goes_by_force_only(office: Office) -> None:
    copy = office.copy().copy
    office.store.connection.close()
    (office.directory / "log.db").write_bytes(b"no database" * 1_000)

    with pytest.raises(RefusedError) as refused:
        restore(copy, office.directory, office.keys, False, silent)
    assert refused.value.code == "unreadable"
    assert restore(copy, office.directory, office.keys, True, silent).loss is None
    assert opened(office.directory).load().lines[0][0].height == 10


def test_a_damaged_copy_takes_nobodys_place(office: Office) -> None:
    copy = office.copy().copy
    office.store.connection.close()
    (copy.path / "log.db").write_bytes(b"x" * copy.stamp.log_bytes)
    before = (office.directory / "log.db").read_bytes()

    with pytest.raises(RefusedError, match="is not what was copied"):
        restore(copy, office.directory, office.keys, True, silent)
    assert (office.directory / "log.db").read_bytes() == before
    assert not (office.directory / BEFORE).exists()


def test_a_copy_of_another_network_takes_nobodys_place(office: Office) -> None:
    copy = office.copy().copy
    office.store.connection.close()
    other = office.keys._replace(network=bytes(16))

    with pytest.raises(RefusedError) as refused:
        restore(copy, office.directory, other, True, silent)
    assert refused.value.code == "foreign_copy"


def test_the_own_copy_is_meant_unless_another_is_named(tmp_path: Path) -> None:
    kita, chuo = Office(tmp_path / "k"), Office(tmp_path / "c", CHUO)
    chuo.stick = kita.stick
    own = [kita.copy().copy, kita.copy().copy]
    other = chuo.copy().copy

    assert choose(kita.stick, KITA.public) == own[1]
    assert choose(kita.stick, CHUO.public) == other
    assert choose(kita.folder, CHUO.public) == own[1]
    assert choose(own[0].path, CHUO.public) == own[0]
    with pytest.raises(RefusedError) as unclear:
        choose(kita.stick, SATO.signer.public)
    assert str(chuo.folder) in unclear.value.next_en and str(kita.folder) in unclear.value.next_en
    with pytest.raises(RefusedError, match="There is no copy"):
        choose(tmp_path, KITA.public)
