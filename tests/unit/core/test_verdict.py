"""Level B by the name of each reason; it never stops a log."""

from __future__ import annotations

import pytest

from meshrelay.core.entry import Draft, Entry, make_entry
from meshrelay.core.events import Received, Rejudge, Submit
from meshrelay.core.records import Record, Session, make_session
from meshrelay.core.signing import Signer
from meshrelay.core.verdict import EFFECTIVE, REFUSED, UNKNOWN_KIND, WAITING, Judge
from meshrelay.desk import receipts
from tests.unit.core.city import (
    CHUO,
    ISSUER_RECORD,
    KITA,
    LIFETIME_S,
    NETWORK,
    RECORDS,
    RULES,
    Person,
    batch,
    book_of,
    log_of,
    person,
    said,
    two_wards,
)

SATO = person("1001", KITA)
CHIEF = person("1000", KITA, 2, ("hq", "staff"))


def judge(*records: Record) -> Judge:
    return Judge(book_of(*RECORDS, *records), RULES)


def everybody() -> Judge:
    return judge(*SATO.records, *CHIEF.records)


def unsigned(kind: str, lane: int = 1, body: bytes = b"x") -> Entry:
    log = log_of(KITA, lane)
    draft = Draft(lane, kind, LIFETIME_S, b"", body)
    return make_entry(KITA, NETWORK, log, 1, log.first_prev, 1, 4, draft)


def carrying(
    author: bytes, kind: str = "talk", lane: int = 1, lifetime_s: int = LIFETIME_S
) -> Entry:
    """An entry of 北区's node around somebody's author part."""
    log = log_of(KITA, lane)
    draft = Draft(lane, kind, lifetime_s, author, b"")
    return make_entry(KITA, NETWORK, log, 1, log.first_prev, 1, 4, draft)


def test_what_a_person_may_say_is_effective() -> None:
    verdict = everybody()(said(SATO, KITA, b"hello"))

    assert verdict.state == EFFECTIVE
    assert verdict.person == SATO.staff.content
    assert verdict.part is not None and verdict.part.body == b"hello"


def test_what_a_node_may_say_is_effective_without_an_author() -> None:
    verdict = everybody()(unsigned("note"))

    assert (verdict.state, verdict.person, verdict.part) == (EFFECTIVE, None, None)


def test_an_order_of_a_chief_is_effective_in_the_urgent_lane() -> None:
    assert everybody()(said(CHIEF, KITA, b"evacuate", kind="order", lane=0)).state == EFFECTIVE


GOOD = said(SATO, KITA, b"hello")


@pytest.mark.parametrize(
    ("reason", "entry"),
    [
        ("author_malformed", carrying(b"noise")),
        ("author_signature", carrying(GOOD.author, lifetime_s=LIFETIME_S + 1)),
        ("author_signature", carrying(GOOD.author, kind="order", lane=0)),
        ("author_signature", said(SATO._replace(signer=Signer(b"thief" * 6 + b"..")), KITA, b"hi")),
        ("lane", said(SATO, KITA, b"hello", lane=0)),
        ("role", said(SATO, KITA, b"evacuate", kind="order", lane=0)),
        ("empty", said(SATO, KITA, b"")),
        ("not_a_persons_kind", said(SATO, KITA, b"x", kind="note")),
        ("unsigned", unsigned("talk")),
        ("unsigned", unsigned("order", lane=0)),
    ],
)
def test_what_may_not_be_said_is_refused_by_name(reason: str, entry: Entry) -> None:
    verdict = everybody()(entry)

    assert (verdict.state, verdict.reason) == (REFUSED, reason)


def test_a_node_is_refused_the_wrong_lane_too() -> None:
    rules = {"note": RULES["note"]._replace(lanes=frozenset({2}))}
    verdict = Judge(book_of(*RECORDS), rules)(unsigned("note"))

    assert (verdict.state, verdict.reason) == (REFUSED, "lane")


def test_a_refusal_still_names_the_person_so_that_they_can_be_told() -> None:
    verdict = everybody()(said(SATO, KITA, b""))

    assert verdict.person == SATO.staff.content and verdict.part is not None


def test_a_session_opened_elsewhere_says_nothing_here() -> None:
    away = person("1001", CHUO)
    verdict = judge(*away.records)(said(away, KITA, b"hello"))

    assert (verdict.state, verdict.reason) == (REFUSED, "session_of_another_node")


