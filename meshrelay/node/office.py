"""What a page may ask of its node: the whole surface between web or monitor and the rest.

All values are plain data (msgspec structs, times in integer milliseconds since
1970 UTC by this node's estimate); a page needs nothing of entries, logs or keys.
`None` always means unknown and must be shown as such, never as 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from meshrelay.node.board_desk import BoardDesk
    from meshrelay.node.card_desk import CardDesk
    from meshrelay.node.courier_desk import CourierDesk
    from meshrelay.node.displays import Displays
    from meshrelay.node.file_desk import FileDesk


class Person(Struct, frozen=True):
    """One member of staff by the roster this node holds."""

    staff_id: str
    name: str
    kana: str
    ward: str
    unit: str
    roles: tuple[str, ...]


class Ward(Struct, frozen=True):
    """An office of the ward list; `00` is 本部."""

    code: str
    name: str
    name_en: str


class NetworkInfo(Struct, frozen=True):
    """Which network this is; a drill network is another network, not a mode."""

    id: str  # 32 hex digits
    name: str
    drill: bool


class NodeInfo(Struct, frozen=True):
    """This node, or a peer."""

    id: str  # 64 hex digits
    name: str
    ward: str
    archive: bool


class Holder(Struct, frozen=True):
    """One node whose signed HAVE covers an entry."""

    node: str
    ward: str
    ward_name: str
    archive: bool
    stated_ms: int


class Message(Struct, frozen=True):
    """A message as a room shows it: once, however many nodes took it in.

    `place` is the furthest word that signed receipts allow: `node` (区の機器),
    `wards` (他の区 n, n = `wards_n`), `archive` (本部). `wards_n` counts wards other
    than the one that took it in, HQ's archive not counted, and is given with
    `archive` too. `members_n` is None when the roster is incomplete (shown ?).
    `trouble` is a reason code when the message is 要確認, else None.
    `body` is what the kind's fold kept, for talk {"text": str}, and what other messages say
    of it (node/about.py): "quote", "act", "reason", "replaced", "pinned". `expiry`: `valid`,
    `expired` (期限切れ), or `unsure` (要確認: neither clocks nor an unbroken age can say).
    A trouble of `fork` or `revoked` says that an end of its log lies below the message,
    `staff_revoked` (失効後) that its author's credential was revoked below it,
    `binding_conflict` that the author's card is claimed twice.
    `unsigned`: of a 署名なし note where it came from ("walk_in", "paper", "phone"), else "";
    `taken_by` then names who took it down (受付者), and `author` is the receiving node.
    """

    author: str
    author_name: str
    author_ward: str
    message_id: str
    kind: str
    room: str
    body: dict[str, Any]
    created_ms: int
    arrived_ms: int
    late: bool
    clock_uncertain: bool
    origin_ward: str
    place: str
    wards_n: int
    read_n: int
    members_n: int | None
    mine: bool
    read_by_me: bool
    trouble: str | None
    sort: str  # opaque; ascending is the room's order
    changed: int
    expiry: str = "valid"
    unsigned: str = ""
    taken_by: str = ""


class RoomView(Struct, frozen=True):
    """A room of the list; names are ready to show."""

    id: str  # "all", "ward:01", "unit:避難所班", "role:hq", "pair:1001+2001", "list:…"
    name: str
    name_en: str
    members_n: int | None
    unread_n: int
    last: Message | None
    mine: bool = False  # its name and members are the person's to change
    closed: bool = False
    people: tuple[str, ...] = ()  # staff ids, of a room whose members are listed


class Changes(Struct, frozen=True):
    """Answer of `changes`: everything visible to the person that changed after a cursor.

    `reset` says that the cursor was of another life of the read model: the page
    must load afresh. `more` asks for another call with the new cursor.
    """

    cursor: str
    messages: tuple[Message, ...]
    more: bool
    reset: bool
    now_ms: int


class Search(Struct, frozen=True):
    """What was found, newest first; `whole`: nothing else fits."""

    messages: tuple[Message, ...]
    whole: bool


class Posted(Struct, frozen=True):
    """The node's receipt: these bytes are on disk here. The 201 answer."""

    author: str
    message_id: str
    entry: str  # 64 hex digits
    room: str
    stored_ms: int
    trouble: str | None


class Reader(Struct, frozen=True):
    """One addressee of a message.

    `state`: `read`, `reached` (到達: a node of the home ward covers it), or
    `unreached` (未達). `at_ms`: when read. `ward_age_ms`: for `unreached`, age of
    the newest HAVE of that ward (区の機器が未同期 47分), None if none was heard.
    """

    person: Person
    ward_name: str
    state: str
    at_ms: int | None
    ward_age_ms: int | None


