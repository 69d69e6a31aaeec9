"""Scenarios: a story in TOML, read strictly, every mistake named with its line.

    name = "osaka-2019"

    [[person]]                 # who; cards are made when the replay starts
    id = "sakura"
    name = "天満 さくら"
    ward = "01"                # 00, 01, 02, 03 or hq, kita, chuo, nishinari
    roles = ["staff"]
    unit = "避難所班"           # optional

    [[step]]                   # ascending at_s, seconds since start
    at_s = 1.0
    do = "send"                # retried like the page's outbox until a node answers
    as = "sakura"
    node = "kita"
    room = "all"               # all, ward:01, unit:避難所班, role:hq
    text = "揺れました。全員無事です。"
    id = "m01"                 # the same id at two nodes: one person, one message

    [[step]]                   # read: what the page shows of `room`, or one message `id`
    at_s = 2.0                 # cut, heal: cable = wan | lan | wan:kita | lan:kita-chuo | kita
    do = "read"                # kill (witness kept), power (witness lost), start: node, or broker
    as = "sakura"
    node = "kita"
    room = "all"

    [[expect]]                 # holds if it is seen by then
    by_s = 5.0
    what = "m01 shown at hq"

    [[expect]]                 # holds if it is not seen for the first time in the window
    after_s = 3.0
    by_s = 9.0
    what = "any word 本部"
    never = true

What can be expected of a message id, or of `any`:

    m01 answered                      a node answered 201
    m01 refused                       a node refused it
    m01 shown at kita                 its room shows it there
    m01 word 区の機器|他の区|本部 [at kita]     the delivery word, at the node that took it in or at another
    m01 word 他の区|本部 before shown    the word was seen although no such node showed the message yet
    m01 read by sakura                her name is among those who have read, at the sender's node
    m01 trouble                       要確認 anywhere
    m01 twice                         more than once in one room anywhere
"""  # noqa: E501  (the grammar is easier to read unbroken)

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ScenarioPerson:
    """Who takes part."""

    id: str
    name: str
    ward: str
    roles: tuple[str, ...]
    unit: str


@dataclass(frozen=True)
class Step:
    """One thing that happens. Fields that the verb does not use are empty."""

    at_s: float
    do: str
    person: str = ""
    node: str = ""  # key of a place, or `broker`
    room: str = ""
    text: str = ""
    id: str = ""
    cables: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fact:
    """What can be seen of a message. `id` empty means any; `place` empty means the sender's."""

    kind: str  # answered, refused, shown, word, early, read, trouble, twice
    id: str
    place: str = ""
    word: str = ""
    person: str = ""


@dataclass(frozen=True)
class Expectation:
    """A fact and its window."""

    text: str
    fact: Fact
    after_s: float
    by_s: float
    never: bool


@dataclass(frozen=True)
class Scenario:
    """A checked scenario; nothing in it refers to something that is not there."""

    name: str
    people: tuple[ScenarioPerson, ...]
    steps: tuple[Step, ...]
    expectations: tuple[Expectation, ...]
    end_s: float

    @property
    def rooms(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(step.room for step in self.steps if step.do == "send"))

    def members(self, room: str) -> tuple[ScenarioPerson, ...]:
        """The people whose ward, unit or role makes them members of a standing room."""
        return tuple(person for person in self.people if is_member(person, room))


def is_member(person: ScenarioPerson, room: str) -> bool:
    """Whether a standing room has this person by ward, unit or role."""
    kind, _, name = room.partition(":")
    match kind:
        case "all":
            return True
        case "ward":
            return person.ward == name
        case "unit":
            return person.unit == name
        case _:
            return name in person.roles