def test_a_kind_of_a_later_version_is_unknown_and_keeps_its_summary() -> None:
    verdict = everybody()(said(SATO, KITA, b"hello", kind="poll"))

    assert (verdict.state, verdict.reason) == (UNKNOWN_KIND, "poll")
    assert verdict.part is not None and verdict.part.summary == "要約"
    assert everybody()(unsigned("sensor")).state == UNKNOWN_KIND


def test_an_unknown_session_is_waited_for_by_its_id() -> None:
    verdict = judge()(said(SATO, KITA, b"hello"))

    assert (verdict.state, verdict.reason, verdict.missing) == (WAITING, "session", SATO.session.id)


def test_a_waiting_entry_becomes_effective_when_the_records_come() -> None:
    book = book_of(*RECORDS)
    verdict_on = Judge(book, RULES)
    entry = said(SATO, KITA, b"hello")
    for record in reversed(SATO.records):  # the session first: it waits for its parents
        assert verdict_on(entry).state == WAITING
        book.add(record)

    assert verdict_on(entry).state == EFFECTIVE


def test_somebody_elses_session_record_does_not_make_their_words() -> None:
    forged = make_session(
        Signer(b"thief" * 6 + b".."),
        NETWORK,
        Session(SATO.binding.id, SATO.staff.id, KITA.public, b"k" * 32, 9),
    )
    book = book_of(*RECORDS, SATO.staff, SATO.binding)
    thief = Person(SATO.staff, SATO.binding, forged, SATO.signer, SATO.card, SATO.author)

    assert Judge(book, RULES)(said(thief, KITA, b"hello")).state == WAITING
    assert ISSUER_RECORD.id in book


def test_a_refused_or_waiting_entry_does_not_stop_its_log() -> None:
    city, kita, chuo = two_wards()
    _, link = city.join(kita, chuo)
    city.deliver()
    refused = said(SATO, KITA, b"", incarnation=b"day zero")
    waiting = make_entry(
        KITA, NETWORK, refused.log, 2, refused.id, 2, 4,
        Draft(1, "talk", LIFETIME_S, GOOD.author, b""),
    )  # fmt: skip
    chuo.feed(Received(link, batch(refused.raw, waiting.raw)))

    assert chuo.height(refused.log) == 2
    assert chuo.closed() == []


def test_records_that_come_call_for_a_new_verdict() -> None:
    city, kita, chuo = two_wards()
    _, link = city.join(kita, chuo)
    city.deliver()
    kita.feed(Submit([], SATO.records, 1))
    chuo.feed(Received(link, batch(GOOD.raw)))
    city.deliver()

    assert SATO.session.id in chuo.machine.book
    assert any(
        isinstance(effect, Rejudge) and SATO.session.id in effect.record_ids
        for effect in chuo.effects
    )


# What a node says of people


def seen_by(who: Person, origin: Signer = KITA, staff_id: str = "1001") -> Entry:
    """A node's word that somebody had an entry on their screen."""
    body = receipts.encode_body(
        "all", [(receipts.Who(staff_id, who.session.id), log_of(CHUO), 1)]
    )  # fmt: skip
    log = log_of(origin, 2)
    draft = Draft(2, receipts.NAME, LIFETIME_S, b"", body)
    return make_entry(origin, NETWORK, log, 1, log.first_prev, 1, 4, draft)


def of_reads(*records: Record) -> Judge:
    return Judge(book_of(*RECORDS, *records), {receipts.NAME: receipts.KIND.rule})


def test_a_node_says_who_read_of_those_who_logged_in_at_it() -> None:
    assert of_reads(*SATO.records)(seen_by(SATO)).state == EFFECTIVE


def test_it_waits_for_the_log_in_that_it_names() -> None:
    verdict = of_reads()(seen_by(SATO))

    assert (verdict.state, verdict.missing) == (WAITING, SATO.session.id)


def test_nobody_is_said_to_have_read_at_a_node_where_they_never_were() -> None:
    judging = of_reads(*SATO.records, *CHIEF.records)

    elsewhere, another = judging(seen_by(SATO, CHUO)), judging(seen_by(SATO, staff_id="1000"))

    assert (elsewhere.state, elsewhere.reason) == (REFUSED, "session_of_another_node")
    assert (another.state, another.reason) == (REFUSED, "session_of_another_person")
