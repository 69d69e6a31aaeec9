"""Names in what the API answers, made as harmless as on the screens."""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec import Struct, structs

from meshrelay.web.text import NAME_CHARS_MAX, clean_name

# Fields that hold what somebody elsewhere called a person, ward, unit, room or version.
_NAMES = frozenset({
    "name", "name_en", "kana", "unit", "author_name", "ward_name", "taken_by", "said_by",
    "node_name", "peer_name", "via", "version",
})  # fmt: skip

T = TypeVar("T")


def plain(value: T) -> T:
    """The same answer with every name cleaned; parts in which nothing was wrong stay themselves.

    What people wrote (message bodies) stays as it was signed: the page cleans it where it draws.
    """
    made: T = _plain(value, False)
    return made


def _plain(value: Any, is_name: bool) -> Any:
    if isinstance(value, str):
        harmless = not is_name or (value.isprintable() and len(value) <= NAME_CHARS_MAX)
        return value if harmless else clean_name(value)
    if isinstance(value, Struct):
        changed = {}
        for field in type(value).__struct_fields__:
            old = getattr(value, field)
            if field != "body" and (new := _plain(old, field in _NAMES)) is not old:
                changed[field] = new
        return structs.replace(value, **changed) if changed else value
    if isinstance(value, tuple | list):
        items = [_plain(each, is_name) for each in value]
        same = all(new is old for new, old in zip(items, value, strict=True))
        return value if same else type(value)(items)
    if isinstance(value, dict):
        pairs = {_plain(key, True): _plain(each, is_name) for key, each in value.items()}
        same = all(new is value.get(key) for key, new in pairs.items())
        return value if same else pairs
    return value
