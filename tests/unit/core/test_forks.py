"""A stolen key forks a log; a revocation ends one: everybody agrees, and no text is lost."""

from __future__ import annotations

import pytest

from meshrelay.core.announcing import HELLO_MS
from meshrelay.core.entry import AuthorPart, Draft, Entry, LogId, make_entry, sign_author_part
from meshrelay.core.events import Committed, Heard, OwnLogEnded, Received, Submit
from meshrelay.core.frames import Frame, Locate, Records, encode_frame
from meshrelay.core.link import LEASE_MS
from meshrelay.core.records import (
    FORK,
    REVOKED,
    Orphan,
    Proof,
    Record,
    Revocation,
    make_orphan,
    make_proof,
    make_revocation,
)
from meshrelay.core.vector import Line
from meshrelay.core.verdict import REFUSED, Judge
from meshrelay.errors import CredentialError, FrameError, SignatureError
from tests.unit.core.city import (
    CHUO,
    ISSUER,
    ISSUER_RECORD,
    KITA,
    LIFETIME_S,
    NETWORK,
    NISHINARI,
    PT_MS,
    RECORDS,
    RULES,
    TICK_MS,
    City,
    Station,
    batch,
    book_of,
    chain,
    log_of,
    note,
    person,
)

SATO = person("1001", NISHINARI)
LOG = log_of(NISHINARI)


def branch(count: int, text: str, on: list[Entry] | None = None) -> list[Entry]:
    """`count` messages of 佐藤 on top of other entries of 西成区's log."""
    entries = list(on or [])
    for seq in range(len(entries) + 1, len(entries) + count + 1):
        part = AuthorPart(
            seq.to_bytes(8, "big") + text.encode()[:8].ljust(8), SATO.session.id, PT_MS + seq, 4, 1,
            "all", "", f"{text}{seq}".encode(),
        )  # fmt: skip
        author = sign_author_part(
            SATO.signer, NETWORK, NISHINARI.public, 1, LIFETIME_S, "talk", part
        )
        prev = entries[-1].id if entries else LOG.first_prev
        draft = Draft(1, "talk", LIFETIME_S, author, b"")
        stamp = (PT_MS + seq) << 16
        entries.append(make_entry(NISHINARI, NETWORK, LOG, seq, prev, stamp, 4, draft))
    return entries


def holding(signer: object, entries: list[Entry], *records: Record) -> Station:
    """A station that holds these entries of 西成区."""
    station = Station(signer, [*RECORDS, *SATO.records, *records])  # type: ignore[arg-type]
    for start in range(0, len(entries), 50):
        raws = [entry.raw for entry in entries[start : start + 50]]
        station.feed(Heard(NISHINARI.public, "mqtt", batch(*raws)))
    return station


def texts(station: Station) -> set[bytes]:
    """Every text that is in a log or kept as an orphan."""
    kept = [record.content for record in station.machine.book]
    orphans = [content.entry.id for content in kept if isinstance(content, Orphan)]
    from meshrelay.core.signing import hash32

    return {hash32(raw) for raw in station.disk.get(LOG, [])} | set(orphans)


def met(common: int, left: int, right: int) -> tuple[City, Station, Station, set[bytes]]:
    """Two wards that heard different branches from a thief, joined."""
    trunk = branch(common, "共通")
    one, other = branch(left, "左", trunk), branch(right, "右", trunk)
    kita, chuo = holding(KITA, one), holding(CHUO, other)
    city = City(kita, chuo)
    city.join(kita, chuo)
    city.deliver()
    city.pass_ms(2 * HELLO_MS + LEASE_MS)
    return city, kita, chuo, {entry.id for entry in [*one, *other]}


@pytest.mark.parametrize(
    ("common", "left", "right"),
    [(0, 1, 1), (3, 1, 1), (3, 1, 5), (7, 40, 2), (0, 20, 20), (200, 150, 90), (1, 400, 1)],
)
def test_a_fork_is_located_proven_and_ends_the_log_before_it(
    common: int, left: int, right: int
) -> None:
    _, kita, chuo, everything = met(common, left, right)

    for ward in (kita, chuo):
        assert ward.height(LOG) == common
        (proof,) = [each.content for each in ward.machine.book if isinstance(each.content, Proof)]
        assert proof.first.seq == common + 1
        assert texts(ward) == everything  # of both branches, whatever was taken first
    assert kita.machine.vector.digest() == chuo.machine.vector.digest()
    assert kita.closed() == chuo.closed() == []


def test_a_long_fork_costs_few_frames_to_locate() -> None:
    city, _, _, _ = met(300, 300, 300)

    assert len(city.frames(Locate)) <= 12


def test_a_search_that_was_cut_off_is_taken_up_at_the_next_greeting() -> None:
    trunk = branch(3, "共通")
    kita = holding(KITA, branch(2, "左", trunk))
    chuo = holding(CHUO, branch(2, "右", trunk))
    city = City(kita, chuo)
    city.lost = lambda _sender, _to, frame: isinstance(frame, Locate)
    link, _ = city.join(kita, chuo)
    city.pass_ms(1_000)
    city.cut(link)
    city.lost = lambda *_: False
    city.join(kita, chuo)
    city.pass_ms(HELLO_MS + LEASE_MS)

    assert kita.height(LOG) == chuo.height(LOG) == 3


