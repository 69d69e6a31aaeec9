"""Wall screens (/display): a code on the screen, typed in by somebody in charge, pairs a browser.

The browser keeps a random token; here is only its hash, in a file, so that a restart keeps pairs.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct

from meshrelay.core.records import ROLE_HQ, ROLE_REGISTRAR
from meshrelay.errors import RefusedError, StoreError
from meshrelay.node.cards import no_right
from meshrelay.node.office import Person

log = logging.getLogger("meshrelay.node")

FILE = "displays.json"
CODE_DIGITS = 6
CODE_MS_MAX = 10 * 60 * 1000
# So many wrong codes while one is shown, and it counts no more: the screen draws another.
WRONG_MAX = 5
# Whoever opens /display again and again must not fill memory; a ward has a few walls.
WAITING_MAX = 50
DISPLAYS_MAX = 100
NAME_CHARS_MAX = 40


class Display(Struct, frozen=True):
    """A paired screen; `seen_ms`: when it last asked, None if not since this node started."""

    id: str
    name: str
    since_ms: int
    seen_ms: int | None


class _Kept(Struct, frozen=True):
    id: str
    key: str  # SHA-256 of the token, in hex
    name: str
    since_ms: int


@dataclass
class _Waiting:
    code: str
    until_ms: int
    wrong: int = 0


class Displays:
    """The screens of one node. Raises StoreError when the disk refuses."""

    def __init__(self, path: Path, now_ms: Callable[[], int]) -> None:
        self._path = path
        self._now_ms = now_ms
        self._kept = {each.key: each for each in _read(path)}
        self._seen: dict[str, int] = {}
        self._waiting: dict[str, _Waiting] = {}

    # What a screen asks

    def begin(self) -> str:
        """A token for a browser that has none; it shows a code from now on."""
        while len(self._waiting) >= WAITING_MAX:
            del self._waiting[next(iter(self._waiting))]  # a dict keeps order: the oldest
        token = secrets.token_urlsafe(32)
        self._waiting[_key(token)] = self._fresh()
        return token

    def code(self, token: str) -> str | None:
        """The code that this screen shows now; None: its token is not known here (any more)."""
        key = _key(token)
        waiting = self._waiting.get(key)
        if waiting is None:
            return None
        if waiting.wrong >= WRONG_MAX or self._now_ms() >= waiting.until_ms:
            waiting = self._waiting[key] = self._fresh()
        return waiting.code

    def is_paired(self, token: str) -> bool:
        """Whether this screen may show the wall; notes that it asked."""
        key = _key(token)
        if key not in self._kept:
            return False
        self._seen[key] = self._now_ms()
        return True

    def _fresh(self) -> _Waiting:
        taken = {each.code for each in self._waiting.values()}
        while (code := f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}") in taken:
            pass
        return _Waiting(code, self._now_ms() + CODE_MS_MAX)

    # What somebody in charge does

    def pair(self, by: Person, code: str, name: str) -> Display:
        """Let the screen that shows `code` show the wall.

        Raises:
            RefusedError: `no_right` (403), `bad_name` (400), `wrong_code` (404; each one counts
                against every code that is shown now), `too_many_displays` (409).
        """
        _check_right(by)
        name = " ".join(name.split())
        if not name or len(name) > NAME_CHARS_MAX or not name.isprintable():
            raise _bad_name()
        if len(self._kept) >= DISPLAYS_MAX:
            raise _too_many()
        key = self._shows(re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", code)))
        if key is None:
            for waiting in self._waiting.values():
                waiting.wrong += 1
            raise _wrong_code()
        kept = _Kept(secrets.token_hex(8), key, name, self._now_ms())
        self._write({**self._kept, key: kept})
        del self._waiting[key]
        log.info("display paired id=%s", kept.id)
        return self._told(kept)

    def _shows(self, code: str) -> str | None:
        """The screen on which this code counts now."""
        now_ms = self._now_ms()
        for key, waiting in self._waiting.items():
            good = waiting.wrong < WRONG_MAX and now_ms < waiting.until_ms
            if good and secrets.compare_digest(waiting.code.encode(), code.encode()):
                return key
        return None

    def paired(self, by: Person) -> list[Display]:
        """Every screen, the oldest first. Raises RefusedError `no_right`."""
        _check_right(by)
        return [self._told(kept) for kept in self._kept.values()]

    def remove(self, by: Person, display: str) -> None:
        """End a screen's right at once. Raises RefusedError `no_right` or `no_display` (404)."""
        _check_right(by)
        left = {key: kept for key, kept in self._kept.items() if kept.id != display}
        if len(left) == len(self._kept):
            raise _no_display()
        self._write(left)
        log.info("display removed id=%s", display)

    def _told(self, kept: _Kept) -> Display:
        return Display(kept.id, kept.name, kept.since_ms, self._seen.get(kept.key))

    def _write(self, kept: dict[str, _Kept]) -> None:
        """The file first: what is not on disk is not promised."""
        part = self._path.with_name(self._path.name + ".part")
        try:
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.encode(list(kept.values())))
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
        except OSError as error:
            raise StoreError(f"{self._path}: cannot be written: {error.strerror}") from error
        self._kept = kept


def _read(path: Path) -> list[_Kept]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[_Kept])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError) as error:  # a ValidationError is one, too
        log.warning("displays forgotten, pair them again path=%s error=%s", path, error)
        return []


def _key(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _check_right(person: Person) -> None:
    if {ROLE_REGISTRAR, ROLE_HQ}.isdisjoint(person.roles):
        raise no_right(
            "壁の画面を登録できるのは、登録担当者か本部だけです。",
            "Only registrars and hq may pair wall screens.",
        )


def _bad_name() -> RefusedError:
    return RefusedError(
        "bad_name",
        "画面の名前がないか、使えない文字があります。",
        "The screen's name is missing, or it has characters that cannot be used.",
        f"置き場所が分かる名前を{NAME_CHARS_MAX}文字までで入れてください。",
        f"Say where it hangs, in at most {NAME_CHARS_MAX} characters.",
        400,
    )


def _wrong_code() -> RefusedError:
    return RefusedError(
        "wrong_code",
        "その番号を表示している画面はありません。",
        "No screen shows that code.",
        f"画面に今出ている番号を入れてください。{WRONG_MAX}回違うと、画面の番号は新しくなります。",
        f"Type what the screen shows now. After {WRONG_MAX} wrong codes it shows a new one.",
        404,
    )


def _too_many() -> RefusedError:
    return RefusedError(
        "too_many_displays",
        f"壁の画面は{DISPLAYS_MAX}台までです。",
        f"There are {DISPLAYS_MAX} wall screens already.",
        "使っていない画面を解除してください。",
        "Remove one that is not in use.",
        409,
    )


def _no_display() -> RefusedError:
    return RefusedError(
        "no_display",
        "その画面は登録されていません。",
        "There is no such screen.",
        "一覧を開き直してください。",
        "Open the list again.",
        404,
    )
