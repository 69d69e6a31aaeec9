"""やさしい日本語: short sentences, everyday kanji; for who reads little Japanese or is in a hurry.

A word that is missing here is shown in ordinary Japanese.
"""

from __future__ import annotations

from collections.abc import Mapping

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
    "device_shared": "みんなで使うパソコン",
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
    "note_send": "書く",
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
    "room_said": "ルーム「{name}」（{n}人）",
    "room_ended": "ルーム「{name}」はおわりました",
    "pair_note": "二人だけのルームですが、本部の人も読むことができます",
    "replying": "{name}に答える",
    "reply_cancel": "答えない",
    "more": "よく使うことば・人から聞いたこと",
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
    "correct_text": "正しい文",
    "correct_reason": "なぜ直しますか",
    "correct_default": "書きまちがい",
    "correct_help": "前のメッセージものこります。直したものは、新しいメッセージになります。",
    "correct_send": "これで送る",
    "write_to": "人をさがして書く",
    "people_find": "名前・ふりがな・番号・組",
    "people_none": "見つかりません。ほかのことばでさがしてください。",
    "people_full": "多いので、はじめの{n}人だけ見せています。もう少し書いてください。",
    "room_new": "新しいルーム",
    "room_name": "ルームの名前",
    "room_members": "入る人",
    "room_add": "入れる人をさがす",
    "room_make": "ルームを作る",
    "room_save": "かえる",
    "room_close": "ルームをおわりにする",
    "room_open": "ルームをまた開く",
    "room_help": "入った人と本部の人だけが見ることができます。あなたはいつも入っています。",
    "room_rule_all": "みんなのルームです。",
    "room_rule_ward": "この区の人のルームです。",
    "room_rule_unit": "この組の人のルームです。",
    "room_rule_role": "本部長のルームです。",
    "room_rule_pair": "二人のルームです。本部の人も読むことができます。",
    "room_rule_list": "人をえらんだルームです。",
    "search": "さがす",
    "search_title": "メッセージをさがす",
    "search_words": "さがすことば",
    "search_in": "{room}の中",
    "search_everywhere": "ぜんぶのルームでさがす",
    "search_none": "このきかいにあるメッセージには見つかりません。",
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
    "node_gone": "区のきかいとつながっていません。書いたものはここにのこります。",
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
    "who_title": "とどいた所と読んだ人",
    "where_title": "持っているきかい",
    "people_title": "送った人たち",
    "holder_at": "{time} たしかめました",
    "no_holders": "ほかのきかいからは、まだ何も聞いていません。",
    "is_archive": "本部",
    "unread_n": "まだ読んでいない人 {n}人",
    "read_people_n": "読んだ人 {n}人",
    "state_read": "読みました",
    "state_reached": "まだ読んでいません（とどきました）",
    "state_unreached": "とどいていません",
    "ward_age": "区のきかいが{age}つながっていません",
    "ward_never": "区のきかいから何も聞いていません",
    "roster_incomplete": "名前のリストがまだそろっていません。何人か分かりません（?）。",
    # files
    "files": "しりょう・しゃしん",
    "files_empty": "まだ何もありません。",
    "files_older": "前のもの",
    "file_here": "ここにあります",
    "file_waits": "つながると来ます",
    "file_unknown": "どこにあるか、まだ分かりません",
    "file_send": "これを送る",
    "file_sending": "送っています…",
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
    # photos, notices, events, documents
    "attach_large": "8 MBより大きいファイルは送ることができません。小さいものをえらんでください。",
    "attach_photo": "しゃしん",
    "attach_position": "どこでとったかも送る",
    "board": "お知らせ",
    "boards": "お知らせ",
    "documents": "しりょう",
    "event": "よてい",
    "events": "よてい",
    "event_empty": "よていはありません。",
    "event_next": "つぎのよてい",
    "see_correction": "直したものを見る",
}

_OPEN_AGAIN = "ページをもう一回開いてください。"
_CHOOSE_ROOM = "ルームのリストからえらんでください。"
_SEND_AGAIN = "ページをもう一回開いて、また送ってください。"
_TELL_IT = "コンピューターの人に言ってください。"
_COPY_AGAIN = "もう一回コピーして、また読んでください。"
_ENTER_AGAIN = "もう一回入れてください。"

