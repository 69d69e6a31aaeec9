"""Clerks who post all the while, and look at their pages, over HTTP like everybody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from meshrelay.cli.demo.driver import Visitor
from meshrelay.errors import BearerError, RefusedError
from meshrelay.web.client import StaffClient
from meshrelay.web.ids import uuid7
from tests.lab.ledger import Ledger, Page, shown

ROOM = "all"
RETRY_S = 0.3


async def post(ledger: Ledger, ward: str, clerk: Visitor, number: int) -> None:
    """Post one message until it is answered, as an outbox does, and write the answer down."""
    text = f"第{ward}区 {number} 件目の報告です。避難所は落ち着いています。"
    message_id = uuid7(time.time_ns() // 1_000_000)
    while True:
        try:
            posted = await clerk.ask(StaffClient.post, message_id, ROOM, text)
        except (RefusedError, BearerError):
            await asyncio.sleep(RETRY_S)
            continue
        ledger.note((posted.author, posted.message_id), text, posted.entry)
        return


async def post_on(ledger: Ledger, ward: str, clerk: Visitor, every_s: float) -> None:
    """Post for ever, one message after the other."""
    number = 0
    while True:
        number += 1
        await post(ledger, ward, clerk, number)
        await asyncio.sleep(every_s)


async def look(clerks: Mapping[str, Visitor]) -> dict[str, Page | None]:
    """What every page shows now; None for one that does not answer."""
    pages: dict[str, Page | None] = {}
    for ward, clerk in clerks.items():
        try:
            pages[ward] = shown(await clerk.ask(StaffClient.messages, ROOM))
        except (RefusedError, BearerError):
            pages[ward] = None
    return pages
