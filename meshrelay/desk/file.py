"""file 資料・写真: a text in a room with a photo or a file, a blob that comes apart from it.

Body: {1: text, may be empty, 2: name, 3: media type, 4: size, 5: blob id, 6: thumbnail, 7: [entry
ids it replaces], 8: [author, message id] of the first version}; 7 and 8 may be left out, and say
nothing if they are not so. The message stands among its room's; besides, one row lists it in the
room's files, one is its document's, and one under the blob is for who asks which rooms an
effective entry names it in.
"""

from __future__ import annotations

from typing import NamedTuple

from meshrelay.core.codec import is_bytes, is_text, is_uint
from meshrelay.core.entry import BULK, ENTRY_BYTES_MAX, LIFETIME_S_MAX, TEXT_CHARS_MAX
from meshrelay.core.manifest import BLOB_BYTES_MAX
from meshrelay.core.signing import ID_BYTES
from meshrelay.core.verdict import Rule
from meshrelay.desk import talk, versions
from meshrelay.desk.kind import Item, Kind, Row, Rows, numbered, target

NAME = "file"
# The rows of a file under its blob; those under its room have the kind's name.
BY_BLOB = "blob"
# The rows of what has versions: a file and what replaced it.
DOCUMENT = "document"
# What a list shows without the blob being here; half of an entry.
THUMBNAIL_BYTES_MAX = 8 * 1024
FILE_NAME_CHARS_MAX = 120
MEDIA_TYPE_CHARS_MAX = 80
# Eight kilobytes can unpack to a picture that no phone has the memory for.
THUMBNAIL_PX_MAX = 512
# An entry also has an envelope and an author part around it.
BODY_BYTES_MAX = ENTRY_BYTES_MAX - 1_024
_JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"


class File(NamedTuple):
    """What a message of this kind says. `thumbnail`: a JPEG or PNG, or nothing."""

    text: str
    name: str
    media_type: str
    size: int
    blob: bytes
    thumbnail: bytes
    replaces: list[bytes] | None = None
    first: versions.First | None = None
    reply_to: tuple[str, bytes] | None = None


def encode_body(file: File) -> bytes:
    """The body of a file message."""
    return versions.encode_fields(file)


def thumbnail_type(data: bytes) -> str | None:
    """The media type of a thumbnail by its bytes; None: no JPEG or PNG, or one of many pixels."""
    if data.startswith(_PNG):
        sides, kind = _png_sides(data), "image/png"
    elif data.startswith(_JPEG):
        sides, kind = _jpeg_sides(data), "image/jpeg"
    else:
        return None
    return kind if all(0 < side <= THUMBNAIL_PX_MAX for side in sides) else None


def _png_sides(data: bytes) -> tuple[int, int]:
    """Width and height (PNG third edition, 11.2.1): the header comes first; 0 if it does not."""
    if data[12:16] != b"IHDR":
        return 0, 0
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def _jpeg_sides(data: bytes) -> tuple[int, int]:
    """Height and width (ITU-T T.81, B.2.2) of the first frame; 0 if there is none.

    A second frame would not be drawn: readers end at the first image.
    """
    at = len(_JPEG)
    while data[at : at + 1] == b"\xff":
        marker = data[at + 1 : at + 2]
        if marker == b"\xff":  # fill
            at += 1
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if b"\xc0" <= marker <= b"\xcf" and marker not in (b"\xc4", b"\xc8", b"\xcc"):
            height, width = data[at + 5 : at + 7], data[at + 7 : at + 9]
            return int.from_bytes(height, "big"), int.from_bytes(width, "big")
        if length < 2 or marker in (b"\xda", b""):
            break
        at += 2 + length
    return 0, 0


