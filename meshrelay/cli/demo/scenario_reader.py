"""Reading a scenario file strictly: every mistake is named with its line."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from meshrelay.cli.demo.layout import Place, cables_named, place_named, process_named
from meshrelay.cli.demo.scenario import (
    Expectation,
    Fact,
    Scenario,
    ScenarioPerson,
    Step,
    is_member,
)
from meshrelay.errors import ConfigError

# Longer stories belong in several files; a typing slip of 6000 should not run for hours.
AT_SECONDS_MAX = 900.0
TEXT_CHARS_MAX = 4000
ROLES = ("staff", "hq", "instructor", "registrar", "it")
WORDS = {
    "区の機器": "node",
    "他の区": "wards",
    "本部": "archive",
    "node": "node",
    "wards": "wards",
    "archive": "archive",
}


def load_scenario(path: Path) -> Scenario:
    """Read and check a scenario.

    Raises:
        ConfigError: with `FILE:LINE: what was expected`.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}:1: cannot be read: {error}") from error
    return parse_scenario(text, str(path))


def parse_scenario(text: str, file: str) -> Scenario:
    """Check the text of a scenario; `file` is only for the sentences."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        raise ConfigError(f"{file}:{line}: not TOML: {error}") from error
    return _Reader(text, file, table).scenario()


_HEADER = re.compile(r"^\s*\[?\[\s*(\w+)\s*\]")
_KEY = re.compile(r"^\s*([A-Za-z_][\w-]*)\s*=")


def _line_numbers(text: str) -> dict[tuple[str, int, str], int]:
    """(table, index, key) -> line; key "" is the header. tomllib keeps no positions."""
    lines: dict[tuple[str, int, str], int] = {("", 0, ""): 1}
    table, counts, quoted = "", {"": 1}, False
    for number, line in enumerate(text.splitlines(), 1):
        if not quoted:
            if header := _HEADER.match(line):
                table = header[1]
                counts[table] = counts.get(table, 0) + 1
                lines[table, counts[table] - 1, ""] = number
                lines.setdefault(("", 0, table), number)
            elif key := _KEY.match(line):
                lines.setdefault((table, counts[table] - 1, key[1]), number)
        if (line.count('"""') + line.count("'''")) % 2:
            quoted = not quoted
    return lines


