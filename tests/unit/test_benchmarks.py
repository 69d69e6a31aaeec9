"""The benchmarks run; what they measure is no test."""

from __future__ import annotations

import json
import os
import random
import shutil
import zlib
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import pytest

from meshrelay.cli.brokerdir import mosquitto
from meshrelay.core.frames import encode_frame
from meshrelay.desk import talk
from tests.benchmarks import accept, drain, frames, mesh, others, phrases, wear
from tests.benchmarks.__main__ import MEASURES, parser
from tests.benchmarks.figures import AT_LEAST, Figure, document, percentile
from tests.lab import photo
from tests.lab.urgent import Row


async def test_acceptance_is_measured_on_entries_that_are_stored_and_effective(
    tmp_path: Path,
) -> None:
    size = accept.Size(rounds=1, batches=2, batch=10, slice=20)

    figures = {figure.name: figure for figure in await accept.measure(tmp_path, size)}

    found = next(figure for name, figure in figures.items() if name.startswith("accept: 2"))
    assert found.detail["entries"] == 20
    assert found.value > 0 and found.target == "≥ 0.35 V"
    assert figures["  verified on two threads ÷ one"].target == "≥ 1.4 x"


async def test_what_a_store_writes_is_less_than_eight_times_what_it_keeps(tmp_path: Path) -> None:
    (figure,) = await wear.measure(tmp_path, 2_000)

    assert 500 < figure.value < 4_000
    assert 450 < figure.detail["bytes of an entry"] < 520


def test_a_missed_target_fails_the_document_and_an_untold_one_does_not() -> None:
    good, untold = Figure("a", 0.4, "V", AT_LEAST, 0.3), Figure("b", 9.0, "ms")
    late = Figure("c", 401.0, "ms", limit=400.0)

    assert document([good, untold], 1.0)["passed"]
    assert not document([good, untold, late], 1.0)["passed"]
    assert [figure.word for figure in (good, untold, late)] == ["pass", "", "FAIL"]


def test_a_peer_is_told_beside_the_figure_it_stands_for() -> None:
    (told,) = document([Figure("drain", 0.4, "V", peer="Scuttlebutt 0.31 V")], 1.0)["figures"]

    assert told["peer"] == "Scuttlebutt 0.31 V"


def test_texts_of_the_trade_are_300_bytes_all_different_and_the_same_in_every_run() -> None:
    bodies = list(islice(phrases.bodies(7), 2_000))

    assert {len(body) for body in bodies} <= {298, 299, 300}
    assert len(set(bodies)) == len(bodies) and bodies == list(islice(phrases.bodies(7), 2_000))
    assert all(talk.check(body, "all") is None for body in bodies)


def test_a_sealed_body_is_a_talk_message_that_nothing_compresses() -> None:
    body = phrases.sealed_body(1, random.Random(7))

    assert talk.check(body, "all") is None
    assert len(body) == 300 and len(zlib.compress(body)) > 290


def test_bytes_of_a_reconnect_are_those_of_its_frames() -> None:
    city, kita, chuo, link = frames.in_sync(frames.signers(4))
    city.cut(link)
    before = len(city.seen)

    said = frames.rejoined(city, kita, chuo)

    assert sum(said.values()) == sum(len(encode_frame(frame)) for *_, frame in city.seen[before:])
    assert said["Hello"] and not said["Entries"]


def test_on_the_mesh_everybody_hears_everything_at_least_once() -> None:
    made = mesh.Mesh(5, seed=1)

    mesh.chatter(made, 12)

    assert made.links == 10 and made.said == 12
    assert made.received >= made.needed == 48


async def test_a_drain_is_measured_on_real_processes_until_the_archive_covers_all(
    tmp_path: Path,
) -> None:
    if mosquitto() is None or shutil.which("ss") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must have Mosquitto and iproute2")
        pytest.skip("needs Mosquitto and ss(8)")

    drained = await drain.drain(tmp_path, "few", phrases.bodies, 150)

    assert drained.entries == 150 and drained.seconds > 0
    # An entry is two signatures and a text; less on the wire would be a lie of the counter.
    assert 150 * 200 < drained.node_bytes < 150 * 2_000


def test_help_teaches_every_name_and_a_wrong_one_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    help_text = parser().format_help()

    assert all(about in help_text for _, about in MEASURES.values())
    assert parser().parse_args(["--only", "page"]).only == ["page"]
    with pytest.raises(SystemExit) as refused:
        parser().parse_args(["--only", "everything"])
    assert refused.value.code == 2
    assert "invalid choice: 'everything'" in capsys.readouterr().err


def test_a_percentile_is_a_measured_value() -> None:
    values = [float(n) for n in range(1, 201)]

    assert [percentile(values, percent) for percent in (50, 99, 100)] == [100, 198, 200]


def test_what_the_laboratory_measures_is_read_row_by_row() -> None:
    row = Row("lan", "up", 128, 20.0, 1, 0.9, [504, 663], [525, 480])

    urgent, back = others.urgent_figures(json.dumps([asdict(row)]).encode())

    assert urgent.line().endswith("lan, up, worst: 0.663 s (≤ 1.5 s: pass)")
    assert (back.value, back.held) == (0.525, True)


def test_what_the_laboratory_measures_of_a_photo_is_read() -> None:
    row = photo.Row(128, 1, 0.9, [504, 663], [0, 17_000], [500, 400])

    worst, twice = others.photo_figures(json.dumps(row.figures()).encode())

    assert worst.line().endswith("at 128 kbit/s, worst: 0.663 s (≤ 1.5 s: pass)")
    assert not twice.held and not row.good
