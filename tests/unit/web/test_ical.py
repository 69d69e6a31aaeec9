"""iCalendar: what is made reads back by the rules of RFC 5545, with a parser of the test's own."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshrelay.node.board_desk import Event, EventVersion
from meshrelay.node.office import Message, NetworkInfo
from meshrelay.web.ical import calendar
from meshrelay.web.text import clean

NETWORK = NetworkInfo("5a" * 16, "大阪市", False)
CREATED_MS = 1_795_000_000_000  # 2026-11-18T20:06:40+09:00
# RFC 5545, 3.1: name, parameters, value; names are letters, digits and hyphens.
LINE = re.compile(r"([A-Z0-9-]+)((?:;[A-Z0-9-]+=[^;:]*)*):(.*)", re.DOTALL)
MESSAGE = Message(
    "1001", "佐藤", "01", "0193e4a0-0000-7000-8000-000000000001", "event", "all", {"text": ""},
    CREATED_MS, CREATED_MS, False, False, "01", "node", 0, 0, 2, True, True, None, "0", 0,
)  # fmt: skip


def version(**more: Any) -> EventVersion:
    values: dict[str, Any] = {
        "message": MESSAGE, "number": 1, "current": True, "entries": ("e" * 64,),
        "title": "訓練", "text": "", "start": "2026-11-20T09:00+09:00",
        "end": "2026-11-20T11:30+09:00", "place": "", "all_day": False, "withdrawn": False,
    }  # fmt: skip
    return EventVersion(**{**values, **more})


def event(*versions: EventVersion) -> Event:
    return Event(
        author="1001", message_id=MESSAGE.message_id, room="all", may_edit=True, unread=False,
        replaces=(), sort="0", versions=versions or (version(),),
    )  # fmt: skip


def parsed(data: bytes) -> list[tuple[str, str, str]]:
    """(name, parameters, value) of each content line, unfolded; every rule of 3.1 checked."""
    assert data.endswith(b"\r\n")
    physical = data[:-2].split(b"\r\n")
    assert all(len(line) <= 75 and b"\r" not in line and b"\n" not in line for line in physical)
    assert all(line.decode() for line in physical)  # no character is cut in two
    unfolded: list[str] = []
    for line in physical:
        if line[:1] == b" ":
            unfolded[-1] += line[1:].decode()
        else:
            unfolded.append(line.decode())
    found = []
    for line in unfolded:
        match = LINE.fullmatch(line)
        assert match is not None, line
        found.append((match[1], match[2], match[3]))
    return found


def unescaped(value: str) -> str:
    """TEXT, 3.3.11: a lone backslash, comma or semicolon must not stand there."""
    assert not re.search(r"(?<!\\)(?:\\\\)*[,;]", value)
    assert not re.search(r"(?<!\\)(?:\\\\)*\\(?![\\;,nN])", value)
    return re.sub(r"\\(.)", lambda m: "\n" if m[1] in "nN" else m[1], value)


def the_event(*versions: EventVersion, lang: str = "ja") -> dict[str, str]:
    """The properties of the one VEVENT, each once."""
    lines = parsed(calendar([event(*versions)], NETWORK, lang))
    names = [(name, value) for name, _, value in lines]
    assert names[0] == ("BEGIN", "VCALENDAR") and names[-1] == ("END", "VCALENDAR")
    assert [value for name, value in names if name == "VERSION"] == ["2.0"]
    begin, end = names.index(("BEGIN", "VEVENT")), names.index(("END", "VEVENT"))
    inside = lines[begin + 1 : end]
    assert len({name for name, _, _ in inside}) == len(inside)
    return {name + more: value for name, more, value in inside}


def test_an_event_has_what_a_calendar_needs() -> None:
    found = the_event(version(place="講堂; 2階", text="長靴で\n9時集合"))

    assert found["DTSTART"] == "20261120T000000Z"
    assert found["DTEND"] == "20261120T023000Z"
    assert found["DTSTAMP"] == "20261118T110640Z"
    assert found["STATUS"] == "CONFIRMED" and found["SEQUENCE"] == "0"
    assert found["UID"] == f"{MESSAGE.message_id}.1001@{'5a' * 16}"
    assert unescaped(found["LOCATION"]) == "講堂; 2階"
    assert unescaped(found["DESCRIPTION"]) == "長靴で\n9時集合"


def test_what_lasts_all_day_is_dates_the_last_one_excluded() -> None:
    days = version(start="2026-11-20T00:00+09:00", end="2026-11-22T00:00+09:00", all_day=True)
    found = the_event(days)

    assert found["DTSTART;VALUE=DATE"] == "20261120"
    assert found["DTEND;VALUE=DATE"] == "20261122"


def test_a_version_keeps_the_uid_and_raises_the_sequence_and_may_call_it_off() -> None:
    first = the_event(version())
    later = the_event(version(number=3, withdrawn=True), version(current=False))

    assert later["UID"] == first["UID"]
    assert (later["SEQUENCE"], later["STATUS"]) == ("2", "CANCELLED")


@pytest.mark.parametrize(
    ("lang", "words"), [("ja", "【要確認】訓練"), ("en", "[Needs a look] 訓練")]
)
def test_two_versions_at_once_are_one_event_that_says_so(lang: str, words: str) -> None:
    found = the_event(version(number=2), version(number=2), lang=lang)

    assert unescaped(found["SUMMARY"]) == words


def test_a_calendar_without_events_is_one() -> None:
    lines = parsed(calendar([], NETWORK, "ja"))

    assert [name for name, _, _ in lines][:2] == ["BEGIN", "VERSION"]


WORDS = st.text(max_size=300) | st.text(alphabet="\\;,:\n\r\t\u2028あ🚒é ", max_size=200)


@settings(max_examples=150, deadline=None)
@given(title=WORDS, text=WORDS, place=WORDS)
def test_whatever_somebody_writes_comes_back_as_a_screen_shows_it(
    title: str, text: str, place: str
) -> None:
    found = the_event(version(title=title, text=text, place=place))

    assert unescaped(found["SUMMARY"]) == clean(title)
    assert unescaped(found.get("DESCRIPTION", "")) == clean(text, lines=True)
    assert unescaped(found.get("LOCATION", "")) == clean(place)