# code of a refusal: (what happened, what to do now)
PROBLEMS: Mapping[str, tuple[str, str]] = {
    # log-in
    "not_logged_in": (
        "ログインしていません。",
        "PINを入れてください。書いたものはのこっています。",
    ),
    "seat_closed": (
        "ログインがおわりました。",
        "もう一回ログインしてください。書いたものはのこっています。",
    ),
    "locked": ("画面を見えなくしています。", "PINを入れると、また使えます。"),
    "unknown_card": (
        "この番号の人は、名前のリストにいません。",
        "番号を見て、もう一回入れてください。分からないときは、カードをくれた人に聞いてください。",
    ),
    "card_revoked": (
        "このカードはもう使えません。",
        "カードをくれた人から、新しいカードをもらってください。",
    ),
    "wrong_pin": ("PINがちがいます。", _ENTER_AGAIN),
    "wait": (
        "PINを何回もまちがえました。",
        "少しまってから、もう一回入れてください。分からないときは、カードをくれた人に聞いてください。",
    ),
    "choose_pin": (
        "はじめて使うカードです。PINを作ってください。",
        "同じPINを2回入れてください。6文字より長くしてください。",
    ),
    "pin_mismatch": ("2つのPINがちがいます。", "同じPINを2回入れてください。"),
    "pin_too_short": ("PINがみじかいです。", "もっと長いPINを作ってください。"),
    "pin_too_simple": (
        "かんたんなPINは使えません。",
        "ほかの人が分からないPINを作ってください。",
    ),
    "same_pin": ("今のPINと同じです。", "ちがうPINを作ってください。"),
    "not_bound": (
        "このカードのPINがまだありません。",
        "コンピューターの人の所で、PINを作ってください。",
    ),
    "bad_seal": ("読むことができませんでした。", "ページをもう一回開いて、また入れてください。"),
    "stale_seal": ("古くなりました。", _ENTER_AGAIN),
    # pages and connections
    "bad_token": ("このページは古いです。ほかの人が入ったかもしれません。", _OPEN_AGAIN),
    "bad_origin": ("ほかのページからは使えません。", "区のきかいのページを開いてください。"),
    "bad_host": (
        "この場所では開くことができません。",
        "かべの紙のQRコードを使ってください。",
    ),
    "bad_field": ("書いたことが正しくありません。", "直して、もう一回送ってください。"),
    "bad_request": ("読むことができませんでした。", _OPEN_AGAIN),
    "not_found": ("このページはありません。", "ホームにもどってください。"),
    "method_not_allowed": ("ここではできません。", "ホームにもどってください。"),
    "too_large": ("大きすぎます。", "みじかくして、分けて送ってください。"),
    "too_many": ("はやすぎます。", "少しまってから、もう一回してください。"),
    "internal": (
        "きかいの中で、よくないことがありました。前に送ったものはのこっています。",
        "もう一回してください。だめなときは、きかいの人に言ってください。",
    ),
    "unavailable": (
        "きかいは今、使えません。",
        "書いたものはここにのこります。後で自分で送ります。",
    ),
    # writing
    "empty": ("文がありません。", "文を書いてから送ってください。"),
    "bad_text": ("使えない文字があります。", "その文字を消して、もう一回送ってください。"),
    "too_long": ("文が長すぎます。", "2つに分けて送ってください。"),
    "bad_id": ("番号が正しくありません。", _SEND_AGAIN),
    "id_taken": (
        "同じ番号で、ちがうメッセージがあります。",
        "読んでから、新しいメッセージで送ってください。",
    ),
    "unknown_kind": ("このきかいでは送ることができません。", _OPEN_AGAIN),
    "role": (
        "これを送ることができる人は、きまっています。送っていません。",
        "できる人に話すか、ふつうのメッセージで送ってください。",
    ),
    "node_revoked": (
        "このきかいは使えません。送ってもとどきません。",
        "ほかのきかいから送ってください。" + _TELL_IT,
    ),
    "storage_full": (
        "きかいがいっぱいです。今は送ることができません。書いたものは消えていません。",
        _TELL_IT,
    ),
    "bad_source": (
        "どうやって聞いたかと、名前を見てください。",
        "直して、もう一回送ってください。",
    ),
    "no_message": ("このメッセージは、このきかいにありません。", "ルームにもどってください。"),
    "not_yours": (
        "直すことができるのは、書いた人だけです。",
        "書いた人に話してください。",
    ),
    "not_correctable": (
        "このメッセージは直すことができません。",
        "新しいメッセージを送ってください。",
    ),
    "no_reason": ("なぜ直すかを書いていません。", "なぜ直すかを書いてください。"),
    # rooms, people, search
    "no_room": ("このルームはありません。", _CHOOSE_ROOM),
    "not_member": ("あなたはこのルームに入っていません。", _CHOOSE_ROOM),
    "room_closed": (
        "このルームはおわりました。送っていません。",
        "ほかのルームに書いてください。",
    ),
    "not_maker": (
        "ルームをかえることができるのは、作った人だけです。",
        "作った人に話してください。",
    ),
    "room_name": ("ルームの名前がありません。", "名前を書いてください。"),
    "no_person": ("この人は、名前のリストにいません。", "番号を見て、もう一回さがしてください。"),
    "too_many_members": ("人が多すぎます。", "ルームを分けてください。"),
    "no_query": (
        "さがすことばがありません。または長すぎます。",
        "みじかいことばを書いてください。",
    ),
    # files
    "file_type": ("このファイルは送ることができません。", "しゃしんか、PDFか、音にしてください。"),
    "file_name": ("ファイルの名前が使えません。", "名前をみじかくして、もう一回送ってください。"),
    "file_empty": ("ファイルに何もありません。", "ほかのファイルをえらんでください。"),
    "file_too_large": ("ファイルが大きすぎます。", "小さくして、もう一回送ってください。"),
    "no_file": ("このファイルを知りません。", "「しりょう・しゃしん」からえらんでください。"),
    "blobs_full": ("ファイルをおく所がいっぱいです。", "文で書いて送ってください。"),
    "no_thumbnail": ("小さい絵はありません。", "ファイルを開いてください。"),
    "thumbnail": ("小さい絵が正しくありません。", _SEND_AGAIN),
    # courier
    "not_a_courier_file": (
        "このファイルは読むことができません。",
        "名前が meshrelay- ではじまるファイルをえらんでください。",
    ),
    "courier_version": ("このファイルは、このきかいより新しいです。", _TELL_IT),
    "courier_forged": ("だれが作ったファイルか分かりません。読みませんでした。", _TELL_IT),
    "foreign_network": (
        "ほかの所のファイルです。読みませんでした。",
        "ここのきかいで作ったファイルをえらんでください。",
    ),
    "unknown_transit_key": ("このファイルは、ここでは開くことができません。", _TELL_IT),
    "revoked": ("止めたきかいが作ったファイルです。読みませんでした。", _TELL_IT),
    "suspended": ("今止めているきかいが作ったファイルです。読みませんでした。", _TELL_IT),
    "courier_unreadable": ("ファイルがこわれています。", _COPY_AGAIN),
    "courier_cut": ("ファイルがとちゅうで切れています。", _COPY_AGAIN),
    "courier_busy": ("ほかの人のファイルを読んでいます。", "1分まって、もう一回してください。"),
    "courier_too_large": (
        "ファイルが大きすぎます。",
        "区を1つえらんで、もう一回作ってもらってください。",
    ),
    "disk_full": ("きかいがいっぱいです。", _TELL_IT),
    "no_reading": ("何を読んだか分かりません。", "もう一回読んでください。"),
    "no_destination": ("その区はありません。", "区をえらんでください。"),
    "no_transit_key": ("このきかいでは作ることができません。", _TELL_IT),
    # people, cards and machines
    "no_right": ("あなたのカードではできません。", "できる人に話してください。"),
    "need_https": (
        "このページではできません。人に読まれるかもしれません。",
        "きかいの前の画面を使ってください。メッセージを書く・読むことはここでもできます。",
    ),
    "hq_card": ("本部長のカードは、ここではかえることができません。", _TELL_IT),
    "bad_name": ("名前がありません。または長すぎます。", "名前を見て、もう一回書いてください。"),
    "no_node": ("このきかいはありません。", "リストからえらんでください。"),
    "not_suspendable": ("本部のきかいは止めることができません。", _TELL_IT),
    "shown_once": ("カード番号は一回だけ見ることができます。", "新しいカードを作ってください。"),
    "not_confirmed": ("ことばがちがいます。何もしていません。", "画面のことばを書いてください。"),
    # notices, events, documents
    "bad_time": ("日や時間が正しくありません。", "はじめとおわりを見て、直してください。"),
    "no_paper": ("これはありません。", "リストからえらんでください。"),
    "no_pin": ("上にとめることができるのは、できる人だけです。", "できる人に話してください。"),
    "no_words": (
        "このファイルの中は、ここでは見ることができません。",
        "ファイルを開いてください。",
    ),
    "not_editor": ("かえることができるのは、書いた人だけです。", "書いた人に話してください。"),
    "other_room": (
        "直すときに、ルームをかえることはできません。",
        "ほかのルームには、新しく書いてください。",
    ),
    "stale_version": (
        "直す前のものが、このきかいにありません。",
        "もう一回開いて、直してください。",
    ),
    "too_many_files": ("ファイルが多すぎます。", "へらして、もう一回送ってください。"),
    # screens on the wall
    "no_display": ("この画面はありません。", "リストを見てください。"),
    "not_paired": ("この画面は、まだ使うことができません。", "できる人に番号を言ってください。"),
    "too_many_displays": ("画面が多すぎます。", "使っていない画面をやめてください。"),
    "wrong_code": ("番号がちがいます。", "画面の番号を見て、もう一回書いてください。"),
}
