"""A vector on a stick: up to where a node held every log, and who had written in which.

    [node key, COSE_Sign1 by it over [network, lines, writers]]
    lines      [origin, incarnation, lane, height, head] each
    writers    [staff credential id, [indexes of lines]] each

A revocation needs it: what was signed up to there keeps its effect. It is signed by the node
it was read at, so that a stick which lay about cannot move an end.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

from meshrelay.cli import files
from meshrelay.cli.authority import Authority
from meshrelay.core.codec import decode, encode, is_bytes, is_uint
from meshrelay.core.entry import INCARNATION_BYTES, LogId, read_author_part, read_entry
from meshrelay.core.records import Record, Session, read_record
from meshrelay.core.signing import ID_BYTES, KEY_BYTES, NETWORK_ID_BYTES, Signer, verify1
from meshrelay.core.vector import Line
from meshrelay.errors import ConfigError, RemoteProtocolError
from meshrelay.store.reader import LogReader

EXPECTED = "a file made by `meshrelay node vector`"
_AAD = b"meshrelay/vector/1"


class HeldVector(NamedTuple):
    """What one node held. `writers`: staff credential -> logs that its holder wrote in."""

    node: bytes
    lines: list[Line]
    writers: dict[bytes, set[LogId]]

    def written_by(self, staff: bytes) -> list[Line]:
        """The lines up to which this credential's words count."""
        logs = self.writers.get(staff, set())
        return [line for line in self.lines if line.log in logs]


def read_store(database: Path, node: bytes) -> HeldVector:
    """What the node of this log.db holds; it may be running."""
    reader = LogReader(database)
    try:
        lines = reader.lines()
        staff_of = {
            record.id: record.content.staff
            for record in map(read_record, reader.records())
            if isinstance(record.content, Session)
        }
        writers: dict[bytes, set[LogId]] = {}
        for raw in reader.in_logs():
            entry = read_entry(raw)
            if entry.author:
                try:
                    staff = staff_of.get(read_author_part(entry.author).session)
                except RemoteProtocolError:
                    continue  # nobody's words: level B refused it where it came in
                if staff is not None:
                    writers.setdefault(staff, set()).add(entry.log)
    finally:
        reader.close()
    return HeldVector(node, lines, writers)


def records_of(database: Path) -> list[Record]:
    """Every record that the node of this log.db holds."""
    reader = LogReader(database)
    try:
        return [read_record(raw) for raw in reader.records()]
    finally:
        reader.close()


def only(vector: HeldVector, staff: list[bytes]) -> HeldVector:
    """The part of a vector that is about these credentials."""
    writers = {each: vector.writers.get(each, set()) for each in staff}
    logs = set().union(*writers.values())
    return HeldVector(vector.node, [line for line in vector.lines if line.log in logs], writers)


def pack(vector: HeldVector, signer: Signer, network: bytes) -> bytes:
    """The file, signed by the node."""
    index = {line.log: number for number, line in enumerate(vector.lines)}
    rows = [[*line.log, line.height, line.head] for line in vector.lines]
    writers = [
        [staff, sorted(index[log] for log in logs if log in index)]
        for staff, logs in sorted(vector.writers.items())
    ]
    return encode([signer.public, signer.sign1(encode([network, rows, writers]), _AAD)])


def unpack(data: bytes, where: str, network: bytes) -> HeldVector:
    """A file whose signature was checked; who signed it is for the caller to judge.

    Raises:
        ConfigError: it is none, was altered, or is of another network.
    """
    try:
        outer = decode(data, files.FILE_BYTES_MAX)
        if not (isinstance(outer, list) and len(outer) == 2 and is_bytes(outer[0], KEY_BYTES)):
            raise ConfigError(f"{where}: expected {EXPECTED}")
        fields = decode(
            verify1(outer[1], outer[0], _AAD), files.FILE_BYTES_MAX, files.FILE_ITEMS_MAX
        )
        if not (
            isinstance(fields, list)
            and len(fields) == 3
            and is_bytes(fields[0], NETWORK_ID_BYTES)
            and isinstance(fields[1], list)
            and isinstance(fields[2], list)
        ):
            raise ConfigError(f"{where}: expected {EXPECTED}")
        lines = [_line(row, where) for row in fields[1]]
        writers = dict(_writer(row, lines, where) for row in fields[2])
    except (RemoteProtocolError, TypeError) as error:
        raise ConfigError(f"{where}: not {EXPECTED}, or it was altered") from error
    if fields[0] != network:
        raise ConfigError(f"{where}: is of another network")
    return HeldVector(outer[0], lines, writers)


def _line(row: Any, where: str) -> Line:
    if not (
        isinstance(row, list)
        and len(row) == 5
        and is_bytes(row[0], KEY_BYTES)
        and is_bytes(row[1], INCARNATION_BYTES)
        and is_uint(row[2], 4)
        and is_uint(row[3])
        and is_bytes(row[4], ID_BYTES)
    ):
        raise ConfigError(f"{where}: expected {EXPECTED}")
    return Line(LogId(row[0], row[1], row[2]), row[3], row[4])


def _writer(row: Any, lines: list[Line], where: str) -> tuple[bytes, set[LogId]]:
    if not (
        isinstance(row, list)
        and len(row) == 2
        and is_bytes(row[0], ID_BYTES)
        and isinstance(row[1], list)
        and all(is_uint(each, len(lines)) for each in row[1])
    ):
        raise ConfigError(f"{where}: expected {EXPECTED}")
    return row[0], {lines[each].log for each in row[1]}


def vector_for(
    opened: Authority, args: argparse.Namespace, what: str, not_by: bytes = b""
) -> HeldVector:
    """The vector that --vector or --from-nothing asks for.

    Raises:
        ConfigError: neither or both were given, or no node in good standing signed the file.
    """
    if args.vector is not None and args.from_nothing:
        raise ConfigError("--vector and --from-nothing exclude each other")
    if args.from_nothing:
        return HeldVector(b"", [], {})
    if args.vector is None:
        raise ConfigError(
            f"{what} needs a vector, or nothing of what they said until now would count. At a "
            "node you trust, HQ's best: meshrelay node vector DIR -o vector.cbor; then give "
            "--vector vector.cbor. If nothing of it shall count: --from-nothing"
        )
    vector = unpack(files.read(args.vector, EXPECTED), str(args.vector), opened.network)
    book = opened.book
    if vector.node not in book.nodes or vector.node in book.revoked or vector.node == not_by:
        raise ConfigError(
            f"{args.vector}: was not made at a node whose word counts here; "
            "make one at another node that you trust"
        )
    return vector
