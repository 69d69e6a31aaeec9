"""Small cities for the monitor's tests: what each ward said, without any node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meshrelay.node.office import (
    LaneWord,
    LinkWord,
    NetworkInfo,
    NodeInfo,
    NodeWord,
    Status,
    Ward,
)

NOW_MS = 1_795_000_000_000  # 2026-11-18 in Osaka
MINUTE = 60_000

WARDS: Mapping[str, Ward] = {
    "00": Ward("00", "本部", "HQ"),
    "01": Ward("01", "北区", "Kita"),
    "02": Ward("02", "中央区", "Chuo"),
    "03": Ward("03", "西成区", "Nishinari"),
}

OSAKA = (
    "北区 Kita,都島区 Miyakojima,福島区 Fukushima,此花区 Konohana,中央区 Chuo,西区 Nishi,"
    "港区 Minato,大正区 Taisho,天王寺区 Tennoji,浪速区 Naniwa,西淀川区 Nishiyodogawa,"
    "淀川区 Yodogawa,東淀川区 Higashiyodogawa,東成区 Higashinari,生野区 Ikuno,旭区 Asahi,"
    "城東区 Joto,鶴見区 Tsurumi,阿倍野区 Abeno,住之江区 Suminoe,住吉区 Sumiyoshi,"
    "東住吉区 Higashisumiyoshi,平野区 Hirano,西成区 Nishinari"
)
ALL_WARDS: Mapping[str, Ward] = {"00": WARDS["00"]} | {
    f"{at:02}": Ward(f"{at:02}", *pair.split()) for at, pair in enumerate(OSAKA.split(","), 1)
}


def lane(number: int, stated: int | None, archived: int | None, up_to_ms: int | None) -> LaneWord:
    """One lane of one node."""
    return LaneWord(lane=number, stated=stated, archived=archived, archived_up_to_ms=up_to_ms)


def word(
    ward: str,
    *,
    number: int = 1,
    said_ms: int | None = NOW_MS - 20_000,
    heard_ms: int | None = None,
    stated: int | None = 40,
    archived: int | None = 40,
    up_to_ms: int | None = NOW_MS - 5 * MINUTE,
    oldest_ms: int | None = None,
    path: str | None = "mqtt",
    via: str | None = None,
    refused: dict[str, int] | None = None,
    version: str | None = "0.1.0",
) -> NodeWord:
    """A node's newest word; by default direct, in sync, twenty seconds old."""
    counts = (2, stated, 7, 0)
    held = (2, archived, 7, 0)
    lanes = tuple(
        lane(at, count, have, up_to_ms)
        for at, (count, have) in enumerate(zip(counts, held, strict=True))
    )
    waits = max(0, stated - archived) if stated is not None and archived is not None else 0
    return NodeWord(
        node=NodeInfo(
            id=f"{ward}{number:02}".ljust(64, "0"),
            name=f"{ward}-{number}",
            ward=ward,
            archive=ward == "00",
        ),
        stated_ms=said_ms,
        heard_ms=said_ms if heard_ms is None else heard_ms,
        path=path,
        via=via,
        lanes=lanes,
        version=version,
        clock_quality=4,
        backlog=(0, waits, 0, 0),
        oldest_unsynced_ms=oldest_ms,
        disk_free_bytes=23_400_000_000,
        refused=refused or {},
    )


def unheard(ward: str, number: int = 1) -> NodeWord:
    """An enrolled node of which nothing was ever heard."""
    return NodeWord(
        node=NodeInfo(
            id=f"{ward}{number:02}".ljust(64, "0"), name="", ward=ward, archive=ward == "00"
        ),
        stated_ms=None,
        heard_ms=None,
        path=None,
        via=None,
        lanes=tuple(lane(number, None, None, None) for number in range(4)),
        version=None,
        clock_quality=None,
        backlog=(None, None, None, None),
        oldest_unsynced_ms=None,
        disk_free_bytes=None,
        refused={},
    )


def status(*words: NodeWord, now_ms: int = NOW_MS, drill: bool = False, **more: Any) -> Status:
    """The status of HQ's node that heard these words; `more` replaces fields."""
    fields: dict[str, Any] = {
        "network": NetworkInfo(id="ab" * 16, name="大阪市 防災", drill=drill),
        "node": NodeInfo(id="00" * 32, name="本部", ward="00", archive=True),
        "version": "0.1.0",
        "ready": True,
        "trouble": (),
        "now_ms": now_ms,
        "clock_quality": 4,
        "started_ms": NOW_MS - 3_600_000,
        "incarnation": "0123456789abcdef",
        "entries": 147,
        "records": 31,
        "messages": 61,
        "sessions": 2,
        "digest": "cd" * 32,
        "links": (
            LinkWord(
                "01" * 32, "北区役所", "01", "mqtt", "broker", NOW_MS - 9 * MINUTE, 91_000, 83_000
            ),
        ),
        "bearers": {"lan": "listening", "mqtt": "connected"},
        "refused": {"signature": 3},
        "evicted": {"blob": 2},
        "blobs_bytes": 3_000_000,
        "words": tuple(words),
    }
    return Status(**(fields | more))


def four_wards() -> tuple[NodeWord, ...]:
    """HQ and three wards; 西成区 speaks, but is 47 minutes behind."""
    return (
        word("00", path="self", said_ms=NOW_MS),
        word("01"),
        word("02", via="北区", path="lan"),
        word(
            "03",
            archived=31,
            oldest_ms=NOW_MS - 47 * MINUTE,
            up_to_ms=NOW_MS - 49 * MINUTE,
            refused={"signature": 4, "gap": 2, "oversize": 1, "foreign_network": 1},
        ),
    )


def whole_city() -> tuple[NodeWord, ...]:
    """Twenty-four wards in every state, one with two nodes."""
    words = [word("00", path="self", said_ms=NOW_MS)]
    for code in list(ALL_WARDS)[1:]:
        match code:
            case "08" | "10":
                words.append(
                    word(code, archived=22, oldest_ms=NOW_MS - int(code) * 4 * MINUTE, up_to_ms=1)
                )
            case "07" | "24":
                words.append(word(code, said_ms=NOW_MS - 52 * MINUTE, path="lan", via="浪速区"))
            case "21":
                words.append(unheard(code))
            case "05":
                words += [word(code), word(code, number=2, via="北区")]
            case _:
                words.append(word(code))
    return tuple(words)


class City:
    """An office that answers what the test put into it, and counts who asked."""

    def __init__(self, *words: NodeWord, wards: Mapping[str, Ward] = WARDS) -> None:
        self.wards = wards
        self.words = words
        self.at_ms = NOW_MS
        self.asked = 0
        self.more: dict[str, Any] = {}

    def now_ms(self) -> int:
        return self.at_ms

    def status(self) -> Status:
        self.asked += 1
        return status(*self.words, now_ms=self.at_ms, **self.more)
