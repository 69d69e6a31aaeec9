"""Wall screens: a code pairs one, a restart keeps it, whoever is in charge ends it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from meshrelay.errors import RefusedError, StoreError
from meshrelay.node.displays import (
    CODE_MS_MAX,
    DISPLAYS_MAX,
    FILE,
    WAITING_MAX,
    WRONG_MAX,
    Display,
    Displays,
)
from tests.office_fake import MAYOR, SATO, YAMADA

LOBBY = "1階ロビー"


class Clock:
    """Time of the test."""

    ms = 1_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def displays(tmp_path: Path, clock: Clock) -> Displays:
    return Displays(tmp_path / FILE, clock)


def shown(displays: Displays, token: str) -> str:
    code = displays.code(token)
    assert code is not None
    return code


def paired(displays: Displays, name: str = LOBBY) -> str:
    token = displays.begin()
    displays.pair(YAMADA, shown(displays, token), name)
    return token


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(RefusedError) as caught:
        call()
    assert caught.value.ja and caught.value.en and caught.value.next_ja and caught.value.next_en
    return caught.value.code


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


@pytest.mark.parametrize("person", [YAMADA, MAYOR])
def test_a_screen_is_paired_by_its_code(displays: Displays, person: object) -> None:
    token = displays.begin()
    before = displays.is_paired(token)
    made = displays.pair(person, shown(displays, token), f"  {LOBBY} ")  # type: ignore[arg-type]

    assert (before, displays.is_paired(token)) == (False, True)
    assert displays.paired(YAMADA) == [Display(made.id, LOBBY, 1_000, 1_000)]
    assert displays.code(token) is None


def test_a_code_is_six_digits_and_no_two_screens_show_the_same(displays: Displays) -> None:
    codes = [shown(displays, displays.begin()) for _ in range(WAITING_MAX)]

    assert all(len(code) == 6 and code.isdecimal() for code in codes)
    assert len(set(codes)) == WAITING_MAX


def test_a_code_pairs_one_screen_once(displays: Displays) -> None:
    token = displays.begin()
    code = shown(displays, token)
    displays.pair(YAMADA, code, LOBBY)

    assert refused(lambda: displays.pair(YAMADA, code, LOBBY)) == "wrong_code"


def test_five_wrong_codes_void_the_one_that_is_shown(displays: Displays) -> None:
    token = displays.begin()
    code = shown(displays, token)
    for _ in range(WRONG_MAX):
        assert refused(lambda: displays.pair(YAMADA, other_than(code), LOBBY)) == "wrong_code"

    assert refused(lambda: displays.pair(YAMADA, code, LOBBY)) == "wrong_code"
    fresh = shown(displays, token)
    assert displays.pair(YAMADA, fresh, LOBBY).name == LOBBY
    assert displays.is_paired(token)


def test_a_code_ends_after_ten_minutes_and_the_screen_shows_another(
    displays: Displays, clock: Clock
) -> None:
    token = displays.begin()
    code = shown(displays, token)
    clock.ms += CODE_MS_MAX - 1
    same = shown(displays, token)
    clock.ms += 1

    assert same == code
    assert refused(lambda: displays.pair(YAMADA, code, LOBBY)) == "wrong_code"
    assert displays.pair(YAMADA, shown(displays, token), LOBBY).since_ms == clock.ms


def test_a_restart_keeps_the_pairs_and_the_file_holds_no_token(
    displays: Displays, tmp_path: Path, clock: Clock
) -> None:
    token = paired(displays)
    path = tmp_path / FILE
    again = Displays(path, clock)

    assert again.is_paired(token) and not again.is_paired(token + "x")
    assert token not in path.read_text() and path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in again.paired(YAMADA)] == [LOBBY]


def test_when_a_screen_was_last_seen_is_what_this_start_saw(
    displays: Displays, tmp_path: Path, clock: Clock
) -> None:
    token = paired(displays)
    again = Displays(tmp_path / FILE, clock)
    unseen = again.paired(YAMADA)[0].seen_ms
    clock.ms += 5_000
    again.is_paired(token)

    assert (unseen, again.paired(YAMADA)[0].seen_ms) == (None, 6_000)


def test_a_removed_screen_shows_nothing_any_more_not_after_a_restart_either(
    displays: Displays, tmp_path: Path, clock: Clock
) -> None:
    lobby, stairs = paired(displays), paired(displays, "2階階段")
    displays.remove(YAMADA, displays.paired(YAMADA)[0].id)

    for each in (displays, Displays(tmp_path / FILE, clock)):
        assert (each.is_paired(lobby), each.is_paired(stairs)) == (False, True)
    assert refused(lambda: displays.remove(YAMADA, "nothing")) == "no_display"


def test_who_is_neither_registrar_nor_hq_does_nothing_with_screens(displays: Displays) -> None:
    token = displays.begin()

    for call in (
        lambda: displays.pair(SATO, shown(displays, token), LOBBY),
        lambda: displays.paired(SATO),
        lambda: displays.remove(SATO, "x"),
    ):
        assert refused(call) == "no_right"
    assert not displays.is_paired(token)


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, "a\u202eb", "\x00"])
def test_a_name_says_where_it_hangs(displays: Displays, name: str) -> None:
    code = shown(displays, displays.begin())

    assert refused(lambda: displays.pair(YAMADA, code, name)) == "bad_name"


def test_who_opens_the_page_again_and_again_fills_no_memory(displays: Displays) -> None:
    first = displays.begin()
    for _ in range(WAITING_MAX):
        displays.begin()

    assert displays.code(first) is None


def test_there_is_an_end_to_screens(displays: Displays) -> None:
    for _ in range(DISPLAYS_MAX):
        paired(displays)

    assert refused(lambda: paired(displays)) == "too_many_displays"


def test_a_file_that_cannot_be_read_is_forgotten_aloud(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_bytes(b'[{"id": 5}]')

    assert Displays(tmp_path / FILE, clock).paired(YAMADA) == []
    assert "pair them again" in caplog.text


def test_what_is_not_on_the_disk_is_not_promised(tmp_path: Path, clock: Clock) -> None:
    displays = Displays(tmp_path / "gone" / FILE, clock)
    token = displays.begin()

    with pytest.raises(StoreError):
        displays.pair(YAMADA, shown(displays, token), LOBBY)
    assert not displays.is_paired(token)
