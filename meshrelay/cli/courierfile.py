"""Courier files on a stick: written whole or not at all, found, shown, handed to the node."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from meshrelay.bearers.courier import HEAD_BYTES, SUFFIX, file_name, read_head
from meshrelay.cli.nodedir import is_running
from meshrelay.core.book import RecordBook
from meshrelay.core.events import Now
from meshrelay.errors import ConfigError, FrameError, RefusedError
from meshrelay.node.cargo import Cargo, Packed
from meshrelay.node.clock import Clock, Hardware
from meshrelay.node.config import load
from meshrelay.node.courier_desk import FILE_BYTES_MAX, Reading, disk_full, refusal, too_large
from meshrelay.node.couriers import SPARE_BYTES, incoming_of
from meshrelay.node.doorman import NodeDoorman
from meshrelay.node.health import H_BACKLOG, H_DISK, H_QUALITY, H_VERSION, VERSION
from meshrelay.node.identity import Keys
from meshrelay.node.transit import TransitKeys
from meshrelay.node.unpacking import look

LANE_WORDS = ("urgent", "normal", "background", "bulk")
_COPY_BYTES = 1024 * 1024
_LOOK_S = 0.1

Told = Callable[[int, int], None]


class Shown(NamedTuple):
    """One line of `courier status`. `error`: why it cannot be read here; then the rest is empty.
    `new`: entries that are not here yet."""

    file: str
    size: int
    error: str
    node: str
    ward: str
    written_ms: int | None
    to: str
    to_ward: str
    whole: bool
    damaged: int
    entries: list[int]
    new: int


def check_directory(directory: Path) -> None:
    """Refuse what is no directory: a stick that is not mounted.

    Raises:
        ConfigError: with the next step.
    """
    if not directory.is_dir():
        raise ConfigError(f"{directory} is not a directory; mount the stick, or name its directory")


# Writing


def write(
    cargo: Cargo, node: Path, keys: Keys, directory: Path, to: str, told: Told
) -> tuple[Path, Packed]:
    """Write a file aside, bring it to the disk, then give it its name.

    Raises:
        RefusedError: `disk_full`, and those of `Cargo.pack`.
        ConfigError: the directory cannot be written.
    """
    now = _now(cargo, node)
    disk = shutil.disk_usage(node).free
    health = {
        H_VERSION: VERSION, H_QUALITY: now.quality, H_BACKLOG: cargo.backlog(), H_DISK: disk,
    }  # fmt: skip
    name = file_name(keys.network, keys.signer.public, max(now.pt_ms, 0))
    path, aside = directory / name, directory / f"{name}.part"
    try:
        with aside.open("xb") as file:
            packed = cargo.pack(file, to, now, health, told)
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)
        _sync(directory)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise disk_full() from error
        raise ConfigError(f"{directory} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):  # a stick that was pulled out
            aside.unlink(missing_ok=True)
    return path, packed


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _now(cargo: Cargo, node: Path) -> Now:
    """The node's clocks, as the node itself reads them."""
    hardware, toml = Hardware(), node / "node.toml"
    snapshot = cargo.snapshot
    saved = f"{hardware.boot} {toml.stat().st_mtime_ns}"
    vouched = load(toml).clock.set_by_person and snapshot.vouched == saved
    return Clock(vouched, snapshot.mark, snapshot.newest_ms, hardware).now()


# Finding


def names_in(directory: Path) -> list[Path]:
    """What is called a courier file, oldest first by its name."""
    try:
        return sorted(directory.glob(f"*{SUFFIX}"), key=lambda path: path.name[-26:])
    except OSError as error:
        raise ConfigError(f"{directory} cannot be read: {error.strerror}") from error


def files_in(source: Path, keys: Keys) -> list[Path]:
    """The files to read: the one, or all of a directory that others wrote.

    Raises:
        RefusedError: there is none.
        ConfigError: there is no such file.
    """
    if source.is_dir():
        own = f"-{keys.signer.public.hex()[:8]}-"
        found = [path for path in names_in(source) if own not in path.name and _is_file(path)]
        if not found:
            raise RefusedError(
                "no_courier_file",
                f"{source} に、ほかの機器が作った伝令データがありません。",
                f"{source} holds no courier file of another node.",
                "USBメモリの中の、meshrelay- で始まるファイルがある場所を指定してください。",
                "Name the directory on the stick that holds files called meshrelay-….courier.",
            )
        return found
    if not _is_file(source):
        raise ConfigError(f"{source} is not a file; expected a courier file or its directory")
    return [source]


def _is_file(path: Path) -> bool:
    """A file in its own right: what links or pipes on a stick lead to is nobody's business."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def open_file(path: Path) -> BinaryIO:
    """Open a regular file, never what a link or a pipe leads to.

    Raises:
        ConfigError: it is something else, or cannot be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    file = os.fdopen(handle, "rb")
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        file.close()
        raise ConfigError(f"{path} is not a file")
    return file


# Showing


