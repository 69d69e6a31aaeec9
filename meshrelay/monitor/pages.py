"""The monitor page: one HTML snapshot for all viewers, drawn on the server.

The page is complete without script. `monitor.js` only fetches it again every few
seconds, lets its age grow between fetches and greys it when the node is gone.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Coroutine, Mapping
from functools import cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, Protocol

from jinja2 import Environment, PackageLoader, StrictUndefined
from msgspec import Struct

from meshrelay.monitor import words
from meshrelay.monitor.tally import LANES, State, Tally, WardRow, tally
from meshrelay.node.office import Status, Ward

if TYPE_CHECKING:
    from meshrelay.monitor.metrics import Metrics

# pages.md: "one snapshot per 5 s for all viewers".
SNAPSHOT_MS = 5_000
# A version or a cause comes from another node: nobody's may widen the page.
FOREIGN_CHARS_MAX = 40
# Causes of refusal named for each ward; the rest is counted.
CAUSES_MAX = 3
# Placed on the age of the snapshot after drawing, so that a page drawn once can be
# served for five seconds without lying about its age. Not a word of any language.
_AGE_MARK: Final = "@age-seconds@"

Answer = tuple[int, str, bytes]
Route = Callable[[], Coroutine[Any, Any, Answer]]


class StatusSource(Protocol):
    """The part of `Office` that the monitor asks."""

    @property
    def wards(self) -> Mapping[str, Ward]: ...
    def now_ms(self) -> int: ...
    def status(self) -> Status: ...


class Tile(Struct, frozen=True):
    """One ward's place on the map, columns and rows counted from 1."""

    row: WardRow
    column: int
    line: int


