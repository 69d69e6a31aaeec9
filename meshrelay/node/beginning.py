"""A store that began anew under an old key: what its node, and what all others, tell IT."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

from meshrelay.core.book import RecordBook
from meshrelay.core.have import Receipts

log = logging.getLogger("meshrelay.node")

# Stays until a copy is put back, or a person takes it away.
LOST = "log.db.lost"


def note_lost(directory: Path) -> None:
    """Before the store is opened: a node that ran before should have a log.db."""
    if (directory / "log.db").exists() or not (directory / "views.db").exists():
        return
    (directory / LOST).touch()
    log.warning(
        "log.db is missing and this node begins with nothing; put a copy back with "
        "meshrelay archive restore directory=%s", directory,
    )  # fmt: skip


def troubles(directory: Path, book: RecordBook, receipts: Receipts) -> list[str]:
    """Sentences for IT: our own log.db was gone, or two stores speak in one node's name."""
    found = []
    if (directory / LOST).exists():
        found.append(
            "この機器の log.db がなくなり、空から始めました。控えがあれば、すぐに機器を止めて "
            f"meshrelay archive restore で戻してください。なければ {LOST} を消してください / "
            "log.db was gone and this node began with nothing: if there is a copy, stop the node "
            f"and put it back now (meshrelay archive restore); if there is none, delete {LOST}"
        )
    stores = Counter(signer for signer, _ in receipts.tips() if signer not in book.revoked)
    for signer in sorted(signer for signer, count in stores.items() if count > 1):
        node = book.nodes.get(signer)
        name = f"{node.name} ({node.ward_name})" if node else signer.hex()[:16]
        found.append(
            f"{name}: 記録をなくして始め直したか、鍵が2台で使われています。その受領は、前の記録も"
            "言った分しか数えません。新しい名前で登録し直し、この鍵を失効させてください / "
            "it began anew without its log.db, or its key is on two machines: its receipts count "
            "only as far as both stores stated; enrol it anew and revoke this key"
        )
    return found
