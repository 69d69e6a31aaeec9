"""Every word of the monitor in Japanese and English, and how ages and sizes are said."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from meshrelay.monitor.tally import State, Tally, WardRow

LANGS: Final = ("ja", "en")
HQ: Final = "00"
JST: Final = timezone(timedelta(hours=9))
# A sentence that names more wards than this is not read; the tiles name them all.
NAMES_MAX: Final = 6

# Why something was refused, in the words of the table; a cause without one is told as it is.
CAUSES: Mapping[str, Mapping[str, str]] = {
    "ja": {
        "bad_signature": "署名が不正",
        "signature": "署名が不正",
        "malformed": "形が不正",
        "not_entitled": "権限なし",
        "no_credential": "証明が未着",
        "no_record": "記録が未着",
        "foreign_network": "別の網",
        "gap": "途中が欠け",
        "fork": "分岐",
        "ended": "終了後",
        "replayed": "写し直し",
        "own_log": "自分の記録",
        "oversize": "大きすぎ",
        "role": "役割なし",
        "schema": "内容が不正",
        "empty": "空",
        "no_room": "宛先なし",
        "revoked": "失効",
        "staff_revoked": "失効後",
        "stray_piece": "余分な断片",
        "wrong_piece": "違う断片",
        "payload_replayed": "写し直し",
        "disk": "満杯",
    },
    "en": {},
}

TEXT: Final[Mapping[str, Mapping[str, str]]] = {
    "ja": {
        "title": "復旧モニター",
        "drill": "訓練",
        "other_lang": "English",
        "age": "この画面のデータ",
        "age_ago": "秒前",
        "stale": "データが古くなっています。この画面を出している機器につながりません。"
        "下の値は最後に分かったものです。",
        "stale_title": "古いデータ",
        "map": "区の地図",
        "legend": "記号の意味",
        "tile_means": "枠の中の時間は、同期済み時点（沈黙の区は最後の知らせ）から今まで。",
        "table": "区ごとの状態",
        "matrix": "本部にある記録（区 × 緊急度）",
        "matrix_note": "区の機器が「ある」と言った記録のうち、本部の機器にあるもの。"
        "棒がいっぱいなら残りはありません。",
        "ward": "区",
        "state": "状態",
        "synced": "同期済み時点",
        "oldest": "最古の未同期",
        "word": "最後の知らせ",
        "path": "経路",
        "clock": "時計",
        "disk": "空き",
        "refused": "拒否",
        "version": "版",
        "nodes": "機器",
        "backlog": "残り",
        "unknown": "不明",
        "alone": "この機器はいまどの機器ともつながっていません。下は最後に聞いた知らせです。",
        "last_heard": "最後に聞いたかぎり、",
        "none": "なし",
        "ago": "前",
        "value_age": "値は{age}前のもの",
        "last_said": "最後の知らせ：{value}",
        "in_sync": "同期",
        "late": "遅れ",
        "silent": "沈黙",
        "in_sync_means": "15分前までの緊急・通常の記録がすべて本部にある",
        "late_means": "知らせはあるが、本部にない古い記録が残っている",
        "silent_means": "15分以上、何の知らせもない",
        "unknown_means": "まだ一度も聞いていない、または本部の状態が分からない",
        "suspended": "停止",
        "suspended_means": "登録担当者が機器を止めた。解除するまで、どの機器もつながらない",
        "revoked": "失効",
        "revoked_means": "機器の証明書が失効した。これから書くものは、どこにも届かない",
        "lane0": "緊急",
        "lane1": "通常",
        "lane2": "背景",
        "lane3": "大容量",
        "self": "この機器",
        "lan": "LAN",
        "mqtt": "ブローカー",
        "courier": "伝令",
        "via": "{ward}経由",
        "clock0": "不確か",
        "clock1": "復元",
        "clock2": "本部から",
        "clock3": "手合わせ",
        "clock4": "正確",
        "nodes_heard": "{n}台中{heard}台から知らせ",
        "others": "ほか{n}",
        "here": "この画面を出している機器",
        "not_archive": "この機器は本部ではありません。"
        "「本部にある」は、本部の署名入りの知らせで聞いた範囲です。",
        "ready": "動いています",
        "not_ready": "準備中",
        "trouble": "この機器の問題",
        "links": "開いている通信路",
        "no_links": "開いている通信路はありません。",
        "link_peer": "相手",
        "link_up": "開いた時刻",
        "bearers": "通信の方法",
        "bearer_connected": "つながっている",
        "bearer_connecting": "つなごうとしている",
        "bearer_listening": "相手を待っている",
        "numbers": "同じ数字を機械で読む",
    },
    "en": {
        "title": "Recovery monitor",
        "drill": "DRILL",
        "other_lang": "日本語",
        "age": "Data on this page",
        "age_ago": "s old",
        "stale": "This data is getting old: the node behind this page cannot be reached. "
        "The values below are the last ones known.",
        "stale_title": "Old data",
        "map": "Map of wards",
        "legend": "What the signs mean",
        "tile_means": "The time in a box runs from synced-up-to until now (for a silent ward, "
        "from its last word).",
        "table": "Ward by ward",
        "matrix": "Entries held by HQ (ward × lane)",
        "matrix_note": "Of the entries that a ward's nodes say they have, those that HQ has. "
        "A full bar means that nothing is left over.",
        "ward": "Ward",
        "state": "State",
        "synced": "Synced up to",
        "oldest": "Oldest unsynced",
        "word": "Last word",
        "path": "Path",
        "clock": "Clock",
        "disk": "Disk free",
        "refused": "Refused",
        "version": "Version",
        "nodes": "Nodes",
        "backlog": "left",
        "unknown": "unknown",
        "alone": "This machine has no link to any other now. Below is what it heard last.",
        "last_heard": "When last heard: ",
        "none": "none",
        "ago": " ago",
        "value_age": "values are {age} old",
        "last_said": "{value} by its last word",
        "in_sync": "in sync",
        "late": "late",
        "silent": "silent",
        "in_sync_means": "HQ has every urgent and normal entry up to 15 minutes ago",
        "late_means": "it speaks, but HQ lacks older entries",
        "silent_means": "no word at all for more than 15 minutes",
        "unknown_means": "never heard, or nothing is known of what HQ has",
        "suspended": "suspended",
        "suspended_means": "registrars stopped its machine; no other has a link with it until "
        "they lift that",
        "revoked": "revoked",
        "revoked_means": "its machine's credential is revoked; what it writes from then on reaches "
        "nobody",
        "lane0": "urgent",
        "lane1": "normal",
        "lane2": "background",
        "lane3": "bulk",
        "self": "this node",
        "lan": "LAN",
        "mqtt": "broker",
        "courier": "courier",
        "via": "via {ward}",
        "clock0": "uncertain",
        "clock1": "restored",
        "clock2": "from HQ",
        "clock3": "by hand",
        "clock4": "exact",
        "nodes_heard": "word from {heard} of {n}",
        "others": "{n} more",
        "here": "The node behind this page",
        "not_archive": "This node is not HQ. “Held by HQ” is as far as HQ's signed word "
        "has reached here.",
        "ready": "running",
        "not_ready": "getting ready",
        "trouble": "Trouble on this node",
        "links": "Open links",
        "no_links": "No link is open.",
        "link_peer": "Peer",
        "link_up": "Open since",
        "bearers": "Bearers",
        "bearer_connected": "connected",
        "bearer_connecting": "connecting",
        "bearer_listening": "waiting for a peer",
        "numbers": "The same numbers for machines",
    },
}

_UNITS: Final = {
    "ja": ("{}秒", "{}分", "{}時間{}分", "{}日{}時間"),
    "en": ("{} s", "{} min", "{} h {} min", "{} d {} h"),
}


def age(ms: int, lang: str) -> str:
    """An age in the two largest units that matter: 12秒, 47分, 2時間5分, 3日4時間."""
    seconds, minutes, hours, days = _UNITS[lang]
    s = ms // 1000
    if s < 60:
        return seconds.format(s)
    if s < 3600:
        return minutes.format(s // 60)
    if s < 86_400:
        return hours.format(s // 3600, s % 3600 // 60)
    return days.format(s // 86_400, s % 86_400 // 3600)


def clock(ms: int, now_ms: int) -> str:
    """Wall clock at +09:00; with the day when it is not today's."""
    at, now = (datetime.fromtimestamp(t / 1000, UTC).astimezone(JST) for t in (ms, now_ms))
    return at.strftime("%H:%M:%S" if at.date() == now.date() else "%Y-%m-%d %H:%M")


