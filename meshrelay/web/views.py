"""From the Office's structs to what a template draws; static/draw.js does the same in the page.

A browser test compares the two: the server's first screen and the island's
takeover of it are the same HTML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from math import inf
from urllib.parse import quote

from msgspec import Struct

from meshrelay.desk import correction, order, pin
from meshrelay.node.office import Message, Reader, RoomView, Ward
from meshrelay.web.syncline import SyncLine
from meshrelay.web.text import clean, clean_name
from meshrelay.web.words import WEEKDAYS, age_words, word

# Screens show the city's time whatever the device's clock or zone says.
JST = timezone(timedelta(hours=9))

# Word, shape and colour: the shape of each delivery state.
OTHER_CONTENT = "\n―――\n"
# Why something must not simply be believed, told by name.
REASONS = ("fork", "revoked", "staff_revoked", "binding_conflict")
SOURCES = ("walk_in", "paper", "phone")
# Messages that are a version of something with a page of its own: its path.
PAPERS = {"board": "boards", "event": "events"}
# Kinds whose words a room shows.
KINDS = ("talk", "file", "correction", "pin", "room", *PAPERS)
# Those with effect: shown with the name of their kind.
ORDERS = tuple(order.ROLES)
ACTS = (*correction.ACTS, pin.PINNED, pin.UNPINNED)
# What may become of a message; of a notice, an event or a file, that a newer version came.
REPLACED = (*correction.ACTS, "version")
QUOTE_CHARS_MAX = 60
SHAPES = {
    "unsent": "▷",
    "trouble": "▲",
    "node": "○",
    "wards": "◐",
    "archive": "●",
    "read": "",
}


class Mark(Struct, frozen=True):
    """One delivery word: `key` picks the colour, `shape` is the same fact for the eye."""

    key: str
    shape: str
    text: str


class Attached(Struct, frozen=True):
    """The file of a message: its line among the room's files, and its small picture if any."""

    href: str
    name: str
    thumbnail: str


class Quote(Struct, frozen=True):
    """What a message answers, corrects or pins."""

    href: str
    name: str
    text: str


class Bubble(Struct, frozen=True):
    """One message of a room as it is drawn."""

    key: str
    mine: bool
    follows: bool
    name: str
    ward: str
    text: str
    known: bool
    time: str
    iso: str
    flags: tuple[str, ...]
    marks: tuple[Mark, ...]
    href: str
    day: str | None
    first_unread: bool
    file: Attached | None = None
    quote: Quote | None = None
    struck: bool = False
    expired: bool = False
    of_room: bool = False


class RoomLine(Struct, frozen=True):
    """One line of the room list."""

    id: str
    href: str
    name: str
    members: str
    unread_n: int
    preview: str
    time: str


class PersonLine(Struct, frozen=True):
    """One addressee on the who-has-read page."""

    name: str
    unit: str
    state: str
    state_text: str
    note: str


class WardGroup(Struct, frozen=True):
    """The addressees of one ward, in the order of the Office; why none of them was reached."""

    code: str
    ward: str
    people: list[PersonLine]

    @property
    def note(self) -> str:
        notes = {each.note if each.state == "unreached" else "" for each in self.people}
        return notes.pop() if len(notes) == 1 else ""


