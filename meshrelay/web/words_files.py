"""The words of photos and files; part of `words.TABLE`."""

from __future__ import annotations

from collections.abc import Mapping

# What the islands draw.
ISLAND_KEYS = ("attach_large", "attach_position")

TABLE: Mapping[str, tuple[str, str]] = {
    "files": ("資料・写真", "Files and photos"),
    "files_empty": ("資料・写真はまだありません。", "No files or photos yet."),
    "files_older": ("前の資料・写真", "Earlier files and photos"),
    "file_here": ("この区の機器にあります", "On this ward's machine"),
    "file_here_too": ("この区の機器と{where}にあります", "On this ward's machine, and at: {where}"),
    "file_waits": ("回線が戻ると届きます", "It comes when a line is back"),
    "file_coming": ("取り寄せ中 {n}%", "Being fetched, {n} %"),
    "file_held": ("{where}にあります", "At: {where}"),
    "file_unknown": ("どこにあるか、まだ分かりません", "Not known yet where it is"),
    "file_open": ("開く", "Open"),
    "file_read": ("中を見る", "Read it"),
    "file_fetch": ("取り寄せる", "Fetch it"),
    "file_choose": ("写真・ファイル（8 MBまで）", "Photo or file (at most 8 MB)"),
    "file_text": ("ひとこと（なくてもよい）", "A word about it (optional)"),
    "attach_photo": ("写真", "Photo"),
    "attach_large": (
        "8 MBを超えるファイルは送れません。小さくして選び直してください。",
        "A file of more than 8 MB cannot be sent. Make it smaller and choose it again.",
    ),
    "attach_position": ("撮影場所も送る", "Send where it was taken"),
    "attach_position_help": (
        "選ばないかぎり、撮影した場所などの記録は写真から消して送ります。",
        "Unless you choose it, the record of where it was taken is removed from the photo.",
    ),
    "voice_record": ("声を録音する（1分まで）", "Record your voice (up to a minute)"),
    "voice_stop": ("録音を終える", "Stop"),
    "voice_none": ("マイクを使えません。", "The microphone cannot be used."),
    "voice_none_next": (
        "ブラウザーでマイクを許可するか、録音したファイルを選んでください。",
        "Allow the microphone in the browser, or choose a recorded file.",
    ),
    "file_send_here": ("写真・ファイルを送る", "Send a photo or file"),
    "file_send": ("この資料を送る", "Send this file"),
    "file_sending": ("送っています…", "Sending…"),
    "file_help": (
        "大きな写真は小さくして送ります（JPEGになることがあります）。文章より後に、少しずつ届きます。"
        "ほかの区では、開いた人がいるときに取り寄せます。",
        "A large photo is made smaller, often into a JPEG. Files travel after all text, piece "
        "by piece. Other wards fetch one when somebody opens it.",
    ),
    "file_sent": ("送りました。", "Sent."),
    "file_room": ("ルームへ戻る", "Back to the room"),
}
