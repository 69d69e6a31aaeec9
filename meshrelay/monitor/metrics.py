"""The monitor's numbers for Prometheus: base units, few labels, no people.

What is unknown has no sample at all. A rule that must notice it asks with `absent`
or compares with `meshrelay_wards`; a 0 would look like good news.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from meshrelay.monitor.tally import State, Tally, WardRow
from meshrelay.node.office import Status, StoreWord

LANE_LABELS = ("urgent", "normal", "background", "bulk")

Source = Callable[[], tuple[Status, Tally]]


class Metrics:
    """`/metrics` of one node; each has a registry of its own, so two fit in one process."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, source: Source) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_StatusCollector(source))

    def text(self) -> bytes:
        """Prometheus text of the current snapshot."""
        return generate_latest(self._registry)


class _StatusCollector(Collector):
    def __init__(self, source: Source) -> None:
        self._source = source

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        status, view = self._source()
        yield from _node(status)
        yield from _wards(view)


def _node(status: Status) -> Iterator[Metric]:
    info = GaugeMetricFamily(
        "meshrelay_info",
        "Always 1; says which node and version this is.",
        labels=("network", "ward", "version"),
    )
    info.add_metric((status.network.id, status.node.ward, status.version), 1)
    yield info
    for name, help_text, value in (
        ("ready", "1 when the node is ready, else 0.", float(status.ready)),
        ("clock_quality", "Clock: 0 unknown, 1 restored, 2 HQ, 3 person, 4 NTP or GPS.",
         status.clock_quality),
        ("start_time_seconds", "When the node started, Unix time.", status.started_ms / 1000),
        ("snapshot_time_seconds", "When these numbers were taken, Unix time.",
         status.now_ms / 1000),
        ("entries", "Entries on disk.", status.entries),
        ("records", "Records on disk.", status.records),
        ("messages", "Messages on disk.", status.messages),
        ("sessions", "People logged in at this node.", status.sessions),
    ):  # fmt: skip
        yield GaugeMetricFamily(f"meshrelay_{name}", help_text, value=value)
    if status.store is not None:
        yield from _store(status.store)
    links = GaugeMetricFamily("meshrelay_links", "Open links to peers.", labels=("bearer",))
    for bearer in sorted(status.bearers.keys() | {link.bearer for link in status.links}):
        links.add_metric((bearer,), sum(link.bearer == bearer for link in status.links))
    yield links
    yield GaugeMetricFamily(
        "meshrelay_blobs_bytes", "Photos and files on disk.", value=status.blobs_bytes
    )
    evicted = CounterMetricFamily(
        "meshrelay_evicted", "What was dropped for space since start.", labels=("what",)
    )
    for what, count in sorted(status.evicted.items()):
        evicted.add_metric((what,), count)
    yield evicted
    refused = CounterMetricFamily(
        "meshrelay_refused", "Refused frames, entries and peers since start.", labels=("reason",)
    )
    for reason, count in sorted(status.refused.items()):
        refused.add_metric((reason,), count)
    yield refused


def _store(store: StoreWord) -> Iterator[Metric]:
    yield GaugeMetricFamily("meshrelay_store_bytes", "Bytes of log.db in use.", store.used_bytes)
    yield GaugeMetricFamily(
        "meshrelay_store_quota_bytes", "What log.db may use now: quota and free disk.",
        store.quota_bytes,
    )  # fmt: skip
    yield CounterMetricFamily(
        "meshrelay_evicted_entries", "Entries dropped for space, ever.", store.evicted
    )
    yield CounterMetricFamily(
        "meshrelay_damaged_entries", "Entries that changed on the disk, ever.", store.damaged
    )


def _wards(view: Tally) -> Iterator[Metric]:
    wards = GaugeMetricFamily("meshrelay_wards", "Wards by state.", labels=("state",))
    for state in State:
        wards.add_metric((state.value,), len(view.having(state)))
    yield wards
    backlog = GaugeMetricFamily(
        "meshrelay_ward_backlog_entries",
        "Entries the ward stated and the archive does not hold.",
        labels=("ward", "lane"),
    )
    for row in view.rows:
        for label, lane in zip(LANE_LABELS, row.lanes, strict=True):
            if lane.backlog is not None:
                backlog.add_metric((row.code, label), lane.backlog)
    yield backlog
    for name, help_text, read in _WARD_GAUGES:
        family = GaugeMetricFamily(f"meshrelay_ward_{name}", help_text, labels=("ward",))
        for row in view.rows:
            value = read(row)
            if value is not None:
                family.add_metric((row.code,), value)
        yield family


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


_WARD_GAUGES: tuple[tuple[str, str, Callable[[WardRow], float | None]], ...] = (
    (
        "synced_up_to_timestamp_seconds",
        "The archive holds every urgent and normal entry of the ward up to here, Unix time.",
        lambda row: _seconds(row.synced_up_to_ms),
    ),
    (
        "oldest_unsynced_timestamp_seconds",
        "Oldest urgent or normal entry the archive lacks, Unix time.",
        lambda row: _seconds(row.oldest_unsynced_ms),
    ),
    (
        "last_word_timestamp_seconds",
        "When the ward's newest signed word was said, Unix time.",
        lambda row: _seconds(row.word_ms),
    ),
    ("clock_quality", "Worst clock of the ward's nodes, 0 to 4.", lambda row: row.clock_quality),
    ("disk_free_bytes", "Least free disk of the ward's nodes.", lambda row: row.disk_free_bytes),
)
