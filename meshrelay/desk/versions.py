"""What has versions: a notice 掲示, an event 予定, a document 資料.

Each version is a message of its room, with readers and receipts of its own. It names the first
version of its paper by [author, message id], and by entry id the versions that it replaces. What
nobody replaced is current; several at once are all shown, 要確認, until an edit names them all.
The author of the first, registrars and hq may edit; what somebody else writes in a paper's name
begins a paper of its own and replaces nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from graphlib import TopologicalSorter
from typing import Any

from meshrelay.core.codec import encode, is_bytes, is_text
from meshrelay.core.entry import MESSAGE_ID_BYTES
from meshrelay.core.records import NAME_CHARS_MAX, ROLE_HQ, ROLE_REGISTRAR, StaffCredential
from meshrelay.core.signing import ID_BYTES, hash32
from meshrelay.desk import talk
from meshrelay.desk.kind import Item, Row, Rows, place

TITLE_CHARS_MAX = 140
EDITORS = frozenset({ROLE_HQ, ROLE_REGISTRAR})
# Two clerks at once are usual, a whole room is not; a list of ids must fit beside a full text.
REPLACES_MAX = 32
# The newest of a paper. A row is written again for each version, so it must end somewhere.
VERSIONS_MAX = 1_000

First = tuple[str, bytes]
Versions = Mapping[str, Row]


def encode_fields(fields: Iterable[Any]) -> bytes:
    """A body of the numbered fields 1, 2, 3 …, without those that are None."""
    return encode({n: _listed(each) for n, each in enumerate(fields, 1) if each is not None})


def _listed(value: Any) -> Any:
    return [_listed(each) for each in value] if isinstance(value, (list, tuple)) else value


def is_edit(replaces: Any, first: Any) -> bool:
    """Whether two fields of a body name a paper and versions of it."""
    return (
        type(replaces) is list
        and 0 < len(replaces) <= REPLACES_MAX
        and all(is_bytes(each, ID_BYTES) for each in replaces)
        and type(first) is list
        and len(first) == 2
        and is_text(first[0], NAME_CHARS_MAX)
        and is_bytes(first[1], MESSAGE_ID_BYTES)
    )


def is_first_or_edit(replaces: Any, first: Any) -> bool:
    """Whether the two fields are both left out, or an edit."""
    return (replaces is None and first is None) or is_edit(replaces, first)


def words(item: Item, replaces: Any, first: Any, facts: Row) -> Row:
    """What a copy keeps of its paper, for `talk.fold`; `facts`: what its kind adds to a version."""
    part, person = item.part, item.person
    if part is None or person is None:
        return {}
    own = f"{person.staff_id}/{part.message_id.hex()}"
    by_right = not EDITORS.isdisjoint(person.roles)
    named = f"{first[0]}/{first[1].hex()}" if is_edit(replaces, first) else own
    if named != own and not _may(person, by_right, named):
        named = own
    version = facts | {
        "replaces": [each.hex() for each in replaces] if named != own else [],
        "by_right": by_right,
    }
    digest = hash32(part.body).hex()
    return {"paper": f"{part.audience}\n{named}", "version": version, "digest": digest}


def _may(person: StaffCredential, by_right: bool, named: str) -> bool:
    return by_right or named.startswith(f"{person.staff_id}/")


def fold(rows: Rows, item: Item, name: str, sort: Callable[[Versions], str]) -> None:
    """Keep the message of `item` in the row, called `name`, of each paper that a copy belongs to.

    Call it after `talk.fold`. A row without versions stands in no room's group.
    """
    part, person = item.part, item.person
    if part is None or person is None:
        return
    key = f"{person.staff_id}/{part.message_id.hex()}"
    message = rows.get(talk.NAME, key)
    copies = message["copies"].values() if message else ()
    here = place(item.entry.log, item.entry.seq)
    entry = item.entry.id.hex()
    mine = [copy for copy in copies if copy.get("kind") == item.entry.kind and "paper" in copy]
    for paper in sorted({copy["paper"] for copy in mine}):
        good = [copy for copy in mine if copy["paper"] == paper and not copy["refused"]]
        row = rows.get(name, paper) or {"versions": {}}
        versions = row["versions"]
        before = current(versions)
        if good:
            versions[key] = _version(good)
        else:
            versions.pop(key, None)
        for old in sorted(versions, key=lambda each: str(versions[each]["sort"]))[:-VERSIONS_MAX]:
            del versions[old]
        room = paper.partition("\n")[0] if versions else ""
        rows.put(name, paper, room, sort(versions) if versions else "", row)
        if any(copy["entry"] == entry and copy["paper"] == paper for copy in mine):
            rows.carry(here, name, paper)
        after = current(versions)
        for other in sorted({*before, *after}) if before != after else ():
            talk.touch(rows, other)  # whether it is replaced, or has rivals


def _version(good: list[Row]) -> Row:
    """A message's version: of its best effective copy, with the entries of all equal ones."""
    best = talk.shown({"copies": dict(enumerate(good))})
    same = [copy["entry"] for copy in good if copy["digest"] == best["digest"]]
    return {**best["version"], "sort": talk.sort_key(best), "entries": sorted(same)}


def current(versions: Versions) -> list[str]:
    """The versions that nobody replaced, newest first."""
    replaced = {entry for version in versions.values() for entry in version["replaces"]}
    left = [key for key, each in versions.items() if replaced.isdisjoint(each["entries"])]
    return sorted(left, key=lambda key: str(versions[key]["sort"]), reverse=True)


def standing(
    versions: Versions, is_hidden: Callable[[str], bool]
) -> tuple[dict[str, Row], list[str]]:
    """The versions, and which are current, without hidden ones that would be: what only suspended
    nodes took in replaces nothing until that is lifted."""
    known = dict(versions)
    left = current(known)
    while hidden := [key for key in left if is_hidden(key)]:
        for key in hidden:
            del known[key]
        left = current(known)
    return known, left


def newest(versions: Versions) -> Row:
    """The newest current version."""
    return versions[current(versions)[0]]


def numbers(versions: Versions) -> dict[str, int]:
    """第n版: one more than the highest that it replaces. Two edits at once have the same number.

    Names are hashes, so that no version can replace itself by way of others.
    """
    by_entry = {entry: key for key, each in versions.items() for entry in each["entries"]}
    before = {
        key: {by_entry[entry] for entry in each["replaces"] if entry in by_entry}
        for key, each in versions.items()
    }
    found: dict[str, int] = {}
    for key in TopologicalSorter(before).static_order():
        unknown = 1 if versions[key]["replaces"] else 0
        found[key] = 1 + max((found[each] for each in before[key]), default=unknown)
    return found
