"""Files of records: a CBOR array of their bytes, parents first."""

from __future__ import annotations

from collections.abc import Iterable

from meshrelay.cli import files
from meshrelay.core.book import RecordBook
from meshrelay.core.codec import decode, encode
from meshrelay.core.records import Record, network_of, read_record
from meshrelay.errors import ConfigError, RemoteProtocolError


def pack_records(records: Iterable[Record]) -> bytes:
    """Records as a file."""
    return encode([record.raw for record in records])


def unpack_records(data: bytes, where: str, expected: str = "a file of records") -> list[Record]:
    """What `pack_records` made; parsed, not verified.

    Raises:
        ConfigError: it is something else.
    """
    try:
        raws = decode(data, files.FILE_BYTES_MAX, files.FILE_ITEMS_MAX)
        if not isinstance(raws, list) or not all(isinstance(raw, bytes) for raw in raws):
            raise ConfigError(f"{where}: expected {expected}")
        return [read_record(raw) for raw in raws]
    except RemoteProtocolError as error:
        raise ConfigError(f"{where}: expected {expected}") from error


def book_of(records: list[Record], where: str) -> RecordBook:
    """Verify records that belong to one network.

    Raises:
        ConfigError: no authority among them, or one does not verify.
    """
    network = network_of(records)
    if network is None:
        raise ConfigError(f"{where}: no issuer credential among the records")
    book = RecordBook(network)
    try:
        for record in records:
            book.add(record)
    except RemoteProtocolError as error:
        raise ConfigError(
            f"{where}: a record in it does not verify; it is damaged or was altered"
        ) from error
    missing = sum(record.id not in book for record in records)
    if missing:
        raise ConfigError(f"{where}: records that others depend on are missing ({missing})")
    return book


def with_parents(book: RecordBook, wanted: Iterable[Record]) -> list[Record]:
    """`wanted` and all that they depend on, parents first, each once."""
    found: dict[bytes, Record] = {}

    def take(record: Record) -> None:
        if record.id in found:
            return
        for parent in book.parents_of(record):
            if parent in book.by_id:
                take(book.by_id[parent])
        found[record.id] = record

    for record in wanted:
        take(record)
    return list(found.values())
