"""Every word on the staff page, in one table: Japanese first, English beside it.

やさしい日本語 is a table of its own, `words_easy`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from meshrelay.web import (
    words_board,
    words_courier,
    words_desk,
    words_easy,
    words_files,
    words_rooms,
    words_told,
)

# code: its name in itself, and the same in a corner.
LANG_NAMES = {
    "ja": ("日本語", "日本語"),
    "easy": ("やさしい日本語", "やさしい"),
    "en": ("English", "English"),
}
LANGS = tuple(LANG_NAMES)

# key: (Japanese, English); {n} etc. are filled by `str.format` and by the islands alike.
TABLE: Mapping[str, tuple[str, str]] = {
    # delivery words, exactly desk.md's table
    "unsent": ("未送信（この端末）", "Not sent (this device)"),
    "trouble": ("要確認", "Needs a look"),
    "node": ("区の機器", "Ward's machine"),
    "wards": ("他の区 {n}", "Other wards {n}"),
    "archive": ("本部", "HQ"),
    "read": ("既読 {n}/{m}", "Read {n}/{m}"),
    "late": ("遅れて届いた", "Arrived late"),
    "clock": ("時刻不確か", "Time uncertain"),
    "expired": ("期限切れ", "Expired"),
    "unsure": ("期限を確認できません", "Cannot tell whether it is still valid"),
    "fork": ("分岐（別の記録あり）", "Forked: another record exists"),
    "revoked": ("失効した機器経由", "Through a revoked machine"),
    # what to do about them
    "advice_unsure": (
        "この機器が止まっていた間の時間が分からず、まだ有効かどうか判断できません。発信者に確かめてください。",
        "This machine cannot know how long it was without power, so it cannot tell whether this "
        "is still valid. Ask the author.",
    ),
    "advice_fork": (
        "これを送った区の機器の鍵が盗まれたおそれがあり、同じ場所に別の記録があります。"
        "本人が書いたものか、電話などで発信者に確かめてください。",
        "The key of the machine that sent this may be stolen: another record exists in its "
        "place. Ask the author by another way whether these are their words.",
    ),
    "advice_revoked": (
        "これは失効した機器から届きました。本人が書いたものか、電話などで発信者に確かめてください。",
        "This came through a machine that was revoked. Ask the author by another way whether "
        "these are their words.",
    ),
    "unknown_kind": ("この機器では表示できません", "This machine cannot show this"),
    # navigation
    "menu": ("メニュー", "Menu"),
    "home": ("ホーム", "Home"),
    "rooms": ("ルーム", "Rooms"),
    "back": ("戻る", "Back"),
    "drill": ("訓練", "DRILL"),
    "drill_long": (
        "これは訓練です。本番の記録には入りません。",
        "This is a drill. Nothing here enters the live record.",
    ),
    "skip": ("本文へ", "Skip to content"),
    "node_page": ("{node}の機器", "Machine of {node}"),
    "no_rooms": ("入っているルームはありません。", "You are in no room."),
    "unread": ("未読 {n}", "{n} unread"),
    "members": ("{n}人", "members: {n}"),
    "members_unknown": ("人数不明", "members: unknown"),
    # log-in
    "login": ("ログイン", "Log in"),
    "logout": ("ログアウト", "Log out"),
    "logged_in_as": ("使っている人", "Logged in"),
    "staff_no": ("職員番号", "Staff number"),
    "card_no": ("カード番号", "Card number"),
    "card_help": (
        "カードのQRコードを読むと自動で入ります。",
        "Scan the card's QR code to fill it in.",
    ),
    "pin": ("PIN", "PIN"),
    "pin_help": (
        "はじめて使うカードなら、これから使うPINを決めて入れてください（6文字以上、本部の人は10文字以上）。"
        "次に、もう一度入れます。",
        "With a new card, choose your PIN here: at least 6 characters, 10 at HQ. You enter it a "
        "second time on the next step.",
    ),
    "pin_again": ("PINをもう一度", "PIN again"),
    "pin_new": (
        "はじめて使うカードです。これから使うPINを決めて、2回入れてください（6文字以上、本部の人は10文字以上）。",
        "This card is new. Choose a PIN of at least 6 characters, 10 at HQ, and enter it twice.",
    ),
    "http_warning": (
        "この接続は暗号化されていません。近くの人に見られるおそれがあります。"
        "区役所のWi-Fiか有線の外では使わないでください。",
        "This connection is not encrypted: people nearby may read it. "
        "Use it only on the ward office's own Wi-Fi or cable.",
    ),
    "login_wait": ("確かめています…", "Checking…"),
    # the sync line
    "sync_here": ("この機器が本部です。", "This machine is HQ's own."),
    "sync_synced": (
        "この機器の記録は、本部まで届いています。",
        "What this machine holds has reached HQ.",
    ),
    "sync_sending": (
        "まだ本部に届いていないものが{n}件あります。道が通じると自動で届きます。",
        "{n} not yet at HQ. They go on by themselves as soon as there is a path.",
    ),
    "sync_cut": (
        "本部につながっていません。送ったものはこの区の機器に残り、つながると自動で届きます。",
        "No contact with HQ. What you send stays on this machine and goes on by itself later.",
    ),
    "sync_revoked": (
        "この機器は失効しています。ここから送ったものは届きません。別の機器のページを使い、"
        "情報システム担当に知らせてください。",
        "This machine was revoked: nothing sent here arrives. Use another machine's page, and "
        "tell IT.",
    ),
    "sync_unknown": (
        "本部まで届いたかは、まだ分かりません。",
        "Not known yet whether everything has reached HQ.",
    ),
    "sync_age": ("本部の最後の知らせ：{age}前", "Last word from HQ: {age} ago"),
    "sync_never": ("本部の知らせ：まだありません", "Word from HQ: none yet"),
    "age_s": ("{n}秒", "{n} s"),
    "age_min": ("{n}分", "{n} min"),
    "age_h": ("{n}時間", "{n} h"),
    "age_d": ("{n}日", "{n} d"),
    # a room
    "write": ("メッセージ", "Message"),
    "send": ("送信", "Send"),
    "older": ("前のメッセージ", "Earlier messages"),
    "newest": ("最新のメッセージ", "Newest messages"),
    "new_pill": ("新着 ↓", "New ↓"),
    "from_here_unread": ("ここから未読", "Unread from here"),
    "empty_room": (
        "まだメッセージはありません。",
        "No messages yet.",
    ),
    "read_button": ("ここまで読みました", "I have read up to here"),
    "you": ("自分", "You"),
    "details": ("詳しく", "Details"),
    # outbox
    "again": ("もう一度送る", "Send again"),
    "rewrite": ("書き直す", "Rewrite"),
    "remove": ("消す", "Delete"),
    "remove_sure": ("本当に消す", "Really delete"),
    "outbox_n": (
        "この端末に未送信が{n}件あります。つながると自動で送ります。",
        "Not sent yet, on this device: {n}. They go by themselves when there is contact.",
    ),
    "outbox_refused": (
        "要確認が{n}件あります。",
        "Need a look: {n}.",
    ),
    "outbox_other": (
        "別の人の未送信が{n}件、この端末にあります。その人がログインすると送信します。",
        "Unsent items of somebody else on this device: {n}. "
        "They are sent when that person logs in.",
    ),
    "node_gone": (
        "区の機器につながりません（{time}までの内容です）。Wi-Fiを確かめてください。",
        "No contact with the ward's machine (this is as of {time}). Check the Wi-Fi.",
    ),
    "node_gone_kept": (
        "書いたものはこの端末に残り、つながると自動で送ります。",
        "What you write stays on this device and is sent by itself then.",
    ),
    "node_gone_form": (
        "書いたものはこの端末に残ります。つながったら、もう一度ボタンを押してください。",
        "What you write stays on this device. Press the button again when there is contact.",
    ),
    "pin_to_send": (
        "ログインが終わっています。新しいメッセージは届きません。PINを入れると送信します。",
        "You are logged out: nothing new arrives. Enter your PIN, and what waits is sent.",
    ),
    "pin_needed": (
        "ログインが終わっています。新しいメッセージは届きません。PINを入れてください。",
        "You are logged out: nothing new arrives. Enter your PIN.",
    ),
    "revoked_here": (
        "このカードは失効しました。新しいメッセージは届きません。書いたものはこの端末に残っています。"
        "新しいカードでログインすると送信します。",
        "This card was revoked: nothing new arrives. What you wrote is kept on this device; log "
        "in with a new card, and it is sent.",
    ),
    "other_person": (
        "別の人がログインしました。ページを開き直してください。",
        "Somebody else has logged in. Open the page again.",
    ),
    "open_room": ("ルームを開く", "Open the room"),
    "reload": ("開き直す", "Open again"),
    "store_failed": (
        "この端末に保存できません。送信が終わるまで、このページを閉じないでください。",
        "This device cannot keep it. Do not close this page until it is sent.",
    ),
    "logout_ask": (
        "まだ送っていないものが{n}件あります。ログアウトすると消えます。",
        "Not sent yet: {n}. Logging out deletes them.",
    ),
    "logout_wait": ("待つ", "Wait"),
    "logout_drop": ("消してログアウト", "Delete and log out"),
    # who has read
    "who_title": ("このメッセージ", "This message"),
    "where_title": ("持っている機器", "Machines that hold it"),
    "people_title": ("宛先の人", "Addressees"),
    "holder_at": ("{time} 確認", "confirmed {time}"),
    "no_holders": (
        "ほかの機器からの知らせはまだありません。",
        "No word from another machine yet.",
    ),
    "is_archive": ("本部", "HQ"),
    "unreached_n": ("うち未達 {n}人", "of them not reached: {n}"),
    "unread_n": ("未読 {n}人", "Not read: {n}"),
    "read_people_n": ("既読 {n}人", "Read: {n}"),
    "state_read": ("既読", "Read"),
    "state_reached": ("未読（到達）", "Not read (reached)"),
    "state_unreached": ("未達", "Not reached"),
    "ward_age": ("区の機器が未同期 {age}", "ward's machine not in sync for {age}"),
    "ward_never": ("区の機器の知らせなし", "no word from the ward's machine"),
    "roster_incomplete": (
        "名簿がまだそろっていないため、人数は分かりません（?）。",
        "The roster is not complete here, so the number of people is unknown (?).",
    ),
    # errors
    "problem_title": ("できませんでした", "That did not work"),
    "kept_text": ("書いた文章（写しておいてください）", "What you wrote (please copy it)"),
    **words_desk.TABLE,
    **words_courier.TABLE,
    **words_files.TABLE,
    **words_rooms.TABLE,
    **words_told.TABLE,
    **words_board.TABLE,
}

# What a room's script says.
ROOM_KEYS = (
    "unsent", "trouble", "node", "wards", "archive", "read", "late", "clock", "expired",
    "unsure", "fork", "revoked", "staff_revoked", "binding_conflict", "unknown_kind",
    "unsigned", "unsigned_short", "source_walk_in", "source_paper", "source_phone", "lock_offline",
    "from_here_unread", "empty_room", "older", "again", "rewrite", "remove", "remove_sure",
    "outbox_other", "node_gone", "node_gone_kept", "pin_to_send", "pin_needed", "revoked_here",
    "other_person", "reload", "store_failed", "login", "details", "board", "event",
    "kind_mode", "kind_instruction", "kind_evacuation", "kind_notice",
    *words_rooms.ISLAND_KEYS, *words_files.ISLAND_KEYS,
)  # fmt: skip
# What the scripts of the other pages say, too.
ISLAND_KEYS = (
    "outbox_n", "outbox_refused", "node_gone_form", "open_room", "logout_ask", "logout_wait",
    "logout_drop", "login_wait", *ROOM_KEYS,
)  # fmt: skip

_DAYS = "月火水木金土日"
WEEKDAYS = {"ja": _DAYS, "easy": _DAYS, "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")}


def word(key: str, lang: str, **values: object) -> str:
    """One sentence in one language, with its values filled in."""
    ja, en = TABLE[key]
    text = en if lang == "en" else words_easy.TABLE.get(key, ja) if lang == "easy" else ja
    return text.format(**values) if values else text


def tag_of(lang: str) -> str:
    """The language as HTML and the islands know it: やさしい日本語 is Japanese."""
    return "en" if lang == "en" else "ja"


def island_words(lang: str, keys: Iterable[str] = ISLAND_KEYS) -> dict[str, str]:
    """The words of one language that a page hands to its script."""
    return {key: word(key, lang) for key in keys}


def age_words(age_ms: int, lang: str) -> str:
    """An age in the largest fitting unit, rounded down: 47分, 3時間, 2日."""
    seconds = max(0, age_ms) // 1000
    if seconds < 60:
        return word("age_s", lang, n=seconds)
    if seconds < 3600:
        return word("age_min", lang, n=seconds // 60)
    if seconds < 48 * 3600:
        return word("age_h", lang, n=seconds // 3600)
    return word("age_d", lang, n=seconds // 86400)