def test_what_arrives_above_an_end_becomes_an_orphan_at_once() -> None:
    city, kita, chuo, _ = met(2, 1, 1)
    late = branch(3, "右", branch(2, "共通"))[-1]
    chuo.feed(Heard(NISHINARI.public, "mqtt", batch(late.raw)))
    city.pass_ms(HELLO_MS)

    assert late.id in texts(kita) and late.id in texts(chuo)
    assert kita.height(LOG) == chuo.height(LOG) == 2


def test_what_a_node_said_above_an_end_is_nobodys_word() -> None:
    one, other = chain(NISHINARI, 2), chain(NISHINARI, 2, text="別の第")
    kita, chuo = holding(KITA, one), holding(CHUO, other)
    city = City(kita, chuo)
    city.join(kita, chuo)
    city.pass_ms(HELLO_MS)

    assert LOG not in kita.machine.vector.lines and kita.orphans == []
    assert kita.machine.vector.digest() == chuo.machine.vector.digest()


def test_an_orphan_has_no_effect_and_says_why() -> None:
    _, kita, _, _ = met(1, 1, 1)
    (judged,) = {
        kita.machine.judge(orphan).reason
        for orphan in [
            *branch(1, "左", branch(1, "共通"))[1:],
            *branch(1, "右", branch(1, "共通"))[1:],
        ]
    }

    assert judged == FORK
    assert kita.machine.judge(branch(1, "共通")[0]).state != REFUSED


def revocation(*lines: Line) -> Record:
    return make_revocation(
        ISSUER, NETWORK, Revocation(ISSUER_RECORD.id, NISHINARI.public, list(lines))
    )


def test_a_revocation_ends_every_log_at_its_vector_and_5000_messages_survive() -> None:
    entries = branch(5_010, "第")
    kita, chuo = holding(KITA, entries), holding(CHUO, entries[:4_000])
    city = City(kita, chuo)
    city.join(kita, chuo)
    kita.feed(Submit([], [revocation(Line(LOG, 10, entries[9].id))], 2))
    city.deliver()
    city.pass_ms(2 * HELLO_MS)

    for ward in (kita, chuo):
        assert ward.height(LOG) == 10
        assert texts(ward) == {entry.id for entry in entries}
    assert kita.machine.vector.digest() == chuo.machine.vector.digest()
    assert kita.machine.judge(entries[10]).reason == REVOKED


def test_a_log_that_a_revocation_does_not_name_ends_at_nothing() -> None:
    entries = branch(3, "第")
    kita = holding(KITA, entries)
    kita.feed(Submit([], [revocation()], 2))

    assert LOG not in kita.machine.vector.lines
    assert texts(kita) == {entry.id for entry in entries}


def test_several_ends_meet_at_the_least() -> None:
    entries = branch(9, "第")
    ends = [revocation(Line(LOG, seq, entries[seq - 1].id)) for seq in (7, 4)]
    fork = make_proof(entries[5], branch(1, "別", entries[:5])[-1])
    one = book_of(*RECORDS, *ends, fork)
    other = book_of(*RECORDS, fork, *reversed(ends))

    assert one.end_of(LOG) == other.end_of(LOG) == Line(LOG, 4, entries[3].id)


def test_a_commit_under_way_when_its_log_ends_is_taken_back() -> None:
    entries = branch(4, "第")
    kita = holding(KITA, entries[:2])
    kita.commits_at_once = False
    kita.feed(Heard(NISHINARI.public, "mqtt", batch(*[entry.raw for entry in entries[2:]])))
    kita.feed(Submit([], [revocation(Line(LOG, 1, entries[0].id))], 2))
    kita.commit()

    assert kita.height(LOG) == 1
    assert texts(kita) == {entry.id for entry in entries}


def test_a_cut_that_the_disk_refused_is_tried_again() -> None:
    said_by_node = chain(NISHINARI, 3)
    kita = holding(KITA, said_by_node)
    City(kita)
    kita.feed(Submit([], [revocation(Line(LOG, 1, said_by_node[0].id))], 2))
    assert kita.height(LOG) == 1

    chuo = holding(CHUO, said_by_node)
    chuo.commits_at_once = False
    chuo.feed(Submit([], [revocation(Line(LOG, 1, said_by_node[0].id))], 2))
    ends = chuo.waiting.pop(0)
    chuo.feed(Committed(ends.ticket))
    chuo.lose_commits()
    assert chuo.height(LOG) == 3
    chuo.commits_at_once = True
    City(chuo).pass_ms(TICK_MS)
    assert chuo.height(LOG) == 1


def test_an_orphan_without_an_end_waits_for_it() -> None:
    entries = branch(2, "第")
    kita = holding(KITA, entries[:1])
    book = kita.machine.book
    assert book.add(make_orphan(entries[1])) == []

    new = book.add(revocation(Line(LOG, 1, entries[0].id)))
    assert [record.type for record in new] == [6, 8]


