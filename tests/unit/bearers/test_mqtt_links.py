"""Who is up over a broker, minute by minute, without a broker and without waiting."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshrelay.bearers.base import GREETING_BYTES_MAX
from meshrelay.bearers.clones import Clones
from meshrelay.bearers.mqtt_links import FRAME, GREETING, NO_NONCE, NOTICE, Contacts
from tests.bearer_exam import GREETING_PREFIX, NOTICE_PREFIX, Ear, GuestList, node_id

HQ, KITA, CHUO, NISHINARI, MINATO = (
    node_id(name) for name in ("本部", "北区", "中央区", "西成区", "港区")
)
EVERYBODY = dict.fromkeys((HQ, KITA, CHUO, NISHINARI, MINATO), b"")
BOOT_1, BOOT_2 = b"boot-001", b"boot-002"


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Desk:
    """北区 at a broker that the test plays."""

    own: bytes = KITA
    clock: Clock = field(default_factory=Clock)
    ear: Ear = field(default_factory=Ear)
    sent: list[tuple[bytes, bytes]] = field(default_factory=list)
    sealed_with: list[int | None] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.doorman = GuestList(self.own, EVERYBODY)
        self.clones = Clones(self.clock, self.refused)
        self.contacts = Contacts(
            self.doorman,
            self.ear,
            b"own-boot",
            self.publish,
            self.clock,
            self.refused,
            self.clones,
            lambda: "10.0.0.1",
        )

    def publish(self, to: bytes, payload: bytes, generation: int | None) -> None:
        self.sent.append((to, payload))
        self.sealed_with.append(generation)

    def greeted(self) -> list[bytes]:
        """Whom we greeted since the last call."""
        to = [to for to, payload in self.sent if payload[0] == GREETING]
        self.sent.clear()
        return to

    def hears(self, peer: bytes, payload: bytes, done: Callable[[], None] = lambda: None) -> None:
        self.contacts.message(peer, payload, done)

    def state(self, peer: bytes, **facts: Any) -> None:
        self.contacts.state(peer, json.dumps(facts).encode())

    def passes(self, seconds: float, archives: list[bytes]) -> None:
        end = self.clock.now_s + seconds
        while self.clock.now_s < end:
            self.clock.now_s += 0.5
            self.contacts.tick(archives)


def greeting(
    peer: bytes, boot: bytes = BOOT_1, echo: bytes = NO_NONCE, address: bytes = b""
) -> bytes:
    shown = bytes([len(address)]) + address
    return bytes([GREETING]) + boot + echo + shown + GREETING_PREFIX + peer


def frame(data: bytes) -> bytes:
    return bytes([FRAME]) + data


def test_every_archive_is_greeted_at_once_and_then_every_three_seconds() -> None:
    kita = Desk()
    kita.contacts.started([HQ])
    assert kita.greeted() == [HQ]

    kita.passes(9.0, [HQ])
    assert kita.greeted() == [HQ] * 3


def test_an_archive_that_says_it_is_offline_is_not_greeted_until_it_is_back() -> None:
    kita = Desk()
    kita.contacts.started([HQ])
    kita.greeted()
    kita.state(HQ, online=False, boot=1)
    kita.passes(30.0, [HQ])
    assert kita.greeted() == []

    kita.state(HQ, online=True, boot=2)
    kita.passes(0.5, [HQ])
    assert kita.greeted() == [HQ]


def test_greetings_come_to_rest() -> None:
    kita, hq = Desk(), Desk(own=HQ)
    kita.contacts.started([HQ])
    for _round in range(5):
        for sender, receiver in ((kita, hq), (hq, kita)):
            waiting, sender.sent = sender.sent, []
            for to, payload in waiting:
                assert to == receiver.own
                receiver.hears(sender.own, payload)

    assert not kita.sent and not hq.sent
    assert [link.peer for link in kita.ear.ups] == [HQ]
    assert [link.peer for link in hq.ear.ups] == [KITA]


def test_the_answer_goes_out_before_the_drivers_first_frame() -> None:
    hq = Desk(own=HQ)

    class Eager(Ear):
        def up(self, link: Any) -> None:
            super().up(link)
            link.send(b"HELLO")

    hq.ear = Eager()
    hq.__post_init__()
    hq.hears(KITA, greeting(KITA))

    assert [payload[0] for _to, payload in hq.sent] == [GREETING, FRAME]


def test_an_unknown_peers_frame_is_dropped_and_answered_once_a_second() -> None:
    kita = Desk()
    done: list[bool] = []
    for _ in range(10):
        kita.hears(HQ, frame(b"HELLO"), lambda: done.append(True))
    assert kita.greeted() == [HQ] and len(done) == 10 and not kita.ear.frames

    kita.passes(1.0, [])
    assert kita.greeted() == [HQ], "one more for the nine that came too soon"
    kita.passes(10.0, [])
    assert kita.greeted() == []


def test_a_new_boot_of_a_peer_is_a_new_link_and_the_same_one_is_not() -> None:
    kita = Desk()
    kita.hears(HQ, greeting(HQ))
    kita.hears(HQ, greeting(HQ))
    assert len(kita.ear.ups) == 1

    kita.hears(HQ, greeting(HQ, BOOT_2))

    assert [reason for _link, reason in kita.ear.downs] == ["restarted"]
    assert len(kita.ear.links) == 1


def test_after_a_lost_broker_the_peer_that_noticed_nothing_answers_again() -> None:
    kita = Desk()
    kita.hears(HQ, greeting(HQ))
    kita.contacts.lost("broker lost")
    kita.sent.clear()
    kita.contacts.started([HQ])

    (_to, payload), *_rest = kita.sent
    assert payload[9:17] == NO_NONCE, "we have no link: an echo would keep it silent"


def test_a_silent_link_goes_down_after_75_seconds() -> None:
    kita = Desk()
    kita.hears(HQ, greeting(HQ))
    kita.passes(70.0, [HQ])
    kita.hears(HQ, frame(b"HELLO"))
    kita.passes(75.0, [HQ])
    assert not kita.ear.downs

    kita.passes(1.0, [HQ])
    assert [reason for _link, reason in kita.ear.downs] == ["silent"]


def test_a_peer_that_goes_offline_takes_its_link_down() -> None:
    kita = Desk()
    kita.hears(HQ, greeting(HQ))
    kita.state(HQ, online=True, boot=7, session=1)
    kita.state(HQ, online=False, boot=7, session=1)

    assert [reason for _link, reason in kita.ear.downs] == ["peer offline"]


def test_the_will_of_an_older_boot_says_nothing() -> None:
    kita = Desk()
    kita.hears(HQ, greeting(HQ))
    kita.state(HQ, online=True, boot=7, session=2)
    kita.state(HQ, online=False, boot=6, session=9)
    kita.state(HQ, online=False, boot=7, session=1)

    assert not kita.ear.downs


def test_without_an_archive_three_live_nodes_are_greeted_after_a_minute() -> None:
    kita = Desk()
    kita.contacts.started([HQ])
    for ward in (CHUO, NISHINARI, MINATO, node_id("生野区")):
        kita.state(ward, online=True, boot=1)
    kita.state(HQ, online=False, boot=1)
    kita.greeted()
    kita.passes(59.0, [HQ])
    assert kita.greeted() == []

    kita.passes(1.5, [HQ])
    chosen = kita.greeted()
    assert len(set(chosen)) == 3 and HQ not in chosen


async def test_the_live_nodes_are_let_go_when_an_archive_is_back() -> None:
    kita = Desk()
    kita.contacts.started([HQ])
    kita.state(CHUO, online=True, boot=1)
    kita.passes(61.0, [HQ])
    kita.hears(CHUO, greeting(CHUO))
    assert [link.peer for link in kita.ear.links] == [CHUO]

    kita.hears(HQ, greeting(HQ))
    kita.passes(0.5, [HQ])
    await kita.ear.until(lambda ear: ear.downs)

    assert [link.peer for link in kita.ear.links] == [HQ]
    assert kita.ear.downs[0][1] == "an archive is back"


def test_an_archive_only_answers() -> None:
    hq = Desk(own=HQ)
    hq.contacts.started([HQ])
    hq.state(KITA, online=True, boot=1)
    hq.passes(120.0, [HQ])
    assert hq.greeted() == []

    hq.hears(KITA, greeting(KITA))
    assert hq.greeted() == [KITA]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "bad_payload"),
        (b"\x09what", "bad_payload"),
        (bytes([GREETING]), "bad_preamble"),
        (greeting(HQ, NO_NONCE), "bad_preamble"),
        (greeting(node_id("stranger")), "unknown_node"),
        (greeting(CHUO), "wrong_topic"),
        (
            bytes([GREETING]) + BOOT_1 + NO_NONCE + bytes(GREETING_BYTES_MAX + 2),
            "oversize_greeting",
        ),
        (greeting(HQ, address=b"ward office"), "bad_preamble"),
        (bytes([GREETING]) + BOOT_1 + NO_NONCE + b"\x40short", "bad_preamble"),
        (bytes([NOTICE]), "bad_payload"),
        (bytes([NOTICE]) + bytes(64 * 1024 + 1), "bad_payload"),
    ],
)
def test_what_is_no_greeting_is_refused_by_name(payload: bytes, reason: str) -> None:
    kita = Desk()
    done: list[bool] = []

    kita.hears(HQ, payload, lambda: done.append(True))

    assert kita.refused == {reason: 1} and done == [True] and not kita.ear.ups


def test_a_refused_peer_is_not_judged_again_in_the_same_second() -> None:
    kita = Desk()
    for _ in range(100):
        kita.hears(HQ, greeting(node_id("stranger")))
    assert kita.refused == {"unknown_node": 1}


def notices(desk: Desk) -> list[tuple[bytes, int | None]]:
    """Notices published since the last call, with the key each was sealed with."""
    said = zip(desk.sent, desk.sealed_with, strict=True)
    found = [(payload[1:], key) for (_, payload), key in said if payload[0] == NOTICE]
    desk.sent.clear()
    desk.sealed_with.clear()
    return found


def test_a_barred_peer_is_told_why_once_a_minute_and_gets_no_link() -> None:
    kita = Desk()
    kita.doorman.barred[HQ] = "revoked"
    for _ in range(30):
        kita.hears(HQ, greeting(HQ))
        kita.passes(3.0, [HQ])

    assert notices(kita) == [(NOTICE_PREFIX + b"revoked", None)] * 2
    assert not kita.ear.ups and kita.refused["revoked"] == 30


def test_a_barred_peer_is_told_in_the_key_that_it_has() -> None:
    kita = Desk()
    kita.doorman.barred[HQ] = "suspended"
    kita.contacts.message(HQ, greeting(HQ), lambda: None, 3)

    assert notices(kita) == [(NOTICE_PREFIX + b"suspended", 3)]


def test_a_peer_that_is_no_longer_barred_is_greeted_again() -> None:
    kita = Desk()
    kita.doorman.barred[HQ] = "suspended"
    kita.contacts.started([HQ])
    assert kita.greeted() == []

    del kita.doorman.barred[HQ]
    kita.passes(3.0, [HQ])
    assert kita.greeted() == [HQ]


def test_a_peer_with_an_older_key_is_brought_its_key_before_anything_else() -> None:
    hq = Desk(own=HQ)
    hq.doorman.keys[KITA] = b"the key of generation 2"
    hq.contacts.message(KITA, greeting(KITA), lambda: None, 1)

    assert [payload[0] for _, payload in hq.sent] == [NOTICE, GREETING]
    assert notices(hq) == [(b"the key of generation 2", 1)]
    assert [link.peer for link in hq.ear.links] == [KITA]


def test_what_we_cannot_open_is_answered_by_a_greeting_once_a_second() -> None:
    kita = Desk()
    for _ in range(10):
        kita.contacts.unreadable(HQ)
    assert kita.greeted() == [HQ]


def test_a_notice_is_handed_on_to_be_verified() -> None:
    kita = Desk()
    done: list[bool] = []
    kita.hears(HQ, bytes([NOTICE]) + b"records", lambda: done.append(True))

    assert kita.ear.broadcasts == [(HQ, b"records")] and done == [True]


def test_a_process_that_comes_back_after_another_of_its_key_is_one_of_two() -> None:
    hq = Desk(own=HQ)
    hq.hears(KITA, greeting(KITA, BOOT_1, address=b"10.0.0.5"))
    hq.passes(1.0, [])
    hq.hears(KITA, greeting(KITA, BOOT_2, address=b"10.0.0.9"))
    assert hq.clones.told() == []

    hq.passes(1.0, [])
    hq.hears(KITA, greeting(KITA, BOOT_1, address=b"10.0.0.5"))
    assert hq.clones.told() == [(KITA, ("10.0.0.5", "10.0.0.9"))]
    assert hq.refused == {"clone": 1}


@pytest.mark.parametrize("data", [bytes(64 * 1024 + 1), b""])
def test_a_bad_frame_closes_the_link_and_says_goodbye(data: bytes) -> None:
    kita, hq = Desk(), Desk(own=HQ)
    kita.hears(HQ, greeting(HQ, b"own-boot"))
    hq.hears(KITA, greeting(KITA, b"own-boot"))
    kita.sent.clear()

    kita.hears(HQ, frame(data))
    for _to, payload in kita.sent:
        hq.hears(KITA, payload)

    assert len(kita.ear.downs) == 1
    assert [reason for _link, reason in hq.ear.downs] == ["closed by peer"]
    kita.hears(HQ, greeting(HQ, BOOT_2))
    assert len(kita.ear.ups) == 1, "not heard in the same breath"


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b'{"online": 1, "boot": 0}', b"x" * 20000])
def test_a_state_that_is_no_state_is_counted(payload: bytes) -> None:
    kita = Desk()
    kita.contacts.state(HQ, payload)
    assert kita.refused == {"bad_state": 1}


async def test_close_is_followed_by_one_down() -> None:
    kita = Desk()
    kita.hears(HQ, greeting(HQ))
    link = kita.ear.links[0]
    link.close("first")
    link.close("second")
    kita.contacts.lost("broker lost")
    await asyncio.sleep(0)

    assert [reason for _link, reason in kita.ear.downs] == ["broker lost"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(EVERYBODY)),
            st.binary(max_size=60)
            | st.builds(greeting, st.sampled_from(sorted(EVERYBODY)), st.binary(max_size=9))
            | st.builds(frame, st.binary(max_size=20)),
            st.sampled_from([0.0, 0.4, 3.0, 80.0]),
        ),
        max_size=30,
    )
)
def test_whatever_comes_is_acknowledged_and_the_node_stays_up(
    said: list[tuple[bytes, bytes, float]],
) -> None:
    kita = Desk()
    done: list[int] = []
    for number, (peer, payload, seconds) in enumerate(said):
        kita.hears(peer, payload, lambda number=number: done.append(number))  # type: ignore[misc]
        kita.contacts.state(peer, payload)
        kita.passes(seconds, [HQ])

    assert set(done) == set(range(len(said)))
    assert kita.contacts.up_count() == len(kita.ear.links)
