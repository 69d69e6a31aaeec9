"""A copy takes the place of a stopped node's log.db; nothing goes that was not named first."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from meshrelay.core.book import RecordBook
from meshrelay.core.entry import URGENT
from meshrelay.core.records import Record, read_record
from meshrelay.errors import RefusedError, RemoteProtocolError, StoreError
from meshrelay.node.backup import (
    FREE_BYTES_MIN,
    Copy,
    Tell,
    copy_file,
    folder_of,
    paths_in,
    read_copy,
    restore_blobs,
    verify_copy,
)
from meshrelay.node.backup_words import damaged, failed, no_copy, no_room
from meshrelay.node.beginning import LOST
from meshrelay.node.identity import Keys
from meshrelay.store.copying import Contents, Loss, lost, urgent_records

NOTHING = Loss(0, 0, 0)
# The replaced log.db, until somebody removes it.
BEFORE = "log.db.before"
_LOG = "log.db"
_ASIDE = "restore.part"


class Restored(NamedTuple):
    """What is in place now, what it lacks of what was there, and what came beside it."""

    contents: Contents
    loss: Loss | None  # None: what was there could not be read
    blobs: int
    kept: Path | None


def choose(where: Path, node: bytes) -> Copy:
    """The copy meant by a stick, by one node's folder on it, or by one copy itself.

    Of a stick with copies of several nodes, it is the one of `node`.

    Raises:
        RefusedError: there is none, or it is not clear which.
    """
    if (where / _LOG).exists():
        return read_copy(where)
    found = paths_in(where)
    if not found:
        own = paths_in(folder_of(where, node))
        every = [paths for each in sorted(where.glob("meshrelay-*")) if (paths := paths_in(each))]
        if not own and len(every) > 1:
            raise no_copy(where, [paths[-1].parent for paths in every])
        found = own or (every[0] if every else [])
    if not found:
        raise no_copy(where, [])
    return read_copy(found[-1])


def check_maker(copy: Copy, log: Path, known: Iterable[Record] = ()) -> RecordBook:
    """That the key which signed the copy is a node's of its network; `log`: its log.db.

    Raises:
        RefusedError: it is not, or the copy's records do not verify.
    """
    book = RecordBook(copy.stamp.network)
    try:
        for raw in urgent_records(log):
            book.add(read_record(raw))
        for record in known:
            book.add(record)
    except OSError as error:
        raise failed(copy.path, error.strerror) from error
    except (RemoteProtocolError, StoreError) as error:
        raise damaged(copy.path, f"its records do not verify: {error}") from error
    if copy.node not in book.nodes:
        raise damaged(copy.path, "no node of the network made it")
    return book


def restore(copy: Copy, directory: Path, keys: Keys, force: bool, tell: Tell) -> Restored:
    """Put a verified copy in place; the node draws a new incarnation when it starts.

    `force`: although something that only this node has would be lost, or a revoked node made it.

    Raises:
        RefusedError: why not; nothing was changed.
    """
    with _stopped(directory):
        aside = directory / _ASIDE
        try:
            shutil.rmtree(aside, ignore_errors=True)
            if shutil.disk_usage(directory).free < copy.stamp.log_bytes + FREE_BYTES_MIN:
                raise no_room(directory, copy.stamp.log_bytes)
            copy_file(copy.path / _LOG, aside / _LOG)
            contents = verify_copy(copy._replace(path=aside), tell)
            _check_network(copy, aside / _LOG, keys, force)
            loss = _loss(directory / _LOG, contents, keys.signer.public)
            if not force:
                _check_loss(directory, loss)
            kept = _swap(directory, aside / _LOG)
            blobs = restore_blobs(copy, directory, tell)
        except OSError as error:
            raise failed(copy.path, error.strerror) from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return Restored(contents, loss, blobs, kept)


@contextmanager
def _stopped(directory: Path) -> Iterator[None]:
    """Hold what `node run` holds, so that none starts meanwhile."""
    handle = os.open(directory / "node.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise RefusedError(
            "node_runs",
            f"この機器は動いています（{directory}）。",
            f"A process runs this node ({directory}).",
            "先に止めてください：sudo systemctl stop meshrelay",
            "Stop it first: sudo systemctl stop meshrelay",
        ) from error
    finally:
        os.close(handle)


def _check_network(copy: Copy, log: Path, keys: Keys, force: bool) -> None:
    if copy.stamp.network != keys.network:
        raise RefusedError(
            "foreign_copy",
            "この控えは別のネットワークのものです。",
            "This copy is of another network.",
            "この機器のネットワークの控えを使ってください。",
            "Use a copy of this node's network.",
        )
    book = check_maker(copy, log, (each for each in keys.records() if each.lane == URGENT))
    if copy.node in book.revoked and not force:
        raise RefusedError(
            "revoked_copy",
            "この控えは、失効した機器が作りました。",
            "A node that has been revoked made this copy.",
            "その機器が盗まれていないと確かなら --force を付けてください。"
            "付けなくても、記録はほかの区から届きます。",
            "If you are sure that it was not stolen, say --force. Without it, everything comes "
            "from the other wards.",
        )


def _loss(database: Path, contents: Contents, me: bytes) -> Loss | None:
    if not database.exists():
        return NOTHING
    try:
        return lost(database, contents, me)
    except StoreError:
        return None


def _check_loss(directory: Path, loss: Loss | None) -> None:
    if loss == NOTHING:
        return
    next_ja = "それでも戻すなら --force を付けてください。今の記録は log.db.before に残ります。"
    next_en = "To restore all the same, say --force; the present one is kept as log.db.before."
    if loss is None:
        raise RefusedError(
            "unreadable",
            f"今の記録（{directory / _LOG}）が読めず、何が失われるか分かりません。",
            f"{directory / _LOG} cannot be read, so nobody can say what would be lost.",
            next_ja,
            next_en,
        )
    raise RefusedError(
        "newer_here",
        f"この機器には、控えにない記録があります：メッセージなど{loss.entries}件（うちこの機器で"
        f"書かれたもの{loss.own}件）、名簿など{loss.records}件。",
        f"This node holds more than the copy: {loss.entries} entries ({loss.own} written here) "
        f"and {loss.records} records would be lost unless another node has them.",
        next_ja,
        next_en,
    )


def _swap(directory: Path, log: Path) -> Path | None:
    """The present log.db goes aside with its WAL; the views are made anew from the new one."""
    present, before = directory / _LOG, directory / BEFORE
    kept = present.exists()
    for suffix in ("", "-wal"):
        old, aside = Path(f"{present}{suffix}"), Path(f"{before}{suffix}")
        aside.unlink(missing_ok=True)
        if old.exists():
            old.rename(aside)
    wal = Path(f"{before}-wal")
    if wal.exists() and not wal.stat().st_size:
        wal.unlink()
    for each in (Path(f"{present}-shm"), directory / LOST, *directory.glob("views.db*")):
        each.unlink(missing_ok=True)
    log.rename(present)
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return before if kept else None
