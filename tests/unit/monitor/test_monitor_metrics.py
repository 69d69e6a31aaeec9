"""What Prometheus reads: the names, the units, and no sample where nothing is known."""

from __future__ import annotations

import asyncio

from prometheus_client.parser import text_string_to_metric_families

from meshrelay.monitor.pages import routes
from tests.monitor_scene import MINUTE, NOW_MS, City, four_wards, unheard, word


def samples(city: City) -> dict[tuple[str, ...], float]:
    """Every sample by name and label values."""
    _, kind, body = asyncio.run(routes(city)["/metrics"]())
    assert kind.startswith("text/plain; version=")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def test_a_lagging_ward_shows_its_backlog_and_both_moments_in_seconds() -> None:
    found = samples(City(*four_wards()))

    assert found["meshrelay_ward_backlog_entries", "normal", "03"] == 9
    oldest = found["meshrelay_ward_oldest_unsynced_timestamp_seconds", "03"]
    assert oldest == (NOW_MS - 47 * MINUTE) / 1000
    assert found["meshrelay_ward_synced_up_to_timestamp_seconds", "03"] < oldest
    assert found["meshrelay_wards", "late"] == 1
    assert found["meshrelay_refused_total", "signature"] == 3
    assert found["meshrelay_evicted_total", "blob"] == 2
    assert found["meshrelay_blobs_bytes",] == 3_000_000
    assert found["meshrelay_links", "mqtt"] == 1
    assert found["meshrelay_links", "lan"] == 0


def test_an_unheard_ward_has_no_sample_of_its_own() -> None:
    found = samples(City(word("01"), unheard("03")))

    assert not [key for key in found if key[0].startswith("meshrelay_ward_") and "03" in key]
    assert found["meshrelay_wards", "unknown"] == 1


def test_every_name_is_ours_and_no_label_names_a_person_or_a_node() -> None:
    _, _, body = asyncio.run(routes(City(*four_wards()))["/metrics"]())
    families = list(text_string_to_metric_families(body.decode()))
    labels = {label for family in families for s in family.samples for label in s.labels}

    assert all(family.name.startswith("meshrelay_") for family in families)
    assert all(family.documentation.endswith(".") for family in families)
    assert labels == {"network", "ward", "version", "lane", "state", "bearer", "reason", "what"}


def test_two_nodes_in_one_process_keep_their_numbers_apart() -> None:
    kita, minami = City(word("01")), City(word("02"))

    assert ("meshrelay_ward_disk_free_bytes", "02") not in samples(kita)
    assert ("meshrelay_ward_disk_free_bytes", "02") in samples(minami)
