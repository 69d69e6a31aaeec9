"""The words of urgent news, the sound test and wall screens; part of `words.TABLE`."""

from __future__ import annotations

from collections.abc import Mapping

TABLE: Mapping[str, tuple[str, str]] = {
    # what is urgent
    "urgent": ("緊急", "Urgent"),
    "urgent_title": ("緊急の知らせ", "Urgent news"),
    "urgent_open": ("開いて読む", "Open and read"),
    "urgent_n": ("ほかに{n}件", "and {n} more"),
    "urgent_locked": (
        "緊急の知らせが{n}件あります。PINを入れると読めます。",
        "Urgent news: {n}. Enter the PIN to read.",
    ),
    "urgent_rooms": ("ルームを見る", "Go to the rooms"),
    "urgent_none": (
        "まだ読んでいない緊急の知らせはありません。",
        "No urgent news that you have not read.",
    ),
    "urgent_room": ("ルームを開く", "Open the room"),
    "urgent_read": ("読みました", "I have read this"),
    "kind_mode": ("体制", "Mode"),
    "kind_instruction": ("指示", "Instruction"),
    "kind_evacuation": ("避難", "Evacuation"),
    "kind_notice": ("広報", "Notice"),
    # sound
    "sound": ("知らせの音", "Sound"),
    "sound_locked": ("音が出ません。ここを押すと鳴ります", "No sound yet. Press here to hear it"),
    "sound_help": (
        "緊急の知らせが来ると、開いているページで音が鳴ります。開くまで1分ごとに鳴ります。",
        "When urgent news comes, every open page sounds, each minute until you open it.",
    ),
    "sound_test": ("音を試す", "Test the sound"),
    "sound_ask": ("聞こえましたか？", "Did you hear it?"),
    "sound_heard": ("聞こえた", "I heard it"),
    "sound_unheard": ("聞こえない", "I did not"),
    "sound_done": ("この端末で音が聞こえることを確かめました。", "The sound works on this device."),
    "sound_volume": (
        "音量を上げ、消音（マナーモード）を切って、もう一度試してください。",
        "Turn the volume up, silent mode off, and test again.",
    ),
    "sound_close": ("あとで（設定で試せます）", "Later (in the settings)"),
    "sound_phone": (
        "ロックしたスマートフォンには知らせが届きません。画面を開いたままにしてください。",
        "A locked phone is not alerted. Keep the screen open.",
    ),
    # the wall
    "wall": ("壁の画面", "Wall screen"),
    "wall_code": ("この番号を登録してください", "Pair this screen with this code"),
    "wall_code_help": (
        "登録担当者か本部の人が、職員ページの 設定 → 壁の画面 で入れます。番号は10分で変わります。",
        "A registrar or hq types it on the staff page: Settings → Wall screens. It changes after "
        "10 minutes.",
    ),
    "wall_drill": ("これは訓練です。", "This is a drill."),
    "wall_peace": ("体制：平常", "Mode: normal"),
    "wall_new": ("新しい指示があります", "There is a new instruction"),
    "wall_none": ("緊急の知らせはありません", "No urgent news"),
    "wall_age": ("更新 {age}前", "Updated {age} ago"),
    "wall_gone": ("区の機器につながりません", "No contact with the machine"),
    "wall_here": ("ここが本部", "This is HQ"),
    "wall_synced": ("本部と接続", "HQ: in contact"),
    "wall_sending": ("本部へ送信中", "HQ: sending"),
    "wall_cut": ("本部と不通", "HQ: no contact"),
    "wall_unknown": ("本部との連絡不明", "HQ: unknown"),
    "wall_revoked": ("失効した機器", "Revoked machine"),
    # pairing it
    "walls": ("壁の画面", "Wall screens"),
    "walls_help": (
        "区役所のテレビなどに、体制と緊急の知らせを表示します。画面で下のアドレスを開き、"
        "出てきた番号をここに入れてください。",
        "A screen on the wall shows the mode and urgent news. Open this address on it and type "
        "its code here.",
    ),
    "walls_code": ("画面の番号（6けた）", "Code on the screen (6 digits)"),
    "walls_name": ("置き場所（例：1階ロビー）", "Where it hangs (e.g. lobby)"),
    "walls_pair": ("登録する", "Pair it"),
    "walls_none": ("登録した画面はありません。", "No screen is paired."),
    "walls_since": ("登録：{time}", "Paired: {time}"),
    "walls_seen": ("最後の表示：{time}", "Last seen: {time}"),
    "walls_unseen": ("まだ表示なし", "Not seen yet"),
    "walls_remove": ("解除", "Remove"),
    "done_paired": ("画面を登録しました。", "The screen was paired."),
    "done_removed": ("画面を解除しました。", "The screen was removed."),
}