class WhoRead(Struct, frozen=True):
    """Who has received and who has read, unread first, then by ward and kana."""

    message: Message
    readers: tuple[Reader, ...]
    holders: tuple[Holder, ...]
    complete: bool  # False: the roster held here is incomplete, m is ?


class LaneWord(Struct, frozen=True):
    """One lane of one node's own logs: what it said it has and what the archive holds.

    `stated`/`archived`: entries (sum over its logs of the lane); None = never heard.
    `archived_up_to_ms`: clock of the newest entry below which the archive holds all.
    """

    lane: int
    stated: int | None
    archived: int | None
    archived_up_to_ms: int | None


class NodeWord(Struct, frozen=True):
    """The newest signed word of one enrolled node; everything None if never heard."""

    node: NodeInfo
    stated_ms: int | None
    heard_ms: int | None
    path: str | None  # "self", "lan", "mqtt", "courier", by which its newest HAVE came
    via: str | None  # ward name of the first hop when it did not come directly
    lanes: tuple[LaneWord, ...]  # always four
    version: str | None
    clock_quality: int | None
    backlog: tuple[int | None, ...]  # its own count per lane of entries no archive receipt covers
    oldest_unsynced_ms: int | None  # created-clock of its oldest own lane 0/1 entry without receipt
    disk_free_bytes: int | None
    refused: dict[str, int]  # by reason
    barred: str = ""  # "revoked" or "suspended": nobody has a link with it


class LinkWord(Struct, frozen=True):
    """One open link of this node."""

    peer: str
    peer_name: str
    peer_ward: str
    bearer: str
    remote: str
    up_ms: int
    bytes_in: int
    bytes_out: int


class StoreWord(Struct, frozen=True):
    """How full log.db is: bytes, and what was dropped for space or found damaged, ever."""

    used_bytes: int
    quota_bytes: int
    evicted: int
    damaged: int


class Status(Struct, frozen=True):
    """What `meshrelay status --json`, /readyz and /metrics tell of this node."""

    network: NetworkInfo
    node: NodeInfo
    version: str
    ready: bool
    trouble: tuple[str, ...]  # sentences, empty when all is well
    now_ms: int
    clock_quality: int
    started_ms: int
    incarnation: str
    entries: int
    records: int
    messages: int
    sessions: int
    digest: str
    links: tuple[LinkWord, ...]
    bearers: dict[str, str]
    refused: dict[str, int]  # refusals by reason since start
    words: tuple[NodeWord, ...]  # one for each enrolled node, this one included
    revoked: bool = False  # this node: nobody takes what it signs
    store: StoreWord | None = None
    evicted: dict[str, int] = {}  # dropped for space since start, by what
    blobs_bytes: int = 0  # photos and files that are here whole


class WallItem(Struct, frozen=True):
    """An order on a wall screen, where everybody reads it: no name of anybody.

    `text` is None unless it was written to 全庁. `doubtful`: other content under one id (要確認).
    """

    id: str
    kind: str
    text: str | None
    created_ms: int
    expiry: str
    doubtful: bool


class Wall(Struct, frozen=True):
    """What a wall screen shows; `mode` None: nothing was declared (平常)."""

    mode: WallItem | None
    newest: WallItem | None


class Seat(Protocol):
    """An open log-in of one person at this node (holds the session key; never stored)."""

    @property
    def person(self) -> Person: ...
    @property
    def revoked(self) -> bool: ...  # the person's credential ended: show and take nothing more