def iso(ms: int) -> str:
    """ISO 8601 with +09:00, for machines that read the page."""
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(JST).isoformat(timespec="seconds")


def size(count: int) -> str:
    """Bytes as people read them on a disk's box: powers of ten."""
    for factor, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"


def name(row: WardRow, lang: str) -> str:
    """The ward's name in the language of the page."""
    return row.name if lang == "ja" else row.name_en


def headline(view: Tally, lang: str, alone: bool = False) -> str:
    """The one sentence that comes first.

    4区中3区が15分以内に同期。西成区が遅れ（最長47分）. Wards of which nothing is known are
    named as such and never counted as in sync, nor as late. `alone`: the node has no link, so
    this was so when it heard last.
    """
    known = len(view.having(State.UNKNOWN)) < len(view.rows)
    return (TEXT[lang]["last_heard"] if alone and known else "") + _sentence(view, lang)


def _sentence(view: Tally, lang: str) -> str:
    # HQ is no ward: it is named when something is wrong with it, never counted.
    wards = [row for row in view.rows if row.code != HQ]
    total, fresh = len(wards), sum(row.state is State.IN_SYNC for row in wards)
    lost = sum(row.state is State.UNKNOWN for row in wards)
    named = tuple(row for row in view.having(State.UNKNOWN) if lost < total or row.code == HQ)
    late, silent = view.having(State.LATE), view.having(State.SILENT)
    suspended, revoked = view.having(State.SUSPENDED), view.having(State.REVOKED)
    late_age = _longest(view, [row.synced_up_to_ms for row in late], lang)
    silent_age = _longest(view, [row.word_ms for row in silent], lang)
    if lang == "ja":
        parts = [_fresh_ja(total, fresh, lost)]
        parts += [f"{_names(silent, lang)}が沈黙（最長{silent_age}）"] if silent else []
        parts += [f"{_names(late, lang)}が遅れ（最長{late_age}）"] if late else []
        parts += [f"{_names(named, lang)}は不明"] if named else []
        parts += [f"{_names(suspended, lang)}は停止中"] if suspended else []
        parts += [f"{_names(revoked, lang)}は失効"] if revoked else []
        return "。".join(parts)
    parts = [_fresh_en(total, fresh, lost)]
    parts += [f"Silent: {_names(silent, lang)} (up to {silent_age})."] if silent else []
    parts += [f"Late: {_names(late, lang)} (up to {late_age})."] if late else []
    parts += [f"Unknown: {_names(named, lang)}."] if named else []
    parts += [f"Suspended: {_names(suspended, lang)}."] if suspended else []
    parts += [f"Revoked: {_names(revoked, lang)}."] if revoked else []
    return " ".join(parts)