def test_an_orphan_whose_end_was_lost_is_not_asked_for_without_end() -> None:
    entries = branch(2, "第")
    end, orphan = revocation(Line(LOG, 1, entries[0].id)), make_orphan(entries[1])
    kita, chuo = holding(KITA, entries[:1], end, orphan), holding(CHUO, entries[:1])
    city = City(kita, chuo)
    brought = []

    def lost(_sender: Station, _to: Station, frame: Frame) -> bool:
        raws = frame.raws if isinstance(frame, Records) else []
        brought.append(orphan.raw in raws)
        assert sum(brought) <= 3, "the same record again and again"
        return end.raw in raws

    city.lost = lost
    city.join(kita, chuo)
    city.pass_ms(LEASE_MS // 2)
    assert orphan.id not in chuo.machine.book
    assert any(brought)
    city.lost = lambda *_: False
    city.pass_ms(2 * HELLO_MS)

    assert orphan.id in chuo.machine.book
    assert kita.machine.vector.digest() == chuo.machine.vector.digest()


def test_an_orphan_that_nobody_wrote_is_refused() -> None:
    said_by_node = chain(NISHINARI, 2)
    book = book_of(*RECORDS, revocation())

    with pytest.raises(CredentialError, match="not_entitled"):
        book.add(make_orphan(said_by_node[1]))


def test_a_proof_must_be_two_entries_for_one_place() -> None:
    entries = branch(2, "第")
    for one, other in ((entries[0], entries[0]), (entries[0], entries[1])):
        with pytest.raises(FrameError, match="proof of nothing"):
            from meshrelay.core.records import read_record

            read_record(make_proof(one, other).raw)


def test_a_forged_proof_ends_nothing_and_closes_the_link() -> None:
    ours = branch(1, "第")
    forged = make_entry(
        KITA, NETWORK, LOG, 1, LOG.first_prev, 1, 4, Draft(1, "talk", 1, b"", b"forged")
    )
    kita, chuo = holding(KITA, ours), holding(CHUO, ours)
    city = City(kita, chuo)
    _, link = city.join(kita, chuo)
    city.deliver()
    chuo.feed(Received(link, encode_frame(Records([make_proof(ours[0], forged).raw]))))

    assert chuo.closed() == ["bad_signature"]
    assert chuo.height(LOG) == 1
    with pytest.raises(SignatureError):
        book_of(*RECORDS).add(make_proof(ours[0], forged))


def test_a_proof_about_a_stranger_waits_for_the_strangers_credential() -> None:
    one, other = branch(1, "左")[0], branch(1, "右")[0]
    known = [record for record in RECORDS if getattr(record.content, "key", b"") != LOG.origin]
    book = book_of(*known)
    assert book.add(make_proof(one, other)) == []

    (stranger,) = [
        record for record in RECORDS if getattr(record.content, "key", b"") == LOG.origin
    ]
    assert [record.type for record in book.add(stranger)] == [2, 7]


def test_the_node_whose_own_log_is_forked_asks_for_a_new_incarnation() -> None:
    nishinari = Station(NISHINARI, [*RECORDS, *SATO.records])
    nishinari.say(note("本当の第1報"))
    chuo = holding(CHUO, branch(1, "盗"))
    city = City(nishinari, chuo)
    city.join(nishinari, chuo)
    city.pass_ms(HELLO_MS + LEASE_MS)

    assert OwnLogEnded(LOG) in nishinari.effects


def test_endless_talk_about_a_fork_ends() -> None:
    """A peer that invents ids is not followed for ever."""
    kita, chuo = holding(KITA, branch(300, "第")), holding(CHUO, branch(300, "第"))
    city = City(kita, chuo)
    _, link = city.join(kita, chuo)
    city.deliver()
    before = len(city.frames(Locate, chuo))
    for number in range(1_000):
        lie = Locate(LOG, [(1, bytes(32)), (300, number.to_bytes(32, "big"))])
        chuo.feed(Received(link, encode_frame(lie)))

    assert len(city.frames(Locate, chuo)) - before <= 200
    assert chuo.height(LOG) == 300


def test_a_verdict_above_an_end_is_the_same_in_any_order_of_arrival() -> None:
    entry = branch(2, "第")[1]
    records = [*RECORDS, *SATO.records]
    early = Judge(book_of(revocation(), *records), RULES)(entry)
    late = Judge(book_of(*records, revocation()), RULES)(entry)

    assert early.reason == late.reason == REVOKED


def test_lines_of_an_ended_log_are_not_asked_for_above_the_end() -> None:
    entries = branch(5, "第")
    kita = holding(KITA, entries[:1], revocation(Line(LOG, 2, entries[1].id)))
    chuo = holding(CHUO, entries)
    city = City(kita, chuo)
    city.join(kita, chuo)
    city.pass_ms(2 * HELLO_MS)

    assert kita.height(LOG) == chuo.height(LOG) == 2
    assert LogId(*LOG) not in kita.machine.links[1].owed
