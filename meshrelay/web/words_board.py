"""The words of 掲示, 予定 and 資料; part of `words.TABLE`."""

from __future__ import annotations

from collections.abc import Mapping

TABLE: Mapping[str, tuple[str, str]] = {
    "board": ("掲示", "Notice"),
    "event": ("予定", "Event"),
    "boards": ("掲示", "Notices"),
    "board_new_ones": ("まだ読んでいない掲示", "Notices you have not read"),
    "events": ("予定", "Events"),
    "documents": ("資料", "Documents"),
    # what all three have
    "paper_room": ("ルーム", "Room"),
    "paper_all_rooms": ("すべてのルーム", "All rooms"),
    "paper_show": ("絞り込む", "Show"),
    "paper_title": ("題名", "Title"),
    "paper_text": ("本文", "Text"),
    "paper_version": ("第{n}版", "Version {n}"),
    "paper_newest": ("最新", "Newest"),
    "paper_replaced": ("古い版", "Replaced"),
    "paper_versions": ("これまでの版", "Earlier versions"),
    "paper_unread": ("未読", "Unread"),
    "paper_edit": ("直す", "Edit"),
    "paper_choose_room": ("選んでください", "Choose one"),
    "paper_who": ("だれが読んだか", "Who has read it"),
    "paper_withdrawn": ("取り消し", "Called off"),
    "paper_two": (
        "要確認：同時に直されたため、{n}つの版があります。すべて残しています。"
        "「直す」で1つにまとめられます。",
        "Needs a look: {n} versions were written at the same time. All are kept. "
        "Edit to make one of them.",
    ),
    "paper_two_wait": (
        "要確認：同時に直されたため、{n}つの版があります。すべて残しています。"
        "書いた人か担当者が1つにまとめるまで、すべてを見てください。",
        "Needs a look: {n} versions were written at the same time. All are kept: read them all "
        "until their author or a registrar makes one of them.",
    ),
    "paper_two_short": ("要確認（{n}つの版）", "Needs a look ({n} versions)"),
    "paper_editing": (
        "{n}つの版を1つにまとめます。下の欄には{who}の版が入っています。ほかの版は「出す」の下にあります。",
        "This makes one of {n} versions. The form holds the one of {who}; the others are below it.",
    ),
    "paper_others": ("ほかの版", "The other versions"),
    "paper_read": ("読みました", "I have read it"),
    "paper_older": ("前のもの", "Earlier ones"),
    "paper_done": ("この区の機器に保存しました。", "Stored on this ward's machine."),
    "paper_post": ("出す", "Post"),
    # notices
    "board_new": ("新しい掲示", "New notice"),
    "board_empty": ("掲示はまだありません。", "No notices yet."),
    "board_pin": ("固定して一番上に出す", "Pin it to the top"),
    "board_pinned": ("固定", "Pinned"),
    "board_files": ("添えてあるファイル", "Attached files"),
    "board_add": ("ファイルを添える（8 MBまで）", "Attach a file (at most 8 MB)"),
    "board_keep": ("外すときは、しるしを消してください。", "Clear the mark to remove a file."),
    "board_withdraw": ("この掲示を取り消す", "Call this notice off"),
    "board_withdraw_help": (
        "消えません。取り消しとして残り、線を引いて表示します。",
        "It is not deleted: it stays, struck through.",
    ),
    # events
    "event_new": ("新しい予定", "New event"),
    "event_empty": ("予定はありません。", "No events."),
    "event_earlier": ("前の予定", "Earlier events"),
    "event_next": ("次の予定", "Next events"),
    "event_start": ("始まり", "Start"),
    "event_end": ("終わり（空なら1時間後）", "End (empty: one hour later)"),
    "event_all_day": ("終日", "All day"),
    "event_place": ("場所", "Place"),
    "event_today": ("きょう", "Today"),
    "event_ics": ("カレンダーに入れる（.ics）", "Add to a calendar (.ics)"),
    "event_ics_all": ("全部をカレンダーに（.ics）", "All of them to a calendar (.ics)"),
    "event_withdraw": ("この予定を取り消す", "Call this event off"),
    "event_withdraw_help": (
        "消えません。取り消しとして残り、線を引いて表示します。",
        "It is not deleted: it stays, struck through.",
    ),
    "event_doubtful": ("【要確認】{title}", "[Needs a look] {title}"),
    # documents
    "document_empty": ("資料はありません。", "No documents."),
    "document_name": ("資料の名前", "Name of the document"),
    "document_versions": ("版を見る・差し替える", "See versions, replace"),
    "document_new": ("新しい版", "New version"),
    "document_new_help": (
        "前の版は残ります。読んだ人には、新しい版が未読で届きます。",
        "The earlier version stays. Readers get the new one as unread.",
    ),
    "document_file": ("新しい版のファイル（8 MBまで）", "File of the new version (at most 8 MB)"),
    "document_text": ("変わったところ（なくてもよい）", "What changed (optional)"),
    "document_send": ("新しい版を出す", "Post the new version"),
    "document_about": (
        "資料は、ルームの「資料・写真」から送ります。",
        "Documents are sent from the files of a room.",
    ),
}
