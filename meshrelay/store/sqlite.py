"""Opening SQLite through apsw, with its errors as ours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import disk_usage

import apsw

from meshrelay.errors import ConfigError, StoreError, UnreadableError

# A reader waits this long for the one writer's checkpoint, never longer.
BUSY_MS = 5_000
# A commit rewrites whole pages: of a size of 4 KiB it writes a third more (SD wear).
PAGE_BYTES = 2_048
# Checkpoint at about 2 MiB of log, so that it stays below 4 MiB under bursts.
CHECKPOINT_PAGES = 1_000
# Of the one writer of log.db, and of each other connection: the kernel keeps the file too.
CACHE_KIB_WRITER, CACHE_KIB = 1_000, 250


def connect(path: Path, *, durable: bool, readonly: bool = False) -> apsw.Connection:
    """Open a database in WAL mode; `durable` = FULL: a commit survives a power cut.

    Raises:
        ConfigError: the file cannot be opened or is not a database; says which and why.
    """
    flags = (
        apsw.SQLITE_OPEN_READONLY
        if readonly
        else (apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
    )
    try:
        if durable:
            _write_again(path.with_name(f"{path.name}-wal"))
        connection = apsw.Connection(str(path), flags=flags)
        connection.set_busy_timeout(BUSY_MS)
        connection.pragma("cache_size", -(CACHE_KIB_WRITER if durable else CACHE_KIB))
        if not readonly:
            connection.pragma("page_size", PAGE_BYTES)
            connection.pragma("journal_mode", "wal")
            connection.pragma("synchronous", "FULL" if durable else "NORMAL")
            connection.set_wal_hook(_checkpoint)
            connection.pragma("journal_size_limit", 4 * 1024 * 1024)
    except apsw.FullError as error:
        raise ConfigError(f"{path}: the disk is full; free some space and start again") from error
    except apsw.NotADBError as error:
        raise ConfigError(f"{path}: is not a database of this program") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be opened: {error}") from error
    except apsw.Error as error:
        # With no space left for the -shm file SQLite speaks of an I/O error.
        if isinstance(error, apsw.IOError) and not disk_usage(path.parent).free:
            raise ConfigError(
                f"{path}: the disk is full; free some space and start again"
            ) from error
        raise ConfigError(f"{path}: cannot be opened: {error}") from error
    return connection


def _write_again(wal: Path) -> None:
    """Make what we read there what is on the disk.

    A sync that failed has ended the process before; Linux counts those pages as written since,
    shows them, and would never write them. Commits after such a hole go with the next power cut.
    """
    if wal.exists():
        with wal.open("r+b") as file:
            data = file.read()
            file.seek(0)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())


def _checkpoint(connection: apsw.Connection, name: str, pages: int) -> int:
    """Fold the log in as SQLite does by itself, which passes over errors of the disk in silence."""
    if pages >= CHECKPOINT_PAGES:
        connection.wal_checkpoint(name, apsw.SQLITE_CHECKPOINT_PASSIVE)
    return apsw.SQLITE_OK


def ensure_schema(connection: apsw.Connection, path: Path, schema: str, version: int) -> None:
    """Create the tables in a new file; refuse a file of another version.

    Raises:
        ConfigError: another version, or no space for a new file.
    """
    try:
        found = connection.pragma("user_version")
        if found == 0:
            with connection:
                connection.execute(schema)
                connection.pragma("user_version", version)
        elif found != version:
            raise ConfigError(f"{path}: has format {found}, this program expects {version}")
    except apsw.FullError as error:
        raise ConfigError(f"{path}: the disk is full; free some space and start again") from error
    except apsw.Error as error:
        raise ConfigError(f"{path}: cannot be prepared: {error}") from error


@contextmanager
def transaction(connection: apsw.Connection) -> Iterator[None]:
    """All or nothing. Raises StoreError when the disk fails."""
    try:
        with connection:
            yield
    except apsw.Error as error:
        # A full disk may have rolled back already: what went wrong is what came first.
        first = error.__context__ if isinstance(error.__context__, apsw.Error) else error
        raise failure(first) from error


def failure(error: apsw.Error) -> StoreError:
    """What a node does about it: nearly always stop; a damaged file is mended at the next start."""
    kind = (
        UnreadableError if isinstance(error, apsw.CorruptError | apsw.NotADBError) else StoreError
    )
    return kind(f"{type(error).__name__}: {error}")