def decode_body(body: bytes) -> File | None:
    """The file, or None when the body is not of this schema."""
    values = numbered(body, len(File._fields))
    if values is None:
        return None
    file = File(*values)
    good = (
        is_text(file.text, TEXT_CHARS_MAX)
        and is_text(file.name, FILE_NAME_CHARS_MAX)
        and file.name.strip()
        and is_text(file.media_type, MEDIA_TYPE_CHARS_MAX)
        and is_uint(file.size, BLOB_BYTES_MAX + 1)
        and file.size > 0
        and is_bytes(file.blob, ID_BYTES)
        and type(file.thumbnail) is bytes
        and len(file.thumbnail) <= THUMBNAIL_BYTES_MAX
        and (not file.thumbnail or thumbnail_type(file.thumbnail))
    )
    return file if good else None


def check(body: bytes, audience: str) -> str | None:
    """Reason to refuse, or None. Elements of later versions are left alone."""
    if decode_body(body) is None:
        return "schema"
    return None if audience else "no_room"


def fold(rows: Rows, item: Item) -> None:
    """A row among the room's messages, one among its files, one its document's, one the blob's."""
    file = decode_body(item.part.body) if item.part else None
    more: Row = {"kind": NAME}
    if file is not None:
        more |= versions.words(item, file.replaces, file.first, {"name": file.name})
        more["text"] = file.text
        more["file"] = {
            "name": file.name, "type": file.media_type, "size": file.size,
            "blob": file.blob.hex(), "thumbnail": file.thumbnail,
        }  # fmt: skip
        if answered := target(file.reply_to):
            more["of"] = answered
    talk.fold(rows, item, more)
    versions.fold(rows, item, DOCUMENT, _newest)
    if item.part is None or item.person is None:
        return
    key = f"{item.person.staff_id}/{item.part.message_id.hex()}"
    row = rows.get(talk.NAME, key)
    best = copy_of(row) if row else None
    if best is not None:
        rows.put(NAME, key, best["room"], talk.sort_key(best), {"blob": best["file"]["blob"]})
    else:
        rows.drop(NAME, key)
    list_blobs(rows, item)


def _newest(found: versions.Versions) -> str:
    return str(versions.newest(found)["sort"])


def list_blobs(rows: Rows, item: Item) -> None:
    """List the message of `item` under each blob, with the rooms where an effective copy names it.

    A row stays, without rooms, when none does: somebody's content, which nobody may see now.
    """
    if item.part is None or item.person is None:
        return
    key = f"{item.person.staff_id}/{item.part.message_id.hex()}"
    row = rows.get(talk.NAME, key)
    copies = row["copies"].values() if row else ()
    for blob in sorted({each["blob"] for copy in copies for each in _files(copy)}):
        rooms = {copy["room"] for copy in copies if _names(copy, blob)}
        value: Row = {"message": key, "rooms": sorted(rooms)}
        rows.put(BY_BLOB, f"{blob}:{key}", blob, "", value)


def _files(copy: Row) -> list[Row]:
    """What a copy names: its file, or the files of a notice."""
    return [copy["file"]] if "file" in copy else list(copy.get("files", ()))


def _names(copy: Row, blob: str | None) -> bool:
    """Whether an effective copy names this file; None: whether it is a message of this kind."""
    found = "file" in copy if blob is None else blob in {each["blob"] for each in _files(copy)}
    return found and not copy["refused"]


def copy_of(row: Row, blob: str | None = None) -> Row | None:
    """The best effective copy of a message that names a file (this one); None if none does.

    Not the shown copy: that may be another text that its author signed under the same id.
    """
    named = [copy for copy in row["copies"].values() if _names(copy, blob)]
    return talk.shown({"copies": dict(enumerate(named))}) if named else None


def named(copy: Row, blob: str) -> Row:
    """The file with this blob, of a copy that names it."""
    return next(each for each in _files(copy) if each["blob"] == blob)


KIND = Kind(
    NAME,
    Rule(frozenset({BULK}), False, frozenset(), check),
    BULK,
    LIFETIME_S_MAX[BULK],
    fold,
)
