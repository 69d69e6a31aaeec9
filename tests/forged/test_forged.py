"""The rows hold on the real machine, and each of them can fail: a planted fault is found."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from meshrelay.core import accept, entitlement, verdict
from meshrelay.core.book import RecordBook
from meshrelay.core.verdict import EFFECTIVE, Judge, Verdict
from meshrelay.errors import FrameError
from tests.forged import ended, fuzz, powerless, refused
from tests.forged.__main__ import main
from tests.forged.corpus import Corpus
from tests.forged.grammar import shrink
from tests.forged.restored import Plan
from tests.forged.scene import link_fate

CASES = 200


def test_the_page_says_of_each_refusal_what_becomes_of_the_link() -> None:
    fate = link_fate()

    assert fate["bad_signature"] and fate["malformed"] and fate["foreign_network"]
    assert not (fate["fork"] or fate["gap"] or fate["replayed"] or fate["no_credential"])


def test_nothing_forged_is_stored(tmp_path: Path) -> None:
    row = refused.run(CASES, 1, tmp_path)

    assert row.held, row.faults
    assert row.cases == CASES and row.counts["bad_signature"] > CASES // 4


def test_nobody_out_of_role_has_any_effect(tmp_path: Path) -> None:
    row = powerless.run(CASES, 1, tmp_path)

    assert row.held, row.faults
    assert row.counts["refused: author_signature"] and row.counts["honest, effective"] == 2


@pytest.mark.parametrize("name", refused.GROUPS)
def test_nothing_of_a_kind_that_is_refused_is_stored(tmp_path: Path, name: str) -> None:
    row = refused.run(50, 2, tmp_path, name)

    assert row.held, row.faults
    assert row.cases == 50 and row.counts["stored"] == 0


@pytest.mark.parametrize("name", powerless.GROUPS)
def test_nothing_of_a_kind_without_power_has_any_effect(tmp_path: Path, name: str) -> None:
    row = powerless.run(50, 2, tmp_path, name)

    assert row.held, row.faults
    assert row.cases == 50 and row.counts["effective"] == 0


def test_nothing_above_an_end_has_any_effect(tmp_path: Path) -> None:
    row = ended.run(CASES, 1, tmp_path)

    assert row.held, row.faults
    assert row.counts["revoked"] and row.counts["fork"]


def test_nothing_malformed_stops_the_node(tmp_path: Path) -> None:
    row = fuzz.run(2 * CASES, 1, tmp_path)

    assert row.held, row.faults


def test_an_acceptor_that_does_not_verify_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (accept, entitlement):
        monkeypatch.setattr(module, "check_entry", lambda entry, network: None)

    row = refused.run(CASES, 1, tmp_path)

    assert not row.held and any("stored" in fault for fault in row.faults)


def test_an_acceptor_that_takes_past_a_gap_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accept.Acceptor, "is_next", lambda self, entry, height: True)

    assert not refused.run(CASES, 1, tmp_path).held


def test_a_judge_that_ignores_the_author_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict, "check1", lambda cose, public, aad: None)

    row = powerless.run(CASES, 1, tmp_path)

    assert any("effective" in fault for fault in row.faults)


def test_a_judge_that_forgets_ends_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = Judge.__call__

    def lenient(self: Judge, *args: Any) -> Verdict:
        found = judge(self, *args)
        return Verdict(EFFECTIVE) if found.reason in ("revoked", "fork") else found

    monkeypatch.setattr(Judge, "__call__", lenient)

    assert not ended.run(CASES, 1, tmp_path).held


def test_a_judge_that_forgets_who_was_revoked_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RecordBook, "staff_end", lambda self, staff, log: None)

    faults = powerless.run(20, 1, tmp_path, "revoked").faults

    assert any("revoked_person" in fault for fault in faults)


def test_a_decoder_that_crashes_is_found_and_its_case_made_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crashing(data: bytes) -> None:
        if b"\xf7" in data:
            raise KeyError(data)

    monkeypatch.setattr(fuzz, "DECODERS", (crashing,))
    monkeypatch.setattr(fuzz, "bombs", lambda types, rng: iter(()))

    row = fuzz.run(CASES, 1, tmp_path)

    assert any("KeyError" in fault and fault.endswith(": f7") for fault in row.faults)


def test_a_slow_and_a_greedy_decoder_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzz, "MS_MAX", 0.000_1)
    monkeypatch.setattr(fuzz, "MIB_MAX", 0.000_1)
    monkeypatch.setattr(fuzz, "bombs", lambda types, rng: iter(()))

    faults = fuzz.run(1, 1, tmp_path).faults

    assert any(" ms: " in fault for fault in faults)
    assert any(" MiB: " in fault for fault in faults)


def test_the_same_seed_makes_the_same_cases() -> None:
    one, other = Corpus(), Corpus()

    for number in range(100):
        maker = number % len(one.makers)
        assert one.makers[maker].make(random.Random(number)) == other.makers[maker].make(
            random.Random(number)
        )


def test_a_failing_input_is_made_as_short_as_it_goes() -> None:
    assert shrink(bytes(1_000) + b"\xff" + bytes(50) + b"\xfe", lambda d: b"\xff" in d) == b"\xff"


def test_sixteen_seeds_bring_every_kind_of_copy() -> None:
    plans = [Plan.of(seed) for seed in range(16)]

    words = {plan.word for plan in plans}
    assert len(words) == 4
    assert {(plan.word, plan.hot) for plan in plans} == {(w, h) for w in words for h in (0, 1)}


def test_the_command_says_by_its_exit_code_whether_all_rows_held(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--cases", "30", "--only", "refused", "--json"]) == 0
    assert '"held": true' in capsys.readouterr().out
    with pytest.raises(SystemExit) as left:
        main(["--only", "nonsense"])
    assert left.value.code == 2


def test_a_refusal_is_no_fault() -> None:
    def refusing(data: bytes) -> None:
        raise FrameError("malformed")

    fuzz.decoders(b"noise", (refusing,))
