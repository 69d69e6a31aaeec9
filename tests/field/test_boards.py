"""Notices between two real nodes: seen, read, edited at both at once, settled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from meshrelay.errors import RefusedError
from meshrelay.node.board_desk import AttachmentDraft, DocumentDraft, Edit, Notice, NoticeDraft
from meshrelay.node.office import Seat
from meshrelay.web.server import create_app
from tests.town import MAYOR, SATO, TANAKA, Town, build_town, running, until, uuid7

pytestmark = pytest.mark.asyncio(loop_scope="module")

KITA, CHUO = "01", "02"
UNIT = "unit:避難所班"


async def post(town: Town, ward: str, seat: Seat, title: str, **more: Any) -> str:
    mid = uuid7()
    draft = NoticeDraft(**{"room": "all", "title": title, **more})
    await town.nodes[ward].boards.post_notice(seat, draft, mid)
    return mid


async def pieces(*content: bytes) -> AsyncIterator[bytes]:
    for each in content:
        yield each


async def later(call: Callable[[], object]) -> object:
    return call()


async def code_of(call: Awaitable[object]) -> str:
    with pytest.raises(RefusedError) as caught:
        await call
    return caught.value.code


def titles(town: Town, ward: str, seat: Seat, room: str = "all") -> list[list[str]]:
    found = town.nodes[ward].boards.notices(seat.person, room, None, 50)
    return [[each.title for each in notice.versions] for notice in found]


def first(town: Town, ward: str, seat: Seat, room: str = "all") -> Notice:
    return town.nodes[ward].boards.notices(seat.person, room, None, 1)[0]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """One for all tests: each has a room of its own, or looks at what it made."""
    directory = tmp_path_factory.mktemp("town")
    async with running(build_town(directory, {KITA: (), CHUO: (KITA,)})) as made:
        yield made


async def test_two_wards_edit_at_once_keep_both_and_settle_it(town: Town) -> None:
    sato, mayor = await town.log_in(KITA, SATO), await town.log_in(CHUO, MAYOR)
    tanaka = await town.log_in(CHUO, TANAKA)
    mid = await post(town, KITA, sato, "断水", text="午後まで")
    await until(lambda: titles(town, CHUO, tanaka) == [["断水"]])
    there = first(town, CHUO, tanaka)

    town.nodes[CHUO].mark_read(tanaka, [(SATO.staff_id, mid)])
    await until(lambda: first(town, KITA, sato).versions[0].message.read_n == 1)

    edit = Edit(there.author, there.message_id, list(there.replaces))
    await post(town, CHUO, mayor, "断水 夜まで", edit=edit, pin=True)
    await post(town, KITA, sato, "断水 夕方まで", edit=edit)
    for ward, seat in ((KITA, sato), (CHUO, tanaka)):
        await until(lambda ward=ward, seat=seat: len(first(town, ward, seat).versions) == 2)
        both = first(town, ward, seat)
        assert both.pinned and {each.number for each in both.versions} == {2}
    assert first(town, CHUO, tanaka).unread and not first(town, CHUO, tanaka).may_edit

    both = first(town, KITA, sato)
    settled = Edit(both.author, both.message_id, list(both.replaces))
    await post(town, KITA, sato, "断水 19時まで", edit=settled)
    await until(lambda: titles(town, CHUO, tanaka) == [["断水 19時まで"]])
    whole = town.nodes[CHUO].boards.notice(tanaka.person, SATO.staff_id, mid)
    assert [each.number for each in whole.versions] == [3, 2, 2, 1] and whole.pinned


async def test_a_room_says_which_versions_are_replaced_and_which_are_rivals(town: Town) -> None:
    sato, mayor = await town.log_in(KITA, SATO), await town.log_in(CHUO, MAYOR)
    tanaka = await town.log_in(CHUO, TANAKA)

    def said(ward: str, seat: Seat) -> dict[str, tuple[str, str | None]]:
        found = town.nodes[ward].messages(seat.person, "all", None, 50)
        return {
            str(each.body["text"]): (each.body.get("replaced", {}).get("act", ""), each.trouble)
            for each in found
            if each.kind == "board" and "給水" in each.body["text"]
        }

    def water(ward: str, seat: Seat) -> Notice:
        found = town.nodes[ward].boards.notices(seat.person, "all", None, 50)
        return next(each for each in found if "給水" in each.versions[0].title)

    await post(town, KITA, sato, "給水")
    await until(lambda: "給水" in said(CHUO, tanaka))
    cursor = town.nodes[KITA].changes(sato.person, None).cursor
    there = water(CHUO, tanaka)
    edit = Edit(there.author, there.message_id, list(there.replaces))
    await post(town, CHUO, mayor, "給水 夜まで", edit=edit)
    await post(town, KITA, sato, "給水 夕方まで", edit=edit)
    rivals = {
        "給水": ("version", None),
        "給水 夜まで": ("", "conflict"),
        "給水 夕方まで": ("", "conflict"),
    }
    await until(lambda: said(KITA, sato) == said(CHUO, tanaka) == rivals)
    told = town.nodes[KITA].changes(sato.person, cursor).messages
    assert "給水" in [each.body.get("text") for each in told], "an open page hears of it"

    now = water(KITA, sato)
    settled = Edit(now.author, now.message_id, list(now.replaces))
    await post(town, KITA, sato, "給水 19時まで", edit=settled)
    old = dict.fromkeys(rivals, ("version", None)) | {"給水 19時まで": ("", None)}
    await until(lambda: said(KITA, sato) == said(CHUO, tanaka) == old)


async def test_a_file_of_a_notice_is_had_by_who_may_see_it_and_by_nobody_else(town: Town) -> None:
    files, boards = town.nodes[KITA].files, town.nodes[KITA].boards
    sato, tanaka = await town.log_in(KITA, SATO), await town.log_in(KITA, TANAKA)
    kept = await files.keep(sato, "text/csv", pieces(b"1,2\n"))
    attached = AttachmentDraft(kept.blob, "給水車.csv", kept.type)
    mid = await post(town, KITA, sato, "給水", room="ward:01", files=[attached])

    (version,) = boards.notice(sato.person, SATO.staff_id, mid).versions
    content = files.content(sato.person, kept.blob)
    assert [(each.name, each.size) for each in version.files] == [("給水車.csv", 4)]
    assert content is not None and (content.name, content.size) == ("給水車.csv", 4)
    assert files.files(sato.person, "ward:01", None, 9) == []
    assert await code_of(later(lambda: files.content(tanaka.person, kept.blob))) == "not_member"
    unknown = [AttachmentDraft("ee" * 32, "x.csv", "text/csv")]
    assert await code_of(post(town, KITA, sato, "無い", files=unknown)) == "no_file"
    many = [attached] * 9
    assert await code_of(post(town, KITA, sato, "多い", files=many)) == "too_many_files"
    long = await code_of(post(town, KITA, sato, "長い", text="🚒" * 4_000))
    assert long == "too_long"


async def test_a_document_is_found_by_name_and_only_its_editors_replace_it(town: Town) -> None:
    files, boards = town.nodes[KITA].files, town.nodes[KITA].boards
    sato, tanaka = await town.log_in(KITA, SATO), await town.log_in(KITA, TANAKA)

    async def send(seat: Seat, name: str, edit: Edit | None = None) -> str:
        kept = await files.keep(seat, "text/csv", pieces(name.encode()))
        mid = uuid7()
        draft = DocumentDraft(room="all", blob=kept.blob, name=name, type=kept.type, edit=edit)
        await boards.post_document(seat, draft, mid)
        return mid

    def listed(name: str) -> list[tuple[str, int]]:
        found = boards.documents(tanaka.person, None, name, None, 50)
        return [(each.versions[0].file.name, each.versions[0].number) for each in found]

    mid = await send(sato, "名簿.csv")
    await send(sato, "地図.csv")
    paper = boards.document(sato.person, SATO.staff_id, mid)
    edit = Edit(paper.author, paper.message_id, list(paper.replaces))
    assert await code_of(send(tanaka, "うそ.csv", edit)) == "not_editor"
    await send(sato, "名簿(直し).csv", edit)

    assert listed("") == [("名簿(直し).csv", 2), ("地図.csv", 1)]
    assert listed("名簿") == [("名簿(直し).csv", 2)] and listed("うそ") == []
    shown = files.files(tanaka.person, "all", None, 9)
    assert [(each.name, each.version, each.newest) for each in shown] == [
        ("名簿(直し).csv", 2, True), ("地図.csv", 1, True), ("名簿.csv", 1, False),
    ]  # fmt: skip


EVENT = {
    "room": "all", "title": "訓練", "start": "2026-11-20T09:00+09:00",
    "end": "2026-11-20T10:00+09:00",
}  # fmt: skip
FILE = {"blob": "ee" * 32, "name": "x.csv", "type": "text/csv"}


async def test_every_refusal_is_a_problem_in_both_languages(town: Town) -> None:
    node = town.nodes[KITA]
    sato, mayor = await town.log_in(KITA, SATO), await town.log_in(KITA, MAYOR)
    mid = await post(town, KITA, mayor, "本部から")
    theirs = {"author": MAYOR.staff_id, "message_id": mid}
    entries = list(node.boards.notice(sato.person, MAYOR.staff_id, mid).replaces)
    own = await post(town, KITA, sato, "断水")
    mine = {"author": SATO.staff_id, "message_id": own}
    own_entries = list(node.boards.notice(sato.person, SATO.staff_id, own).replaces)
    edit, before = {**mine, "replaces": own_entries}, titles(town, KITA, sato)
    cases: list[tuple[str, dict[str, Any], int, str]] = [
        ("boards", {"id": "x"}, 400, "bad_id"),
        ("boards", {"id": own, "title": "別"}, 409, "id_taken"),
        ("boards", {"title": " "}, 400, "empty"),
        ("boards", {"title": "題" * 141}, 400, "too_long"),
        ("boards", {"text": "字" * 4_001}, 400, "too_long"),
        ("boards", {"room": "unit:なし"}, 404, "no_room"),
        ("boards", {"room": "ward:02"}, 403, "not_member"),
        ("boards", {"pin": False}, 403, "no_pin"),
        ("boards", {"edit": {**theirs, "replaces": entries}}, 403, "not_editor"),
        ("boards", {"edit": {**mine, "replaces": entries}}, 409, "stale_version"),
        ("boards", {"edit": edit, "room": "ward:01"}, 400, "other_room"),
        ("boards", {"edit": {**edit, "message_id": uuid7()}}, 404, "no_paper"),
        ("boards", {"files": [FILE]}, 404, "no_file"),
        ("boards", {"files": [FILE] * 9}, 400, "too_many_files"),
        ("calendar", {**EVENT, "end": EVENT["start"]}, 400, "bad_time"),
        ("calendar", {**EVENT, "place": "場" * 141}, 400, "too_long"),
        ("calendar", {**EVENT, "title": ""}, 400, "empty"),
        ("calendar", {**EVENT, "edit": edit}, 404, "no_paper"),
        ("documents", FILE, 404, "no_file"),
        ("documents", {**FILE, "edit": edit}, 404, "no_paper"),
    ]
    app = create_app(node, hosts=["127.0.0.1"])
    async with TestClient(TestServer(app), cookie_jar=CookieJar(unsafe=True)) as client:
        login = {"staff": SATO.staff_id, "card": SATO.code, "pin": SATO.pin}
        csrf = (await (await client.post("/api/login", json=login)).json())["csrf"]
        for path, more, status, code in cases:
            body = {"id": uuid7(), "room": "all"} | ({"title": "断水"} if path[0] == "b" else {})
            answer = await client.post(
                f"/api/{path}", json=body | more, headers={"X-CSRF-Token": csrf}
            )
            told = await answer.json()
            assert (answer.status, told["code"]) == (status, code), (path, more)
            assert answer.content_type == "application/problem+json"
            assert told["ja"] and told["en"] and told["next_ja"] and told["next_en"]
    assert titles(town, KITA, sato) == before


async def test_a_node_that_begins_its_read_model_again_shows_the_same(town: Town) -> None:
    sato = await town.log_in(KITA, SATO)
    await post(town, KITA, sato, "断水", room=UNIT)
    there = first(town, KITA, sato, UNIT)
    edit = Edit(there.author, there.message_id, list(there.replaces))
    await post(town, KITA, sato, "断水 夜まで", edit=edit, room=UNIT)
    before = first(town, KITA, sato, UNIT)
    await town.stop(KITA)
    (town.directory / KITA / "views.db").unlink()
    await town.start(KITA)
    sato = await town.log_in(KITA, SATO)
    await until(lambda: titles(town, KITA, sato, UNIT) == [["断水 夜まで"]])

    after = first(town, KITA, sato, UNIT)
    assert (after.replaces, after.sort) == (before.replaces, before.sort)
    assert after.versions[0].number == 2
