"""What counts as held, from made-up sightings."""

from __future__ import annotations

from meshrelay.cli.demo.scenario import Expectation, Fact
from meshrelay.cli.demo.scenario_reader import parse_scenario
from meshrelay.cli.demo.sightings import Sightings, sent_messages
from meshrelay.node.office import Message, Posted

SCENARIO = parse_scenario(
    """
[[person]]
id = "sakura"
name = "天満 さくら"
ward = "kita"
roles = ["staff"]
[[step]]
at_s = 1
do = "send"
as = "sakura"
node = "kita"
room = "all"
text = "無事です"
id = "m1"
""",
    "one.toml",
)
POSTED = Posted("sakura", "id-1", "00" * 32, "all", 1, None)


def message(place: str, wards_n: int, trouble: str | None = None) -> Message:
    return Message(
        author="sakura",
        author_name="天満 さくら",
        author_ward="01",
        message_id="id-1",
        kind="talk",
        room="all",
        body={"text": "無事です"},
        created_ms=1,
        arrived_ms=1,
        late=False,
        clock_uncertain=False,
        origin_ward="01",
        place=place,
        wards_n=wards_n,
        read_n=0,
        members_n=1,
        mine=True,
        read_by_me=False,
        trouble=trouble,
        sort="1",
        changed=1,
    )


def answered() -> Sightings:
    seen = Sightings()
    seen.sent = sent_messages(SCENARIO, {"m1": "id-1"})
    seen.note_answered(1_000, seen.sent["m1"], "kita", POSTED)
    return seen


def early(word: str) -> Expectation:
    return Expectation("early", Fact("early", "", word=word), 0.0, 60.0, True)


def test_words_come_in_the_order_in_which_they_were_seen() -> None:
    seen = answered()
    seen.note_message(3_000, "kita", seen.sent["m1"], message("wards", 1))
    seen.note_message(5_000, "kita", seen.sent["m1"], message("archive", 2))

    assert seen.words(seen.sent["m1"]) == [("node", 1_000), ("wards", 3_000), ("archive", 5_000)]


def test_an_archive_receipt_alone_is_not_another_ward() -> None:
    seen = answered()
    seen.note_message(3_000, "kita", seen.sent["m1"], message("archive", 0))

    assert [word for word, _ in seen.words(seen.sent["m1"])] == ["node", "archive"]


def test_a_word_on_another_page_is_not_the_senders() -> None:
    seen = answered()
    seen.note_message(3_000, "chuo", seen.sent["m1"], message("archive", 1))

    assert seen.words(seen.sent["m1"]) == [("node", 1_000)]
    assert seen.first_ms[Fact("word", "m1", "chuo", "archive")] == 3_000
    assert seen.other_node(seen.sent["m1"]) == ("chuo", 3_000)


def test_a_deadline_holds_only_until_it_has_passed() -> None:
    seen = answered()
    seen.note_message(3_000, "chuo", seen.sent["m1"], message("node", 0))

    shown = Fact("shown", "m1", place="chuo")
    assert seen.holds(Expectation("", shown, 0.0, 3.0, False))
    assert not seen.holds(Expectation("", shown, 0.0, 2.9, False))


def test_never_looks_at_its_own_window_only() -> None:
    seen = answered()
    seen.note_message(3_000, "kita", seen.sent["m1"], message("archive", 0))

    word = Fact("word", "", word="archive")
    assert not seen.holds(Expectation("", word, 2.0, 4.0, True))
    assert seen.holds(Expectation("", word, 3.0, 4.0, True))
    assert seen.holds(Expectation("", word, 0.0, 2.0, True))


def test_a_word_that_nobody_can_show_is_early() -> None:
    seen = answered()
    seen.note_message(3_000, "kita", seen.sent["m1"], message("archive", 1))

    assert seen.seen_ms(early("wards")) == 3_000
    assert seen.seen_ms(early("archive")) == 3_000


def test_a_word_that_another_page_bears_out_is_not_early() -> None:
    seen = answered()
    seen.note_message(3_000, "kita", seen.sent["m1"], message("archive", 1))
    seen.note_message(3_200, "chuo", seen.sent["m1"], message("wards", 1))
    seen.note_message(3_200, "hq", seen.sent["m1"], message("archive", 1))

    assert seen.holds(early("wards"))
    assert seen.holds(early("archive"))


def test_a_page_that_could_not_be_asked_proves_nothing() -> None:
    seen = answered()
    seen.note_message(3_000, "kita", seen.sent["m1"], message("wards", 1))
    seen.note_blind("chuo", 2_000, 9_000)

    assert seen.holds(early("wards"))


def test_a_page_that_could_not_be_asked_before_the_message_was_there_excuses_nothing() -> None:
    seen = answered()
    seen.note_message(3_000, "kita", seen.sent["m1"], message("wards", 1))
    seen.note_blind("chuo", 0, 500)

    assert not seen.holds(early("wards"))


def test_trouble_is_seen_on_any_page() -> None:
    seen = answered()
    seen.note_message(3_000, "chuo", seen.sent["m1"], message("node", 0, "copies_differ"))

    assert not seen.holds(Expectation("", Fact("trouble", ""), 0.0, 60.0, True))
