"""board 掲示: a notice with a title, a text and files; a room keeps it at hand, in versions.

Body: {1: title, 2: text, 3: [[name, media type, size, blob id], …], 4: pin, 5: [entry ids it
replaces], 6: [author, message id] of the first version, 7: withdrawn}; all but 1 and 2 may be left
out. A pin counts from registrars and hq only, the newest that says one; who edits a notice and
says nothing of it leaves it as it is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from meshrelay.core.codec import is_bytes, is_text, is_uint
from meshrelay.core.entry import LIFETIME_S_MAX, NORMAL, TEXT_CHARS_MAX
from meshrelay.core.manifest import BLOB_BYTES_MAX
from meshrelay.core.signing import ID_BYTES
from meshrelay.core.verdict import Rule
from meshrelay.desk import file, talk, versions
from meshrelay.desk.kind import Item, Kind, Row, Rows, numbered

NAME = "board"
FILES_MAX = 8


class Attachment(NamedTuple):
    """A file of a notice, whose content is a blob."""

    name: str
    media_type: str
    size: int
    blob: bytes


class Notice(NamedTuple):
    """What a message of this kind says. `pin`: None says nothing of it."""

    title: str
    text: str
    files: list[Attachment] | None = None
    pin: bool | None = None
    replaces: list[bytes] | None = None
    first: versions.First | None = None
    withdrawn: bool | None = None


def encode_body(notice: Notice) -> bytes:
    """The body of a notice."""
    return versions.encode_fields(notice)


def decode_body(body: bytes) -> Notice | None:
    """The notice, or None when the body is not of this schema."""
    values = numbered(body, len(Notice._fields))
    if values is None:
        return None
    notice = Notice(*values)
    good = (
        is_text(notice.title, versions.TITLE_CHARS_MAX)
        and is_text(notice.text, TEXT_CHARS_MAX)
        and (notice.files is None or _are_files(notice.files))
        and type(notice.pin) in (bool, type(None))
        and type(notice.withdrawn) in (bool, type(None))
        and versions.is_first_or_edit(notice.replaces, notice.first)
    )
    if not good:
        return None
    return notice._replace(files=[Attachment(*each) for each in notice.files or ()])


def _are_files(value: Any) -> bool:
    return (
        type(value) is list
        and len(value) <= FILES_MAX
        and all(
            type(each) is list
            and len(each) == len(Attachment._fields)
            and is_text(each[0], file.FILE_NAME_CHARS_MAX)
            and each[0].strip()
            and is_text(each[1], file.MEDIA_TYPE_CHARS_MAX)
            and is_uint(each[2], BLOB_BYTES_MAX + 1)
            and each[2] > 0
            and is_bytes(each[3], ID_BYTES)
            for each in value
        )
    )


def check(body: bytes, audience: str) -> str | None:
    """Reason to refuse, or None. Elements of later versions are left alone."""
    notice = decode_body(body)
    if notice is None:
        return "schema"
    if not notice.title.strip():
        return "empty"
    return None if audience else "no_room"


def fold(rows: Rows, item: Item) -> None:
    """A row among the room's messages, one for the notice, one under each blob."""
    notice = decode_body(item.part.body) if item.part else None
    more: Row = {"kind": NAME}
    if notice is not None:
        facts = {"withdrawn": bool(notice.withdrawn), "pin": notice.pin}
        more |= versions.words(item, notice.replaces, notice.first, facts)
        more |= {"title": notice.title, "body": notice.text}
        more["files"] = [
            {
                "name": each.name, "type": each.media_type, "size": each.size,
                "blob": each.blob.hex(), "thumbnail": b"",
            }
            for each in notice.files or ()
        ]  # fmt: skip
    talk.fold(rows, item, more)
    versions.fold(rows, item, NAME, _sort)
    file.list_blobs(rows, item)


def is_pinned(found: versions.Versions) -> bool:
    """Whether the newest word of a registrar or hq about it pins it; never what is withdrawn."""
    said = [each for each in found.values() if each["by_right"] and each["pin"] is not None]
    newest = max(said, key=lambda each: str(each["sort"]), default=None)
    return newest is not None and newest["pin"] and not versions.newest(found)["withdrawn"]


def _sort(found: versions.Versions) -> str:
    """Pinned ones above all others, then the newest version."""
    return f"{int(is_pinned(found))}{versions.newest(found)['sort']}"


KIND = Kind(
    NAME,
    Rule(frozenset({NORMAL}), False, frozenset(), check),
    NORMAL,
    LIFETIME_S_MAX[NORMAL],
    fold,
)
