"""The fold behind the monitor: what a ward's words allow to say, and nothing more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from meshrelay.monitor.tally import (
    CLOCK_FLOOR_MS,
    IN_SYNC_MS_MAX,
    SYNC_LANES,
    State,
    Tally,
    WardRow,
    said_ms,
    synced_up_to_ms,
    tally,
)
from meshrelay.monitor.words import LANGS, headline
from meshrelay.node.office import NodeWord
from tests.monitor_scene import (
    ALL_WARDS,
    MINUTE,
    NOW_MS,
    WARDS,
    four_wards,
    lane,
    status,
    unheard,
    whole_city,
    word,
)


def view(*words: NodeWord) -> Tally:
    return tally(status(*words), WARDS)


def nishinari(*words: NodeWord) -> WardRow:
    return view(*words).rows[-1]


# --- what a single word allows -------------------------------------------------------


def test_a_ward_whose_every_entry_is_archived_is_synced_up_to_its_newest_word() -> None:
    row = nishinari(word("03", said_ms=NOW_MS - 2 * MINUTE))

    assert row.synced_up_to_ms == NOW_MS - 2 * MINUTE
    assert (row.state, row.waiting, row.oldest_unsynced_ms) == (State.IN_SYNC, 0, None)


def test_a_ward_never_heard_is_unknown_and_never_zero() -> None:
    row = nishinari(unheard("03"))

    assert row.state is State.UNKNOWN
    assert row.synced_up_to_ms is None
    assert row.word_ms is None
    assert [count.backlog for count in row.lanes] == [None] * 4
    assert (row.waiting, row.refused, row.disk_free_bytes, row.versions) == (None, None, None, ())


def test_a_ward_that_speaks_while_the_archive_was_never_heard_is_unknown() -> None:
    silent_archive = word("03", archived=None, up_to_ms=None)

    row = nishinari(silent_archive)

    assert row.state is State.UNKNOWN
    assert row.word_ms is not None
    assert row.lanes[1].backlog is None


def test_a_lagging_ward_is_synced_up_to_just_before_its_oldest_unsynced_entry() -> None:
    row = nishinari(
        word("03", archived=31, oldest_ms=NOW_MS - MINUTE, up_to_ms=NOW_MS - 180 * MINUTE)
    )

    assert row.synced_up_to_ms == NOW_MS - MINUTE - 1
    assert (row.state, row.waiting) == (State.IN_SYNC, 9)
    assert row.oldest_unsynced_ms == NOW_MS - MINUTE


def test_a_ward_that_counts_on_receipts_of_a_restored_archive_gets_no_credit_for_them() -> None:
    believes_all_is_well = replace(
        word("03", archived=10, oldest_ms=NOW_MS - MINUTE, up_to_ms=NOW_MS - 90 * MINUTE),
        backlog=(0, 1, 0, 0),
    )

    row = nishinari(believes_all_is_well)

    assert row.synced_up_to_ms == NOW_MS - 90 * MINUTE
    assert (row.state, row.waiting) == (State.LATE, 30)


def test_an_archive_ahead_of_the_last_statement_leaves_nothing_and_not_less() -> None:
    assert nishinari(word("03", stated=40, archived=44)).lanes[1].backlog == 0


def test_a_word_past_fifteen_minutes_makes_a_ward_silent_whatever_it_said() -> None:
    at_the_limit = word("03", said_ms=NOW_MS - IN_SYNC_MS_MAX)
    past_it = word("03", said_ms=NOW_MS - IN_SYNC_MS_MAX - 1)

    assert nishinari(at_the_limit).state is State.IN_SYNC
    assert nishinari(past_it).state is State.SILENT


def test_a_word_passed_on_late_does_not_look_new() -> None:
    relayed = word("03", said_ms=NOW_MS - 40 * MINUTE, heard_ms=NOW_MS - 1000, via="北区")

    assert said_ms(relayed, NOW_MS) == NOW_MS - 40 * MINUTE
    assert nishinari(relayed).state is State.SILENT


def test_a_direct_word_is_as_old_as_our_hearing_whatever_the_wards_clock_shows() -> None:
    fast = word("03", said_ms=NOW_MS + 90 * MINUTE, heard_ms=NOW_MS - 30_000)
    slow = word("03", said_ms=NOW_MS - 90 * MINUTE, heard_ms=NOW_MS - 30_000)

    assert said_ms(fast, NOW_MS) == said_ms(slow, NOW_MS) == NOW_MS - 30_000


def test_the_stamps_of_a_pi_that_woke_in_1970_say_nothing_about_sync() -> None:
    woke = word(
        "03", said_ms=90_000, heard_ms=NOW_MS - 5000, archived=31, oldest_ms=60_000, up_to_ms=30_000
    )

    row = nishinari(woke)

    assert row.synced_up_to_ms is None
    assert row.oldest_unsynced_ms is None
    assert row.word_ms == NOW_MS - 5000
    assert row.state is State.UNKNOWN
    assert row.waiting == 9


# --- several nodes, several wards ----------------------------------------------------


def test_a_ward_with_two_nodes_is_synced_as_far_as_the_worse_one() -> None:
    row = nishinari(word("03"), word("03", number=2, said_ms=NOW_MS - 30 * MINUTE))

    assert row.synced_up_to_ms == NOW_MS - 30 * MINUTE
    assert row.state is State.LATE
    assert row.word_ms == NOW_MS - 20_000
    assert (row.nodes_n, row.nodes_heard_n) == (2, 2)


def test_one_unheard_node_makes_its_wards_sync_unknown() -> None:
    row = nishinari(word("03"), unheard("03", 2))

    assert row.synced_up_to_ms is None
    assert row.lanes[1].backlog is None
    assert row.nodes_heard_n == 1


def test_a_surplus_of_one_node_does_not_hide_what_the_other_owes() -> None:
    ahead = word("03", stated=10, archived=30)
    behind = word("03", number=2, stated=40, archived=25, oldest_ms=NOW_MS - MINUTE)

    assert nishinari(ahead, behind).lanes[1].backlog == 15


def test_refusals_are_summed_by_cause_and_the_most_frequent_comes_first() -> None:
    row = nishinari(
        word("03", refused={"gap": 1, "signature": 2}),
        word("03", number=2, refused={"gap": 4}),
    )

    assert list((row.refused or {}).items()) == [("gap", 5), ("signature", 2)]


def test_a_ward_without_a_node_has_no_row_and_one_without_a_name_keeps_its_code() -> None:
    rows = view(word("03"), word("77")).rows

    assert [(row.code, row.name) for row in rows] == [("03", "西成区"), ("77", "77")]


def test_silent_wards_are_listed_first() -> None:
    states = [row.state for row in tally(status(*whole_city()), ALL_WARDS).ranked()]

    assert states[:5] == [State.SILENT] * 2 + [State.UNKNOWN] + [State.LATE] * 2
    assert len(states) == 25


# --- machines that were taken out ----------------------------------------------------


def test_a_ward_of_revoked_machines_is_revoked_however_well_it_stood() -> None:
    gone = replace(word("03"), barred="revoked")
    rows = view(word("01"), gone)

    assert [row.state for row in rows.rows] == [State.IN_SYNC, State.REVOKED]
    assert headline(rows, "ja") == "2区中1区が15分以内に同期。西成区は失効"
    assert headline(rows, "en") == "1 of 2 wards in sync within 15 minutes. Revoked: Nishinari."


def test_a_machine_in_the_place_of_a_revoked_one_speaks_for_its_ward() -> None:
    gone = replace(word("03", archived=1, refused={"gap": 9}), barred="revoked")
    row = nishinari(gone, word("03", number=2))

    assert (row.state, row.waiting, row.refused, row.nodes_n) == (State.IN_SYNC, 0, {}, 1)


def test_a_suspended_ward_says_so_and_not_that_it_was_revoked() -> None:
    halted = replace(word("03", said_ms=NOW_MS - 52 * MINUTE), barred="suspended")
    gone = replace(word("03", number=2), barred="revoked")

    assert nishinari(halted, gone).state is State.SUSPENDED
    assert headline(view(word("01"), halted), "ja") == "2区中1区が15分以内に同期。西成区は停止中"


# --- the sentence --------------------------------------------------------------------


def test_the_sentence_names_who_is_late_and_for_how_long() -> None:
    assert headline(view(*four_wards()), "ja") == (
        "3区中2区が15分以内に同期。西成区が遅れ（最長47分）"
    )
    assert headline(view(*four_wards()), "en") == (
        "2 of 3 wards in sync within 15 minutes. Late: Nishinari (up to 47 min)."
    )


def test_the_sentence_of_a_good_day_is_short() -> None:
    assert headline(view(word("01"), word("02")), "ja") == "2区すべてが15分以内に同期"


def test_a_machine_without_links_says_only_what_it_heard_last() -> None:
    both = view(word("01"), word("02"))

    assert headline(both, "ja", alone=True) == "最後に聞いたかぎり、2区すべてが15分以内に同期"
    assert headline(both, "en", alone=True).startswith("When last heard: All 2 wards in sync")
    assert headline(view(unheard("01")), "ja", alone=True).startswith("1区すべて不明")


def test_the_sentence_tells_silence_from_lateness_and_both_from_ignorance() -> None:
    sentence = headline(
        view(word("01", said_ms=NOW_MS - 52 * MINUTE), unheard("02"), *four_wards()[3:]), "ja"
    )

    assert sentence == (
        "3区中0区が15分以内に同期。北区が沈黙（最長52分）。西成区が遅れ（最長47分）。中央区は不明"
    )


def test_before_the_first_word_the_sentence_counts_nothing() -> None:
    for lang in LANGS:
        assert "15" not in headline(view(unheard("01"), unheard("02")), lang)
    assert headline(view(unheard("01"), unheard("02")), "ja").startswith("2区すべて不明")


def test_a_sentence_about_a_whole_city_does_not_name_it_all() -> None:
    everyone = tuple(word(code, said_ms=NOW_MS - 60 * MINUTE) for code in ALL_WARDS)

    sentence = headline(tally(status(*everyone), ALL_WARDS), "ja")

    assert "ほか19区" in sentence
    assert len(sentence) < 100


# --- properties ----------------------------------------------------------------------

counts = st.none() | st.integers(0, 60)
times = st.none() | st.integers(NOW_MS - 90 * MINUTE, NOW_MS + 5 * MINUTE)


@st.composite
def node_words(draw: st.DrawFn) -> NodeWord:
    """Any word, honest or not: counts that contradict each other, clocks that are off."""
    said = draw(times)
    base = word(
        draw(st.sampled_from(["00", "01", "02"])),
        number=draw(st.integers(1, 3)),
        said_ms=said,
        heard_ms=draw(st.integers(NOW_MS - 90 * MINUTE, NOW_MS)),
        via=draw(st.sampled_from([None, "北区"])),
        oldest_ms=draw(times),
    )
    lanes = tuple(lane(number, draw(counts), draw(counts), draw(times)) for number in range(4))
    return replace(base, lanes=lanes, backlog=tuple(draw(counts) for _ in range(4)))


@given(st.lists(node_words(), max_size=6), st.randoms(use_true_random=False))
def test_rows_do_not_depend_on_the_order_of_words(words: list[NodeWord], random: object) -> None:
    shuffled = sorted(words, key=lambda _: random.random())  # type: ignore[attr-defined]
    alike = {word.node.id: word for word in words}

    if len(alike) == len(words):
        assert view(*words) == view(*shuffled)


@given(node_words())
def test_synced_up_to_never_passes_the_word_nor_what_the_archive_holds(said: NodeWord) -> None:
    synced = synced_up_to_ms(said, NOW_MS)

    if synced is None:
        return
    assert synced <= (said_ms(said, NOW_MS) or 0) <= NOW_MS
    for number in SYNC_LANES:
        held = said.lanes[number]
        assert held.stated is not None
        assert held.archived is not None
        if held.archived < held.stated:
            proven = [held.archived_up_to_ms or 0, (said.oldest_unsynced_ms or 1) - 1]
            assert CLOCK_FLOOR_MS <= synced <= max(proven)


@given(st.lists(node_words(), max_size=6))
def test_what_is_unknown_stays_unknown_and_what_is_known_is_never_negative(
    words: list[NodeWord],
) -> None:
    for row in view(*words).rows:
        mine = [said for said in words if said.node.ward == row.code]
        for number, count in enumerate(row.lanes):
            missing = any(
                said.stated_ms is None
                or said.lanes[number].stated is None
                or said.lanes[number].archived is None
                for said in mine
            )
            assert (count.backlog is None) == missing
            assert count.backlog is None or count.backlog >= 0
        if any(said.stated_ms is None for said in mine):
            assert row.synced_up_to_ms is None
            assert row.state is not State.IN_SYNC


@given(st.lists(node_words(), min_size=1, max_size=6))
def test_every_ward_is_counted_in_exactly_one_state(words: list[NodeWord]) -> None:
    result = view(*words)

    assert sum(len(result.having(state)) for state in State) == len(result.rows)
    assert sorted(row.code for row in result.ranked()) == [row.code for row in result.rows]
