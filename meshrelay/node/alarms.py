"""Sentences for IT on what the links show, in Japanese and English, each with the next step."""

from __future__ import annotations

from collections.abc import Sequence

from meshrelay.bearers.base import Bearer, Clone
from meshrelay.core.book import RecordBook
from meshrelay.core.claims import is_suspended

_UNKNOWN = ("アドレス不明（ブローカー経由）", "an unknown address (by the broker)")


def link_alarms(book: RecordBook, me: bytes, bearers: Sequence[Bearer]) -> list[str]:
    """One for each key that two machines use, and whether this node is suspended."""
    found = [_cloned(book, me, clone) for bearer in bearers for clone in bearer.clones]
    if is_suspended(book, me):
        found.append(
            "この機器は使用停止中です：他の区とつながりません。区の登録担当に確かめてください / "
            "This node is suspended: no other node links with it; ask the ward's registrars"
        )
    return found


def _cloned(book: RecordBook, me: bytes, clone: Clone) -> str:
    node = book.nodes.get(clone.peer)
    name = f"{node.name}（{node.ward_name}）" if node else clone.peer.hex()[:16]
    name_en = f"{node.name} ({node.ward_name_en})" if node else clone.peer.hex()[:16]
    ja = " と ".join(each or _UNKNOWN[0] for each in clone.addresses)
    en = " and ".join(each or _UNKNOWN[1] for each in clone.addresses)
    ours, ours_en = ("この機器、", "this node, ") if clone.peer == me else ("", "")
    return (
        f"{ours}{name} の鍵を2台の機器が使っています：{ja}。片方を止め、どちらも本物でなければ"
        f"失効させてください / Two machines use the key of {ours_en}{name_en}: {en}; stop one of "
        "them, and revoke the node if you do not know both"
    )
