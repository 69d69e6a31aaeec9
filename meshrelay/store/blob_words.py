"""blobs.db: who said, signed, that it holds which blob. Disposable: who is asked says it again."""

from __future__ import annotations

from pathlib import Path

import apsw

from meshrelay.errors import ConfigError
from meshrelay.store.sqlite import connect, ensure_schema, transaction

VERSION = 1
SCHEMA = """
CREATE TABLE words (
  number INTEGER PRIMARY KEY, signer BLOB NOT NULL, incarnation BLOB NOT NULL, blob BLOB NOT NULL
);
CREATE UNIQUE INDEX words_by_blob ON words (blob, signer, incarnation);
CREATE INDEX words_by_signer ON words (signer);
"""
# Of one signer, the newest: a dishonest one names what nobody has.
WORDS_PER_SIGNER_MAX = 20_000


class BlobWords:
    """Used by one thread."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path, durable=False)
        ensure_schema(self._connection, path, SCHEMA, VERSION)
        self._run = self._connection.execute

    def note(self, signer: bytes, incarnation: bytes, blobs: list[bytes]) -> None:
        """A store said that it holds these."""
        with transaction(self._connection):
            for blob in blobs:
                self._run(
                    "INSERT OR REPLACE INTO words (signer, incarnation, blob) VALUES (?,?,?)",
                    (signer, incarnation, blob),
                )
            self._run(
                "DELETE FROM words WHERE number IN (SELECT number FROM words WHERE signer=? "
                "ORDER BY number DESC LIMIT -1 OFFSET ?)",
                (signer, WORDS_PER_SIGNER_MAX),
            )

    def deny(self, signer: bytes, blob: bytes) -> None:
        """It said that it holds this one no more."""
        with transaction(self._connection):
            self._run("DELETE FROM words WHERE blob=? AND signer=?", (blob, signer))

    def holders(self, blob: bytes) -> list[tuple[bytes, bytes]]:
        """(signer, incarnation) of everybody who said to hold it."""
        rows = self._run(
            "SELECT signer, incarnation FROM words WHERE blob=? ORDER BY number", (blob,)
        )
        return [(signer, incarnation) for signer, incarnation in rows]

    def close(self) -> None:
        self._connection.close()


def open_words(path: Path) -> BlobWords:
    """Open it, or begin it again when it is damaged or of another version."""
    try:
        return BlobWords(path)
    except (ConfigError, apsw.Error):
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
            path.with_name(name).unlink(missing_ok=True)
        return BlobWords(path)