def _fresh_ja(total: int, fresh: int, unknown: int) -> str:
    if not total:
        return "まだどの区の機器も登録されていません"
    if total == unknown:
        return f"{total}区すべて不明。まだどの区からも確かな知らせがありません"
    if total == fresh:
        return f"{total}区すべてが15分以内に同期"
    return f"{total}区中{fresh}区が15分以内に同期"


def _fresh_en(total: int, fresh: int, unknown: int) -> str:
    if not total:
        return "No ward's machine is enrolled yet."
    if total == unknown:
        return f"All {total} wards unknown: nothing certain has been heard yet."
    if total == fresh:
        return f"All {total} wards in sync within 15 minutes."
    return f"{fresh} of {total} wards in sync within 15 minutes."


def _names(rows: tuple[WardRow, ...], lang: str) -> str:
    shown = [name(row, lang) for row in rows[:NAMES_MAX]]
    left = len(rows) - len(shown)
    if lang == "ja":
        return "・".join(shown) + (f"ほか{left}区" if left else "")
    return ", ".join(shown) + (f" and {left} more" if left else "")


def _longest(view: Tally, times: list[int | None], lang: str) -> str:
    known = [time for time in times if time is not None]
    return age(view.age_ms(min(known)) or 0, lang) if known else TEXT[lang]["unknown"]
