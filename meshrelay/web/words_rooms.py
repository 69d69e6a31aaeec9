"""The words of rooms, replies, corrections and search; part of `words.TABLE`."""

from __future__ import annotations

from collections.abc import Mapping

TABLE: Mapping[str, tuple[str, str]] = {
    # what a message says about another one
    "act_correct": ("訂正", "Correction"),
    "act_withdraw": ("取り消しました", "Withdrawn"),
    "act_false": ("誤報でした", "It was a false report"),
    "act_pinned": ("固定しました", "Pinned"),
    "act_unpinned": ("固定を外しました", "Unpinned"),
    "replaced_correct": ("訂正あり", "Corrected below"),
    "replaced_withdraw": ("取り消し", "Withdrawn"),
    "replaced_false": ("誤報", "False report"),
    "replaced_version": ("古い版", "Replaced"),
    "withdrawn": ("このメッセージは取り消されました", "This message was withdrawn"),
    "quote_missing": (
        "元のメッセージはこの機器にありません",
        "The earlier message is not on this machine",
    ),
    "pinned": ("固定", "Pinned"),
    "room_said": ("ルーム「{name}」を{n}人にしました", "Room “{name}”: {n} members now"),
    "room_ended": ("ルーム「{name}」を終了しました", "Closed the room “{name}”"),
    # the room
    "pair_note": ("暗号化なし・庁内の機器に保存", "Not encrypted; stored on the city's machines"),
    "replying": ("{name}に返信", "Reply to {name}"),
    "reply_cancel": ("返信をやめる", "Do not reply"),
    "more": ("定型文・記録", "Quick phrases, notes"),
    "phrase_1": ("了解しました。", "Understood."),
    "phrase_2": ("確認して連絡します。", "I will check and tell you."),
    "phrase_3": ("向かっています。", "On my way."),
    "phrase_4": ("到着しました。", "I have arrived."),
    "phrase_5": ("異常ありません。", "Nothing to report."),
    "phrase_6": ("応援をお願いします。", "Please send help."),
    "closed_note": (
        "このルームは終了しています。読むことはできます。",
        "This room is closed. You can still read it.",
    ),
    # what one can do with a message
    "actions": ("このメッセージについて", "About this message"),
    "reply": ("返信", "Reply"),
    "pin_it": ("固定する", "Pin it"),
    "unpin_it": ("固定を外す", "Unpin it"),
    "correct_it": ("訂正・取り消し", "Correct or withdraw"),
    "see_correction": ("訂正を見る", "See the correction"),
    "see_version": ("新しい版を見る", "See the newer version"),
    "in_room": ("ルームで見る", "See it in its room"),
    "correct_kind": ("どうしますか", "What became of it"),
    "correct_correct": ("訂正する（新しい文を出す）", "Correct it with new words"),
    "correct_withdraw": ("取り消す（文を隠す）", "Withdraw it: its words are hidden"),
    "correct_false": ("誤報だった（線を引いて残す）", "It was false: struck, still readable"),
    "correct_text": ("正しい文（訂正のときだけ）", "The right words (to correct only)"),
    "correct_other": ("ほかの理由", "Another reason"),
    "correct_reason": ("理由（1つえらぶか、下に書く）", "Reason (choose one or write it)"),
    "reason_slip": ("書きまちがい", "A slip of the pen"),
    "reason_place": ("送り先ちがい", "Sent to the wrong room"),
    "reason_news": ("状況が変わった", "Things have changed"),
    "correct_help": (
        "元のメッセージは記録に残ります。訂正は新しいメッセージとして届き、未読になります。",
        "The earlier message stays on record. The correction arrives as a new, unread message.",
    ),
    "correct_send": ("これで出す", "Send it"),
    # rooms of one's own
    "write_to": ("人と話す", "Talk to somebody"),
    "people_find": ("さがす人の名前・ふりがな・職員番号・班", "Name, kana, number or unit"),
    "people_write": ("トークを開く", "Open the talk"),
    "people_none": ("見つかりません。ほかの言葉でさがしてください。", "Nobody. Try another word."),
    "people_full": (
        "多いため、はじめの{n}人だけです。もう少し入れてください。",
        "Only the first {n}. Type a little more.",
    ),
    "room_about": ("ルームの情報", "About the room"),
    "rooms_all": ("すべてのルーム（{n}）", "All rooms ({n})"),
    "room_new": ("新しいルーム", "New room"),
    "room_name": ("ルームの名前", "Name of the room"),
    "room_members": ("メンバー", "Members"),
    "room_found": ("見つかった人（入れる人に印を付ける）", "Found: tick whom to add"),
    "room_add": ("加える人をさがす", "Find people to add"),
    "room_make": ("このルームを作る", "Make this room"),
    "room_save": ("この内容に変える", "Save the change"),
    "room_close": ("ルームを終了する", "Close the room"),
    "room_open": ("ルームを再開する", "Open the room again"),
    "room_alone": (
        "まだだれも加えていません。名前などでさがして、印を付けてください。",
        "Nobody was added yet. Find people and tick them.",
    ),
    "room_find": ("人をさがす", "Find people"),
    "room_help": (
        "メンバーと本部の人だけが見られます。内容は庁内の機器に残ります。あなたは必ず入ります。",
        "Only its members and HQ can see it. The city's machines keep what is said. "
        "You are always in it.",
    ),
    "room_rule_all": ("全職員のルームです。", "All staff are in this room."),
    "room_rule_ward": ("この区の職員のルームです。", "The staff of this ward are in it."),
    "room_rule_unit": (
        "市全体の、この班の職員のルームです。ほかの区の人も入っています。",
        "The staff of this unit in the whole city, other wards' too.",
    ),
    "room_people": ("この班の人を見る", "See who is in it"),
    "room_rule_role": ("本部長のルームです。", "The room of the HQ chiefs."),
    "room_rule_pair": (
        "二人のルームです。暗号化はなく、庁内の機器に保存され、本部の人も見られます。",
        "A room of two people. It is not encrypted; the city's machines store it, and HQ may look.",
    ),
    "room_rule_list": ("メンバーを選んだルームです。", "A room with chosen members."),
    # search
    "search": ("さがす", "Search"),
    "unsent_here": ("この端末の未送信", "Not sent yet from this device"),
    "unsent_none": ("ありません。", "None."),
    "unsent_no_script": (
        "この欄を見るには、ブラウザーのJavaScriptを有効にしてください。",
        "Allow JavaScript in the browser to see this.",
    ),
    "search_title": ("さがす", "Search"),
    "search_words": ("さがす言葉", "Words to search for"),
    "search_in": ("{room}の中", "In {room}"),
    "search_everywhere": ("すべてのルームでさがす", "Search every room"),
    "search_n": ("{n}件", "Found: {n}"),
    "search_none": (
        "この機器にあるものの中には見つかりません。言葉を短くするか、ほかの言葉でさがしてください。"
        "ほかの区のものは、まだ届いていないことがあります。",
        "Nothing on this machine holds these words. Try fewer or others; what other wards wrote "
        "may not have arrived yet.",
    ),
    "search_first": ("新しい順に{n}件（ほかにもあります）", "The newest {n} (there are more)"),
    "search_part": (
        "ほかにもあります。言葉を足すとしぼれます。",
        "There is more. Add a word to narrow it down.",
    ),
    # home
    "own_last": ("自分の最後の送信", "What you sent last"),
}

# What the room's island draws.
ISLAND_KEYS = (
    "act_correct", "act_withdraw", "act_false", "act_pinned", "act_unpinned", "replaced_correct",
    "replaced_withdraw", "replaced_false", "replaced_version", "withdrawn", "quote_missing",
    "pinned", "room_said",
    "room_ended",
)  # fmt: skip

REASONS = ("reason_slip", "reason_place", "reason_news")
PHRASES = tuple(f"phrase_{n}" for n in range(1, 7))
