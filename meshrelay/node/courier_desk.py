"""What a page may ask about courier files, plain data as in `office.py`, and why one is refused.

A file is carried by a person, on a stick or a phone, from one ward to the next.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import BinaryIO, NamedTuple, Protocol

from msgspec import Struct

from meshrelay.errors import RefusedError
from meshrelay.node.office import Seat

# A million short messages are 170 MB in a courier file; a phone brings this within some minutes.
FILE_BYTES_MAX = 512 * 1024 * 1024


class CourierFile(NamedTuple):
    """A file to hand out; it is on no disk any more once `file` is closed."""

    name: str
    size: int
    entries: int
    file: BinaryIO


class Reading(Struct, frozen=True):
    """A file that is being taken in, or was.

    `state`: `waiting`, `reading`, `done` or `refused` (then `code` and the sentences say why).
    `written_ms`: by the writer's clock, None if the file does not tell; `passed_ms`: how long it
    was under way, None: nobody can say (経過不明), its entries' ages are lower bounds.
    `entries_new` were not here, `entries_known` were, `entries_refused` could not be taken (an
    entry before them is missing, or their log has ended). `damaged_n`: spots that could not be
    opened. `whole`: nothing is missing.
    """

    id: str
    state: str = "waiting"
    bytes_done: int = 0
    bytes_total: int = 0
    node_name: str = ""
    ward: str = ""
    ward_name: str = ""
    to: str = ""
    written_ms: int | None = None
    passed_ms: int | None = None
    whole: bool = False
    damaged_n: int = 0
    entries_new: int = 0
    entries_known: int = 0
    entries_refused: int = 0
    records_new: int = 0
    code: str = ""
    ja: str = ""
    en: str = ""
    next_ja: str = ""
    next_en: str = ""


class CourierDesk(Protocol):
    """Courier files at one node. Refusals are RefusedError; common code: `seat_closed` (401)."""

    async def write(self, seat: Seat, to: str) -> CourierFile:
        """A file for a ward (code or name), a node (name or id) or, with "", for everybody.

        Codes: `no_destination` (404), `no_transit_key`, `courier_busy` (409), `disk_full` (503).
        """

    async def receive(self, seat: Seat, pieces: AsyncIterator[bytes]) -> str:
        """Take a file to the disk, piece by piece; it is read soon. Returns the reading's id.

        Codes: those of `refusal`, `courier_busy` (409), `courier_too_large` (413),
        `disk_full` (503).
        """

    def reading(self, reading: str) -> Reading | None:
        """How far it is; None: there is none (any more)."""


# reason: (code, ja, en, next_ja, next_en)
_REFUSED = {
    "not_a_courier_file": (
        "not_a_courier_file",
        "伝令データではありません。",
        "This is not a courier file.",
        "meshrelay- で始まり .courier で終わるファイルを選んでください。",
        "Choose a file whose name begins with meshrelay- and ends in .courier.",
    ),
    "unknown_version": (
        "courier_version",
        "この機器より新しいソフトウェアで作られた伝令データです。",
        "This courier file was made by newer software than this node's.",
        "この機器のソフトウェアを新しくしてください。",
        "Update this node's software.",
    ),
    "foreign_network": (
        "foreign_network",
        "別のネットワーク（訓練と本番など）の伝令データです。何も取り込んでいません。",
        "This courier file is of another network (a drill's, perhaps). Nothing was taken in.",
        "このネットワークの機器で作ったファイルを選んでください。",
        "Choose a file that a node of this network made.",
    ),
    "unknown_transit_key": (
        "unknown_transit_key",
        "この機器が持っていない鍵で封じられています。",
        "This courier file is sealed with a key that this node does not hold.",
        "情報システム担当に issuer renew の記録を入れてもらい、もう一度読み込んでください。",
        "Ask IT to import the records of `issuer renew`, then read it again.",
    ),
    "revoked": (
        "revoked",
        "この伝令データを作った機器は失効しています。何も取り込んでいません。",
        "The node that made this courier file was revoked. Nothing was taken in.",
        "どこで手に入れたかを、情報システム担当に知らせてください。",
        "Tell IT where you got it.",
    ),
    "suspended": (
        "suspended",
        "この伝令データを作った機器は停止中です。何も取り込んでいません。",
        "The node that made this courier file is suspended. Nothing was taken in.",
        "区の登録担当者に確かめ、停止が解かれてから読み込んでください。",
        "Ask the ward's registrars; read it once the suspension is lifted.",
    ),
    "bad_seal": (
        "courier_unreadable",
        "伝令データが壊れているか、書き換えられています。読めるところがありませんでした。",
        "This courier file is damaged or was altered; no part of it could be read.",
        "もう一度コピーするか、元の区で作り直してもらってください。",
        "Copy it once more, or have it made again at the ward it came from.",
    ),
    "empty": (
        "courier_cut",
        "伝令データがはじめで切れています。コピーが終わる前に抜いたようです。",
        "This courier file is cut off at its start: it was taken out before it was copied.",
        "もう一度コピーしてください。",
        "Copy it once more.",
    ),
}
_FORGED = (
    "courier_forged",
    "だれが作った伝令データか確かめられません。何も取り込んでいません。",
    "It cannot be proven who made this courier file. Nothing was taken in.",
    "どこで手に入れたかを、情報システム担当に知らせてください。",
    "Tell IT where you got it.",
)


def refusal(reason: str) -> RefusedError:
    """Why nothing of a file was taken in, with the next step."""
    return RefusedError(*_REFUSED.get(reason, _FORGED), 400)


def busy() -> RefusedError:
    return RefusedError(
        "courier_busy",
        "ほかの伝令データを扱っています。",
        "Another courier file is being handled.",
        "1分ほど待って、もう一度試してください。",
        "Wait a minute and try again.",
        409,
    )


def too_large() -> RefusedError:
    mib = FILE_BYTES_MAX // 1024 // 1024
    return RefusedError(
        "courier_too_large",
        f"ファイルが大きすぎます（{mib} MiBまで）。",
        f"The file is larger than {mib} MiB.",
        "元の区で、区を選んで作り直してもらってください。届いている分は入りません。",
        "Have it made again for one ward: what that ward has is left out.",
        413,
    )


def disk_full() -> RefusedError:
    return RefusedError(
        "disk_full",
        "空き容量が足りません。",
        "There is not enough free space.",
        "USBメモリか機器の空きを増やして、もう一度試してください。",
        "Free some space on the stick or on the node, then try again.",
        503,
    )