class _Reader:
    """Walks the tables of one file and complains with lines."""

    def __init__(self, text: str, file: str, table: dict[str, Any]) -> None:
        self._file = file
        self._table = table
        self._lines = _line_numbers(text)
        self._where = ("", 0)
        self._people: dict[str, ScenarioPerson] = {}
        self._sends: dict[str, Step] = {}

    def scenario(self) -> Scenario:
        self._only(self._table, {"name", "end_s", "person", "step", "expect"})
        name = self._text(self._table, "name", Path(self._file).stem)
        end_s = self._number(self._table, "end_s", 0.0)
        for row in self._rows("person", needed=True):
            person = self._person(row)
            self._people[person.id] = person
        steps: list[Step] = []
        for row in self._rows("step", needed=True):
            steps.append(self._step(row, steps[-1].at_s if steps else 0.0))
        expectations = [self._expectation(row) for row in self._rows("expect", needed=False)]
        last = max([end_s, *(step.at_s for step in steps), *(e.by_s for e in expectations)])
        if end_s and last > end_s:
            self._where = ("", 0)
            self._fail("end_s", f"expected at least {last:g}, when the last thing happens")
        return Scenario(name, tuple(self._people.values()), tuple(steps), tuple(expectations), last)

    def _fail(self, key: str, problem: str) -> NoReturn:
        raise self._error(key, problem)

    def _error(self, key: str, problem: str) -> ConfigError:
        line = self._lines.get((*self._where, key)) or self._lines.get((*self._where, ""), 1)
        label = f"{self._where[0]}.{key}".strip(".")
        return ConfigError(f"{self._file}:{line}: {label + ': ' if label else ''}{problem}")

    def _rows(self, table: str, needed: bool) -> Iterator[dict[str, Any]]:
        self._where = ("", 0)
        rows = self._table.get(table, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            self._fail(table, f"expected tables, written [[{table}]]")
        if not rows and needed:
            self._fail("", f"expected at least one [[{table}]]")
        for index, row in enumerate(rows):
            self._where = (table, index)
            yield row

    def _only(self, row: dict[str, Any], allowed: set[str]) -> None:
        for key in row:
            if key not in allowed:
                self._fail(key, f"unknown key; expected one of {', '.join(sorted(allowed))}")

    def _text(self, row: dict[str, Any], key: str, default: str | None = None) -> str:
        value = row.get(key, default)
        if not isinstance(value, str) or (not value and default is None):
            self._fail(key, "expected a text" if key in row else f"{key} is missing")
        return value

    def _number(self, row: dict[str, Any], key: str, default: float | None = None) -> float:
        value = row.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._fail(key, "expected a number" if key in row else f"{key} is missing")
        if not math.isfinite(value) or not 0 <= value <= AT_SECONDS_MAX:
            self._fail(key, f"expected seconds from 0 to {AT_SECONDS_MAX:g}")
        return float(value)

    def _person(self, row: dict[str, Any]) -> ScenarioPerson:
        self._only(row, {"id", "name", "ward", "roles", "unit"})
        person_id = self._text(row, "id")
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,30}", person_id):
            self._fail("id", "expected 1 to 30 ASCII letters, digits, - or _")
        if person_id in self._people:
            self._fail("id", f"{person_id} is there already")
        place = self._place(row, "ward")
        roles = row.get("roles")
        if not isinstance(roles, list) or not roles or any(r not in ROLES for r in roles):
            self._fail("roles", f"expected a list of {', '.join(ROLES)}")
        return ScenarioPerson(
            person_id,
            self._text(row, "name"),
            place.ward,
            tuple(roles),
            self._text(row, "unit", ""),
        )

    def _place(self, row: dict[str, Any], key: str) -> Place:
        word = self._text(row, key)
        place = place_named(word)
        if place is None:
            self._fail(key, f"no place {word!r}; expected hq, kita, chuo or nishinari")
        return place

    def _who(self, row: dict[str, Any]) -> str:
        person = self._text(row, "as")
        if person not in self._people:
            self._fail("as", f"no person {person!r}; expected {', '.join(self._people)}")
        return person

    def _room(self, row: dict[str, Any]) -> str:
        room = self._text(row, "room")
        if room != "all" and not re.fullmatch(r"ward:0[0-3]|unit:.+|role:hq", room):
            self._fail("room", f"no room {room!r}; expected all, ward:01, unit:NAME or role:hq")
        if not any(is_member(person, room) for person in self._people.values()):
            self._fail("room", f"nobody of this scenario is a member of {room}")
        return room

    def _step(self, row: dict[str, Any], earlier_s: float) -> Step:
        verb = self._text(row, "do")
        match verb:
            case "send":
                self._only(row, {"at_s", "do", "as", "node", "room", "text", "id"})
                step = self._send(row)
            case "read":
                self._only(row, {"at_s", "do", "as", "node", "room", "id"})
                step = self._read(row)
            case "cut" | "heal":
                self._only(row, {"at_s", "do", "cable"})
                cables = cables_named(self._text(row, "cable"))
                if not cables:
                    self._fail(
                        "cable", "expected wan, lan, a place, wan:kita, lan:kita-chuo or the like"
                    )
                step = Step(0.0, verb, cables=tuple(cable.name for cable in cables))
            case "kill" | "power" | "start":
                self._only(row, {"at_s", "do", "node"})
                process = process_named(self._text(row, "node"))
                if process is None:
                    self._fail("node", "expected hq, kita, chuo, nishinari or broker")
                step = Step(0.0, verb, node=process)
            case _:
                raise self._error(
                    "do", f"cannot {verb!r}; expected send, read, cut, heal, kill, power or start"
                )
        at_s = self._number(row, "at_s")
        if at_s < earlier_s:
            self._fail("at_s", f"goes back in time: the step before is at {earlier_s:g}")
        step = Step(**{**step.__dict__, "at_s": at_s})
        if verb == "send":
            self._sends.setdefault(step.id, step)
        return step

    def _send(self, row: dict[str, Any]) -> Step:
        text = self._text(row, "text")
        if len(text) > TEXT_CHARS_MAX:
            self._fail("text", f"expected at most {TEXT_CHARS_MAX} characters")
        message = self._text(row, "id")
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,30}", message) or message == "any":
            self._fail("id", "expected 1 to 30 ASCII letters, digits, - or _ (not `any`)")
        step = Step(
            0.0,
            "send",
            person=self._who(row),
            node=self._place(row, "node").key,
            room=self._room(row),
            text=text,
            id=message,
        )
        first = self._sends.get(message)
        if first and (first.person, first.room, first.text) != (step.person, step.room, text):
            self._fail("id", f"{message} was used before with another person, room or text")
        if first and first.node == step.node:
            self._fail("id", f"{message} was sent at {step.node} before")
        return step

    def _read(self, row: dict[str, Any]) -> Step:
        person, place = self._who(row), self._place(row, "node")
        if ("room" in row) == ("id" in row):
            self._fail("do", "read: expected either room or id")
        if "room" in row:
            return Step(0.0, "read", person=person, node=place.key, room=self._room(row))
        message = self._text(row, "id")
        if message not in self._sends:
            self._fail("id", f"no message {message!r} was sent before")
        room = self._sends[message].room
        return Step(0.0, "read", person=person, node=place.key, room=room, id=message)

    def _expectation(self, row: dict[str, Any]) -> Expectation:
        self._only(row, {"what", "by_s", "after_s", "never"})
        never = row.get("never", False)
        if not isinstance(never, bool):
            self._fail("never", "expected true or false")
        if "after_s" in row and not never:
            self._fail("after_s", "only with never = true")
        after_s, by_s = self._number(row, "after_s", 0.0), self._number(row, "by_s")
        if after_s >= by_s:
            self._fail("after_s", f"expected less than by_s, which is {by_s:g}")
        what = self._text(row, "what")
        return Expectation(what, self._fact(what), after_s, by_s, never)

    def _fact(self, what: str) -> Fact:
        message, *rest = what.split() or [""]
        if message != "any" and message not in self._sends:
            self._fail("what", f"no message {message!r} is sent")
        message = "" if message == "any" else message
        match rest:
            case ["answered" | "refused" | "trouble" | "twice" as kind]:
                return Fact(kind, message)
            case ["shown", "at", word] if place := place_named(word):
                return Fact("shown", message, place=place.key)
            case ["word", word] if word in WORDS:
                return Fact("word", message, word=WORDS[word])
            case ["word", word, "at", where] if word in WORDS and (place := place_named(where)):
                return Fact("word", message, place=place.key, word=WORDS[word])
            case ["word", word, "before", "shown"] if WORDS.get(word) in ("wards", "archive"):
                return Fact("early", message, word=WORDS[word])
            case ["read", "by", person] if person in self._people:
                return Fact("read", message, person=person)
            case _:
                raise self._error("what", f"cannot read {what!r}; see `meshrelay demo --help`")
