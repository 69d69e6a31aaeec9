"""やさしい日本語: short sentences, everyday kanji; for who reads little Japanese or is in a hurry.

A word that is missing here is shown in ordinary Japanese.
"""

from __future__ import annotations

from collections.abc import Mapping

from meshrelay.web import words_easy_more

TABLE: Mapping[str, str] = {
    # delivery words
    "unsent": "まだ送っていません（この中にあります）",
    "trouble": "見てください",
    "node": "区のきかい",
    "wards": "ほかの区 {n}",
    "archive": "本部",
    "read": "読んだ人 {n}/{m}",
    "late": "おくれて来ました",
    "clock": "時間が正しくないかもしれません",
    "expired": "もう古いです",
    "unsure": "今も正しいか分かりません",
    "fork": "同じ番号が2つあります",
    "revoked": "止めたきかいから来ました",
    "staff_revoked": "カードを止めた後です",
    "binding_conflict": "カードをたしかめてください",
    "unknown_kind": "このきかいでは見ることができません",
    "advice_unsure": (
        "このきかいは止まっていました。今も正しいか分かりません。書いた人に聞いてください。"
    ),
    "advice_fork": ("にせものかもしれません。本人が書いたかどうか、電話で聞いてください。"),
    "advice_revoked": ("止めたきかいから来ました。本人が書いたかどうか、電話で聞いてください。"),
    "advice_staff_revoked": (
        "書いた人のカードは止めてあります。言うとおりにしないでください。電話で本人に聞いてください。"
    ),
    "advice_binding_conflict": (
        "このカードを2人が使っています。だれが書いたか分かりません。電話で本人に聞いてください。"
    ),
    "advice_unsigned": (
        "聞いた話を、区の人が書きました。本人が書いたものではありません。めいれいではありません。"
    ),
    # navigation
    "menu": "メニュー",
    "home": "ホーム",
    "rooms": "ルーム",
    "back": "もどる",
    "drill": "訓練",
    "drill_long": "これはれんしゅうです。本当のことではありません。",
    "skip": "本文へ",
    "node_page": "{node}のきかい",
    "no_rooms": "あなたのルームはまだありません。",
    "unread": "まだ読んでいません {n}",
    "members": "{n}人",
    "members_unknown": "何人か分かりません",
    # log-in
    "login": "入る（ログイン）",
    "logout": "出る（ログアウト）",
    "logged_in_as": "今使っている人",
    "staff_no": "あなたの番号（職員番号）",
    "card_no": "カードの番号（カード番号）",
    "card_help": "カードのQRコードをカメラで読むと、番号が入ります。",
    "pin": "PIN（ひみつの番号）",
    "pin_help": (
        "はじめての人は、ここでPINを作ります。6文字より長くしてください。"
        "後で、もう一回同じPINを入れます。"
    ),
    "pin_again": "もう一回、同じPIN",
    "pin_new": (
        "はじめて使うカードです。PINを作って、2回入れてください。6文字より長くしてください。"
    ),
    "http_warning": (
        "近くの人に読まれるかもしれません。区役所のWi-Fiか、区役所の線だけで使ってください。"
    ),
    "login_wait": "しらべています…",
    "device": "このスマホ・パソコン",
    "device_own": "自分のスマホ",
    "device_shared": "みんなで使うパソコン・かりたきかい",
    "device_help": (
        "みんなのパソコンは、10分使わないと画面が見えなくなります。出ると、何ものこりません。"
        "自分のスマホは、カード番号を30日おぼえます。PINはおぼえません。"
    ),
    "forget_card": "おぼえたカード番号を消す",
    "no_script_warning": (
        "カード番号とPINを、近くの人に読まれるかもしれません。ほかのスマートフォンかパソコンを"
        "使ってください。"
    ),
    "https_link": "人に読まれないページを開く",
    "switched": "前の人は出ました。つぎの人のカードを入れてください。",
    "swept": "書いたものは、ここには何ものこっていません。",
    "switch": "人がかわる",
    # a form that got no answer
    "no_answer": "区のきかいとつながっていません。",
    "no_answer_next": "区役所のWi-Fiを使っているか見て、もう一回おしてください。",
    # the locked screen
    "lock_now": "画面を見えなくする",
    "lock_title": "画面を見えなくしました",
    "lock_help": "PINを入れると、また使えます。",
    "lock_offline": ("画面を見えなくしました。区のきかいとつながったら、PINを入れてください。"),
    "lock_open": "つづける",
    "lock_other": "ほかの人が使う",
    # the sync line
    "sync_here": "このきかいは本部のきかいです。",
    "sync_synced": "ぜんぶ本部にとどきました。",
    "sync_sending": "{n}こ、まだ本部にとどいていません。つながると自分で行きます。",
    "sync_cut": (
        "今、本部とつながっていません。送ったものはこのきかいにあります。つながると自分で行きます。"
    ),
    "sync_revoked": (
        "このきかいは使えません。送ってもとどきません。ほかのきかいを使ってください。"
        "コンピューターの人に言ってください。"
    ),
    "sync_unknown": "本部にとどいたか、まだ分かりません。",
    "sync_age": "本部から聞いたのは{age}前です",
    "sync_never": "本部からはまだ何も聞いていません",
    "age_s": "{n}びょう",
    "age_min": "{n}分",
    "age_h": "{n}時間",
    "age_d": "{n}日",
    # a room
    "write": "ここに書く",
    "send": "送る",
    "older": "前のメッセージ",
    "newest": "新しいメッセージ",
    "new_pill": "新しい ↓",
    "from_here_unread": "ここからまだ読んでいません",
    "empty_room": "まだメッセージはありません。",
    "read_button": "ここまで読みました",
    "you": "自分",
    "details": "もっと見る",
    "unsigned": "本人のしるしなし（書いた人：{name}）",
    "unsigned_short": "本人のしるしなし",
    "source_walk_in": "会って聞いた",
    "source_paper": "紙",
    "source_phone": "電話",
    "note_open": "人から聞いたことを書く",
    "note_who": "だれの話ですか（分かるとき）",
    "note_source": "どうやって聞きましたか",
    "note_text": "話したこと",
    "note_help": "「本人のしるしなし（書いた人：{name}）」と出ます。",
    "note_send": "出す",
    "act_correct": "直しました",
    "act_withdraw": "やめました",
    "act_false": "まちがいでした",
    "act_pinned": "上に出しました",
    "act_unpinned": "上からとりました",
    "replaced_correct": "直したものがあります",
    "replaced_withdraw": "やめました",
    "replaced_false": "まちがい",
    "withdrawn": "このメッセージは、書いた人がやめました",
    "quote_missing": "前のメッセージは、このきかいにありません",
    "pinned": "大切",
    "room_said": "ルーム「{name}」を{n}人にしました",
    "room_ended": "ルーム「{name}」はおわりました",
    "pair_note": "二人だけのルームですが、本部の人も読むことができます",
    "replying": "{name}に答える",
    "reply_cancel": "答えない",
    "more": "よく使うことば・聞いた話",
    "closed_note": "このルームはおわりました。読むことはできます。",
    "actions": "このメッセージをどうしますか",
    "reply": "答える",
    "pin_it": "上に出す",
    "unpin_it": "上からとる",
    "correct_it": "直す・やめる",
    "in_room": "ルームで見る",
    "correct_kind": "どうしますか",
    "correct_correct": "直す（新しい文を書く）",
    "correct_withdraw": "やめる（文は見えなくなります）",
    "correct_false": "まちがいだった（線を引いてのこします）",
    "correct_text": "正しい文（直すときだけ）",
    "correct_other": "ほかのわけ",
    "correct_reason": "なぜ直しますか",
    "reason_slip": "書きまちがい",
    "reason_place": "送り先ちがい",
    "reason_news": "前と今がちがう",
    "correct_help": "前のメッセージものこります。直したものは、新しいメッセージになります。",
    "correct_send": "これで送る",
    "people_write": "トークを開く",
    "write_to": "人と話す",
    "people_find": "名前・ふりがな・番号・組",
    "people_none": "見つかりません。ほかのことばでさがしてください。",
    "people_full": "多いので、はじめの{n}人だけ見せています。もう少し書いてください。",
    "room_new": "新しいルーム",
    "room_name": "ルームの名前",
    "room_members": "入る人",
    "room_found": "見つかった人（入れる人に、しるしをつける）",
    "room_add": "入れる人をさがす",
    "room_make": "ルームを作る",
    "room_save": "かえる",
    "room_close": "ルームをおわりにする",
    "room_open": "ルームをまた開く",
    "room_about": "ルームのこと",
    "rooms_all": "ぜんぶのルーム（{n}）",
    "room_alone": "まだだれも入っていません。",
    "room_help": "入った人と本部の人だけが見ることができます。書いたことは市のきかいにのこります。",
    "room_rule_all": "みんなのルームです。",
    "room_rule_ward": "この区の人のルームです。",
    "room_rule_unit": "市の、この組の人みんなのルームです。ほかの区の人もいます。",
    "room_people": "この組の人を見る",
    "room_rule_role": "本部長のルームです。",
    "room_rule_pair": "二人のルームです。本部の人も読むことができます。",
    "room_rule_list": "人をえらんだルームです。",
    "search": "さがす",
    "unsent_here": "まだ送っていないもの",
    "unsent_none": "ありません。",
    "unsent_no_script": "見るには、ブラウザーのJavaScriptをつかえるようにしてください。",
    "search_title": "さがす",
    "search_words": "さがすことば",
    "search_in": "{room}の中",
    "search_everywhere": "ぜんぶのルームでさがす",
    "search_none": "見つかりません。ほかのことばでさがしてください。",
    "search_n": "{n}こ見つかりました。",
    "search_part": "ほかにもあります。ことばを足してください。",
    "own_last": "あなたがさいごに送ったもの",
    # outbox
    "again": "もう一回送る",
    "rewrite": "書き直す",
    "remove": "消す",
    "outbox_n": "まだ送っていないものが{n}こあります。つながると自分で行きます。",
    "outbox_refused": "見てほしいものが{n}こあります。",
    "outbox_other": (
        "ほかの人がまだ送っていないものが{n}こあります。その人がログインすると送ります。"
    ),
    "node_gone": "区のきかいとつながっていません。Wi-Fiを見てください。",
    "node_gone_kept": "書いたものはここにのこります。つながったら送れます。",
    "pin_to_send": ("ログインがおわりました。新しいメッセージは来ません。PINを入れると送ります。"),
    "pin_needed": "ログインがおわりました。新しいメッセージは来ません。PINを入れてください。",
    "revoked_here": (
        "このカードはもう使えません。書いたものはここにのこっています。"
        "新しいカードで入ると送ります。"
    ),
    "other_person": "ほかの人が入りました。ページをもう一回開いてください。",
    "open_room": "ルームを開く",
    "reload": "もう一回開く",
    "store_failed": (
        "ここにのこすことができません。送りおわるまで、このページを開いたままにしてください。"
    ),
    "logout_ask": "まだ送っていないものが{n}こあります。出ると消えます。",
    "logout_wait": "まつ",
    "logout_drop": "消して出る",
    # who has read
    "who_title": "このメッセージ",
    "where_title": "持っているきかい",
    "people_title": "送った人たち",
    "holder_at": "{time} たしかめました",
    "no_holders": "ほかのきかいからは、まだ何も聞いていません。",
    "is_archive": "本部",
    "unreached_n": "とどいていない人 {n}人",
    "unread_n": "まだ読んでいない人 {n}人",
    "read_people_n": "読んだ人 {n}人",
    "state_read": "読みました",
    "state_reached": "まだ読んでいません（とどきました）",
    "state_unreached": "とどいていません",
    "ward_age": "区のきかいが{age}つながっていません",
    "ward_never": "区のきかいから何も聞いていません",
    "roster_incomplete": "名前のリストがまだそろっていません。何人か分かりません（?）。",
    # settings
    "courier_link": "人がはこぶ（でんれい）",
    "desk": "人ときかい",
    "cards": "人とカード",
    "nodes": "区のきかい",
    "settings": "せってい",
    "language": "ことば",
    "text_size": "文字の大きさ",
    "size_normal": "ふつう",
    "size_large": "大きい",
    "size_largest": "とても大きい",
    "colours": "画面の色",
    "colours_auto": "自分でかわる",
    "colours_light": "明るい",
    "colours_dark": "くらい",
    "done_comfort": "画面をかえました。",
    "pin_change": "PINをかえる",
    "pin_old": "今のPIN",
    "pin_next": "新しいPIN",
    "pin_next_again": "もう一回、新しいPIN",
    "save": "かえる",
    "done_pin": "PINをかえました。",
    "done_device": "かえました。",
    # errors
    "problem_title": "できませんでした",
    "kept_text": "あなたが書いた文（ほかの所に書いておいてください）",
    **words_easy_more.TABLE,
}
