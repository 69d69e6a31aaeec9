"""The words of log-in, lock, settings, cards, nodes and notes; part of `words.TABLE`."""

from __future__ import annotations

from collections.abc import Mapping

TABLE: Mapping[str, tuple[str, str]] = {
    # what must not simply be believed
    "staff_revoked": ("カード失効後", "After the card was revoked"),
    "binding_conflict": ("カード要確認", "Card in doubt"),
    "advice_staff_revoked": (
        "発信者の職員カードが失効したあとに書かれました。指示としては扱われません。"
        "必要なら、電話などで本人か所属に確かめてください。",
        "This was written after the author's card was revoked. It does not count as an order. "
        "If it matters, ask the person or their office by another way.",
    ),
    "advice_own_card": (
        "あなたのカードのPINを2人が別々に決めています。登録担当者にすぐ知らせてください。"
        "それまで、送ったものには「カード要確認」と付きます。",
        "Two people chose a PIN for your card. Tell a registrar at once; until it is settled what "
        "you send is marked.",
    ),
    "advice_binding_conflict": (
        "このカードのPINを2人が別々に決めています。本人が書いたものか分かりません。"
        "登録担当者が確かめるまで、電話などで本人に確かめてください。",
        "Two people chose a PIN for this card, so it is not known who wrote this. Until a "
        "registrar settles it, ask the person by another way.",
    ),
    # notes without an author's signature
    "unsigned": ("署名なし（受付：{name}）", "Unsigned (taken by {name})"),
    "unsigned_short": ("署名なし", "Unsigned"),
    "advice_unsigned": (
        "窓口・紙・電話で受けた内容を、受付の人が書いたものです。本人の署名はありません。"
        "指示や命令としては扱われません。",
        "Somebody took this down from the counter, paper or a call. The person it came from did "
        "not sign it, and it never counts as an order.",
    ),
    "source_walk_in": ("窓口", "Counter"),
    "source_paper": ("紙", "Paper"),
    "source_phone": ("電話", "Phone"),
    "note_open": ("窓口・紙・電話の内容を記す", "Note something from counter, paper or phone"),
    "note_who": ("だれの話か（分かれば）", "Whose words (if known)"),
    "note_source": ("どこから", "Where from"),
    "note_text": ("内容", "What it says"),
    "note_help": (
        "本人の署名はつきません。「署名なし（受付：{name}）」と表示されます。",
        "It carries no signature of theirs and is shown as “Unsigned (taken by {name})”.",
    ),
    "note_to": ("出す先", "Goes to"),
    "note_send": ("送信", "Send"),
    # log-in
    "device": ("この端末", "This device"),
    "device_own": ("自分のスマートフォン", "My own phone"),
    "device_shared": ("共用PC・借りた端末", "Shared or borrowed device"),
    "device_help": (
        "共用PCは10分さわらないと画面を隠し、ログアウトすると何も残しません。"
        "自分のスマートフォンはカード番号を30日おぼえます（PINはおぼえません）。",
        "A shared PC hides its screen after 10 minutes and keeps nothing after log-out. "
        "Your own phone remembers the card code for 30 days, never the PIN.",
    ),
    "forget_card": ("この端末のカード番号を消す", "Forget the card code on this device"),
    "no_script_warning": (
        "この画面ではスクリプトが動いていません。カード番号とPINはそのまま送られ、"
        "同じWi-Fiの人に読まれるおそれがあります。ほかの端末か、暗号化された接続を使ってください。",
        "Scripts do not run here: card code and PIN are sent as they are, and somebody on the "
        "same Wi-Fi may read them. Use another device or the encrypted connection.",
    ),
    "https_link": ("暗号化された接続で開く", "Open the encrypted connection"),
    "switched": (
        "前の人はログアウトしました。次の人のカードを入れてください。",
        "The previous person is logged out. Enter the next person's card.",
    ),
    "swept": (
        "書きかけと未送信は、この端末に残っていません。",
        "Nothing half-written or unsent is left on this device.",
    ),
    "switch": ("交代", "Switch person"),
    # a form that got no answer
    "no_answer": ("区の機器につながりません。", "No contact with the ward's machine."),
    "no_answer_next": (
        "区役所のWi-Fiにつながっているか見て、もう一度押してください。",
        "See that this device is on the ward office's Wi-Fi, and press again.",
    ),
    # the locked screen
    "lock_now": ("画面を隠す", "Hide the screen"),
    "lock_title": ("画面を隠しています", "The screen is hidden"),
    "lock_help": ("PINを入れると続きから使えます。", "Enter the PIN to go on where you were."),
    "lock_offline": (
        "画面を隠しました。区の機器につながると、PINを入れて続けられます。",
        "The screen is hidden. When there is contact with the ward's machine again, enter the "
        "PIN to go on.",
    ),
    "lock_open": ("続ける", "Go on"),
    "lock_other": ("別の人が使う（交代）", "Somebody else (switch person)"),
    # settings
    "settings": ("設定", "Settings"),
    "language": ("ことば", "Language"),
    "text_size": ("文字の大きさ", "Size of text"),
    "size_normal": ("ふつう", "Normal"),
    "size_large": ("大きい", "Large"),
    "size_largest": ("とても大きい", "Very large"),
    "colours": ("画面の色", "Colours"),
    "colours_auto": ("自動（この端末に合わせる）", "Automatic (as this device is set)"),
    "colours_light": ("明るい", "Light"),
    "colours_dark": ("暗い", "Dark"),
    "done_comfort": ("画面の見え方を変えました。", "The look of the pages was changed."),
    "pin_change": ("PINを変える", "Change the PIN"),
    "pin_old": ("今のPIN", "Present PIN"),
    "pin_next": ("新しいPIN", "New PIN"),
    "pin_next_again": ("新しいPINをもう一度", "New PIN again"),
    "save_comfort": ("文字と色を保存", "Save text and colours"),
    "save_device": ("この端末の設定を保存", "Save this device"),
    "done_pin": ("PINを変えました。", "The PIN was changed."),
    "done_device": ("この端末の使い方を変えました。", "This device's kind was changed."),
    "desk": ("職員と機器の管理", "People and machines"),
    # people and cards
    "cards": ("職員とカード", "People and cards"),
    "cards_of": ("{ward}の職員", "Staff of {ward}"),
    "cards_all": ("全庁の職員", "Staff of the whole city"),
    "cards_find": (
        "職員番号・名前・ふりがなでさがす",
        "Find by number, name or kana",
    ),
    "find": ("さがす", "Find"),
    "cards_none": ("見つかりません。", "Nobody was found."),
    "cards_full": (
        "多いため、はじめの{n}人だけを表示しています。もう少し入れてください。",
        "Only the first {n} are shown. Type a little more.",
    ),
    "card_unused": ("未使用（PINなし）", "Not used yet (no PIN)"),
    "card_in_use": ("使用中", "In use"),
    "card_conflict": ("要確認（PINが2つ）", "Needs a look (two PINs)"),
    "card_revoked": ("失効", "Revoked"),
    "temporary": ("臨時", "Temporary"),
    "reset": ("PINをやり直す", "Reset the PIN"),
    "reset_help": (
        "次のログインで、カードを持っている人が新しいPINを決めます。本人の前でだけ押してください。",
        "Whoever holds the card chooses a new PIN at the next log-in. Press it only while the "
        "person stands before you.",
    ),
    "done_reset": (
        "PINをやり直せるようにしました。次のログインで決めてもらってください。",
        "The PIN was reset. They choose a new one at the next log-in.",
    ),
    "settle_open": ("PINが2つあります：本人のPINに決める", "Two PINs: settle which counts"),
    "settle": ("このPINに決める", "Settle on this PIN"),
    "settle_help": (
        "本人に、ここでカード番号とPINを入れてもらってください。そのPINだけが有効になります。",
        "Let the person type card code and PIN here. Only that PIN will count.",
    ),
    "done_settled": ("本人のPINに決めました。", "The person's PIN counts now."),
    "temporary_make": ("臨時カードを作る", "Make a temporary card"),
    "temporary_help": (
        "名簿にない応援の人などに、この区のカードを作ります。",
        "For helpers who are not in the roster: a card of this ward.",
    ),
    "name": ("名前", "Name"),
    "kana": ("ふりがな", "Kana"),
    "unit": ("班", "Unit"),
    "make": ("作る", "Make"),
    "temporary_title": ("臨時職員カード", "Temporary staff card"),
    "temporary_once": (
        "この番号は一度しか表示しません。今すぐ印刷するか書き写して、本人に渡してください。",
        "This code is shown only once. Print or copy it now and hand it over.",
    ),
    "temporary_qr": ("ログインのQRコード", "QR code for log-in"),
    "temporary_qr_help": (
        "スマートフォンのカメラで読むとログイン画面が開きます。PINは最初に本人が決めます。",
        "Read it with a phone's camera to open the log-in page. The person chooses the PIN first.",
    ),
    "print_help": (
        "ブラウザーの「印刷」で、このカードだけが印刷されます。",
        "The browser's “Print” prints this card alone.",
    ),
    # nodes
    "nodes": ("区の機器", "The wards' machines"),
    "nodes_help": (
        "盗まれたか、おかしな動きをする機器は、登録担当者2人の停止で、どの機器からも切り離されます。"
        "記録は消えません。",
        "A stolen or odd machine is cut off from all others once two registrars asked for it. "
        "No record is deleted.",
    ),
    "node_in_service": ("使用中", "In service"),
    "node_suspended": ("停止中", "Suspended"),
    "node_revoked": ("失効", "Revoked"),
    "asked_by": ("停止を求めた人：{names}", "Asked to suspend it: {names}"),
    "suspend": ("停止を求める", "Ask to suspend"),
    "suspend_next": ("自分も停止を求める", "Ask to suspend it, too"),
    "lift_ask": ("停止の求めを取り下げる", "Withdraw the request"),
    "node_asked": ("停止待ち", "Suspension asked for"),
    "suspend_confirm": (
        "確認のため「停止」と入れてください",
        "Type SUSPEND to confirm",
    ),
    "lift": ("停止を解く", "Lift the suspension"),
    "lift_confirm": ("確認のため「解除」と入れてください", "Type LIFT to confirm"),
    "done_suspended": (
        "停止を求めました。2人そろうと止まります。",
        "Asked. It stops when a second registrar asks too.",
    ),
    "print_it": ("印刷する", "Print it"),
    "done_unasked": ("停止の求めを取り下げました。", "The request was withdrawn."),
    "done_lifted": ("停止を解きました。", "The suspension was lifted."),
}