class Office(Protocol):
    """A running node, as pages see it. Single event loop; sync methods are quick."""

    @property
    def network(self) -> NetworkInfo: ...
    @property
    def me(self) -> NodeInfo: ...
    @property
    def wards(self) -> dict[str, Ward]: ...
    def now_ms(self) -> int: ...
    def status(self) -> Status: ...

    async def log_in(
        self, staff_id: str, card_code: str, pin: str, pin_again: str | None = None
    ) -> Seat:
        """Open a seat; about 0.1 s.

        Raises:
            RefusedError: codes `card_typo`, `unknown_card`, `wrong_pin`, `wait` (tries, the
                sentence names the seconds), `choose_pin` (first use of this card: call
                again with `pin_again` equal to `pin`), `pin_mismatch`, `pin_too_short`,
                `pin_too_simple`, `not_bound` (a card with special rights that was not bound
                when it was issued), `card_revoked`.
        """

    @property
    def seal_key(self) -> bytes:
        """The node's X25519 public key (32 bytes), to which a log-in page seals what it sends."""

    def unseal(self, page_key: bytes, nonce: bytes, sealed: bytes) -> bytes:
        """Open a NaCl crypto_box that a page made for `seal_key`.

        Raises RefusedError `bad_seal` (400).
        """

    async def reopen(self, seat: Seat, pin: str) -> None:
        """Check the PIN of a locked screen; no Argon2id of the card is needed.

        Raises RefusedError `wrong_pin`, `wait` or `seat_closed`.
        """

    @property
    def cards(self) -> CardDesk:
        """PINs, temporary cards, suspended nodes."""

    @property
    def couriers(self) -> CourierDesk:
        """Courier files: one to carry away, one to take in."""

    @property
    def files(self) -> FileDesk:
        """Photos and files."""

    @property
    def displays(self) -> Displays:
        """Wall screens."""

    @property
    def boards(self) -> BoardDesk:
        """Notices, events and documents, in versions."""

    def log_out(self, seat: Seat) -> None: ...

    async def post(
        self,
        seat: Seat,
        kind: str,
        room: str,
        body: dict[str, Any],
        message_id: str,
        created_ms: int | None,
    ) -> Posted:
        """Sign, store (FULL commit) and forward a message; `message_id` is a UUIDv7 text.

        The same id with the same content gives the same answer, for ever. Bodies by kind, where
        a message is named by {"author", "message_id"}:
        `talk`: {"text", "reply_to" (a message of the room, optional)};
        `file`: {"blob", "name", "type", "text", "thumbnail" (base64), "reply_to"}, see `files`;
        `correction`: {"of", "act" ("correct", "withdraw", "false"), "reason", "text"};
        `pin`: {"of", "on"};
        `room`: {"name", "members" (staff ids), "closed"}: with an empty `room` a new one, whose
        id the answer names; else a change of it, where what is left out stays.

        Raises:
            RefusedError: `id_taken` (409: same id, other content), `bad_id`, `no_room`,
                `no_message`, `no_person` (404), `not_member`, `room_closed`, `not_yours`,
                `not_maker` (403), `role` (403: the kind needs one), `empty`, `too_long`,
                `no_reason`, `not_correctable`, `room_name`, `too_many_members`, `unknown_kind`,
                `seat_closed` and `card_revoked` (401), `node_revoked` (403), `disk` (503).
        """

    async def post_note(
        self, seat: Seat, room: str, text: str, source: str, source_name: str, message_id: str
    ) -> Posted:
        """A note without an author's signature (署名なし), taken down by `seat.person` (受付者).

        `source`: "walk_in" (窓口), "paper" (紙), "phone" (電話); `source_name`: whose words they
        are, may be empty. It never carries an order. Raises as `post`.
        """

    def mark_read(self, seat: Seat, items: list[tuple[str, str]]) -> None:
        """Note that (author, message_id) were displayed to this person; batched by the node."""

    def rooms(self, person: Person) -> list[RoomView]: ...

    def room_view(self, person: Person, room: str) -> RoomView:
        """One of them, or the room of two people before anything was said. Raises as `messages`."""

    def messages(
        self, person: Person, room: str, before: str | None = None, limit: int = 50
    ) -> list[Message]:
        """Newest `limit` messages of a room in ascending order, older than sort key `before`.

        Raises:
            RefusedError: `no_room` (404) or `not_member` (403).
        """

    def changes(self, person: Person, after: str | None) -> Changes: ...

    def who(self, person: Person, author: str, message_id: str) -> WhoRead:
        """Raises RefusedError `no_message` (404) or `not_member` (403)."""

    async def people(self, text: str, limit: int) -> list[Person]:
        """Members of staff whose id, name, kana or unit holds `text`, to write to.

        Raises RefusedError `no_query` (400).
        """

    def around(
        self, person: Person, room: str, author: str, message_id: str, limit: int
    ) -> list[Message]:
        """A message with what was said before and after it, ascending. Raises as `who`."""

    def own_last(self, person: Person) -> Message | None:
        """What somebody sent last, of what is here: who has not read it is a tap from Home."""

    def pinned(self, person: Person, room: str) -> list[Message]:
        """What a room keeps in view, newest first. Raises as `messages`."""

    async def search(self, person: Person, query: str, room: str | None = None) -> Search:
        """Messages that hold every word of `query`, of one room or of all that one may see.

        Raises RefusedError `no_query` (400), and as `messages`.
        """

    def urgent(self, person: Person) -> list[Message]:
        """Orders of the person's rooms that were not displayed to them yet, newest first.

        Effective ones that have not expired; nobody's own.
        """

    @property
    def urgent_stamp(self) -> str:
        """Changes whenever an order came or changed here; "" before the first one."""

    def wall(self) -> Wall:
        """For everybody in the building: orders of rooms that this ward's people are in."""

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` (on the loop) when something visible changed; returns unsubscribe."""