class Drawing:
    """Templates and files of the page, read once; draws a `Tally`."""

    def __init__(self) -> None:
        environment = Environment(
            loader=PackageLoader("meshrelay.monitor"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["plain"] = plain
        environment.filters["size"] = words.size
        environment.filters["iso"] = words.iso
        self._template = environment.get_template("monitor.html.j2")
        folder = resources.files("meshrelay.monitor") / "templates"
        self.script = (folder / "monitor.js").read_bytes()
        self.style = (folder / "monitor.css").read_bytes()
        self._places = _places((folder / "tiles.csv").read_text("utf-8"))

    def page(self, status: Status, view: Tally, lang: str) -> str:
        """The whole document, with a mark where the age in seconds belongs."""
        tiles, unplaced = self.tiles(view)
        names = {row.name: words.name(row, lang) for row in view.rows}
        alone = len(status.words) > 1 and not status.links
        return self._template.render(
            lang=lang,
            t=words.TEXT[lang],
            status=status,
            view=view,
            tiles=tiles,
            unplaced=unplaced,
            headline=plain(words.headline(view, lang, alone), limit=400),
            alone=alone,
            age_mark=_AGE_MARK,
            lanes=LANES,
            states=tuple(State),
            causes_max=CAUSES_MAX,
            age=lambda at_ms: words.age(view.age_ms(at_ms) or 0, lang),
            clock=lambda at_ms: words.clock(at_ms, view.now_ms),
            name=lambda row: plain(words.name(row, lang)),
            cause=lambda code: words.CAUSES[lang].get(code, code),
            ward_name=lambda ward: plain(str(names.get(ward, ward))),
            other="/monitor/en" if lang == "ja" else "/monitor",
        )

    def tiles(self, view: Tally) -> tuple[tuple[Tile, ...], tuple[WardRow, ...]]:
        """Wards in their places on the city's map, and those that the map does not know.

        Columns and rows without a ward are taken out, so that four wards of
        twenty-four stand close together and still in their true directions.
        """
        placed = [(row, self._places[row.name]) for row in view.rows if row.name in self._places]
        columns = sorted({place[0] for _, place in placed})
        lines = sorted({place[1] for _, place in placed})
        known = tuple(
            Tile(row=row, column=columns.index(place[0]) + 1, line=lines.index(place[1]) + 1)
            for row, place in placed
        )
        return known, tuple(row for row in view.rows if row.name not in self._places)


class Snapshots:
    """What all viewers see: the node is asked, and each language drawn, once in 5 s."""

    def __init__(self, office: StatusSource) -> None:
        self._office = office
        self._drawing = Drawing()
        self._status: Status | None = None
        self._view: Tally | None = None
        self._taken_ms = 0
        self._drawn: dict[str, str] = {}

    def page(self, lang: str) -> bytes:
        """The page in `ja` or `en`; any other language is a KeyError."""
        status, view = self._current()
        if lang not in self._drawn:
            self._drawn[lang] = self._drawing.page(status, view, lang)
        age_s = max(0, self._office.now_ms() - self._taken_ms) // 1000
        return self._drawn[lang].replace(_AGE_MARK, str(age_s)).encode()

    @cached_property
    def metrics(self) -> Metrics:
        """The same numbers for Prometheus. A node that nobody scrapes never loads its library."""
        from meshrelay.monitor.metrics import Metrics

        return Metrics(self._current)

    def ready(self) -> tuple[bool, str]:
        """Whether the node is ready now, and why not; never from a kept snapshot."""
        status = self._office.status()
        sentences = "\n".join(plain(sentence, limit=400) for sentence in status.trouble)
        return status.ready, sentences

    @property
    def script(self) -> bytes:
        """The page's only script."""
        return self._drawing.script

    @property
    def style(self) -> bytes:
        """The page's only style sheet."""
        return self._drawing.style

    def _current(self) -> tuple[Status, Tally]:
        now_ms = self._office.now_ms()
        # A clock that was set back must not keep the old snapshot for ever.
        old = not 0 <= now_ms - self._taken_ms < SNAPSHOT_MS
        if self._status is None or self._view is None or old:
            self._status = self._office.status()
            self._view = tally(self._status, self._office.wards)
            self._taken_ms = now_ms
            self._drawn.clear()
        return self._status, self._view


def monitor_page(status: Status, wards: Mapping[str, Ward], lang: str) -> bytes:
    """The page of one status, without any keeping: for tools and tests."""
    drawing = Drawing()
    return drawing.page(status, tally(status, wards), lang).replace(_AGE_MARK, "0").encode()


def plain(text: str, limit: int = FOREIGN_CHARS_MAX) -> str:
    """Text from elsewhere without control and direction characters, and not too long.

    Escaping is Jinja's; this keeps a name from turning the line around it.
    """
    kept = "".join(c for c in text if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co", "Zl"})
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def routes(office: StatusSource) -> Mapping[str, Route]:
    """GET paths of the monitor: each answers (status, content type, body).

    Japanese at /monitor, English at /monitor/en. /livez says only that the event loop
    turns; /readyz is 503 with the reasons while the node is not ready.
    """
    snapshots = Snapshots(office)
    html, text = "text/html; charset=utf-8", "text/plain; charset=utf-8"

    async def japanese() -> Answer:
        return 200, html, snapshots.page("ja")

    async def english() -> Answer:
        return 200, html, snapshots.page("en")

    async def script() -> Answer:
        return 200, "text/javascript; charset=utf-8", snapshots.script

    async def style() -> Answer:
        return 200, "text/css; charset=utf-8", snapshots.style

    async def prometheus() -> Answer:
        return 200, snapshots.metrics.content_type, snapshots.metrics.text()

    async def live() -> Answer:
        return 200, text, b"live\n"

    async def ready() -> Answer:
        is_ready, why = snapshots.ready()
        if is_ready:
            return 200, text, b"ready\n"
        return 503, text, f"not ready\n{why}\n".encode()

    return {
        "/monitor": japanese,
        "/monitor/en": english,
        "/monitor.js": script,
        "/monitor.css": style,
        "/metrics": prometheus,
        "/livez": live,
        "/readyz": ready,
    }


def _places(table: str) -> dict[str, tuple[int, int]]:
    places = {}
    for line in table.splitlines():
        if line and not line.startswith("#"):
            ward, column, row = line.split(",")
            places[ward] = (int(column), int(row))
    return places
