"""Why a notice, an event or a document was not taken, and what to do instead."""

from __future__ import annotations

from meshrelay.desk import board
from meshrelay.errors import RefusedError


def no_paper() -> RefusedError:
    """No paper of this kind goes by that message here."""
    return RefusedError(
        "no_paper",
        "この掲示・予定・資料はこの機器にありません。",
        "This node holds no such notice, event or document.",
        "一覧に戻って選び直してください。",
        "Go back to the list and choose again.",
        404,
    )


def not_editor() -> RefusedError:
    """Neither the author of the first version nor somebody with the right."""
    return RefusedError(
        "not_editor",
        "直せるのは、書いた人と、登録担当者・本部長だけです。",
        "Only its author, a registrar or hq may edit this.",
        "書いた人に頼むか、新しく出してください。",
        "Ask its author, or post a new one.",
        403,
    )


def no_pin() -> RefusedError:
    """A pin from somebody without the right."""
    return RefusedError(
        "no_pin",
        "固定できるのは、登録担当者と本部長だけです。",
        "Only a registrar or hq may pin a notice.",
        "固定を外して出すか、登録担当者に頼んでください。",
        "Post it without the pin, or ask a registrar.",
        403,
    )


def other_room() -> RefusedError:
    """An edit stays in its room: its readers are there."""
    return RefusedError(
        "other_room",
        "直すときに、ルームは変えられません。",
        "An edit cannot move to another room.",
        "別のルームには、新しく出してください。",
        "Post a new one in the other room.",
        400,
    )


def stale_version() -> RefusedError:
    """What the edit says it replaces is not a version of this paper here."""
    return RefusedError(
        "stale_version",
        "直そうとした版がこの機器にありません。",
        "This node does not hold the version that the edit names.",
        "開き直して、もう一度直してください。",
        "Open it again and edit that.",
        409,
    )


def no_title() -> RefusedError:
    """Nothing to show in a list."""
    return RefusedError(
        "empty",
        "題名がありません。",
        "There is no title.",
        "題名を書いてから出してください。",
        "Write a title, then post.",
        400,
    )


def too_long(what: str, what_en: str, chars_max: int) -> RefusedError:
    """One field is longer than it may be."""
    return RefusedError(
        "too_long",
        f"{what}が長すぎます({chars_max}文字まで)。",
        f"The {what_en} is too long (at most {chars_max} characters).",
        "短くするか、ファイルにして添えてください。",
        "Shorten it, or attach it as a file.",
        400,
    )


def too_large() -> RefusedError:
    """All fields together are more than an entry holds."""
    return RefusedError(
        "too_long",
        "本文とファイルの名前を合わせると長すぎます。",
        "Text and file names together are too long.",
        "短くするか、ファイルにして添えてください。",
        "Shorten it, or attach it as a file.",
        400,
    )


def bad_time() -> RefusedError:
    """Not two times, the end after the start."""
    return RefusedError(
        "bad_time",
        "日時が正しくありません。終わりは始まりより後にしてください。",
        "These are no times, or the end is not after the start.",
        "始まりと終わりの日時を確かめてください（例：2026-11-18T09:00+09:00）。",
        "Check start and end (as 2026-11-18T09:00+09:00; all day: midnight to midnight).",
        400,
    )


def too_many_files() -> RefusedError:
    """More files than a notice has."""
    return RefusedError(
        "too_many_files",
        f"ファイルは{board.FILES_MAX}個までです。",
        f"A notice has at most {board.FILES_MAX} files.",
        "ファイルを減らすか、別の掲示にしてください。",
        "Remove some, or post another notice.",
        400,
    )
