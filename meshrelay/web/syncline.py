"""The sync line of the home page: how far this node's own entries have come, in words."""

from __future__ import annotations

from msgspec import Struct

from meshrelay.node.office import NodeWord, Status

# A HAVE comes at least once a minute (protocol.md); two missed ones and a path of
# several hops are still "connected".
ARCHIVE_AGE_MS_MAX = 150_000


class SyncLine(Struct, frozen=True):
    """`state`: `here` (this node is the archive), `synced`, `sending`, `cut`, `unknown`,
    `revoked` (nobody takes what this node signs).

    `left_n`: own urgent and normal entries that the archive's newest word does not
    cover, None if unknown; `age_ms`: age of that word, None if none was heard.
    """

    state: str
    left_n: int | None
    age_ms: int | None


def sync_line(status: Status) -> SyncLine:
    """Judge by signed words only; a link alone proves nothing, but without any no word can come."""
    if status.revoked:
        return SyncLine("revoked", None, None)
    if status.node.archive:
        return SyncLine("here", 0, 0)
    stated = [w.stated_ms for w in status.words if w.node.archive and w.stated_ms is not None]
    left_n = _left(status)
    if not stated:
        linked = {link.peer for link in status.links}
        archives = {word.node.id for word in status.words if word.node.archive}
        return SyncLine("unknown" if linked & archives else "cut", left_n, None)
    age_ms = max(0, status.now_ms - max(stated))
    if age_ms > ARCHIVE_AGE_MS_MAX or not status.links:
        return SyncLine("cut", left_n, age_ms)
    if left_n is None:
        return SyncLine("unknown", None, age_ms)
    return SyncLine("sending" if left_n else "synced", left_n, age_ms)


def _left(status: Status) -> int | None:
    own: NodeWord | None = next((w for w in status.words if w.node.id == status.node.id), None)
    if own is None:
        return None
    left_n = 0
    for lane in own.lanes[:2]:
        if lane.stated is None or lane.archived is None:
            return None
        left_n += max(0, lane.stated - lane.archived)
    return left_n
