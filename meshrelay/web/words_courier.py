"""The words of the courier page; part of `words.TABLE`."""

from __future__ import annotations

from collections.abc import Mapping

TABLE: Mapping[str, tuple[str, str]] = {
    "courier": ("伝令", "Courier"),
    "courier_link": ("伝令（人が運ぶ）", "Courier (carry messages by hand)"),
    "courier_about": (
        "回線がないとき、ファイルを人が運びます。中身は封じてあり、落としても読まれません。"
        "書き換えもできません。",
        "When no line is left, somebody carries a file. It is sealed: whoever finds it can neither "
        "read nor alter it.",
    ),
    "courier_no_content": (
        "写真・ファイルの中身は伝令では運ばれません。名前と小さな画像だけです。"
        "中身は回線が戻ると届きます。",
        "The content of photos and files does not travel by courier, only their names and small "
        "pictures. It comes when a line is back.",
    ),
    "courier_take": ("持って行く", "Carry away"),
    "courier_to": ("行き先", "Where to"),
    "courier_all": ("すべての区", "All wards"),
    "courier_take_help": (
        "行き先を選ぶと、そこにもうあると分かっているものを省き、小さくなります。"
        "できたファイルは「ダウンロード」に入ります。スマートフォンかUSBメモリに保存して運んでください。",
        "Choose a ward, and what is known to be there already is left out. The file goes to your "
        "downloads. Save it on a phone or a USB stick and carry it.",
    ),
    "courier_make": ("ファイルを作る", "Make the file"),
    "courier_made": (
        "作りました：{name}、{n}件。「ダウンロード」の中にあります。",
        "Made: {name}, entries: {n}. It is among your downloads.",
    ),
    "courier_bring": ("持って来た伝令データ", "A courier file brought here"),
    "courier_file": (
        "持って来たファイル（名前の終わりが .courier）",
        "The file (its name ends in .courier)",
    ),
    "courier_bring_help": (
        "途中で切れたファイルも、二度目でもかまいません。読めるものだけが、一度だけ入ります。",
        "A file that was cut off, or read before, does no harm: what is whole is taken, once.",
    ),
    "courier_read": ("読み込む", "Read it"),
    "courier_sending": ("区の機器へ送っています", "Sending to the ward's machine"),
    "courier_waiting": ("読み込みを待っています。", "Waiting to be read."),
    "courier_reading": ("読み込んでいます。", "Being read."),
    "courier_done": ("読み込みました。", "It was read."),
    "courier_new": ("新しく届いた記録", "Entries that are new here"),
    "courier_known": ("もうここにあった記録", "Entries that were here already"),
    "courier_refused": ("受け取れなかった記録", "Entries that could not be taken"),
    "courier_n": ("{n}件", "{n}"),
    "courier_writer": ("作った機器", "Made by"),
    "courier_written": ("作った日時", "Made at"),
    "courier_ago": ("{age}前", "{age} ago"),
    "courier_unclear": (
        "経過不明（どちらかの機器の時計が不確か）",
        "unknown how long ago (the clock of one machine is uncertain)",
    ),
    "courier_unknown": ("不明", "Unknown"),
    "courier_damaged": (
        "ファイルが途中で切れているか、傷んでいます。読めたものは取り込みました。"
        "もう一度コピーして読み込むと、残りも入ります。",
        "The file is cut off or damaged. What is whole was taken. Copy it once more and read it "
        "again to get the rest.",
    ),
    "courier_refused_help": (
        "前の記録を待っているものは、それが届いてからもう一度読み込むと入ります。"
        "停止・失効した機器のものは受け取りません。",
        "What waits for an earlier record is taken when that has come and the file is read again. "
        "What a revoked machine wrote is not taken.",
    ),
    "courier_rooms": ("ルームへ", "To the rooms"),
    "courier_again": ("もう一度読み込む", "Read it once more"),
    "courier_another": ("ほかのファイル", "Another file"),
}
