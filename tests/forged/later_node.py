"""A node of a later version: what a real one may append, this one appends everywhere.

    python -m tests.forged.later_node DIRECTORY

It knows the kind `triage` and the record type 200, its envelopes, author parts and talk bodies
are longer, and so is each of its frames. The product has no hook for this: functions are
replaced in this process only. It is asked like tests/forged/asked_node.py, and one thing more.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any, NamedTuple

from meshrelay.bearers.lan_link import LanLink
from meshrelay.core import accept, records
from meshrelay.core.codec import decode, encode, is_bytes
from meshrelay.core.entry import (
    ENTRY_BYTES_MAX,
    LIFETIME_S_MAX,
    NORMAL,
    AuthorPart,
    Draft,
    Entry,
    LogId,
    author_aad,
    entry_aad,
    make_entry,
)
from meshrelay.core.frames import FRAME_BYTES_MAX
from meshrelay.core.records import Record
from meshrelay.core.signing import KEY_BYTES, Signer, hash32, payload_of
from meshrelay.core.verdict import EFFECTIVE, Rule
from meshrelay.desk import talk
from meshrelay.desk.kind import Item, Kind, Rows, place
from meshrelay.errors import FrameError
from meshrelay.node import folding, posting
from meshrelay.node.office import Person
from meshrelay.node.saying import Saying
from tests.forged.asked_node import Asked, main

TRIAGE = "triage"
LATER_RECORD = 200
# What a later version might add: a number, a text, a structure.
MORE: list[Any] = [7, "later", [{1: b"x"}]]


def check(body: bytes, audience: str) -> str | None:
    """Level B of the new kind."""
    return None if body.startswith(b"triage ") else "schema"


def fold(rows: Rows, item: Item) -> None:
    """One row an effective entry."""
    if item.part is not None and item.state == EFFECTIVE:
        key = place(item.entry.log, item.entry.seq)
        rows.put(TRIAGE, key, item.part.audience, f"{item.entry.hlc:016x}", {"of": key})


TRIAGE_RULE = Rule(frozenset({NORMAL}), False, frozenset(), check)
TRIAGE_KIND = Kind(TRIAGE, TRIAGE_RULE, NORMAL, LIFETIME_S_MAX[NORMAL], fold)


class Gauge(NamedTuple):
    """Content of a record type that is to come."""

    key: bytes
    level: int


def longer_entry(
    signer: Signer, network: bytes, log: LogId, seq: int, prev: bytes, hlc: int, quality: int,
    draft: Draft,
) -> Entry:  # fmt: skip
    """As `make_entry`, with a longer envelope array."""
    entry = make_entry(signer, network, log, seq, prev, hlc, quality, draft)
    fields = decode(payload_of(entry.raw), ENTRY_BYTES_MAX)
    raw = signer.sign1(encode([*fields, *MORE]), entry_aad(network))
    return entry._replace(raw=raw, id=hash32(raw))


def longer_author_part(
    session: Signer, network: bytes, origin: bytes, lane: int, lifetime_s: int, kind: str,
    part: AuthorPart,
) -> bytes:  # fmt: skip
    """As `sign_author_part`, with a longer array."""
    aad = author_aad(network, origin, lane, lifetime_s, kind)
    return session.sign1(encode([*part, *MORE]), aad)


def longer_talk(text: str, reply_to: tuple[str, bytes] | None = None) -> bytes:
    """As `talk.encode_body`, with keys of a later version."""
    answered = {} if reply_to is None else {2: list(reply_to)}
    return encode({1: text, **answered, 3: MORE, 30: "later"})


def later_content(kind: int, fields: Any) -> Any:
    """As `records._content`, with one type more."""
    if kind != LATER_RECORD:
        return _content(kind, fields)
    if type(fields) is not list or len(fields) < 2 or not is_bytes(fields[0], KEY_BYTES):
        raise FrameError("malformed", "gauge record")
    return Gauge(fields[0], fields[1])


def later_encode(
    self: Saying, person: Person, kind: str, room: str, body: dict[str, Any], message: bytes
) -> tuple[str, bytes]:
    """As `Saying.encode`, with one kind more."""
    if kind == TRIAGE:
        return room, b"triage " + str(body["text"]).encode()
    return _encode(self, person, kind, room, body, message)


def longer_send(self: LanLink, frame: bytes) -> None:
    """As `LanLink.send`, with a longer array in every frame that has room for it."""
    longer = encode([*decode(frame, FRAME_BYTES_MAX), *MORE])
    _send(self, longer if len(longer) <= FRAME_BYTES_MAX else frame)


_content = records._content
_send = LanLink.send
_encode = Saying.encode


def become_later() -> None:
    """Replace what a later version does otherwise; in this process, for good."""
    accept.make_entry = longer_entry  # type: ignore[attr-defined]
    posting.sign_author_part = longer_author_part  # type: ignore[attr-defined]
    Saying.encode = later_encode  # type: ignore[method-assign]
    talk.encode_body = longer_talk
    records._content = later_content
    records._NAMES[LATER_RECORD] = "gauge"
    records.RECORD_LANE[LATER_RECORD] = 0
    LanLink.send = longer_send  # type: ignore[method-assign]
    know_triage()


def know_triage() -> None:
    """What an upgrade brings: the kind, and nothing else of the above."""
    folding.KINDS[TRIAGE] = TRIAGE_KIND  # type: ignore[index]
    folding.RULES[TRIAGE] = TRIAGE_RULE


def later_record(key: Signer, network: bytes) -> Record:
    """A record of the new type."""
    signed = key.sign1(encode([key.public, 3]), b"meshrelay/record/gauge/1" + network)
    raw = encode([LATER_RECORD, signed])
    return Record(raw, hash32(raw), LATER_RECORD, Gauge(key.public, 3))  # type: ignore[arg-type]


class LaterAsked(Asked):
    """What it can be asked."""

    async def record(self) -> dict[str, Any]:
        """Make and publish a record of the new type."""
        record = later_record(self.signer, self.node.machine.book.network)
        await self.node._driver.submit([], [record])
        return {"record": record.id.hex()}


if __name__ == "__main__":
    become_later()
    asyncio.run(main(Path(sys.argv[1]), LaterAsked))