def city_time(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(JST)


def hour_minute(at_ms: int) -> str:
    return city_time(at_ms).strftime("%H:%M")


def day_words(at_ms: int, lang: str) -> str:
    at = city_time(at_ms)
    weekday = WEEKDAYS[lang][at.weekday()]
    if lang != "en":
        return f"{at.month}月{at.day}日（{weekday}）"
    return f"{weekday} {at.year}-{at.month:02}-{at.day:02}"


def short_time(at_ms: int, now_ms: int) -> str:
    """HH:MM today, else month/day."""
    at = city_time(at_ms)
    if at.date() == city_time(now_ms).date():
        return at.strftime("%H:%M")
    return f"{at.month}/{at.day}"


def moment(at_ms: int, now_ms: int) -> str:
    """HH:MM today, else month/day HH:MM."""
    day = short_time(at_ms, now_ms)
    return day if ":" in day else f"{day} {hour_minute(at_ms)}"


def segment(text: str) -> str:
    """One path segment of a URL, as JavaScript's encodeURIComponent makes it."""
    return quote(text, safe="!'()*~")


def _is_plain(message: Message) -> bool:
    """Whether it only tells something: nothing follows from it, so nobody gave it a time limit."""
    return message.kind in KINDS or bool(message.unsigned)


def _is_unsure(message: Message) -> bool:
    return message.expiry == "unsure" and not _is_plain(message)


def text_of(message: Message, lang: str) -> str | None:
    """The text to show, None for a kind that this page does not know.

    Other content that the author signed under the same id stands below it (要確認). The title of
    what has a page of its own is the name of its link.
    """
    body = message.body
    text = body.get("text")
    known = _is_plain(message) or message.kind in ORDERS
    if not known or not isinstance(text, str):
        return None
    if act_on(message) == "withdraw":
        return word("withdrawn", lang)
    act, reason = body.get("act"), clean(str(body.get("reason", "")))
    if message.kind == "room":
        key = "room_ended" if body.get("closed") else "room_said"
        return word(key, lang, name=clean_name(text), n=body.get("members", "?"))
    if message.kind in ("correction", "pin") and act != "correct":
        text = word(f"act_{act}", lang) if act in ACTS else ""
    text = "" if message.kind in PAPERS else text
    others = body.get("others", ())
    shown = OTHER_CONTENT.join(clean(each, lines=True) for each in (text, *others))
    return f"{shown}\n（{reason}）" if reason else shown


def act_on(message: Message) -> str:
    """What became of a message: `correct`, `withdraw`, `false`, `version`, or nothing."""
    replaced = message.body.get("replaced")
    act = replaced.get("act") if isinstance(replaced, dict) else ""
    return str(act) if act in REPLACED else ""


def quote_of(message: Message, lang: str) -> Quote | None:
    """The message that this one is about, in a line."""
    quote = message.body.get("quote")
    if not isinstance(quote, dict):
        return None
    href = message_href(message.room, str(quote["author"]), str(quote["message_id"]))
    if quote.get("text") is None:
        return Quote(href, "", word("quote_missing", lang))
    text = clean(str(quote["text"]), chars_max=QUOTE_CHARS_MAX) or word("withdrawn", lang)
    return Quote(href, clean_name(str(quote["name"])), text)


def marked(text: str, words: Sequence[str]) -> list[tuple[str, bool]]:
    """A text in pieces, and whether each is one of the words, large or small letters alike."""
    parts = [re.escape(each) for each in sorted(words, key=len, reverse=True) if each]
    pieces = re.split(f"({'|'.join(parts)})", text, flags=re.IGNORECASE) if parts else [text]
    return [(piece, bool(number % 2)) for number, piece in enumerate(pieces) if piece]


def message_href(room: str, author: str, message_id: str) -> str:
    """The page of one message."""
    return f"/rooms/{segment(room)}/who/{segment(author)}/{segment(message_id)}"


def file_anchor(blob: str) -> str:
    """Where a file stands on the page of its room's files."""
    return f"f{blob[:16]}"


def attached(message: Message, lang: str) -> Attached | None:
    """What a message of these kinds leads to: its file, its notice, its event."""
    if message.kind in PAPERS:
        ids = f"{segment(message.author)}/{segment(message.message_id)}"
        title = clean_name(str(message.body.get("text")))
        href = f"/{PAPERS[message.kind]}/{ids}"
        return Attached(href, f"{word(message.kind, lang)} {title}", "")
    file = message.body.get("file") if message.kind == "file" else None
    if not isinstance(file, dict):
        return None
    blob, name = str(file["blob"]), clean_name(str(file["name"]))
    href = f"/rooms/{segment(message.room)}/files#{file_anchor(blob)}"
    return Attached(href, name, f"/api/blobs/{blob}/thumbnail" if file["thumbnail"] else "")


def line_of(message: Message, lang: str) -> str:
    """A message in a line: its text, or the name of what it leads to."""
    text, file = text_of(message, lang), attached(message, lang)
    if text is None:
        return word("unknown_kind", lang)
    return file.name if file and not text else text


def delivery_marks(message: Message, lang: str) -> tuple[Mark, ...]:
    """How far the message is and who has read it: desk.md's table, nothing more.

    Place and people are two facts: a message may be read before its receipt came.
    """

    def mark(key: str, **values: object) -> Mark:
        return Mark(key, SHAPES[key], word(key, lang, **values))

    marks: list[Mark] = []
    if message.trouble is not None and message.trouble not in REASONS:
        marks.append(mark("trouble"))
    if message.place == "archive":
        marks.append(mark("archive"))
    if message.wards_n >= 1 and message.place in ("wards", "archive"):
        marks.append(mark("wards", n=message.wards_n))
    if not marks or message.place == "node":
        marks.append(mark("node"))
    members = "?" if message.members_n is None else message.members_n
    marks.append(mark("read", n=message.read_n, m=members))
    return tuple(marks)


def ward_name(code: str, wards: Mapping[str, Ward], lang: str) -> str:
    """The ward's name, or its code as it stands when the list does not know it."""
    ward = wards.get(code)
    if ward is None:
        return clean_name(code)
    return clean_name(ward.name_en if lang == "en" and ward.name_en else ward.name)


def bubbles(messages: Sequence[Message], wards: Mapping[str, Ward], lang: str) -> list[Bubble]:
    """The messages of a room in order, with day lines and the line above the first unread."""
    drawn: list[Bubble] = []
    last_day = ""
    last_author = ""
    unread_seen = False
    for message in messages:
        day = day_words(message.created_ms, lang)
        first_unread = not unread_seen and not message.read_by_me and not message.mine
        unread_seen = unread_seen or first_unread
        new_day = day != last_day
        text = text_of(message, lang)
        mine = message.mine and not message.unsigned
        of_room = message.kind == "room"
        follows = message.author == last_author and not (new_day or first_unread or of_room)
        drawn.append(
            Bubble(
                key=f"{message.author}/{message.message_id}",
                mine=mine,
                follows=follows,
                name=author_words(message, lang),
                ward=ward_name(message.author_ward, wards, lang),
                text=word("unknown_kind", lang) if text is None else text,
                known=text is not None,
                time=hour_minute(message.created_ms),
                iso=city_time(message.created_ms).isoformat(timespec="seconds"),
                flags=_flags(message, lang),
                marks=delivery_marks(message, lang) if mine else (),
                href=message_href(message.room, message.author, message.message_id),
                day=day if new_day else None,
                first_unread=first_unread,
                file=attached(message, lang),
                quote=quote_of(message, lang),
                struck=act_on(message) in ("correct", "false"),
                expired=message.expiry == "expired",
                of_room=of_room,
            )
        )
        last_day, last_author = day, "" if message.unsigned or of_room else message.author
    return drawn


def author_words(message: Message, lang: str) -> str:
    """Who wrote it; of a 署名なし note where it came from, and whose words they are said to be."""
    name = clean_name(message.author_name)
    if not message.unsigned:
        return name
    if message.unsigned not in SOURCES:
        return word("unsigned_short", lang)
    return f"{word(f'source_{message.unsigned}', lang)} {name}".rstrip()


def _flags(message: Message, lang: str) -> tuple[str, ...]:
    flags = []
    if message.kind in ORDERS:
        flags.append(word(f"kind_{message.kind}", lang))
    if message.kind == "correction" and message.body.get("act") == "correct":
        flags.append(word("act_correct", lang))
    if act := act_on(message):
        flags.append(word(f"replaced_{act}", lang))
    if message.body.get("pinned"):
        flags.append(word("pinned", lang))
    if message.unsigned:
        flags.append(word("unsigned", lang, name=clean_name(message.taken_by)))
    if message.late:
        flags.append(word("late", lang))
    if message.clock_uncertain:
        flags.append(word("clock", lang))
    if message.expiry == "expired" or _is_unsure(message):
        flags.append(word(message.expiry, lang))
    if message.trouble in REASONS:
        flags.append(word(message.trouble, lang))
    elif message.trouble is not None and not message.mine:
        flags.append(word("trouble", lang))
    return tuple(flags)


def advice(message: Message, lang: str) -> tuple[str, ...]:
    """What to do about a message that the reader must not simply believe."""
    found = []
    if message.unsigned:
        found.append(word("advice_unsigned", lang))
    if message.mine and message.trouble == "binding_conflict":
        found.append(word("advice_own_card", lang))
    elif message.trouble in REASONS:
        found.append(word(f"advice_{message.trouble}", lang))
    if _is_unsure(message):
        found.append(word("advice_unsure", lang))
    return tuple(found)


def room_name(room: RoomView, lang: str) -> str:
    return clean_name(room.name_en if lang == "en" and room.name_en else room.name)


def room_lines(rooms: Iterable[RoomView], now_ms: int, lang: str) -> list[RoomLine]:
    """The room list as the Office orders it."""
    lines = []
    for room in rooms:
        preview, time = "", ""
        if room.last is not None:
            last = room.last
            shown = clean(line_of(last, lang), chars_max=60)
            who = word("you", lang) if last.mine else clean_name(last.author_name)
            if last.unsigned:
                who = word("unsigned_short", lang)
            preview = f"{who}: {shown}"
            time = short_time(room.last.created_ms, now_ms)
        members = (
            word("members_unknown", lang)
            if room.members_n is None
            else word("members", lang, n=room.members_n)
        )
        href = f"/rooms/{segment(room.id)}"
        name = room_name(room, lang)
        lines.append(RoomLine(room.id, href, name, members, room.unread_n, preview, time))
    return lines


def people_by_ward(
    readers: Iterable[Reader], wards: Mapping[str, Ward], lang: str, now_ms: int
) -> list[WardGroup]:
    """Readers grouped by ward, the longest silent first; else in the Office's order."""
    groups: dict[str, WardGroup] = {}
    silence: dict[str, float] = {}
    for reader in readers:
        ward = reader.person.ward
        name = ward_name(ward, wards, lang) if ward in wards else clean_name(reader.ward_name)
        group = groups.setdefault(ward, WardGroup(ward, name, []))
        if reader.state == "unreached":
            age = inf if reader.ward_age_ms is None else reader.ward_age_ms
            silence[ward] = max(silence.get(ward, 0), age)
        note = ""
        if reader.state == "read" and reader.at_ms is not None:
            note = short_time(reader.at_ms, now_ms)
        elif reader.state == "unreached":
            note = (
                word("ward_never", lang)
                if reader.ward_age_ms is None
                else word("ward_age", lang, age=age_words(reader.ward_age_ms, lang))
            )
        state_text = word(f"state_{reader.state}", lang)
        group.people.append(
            PersonLine(
                clean_name(reader.person.name),
                clean_name(reader.person.unit),
                reader.state,
                state_text,
                note,
            )
        )
    return sorted(groups.values(), key=lambda group: -silence.get(group.code, -1))


def sync_words(line: SyncLine, lang: str) -> tuple[str, str]:
    """(sentence, age sentence) of the sync line."""
    values = {"n": line.left_n} if line.state == "sending" else {}
    sentence = word(f"sync_{line.state}", lang, **values)
    if line.state in ("here", "revoked"):
        return sentence, ""
    if line.age_ms is None:
        return sentence, word("sync_never", lang)
    return sentence, word("sync_age", lang, age=age_words(line.age_ms, lang))