def show(path: Path, cargo: Cargo, keys: Keys) -> Shown:
    """What one file is, read with this node's keys."""
    book = cargo.book
    nothing = Shown(path.name, 0, "", "", "", None, "", "", False, 0, [0, 0, 0, 0], 0)
    if not _is_file(path):
        return nothing._replace(error="no file: a link or something else, not opened")
    doorman = NodeDoorman(book, keys.signer.public)
    sealer = TransitKeys(book, keys.signer.public, keys.box)
    try:
        with open_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            looked = look(file, sealer, doorman, keys.network, cargo.vector)
    except FrameError as error:
        return nothing._replace(error=str(refusal(error.reason)))
    except ConfigError as error:
        return nothing._replace(error=str(error))
    except OSError as error:
        return nothing._replace(error=f"cannot be read: {error.strerror}")
    manifest = looked.manifest
    if manifest is None and not sum(looked.entries):
        return nothing._replace(size=size, error=str(refusal(looked.reason)))
    writer = book.nodes.get(manifest.writer) if manifest else None
    return Shown(
        path.name,
        size,
        "",
        writer.name if writer else "",
        writer.ward if writer else "",
        manifest.written_ms if manifest else None,
        manifest.to if manifest else "",
        _ward_name(manifest.to, book) if manifest else "",
        looked.whole,
        looked.damaged,
        looked.entries,
        looked.new,
    )


def _ward_name(to: str, book: RecordBook) -> str:
    """What the ward of that code is called, as its nodes were enrolled; "" if it is no code."""
    return next((node.ward_name for node in book.nodes.values() if node.ward == to), "")


def lanes(entries: list[int]) -> str:
    """`2 urgent, 10 normal`; lanes without entries are left out."""
    said = [f"{n} {word}" for n, word in zip(entries, LANE_WORDS, strict=True) if n]
    return ", ".join(said) or "none"


def when(written_ms: int | None, passed_ms: int | None, known: bool = False) -> str:
    """The writer's time, and how long ago; `known`: how long ago is not asked."""
    if written_ms is None:
        return "at an unknown time"
    said = datetime.fromtimestamp(written_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    if known:
        return said
    if passed_ms is None:
        return f"{said}, unknown how long ago (a clock is uncertain)"
    return f"{said}, {passed_ms // 60_000} min ago"


# Handing over


def check_running(node: Path) -> None:
    """Raises RefusedError `node_stopped`. A node that starts has no place for files yet."""
    if not is_running(node) or not incoming_of(node).is_dir():
        raise RefusedError(
            "node_stopped",
            "この機器の中継プログラムが動いていません。何も取り込んでいません。",
            f"The node of {node} is not running; nothing was taken in.",
            "機器を動かしてから、もう一度実行してください。",
            f"Start it (meshrelay node run {node}), then run this again.",
        )


def hand_over(path: Path, node: Path, network: bytes, told: Told) -> Reading:
    """Copy a file to the node, wait until it was taken in, and say what came of it.

    Raises:
        ConfigError: it cannot be read, or not given to the node.
        RefusedError: `node_stopped` in between; the node takes the file in when it starts.
    """
    name = secrets.token_hex(16)
    target = incoming_of(node) / f"{name}{SUFFIX}"
    try:
        _copy(path, target, network, told)
    except RefusedError as error:
        return Reading(
            name, "refused", code=error.code, ja=error.ja, en=error.en, next_ja=error.next_ja,
            next_en=error.next_en,
        )  # fmt: skip
    answer_file = target.with_suffix(".json")
    while True:
        check_running(node)
        reading = _read_answer(answer_file)
        if reading is not None:
            told(reading.bytes_done, reading.bytes_total)
            if reading.state in ("done", "refused"):
                answer_file.unlink(missing_ok=True)
                return reading
        time.sleep(_LOOK_S)


def _read_answer(path: Path) -> Reading | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Reading)
    except FileNotFoundError:
        return None


def _copy(path: Path, target: Path, network: bytes, told: Told) -> None:
    aside = target.with_suffix(".part")
    try:
        with open_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > FILE_BYTES_MAX:
                raise too_large()
            if shutil.disk_usage(target.parent).free < size + SPARE_BYTES:
                raise disk_full()
            try:
                read_head(file.read(HEAD_BYTES), network)
            except FrameError as error:
                raise refusal(error.reason) from None
            file.seek(0)
            with aside.open("xb") as out:
                pour(file, out, size, told)
        aside.rename(target)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise disk_full() from error
        raise ConfigError(f"{path} cannot be given to the node: {error.strerror}") from error
    finally:
        aside.unlink(missing_ok=True)


def pour(file: BinaryIO, out: BinaryIO, size: int, told: Told) -> None:
    """Copy what can be read, to the disk."""
    done = 0
    while done < size:
        try:
            data = file.read(min(_COPY_BYTES, size - done))
        except OSError:
            break  # a bad sector: what came before it counts, as in a file that was cut
        if not data:
            break
        out.write(data)
        done += len(data)
        told(done, size)
    out.flush()
    os.fsync(out.fileno())
