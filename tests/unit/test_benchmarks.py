"""The benchmarks run; what they measure is no test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import accept
from tests.benchmarks.__main__ import MEASURES, parser
from tests.benchmarks.figures import AT_LEAST, Figure, document, percentile


async def test_acceptance_is_measured_on_entries_that_are_stored_and_effective(
    tmp_path: Path,
) -> None:
    size = accept.Size(rounds=1, batches=2, batch=10, slice=20)

    figures = {figure.name: figure for figure in await accept.measure(tmp_path, size)}

    found = next(figure for name, figure in figures.items() if name.startswith("accept: 2"))
    assert found.detail["entries"] == 20
    assert found.value > 0 and found.target == "≥ 0.3 V"


def test_a_missed_target_fails_the_document_and_an_untold_one_does_not() -> None:
    good, untold = Figure("a", 0.4, "V", AT_LEAST, 0.3), Figure("b", 9.0, "ms")
    late = Figure("c", 401.0, "ms", limit=400.0)

    assert document([good, untold], 1.0)["passed"]
    assert not document([good, untold, late], 1.0)["passed"]
    assert [figure.word for figure in (good, untold, late)] == ["pass", "", "FAIL"]


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
