"""The six people of the demo: made up, with cards and PINs that are printed on purpose."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True)
class DemoPerson:
    """One person with a bound card. `ward` is where they work, `card` is filled when issued."""

    staff_id: str
    name: str
    kana: str
    ward: str
    unit: str
    roles: tuple[str, ...]
    pin: str
    card: str = ""


# PINs: at least 6 digits, for hq at least 10 characters (trust.md).
PEOPLE = (
    DemoPerson("10001", "中之島 太郎", "なかのしま たろう", "00", "市長", ("staff", "hq"),
               "nakanoshima1"),
    DemoPerson("10002", "淀川 花子", "よどがわ はなこ", "00", "危機管理室",
               ("staff", "hq", "instructor"), "yodogawa0618"),
    DemoPerson("10101", "梅田 一郎", "うめだ いちろう", "01", "防災担当",
               ("staff", "instructor"), "246810"),
    DemoPerson("10102", "天満 さくら", "てんま さくら", "01", "避難所班", ("staff",), "135790"),
    DemoPerson("10201", "本町 健", "ほんまち けん", "02", "防災担当", ("staff",), "112358"),
    DemoPerson("10301", "岸里 みどり", "きしのさと みどり", "03", "避難所班", ("staff",),
               "271828"),
)  # fmt: skip

ROLE_WORDS = {
    "hq": "本部長権限",
    "instructor": "指示",
    "registrar": "職員登録",
    "staff": "職員",
    "archive": "保管",
    "it": "情報システム",
}


def log_in_link(base_url: str, person: DemoPerson) -> str:
    """The address that a card's QR code holds; the fragment is never sent to the server."""
    return f"{base_url}/login#s={quote(person.staff_id)}&c={quote(person.card)}"
