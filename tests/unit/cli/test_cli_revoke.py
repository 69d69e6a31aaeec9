"""Nodes struck off and suspended by command; the vector that says what still counts."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from meshrelay.cli import authority, machine, x509
from meshrelay.cli.enrolment import REQUEST_AAD
from meshrelay.cli.main import main
from meshrelay.cli.qr import columns_for
from meshrelay.cli.recordfile import book_of, unpack_records
from meshrelay.cli.vectorfile import HeldVector, only, pack, unpack
from meshrelay.core.claims import is_suspended
from meshrelay.core.codec import encode
from meshrelay.core.entry import LogId
from meshrelay.core.records import Suspension, make_suspension
from meshrelay.core.signing import Signer
from meshrelay.core.vector import Line
from meshrelay.errors import ConfigError
from meshrelay.node.identity import load_keys
from tests.unit.cli.shell import Shell, enrol

TENMA = "staff_id,name,kana,ward,unit,roles\n10102,天満 さくら,てんま,01,避難所班,\n"


@pytest.fixture
def wards(shell: Shell, net: str) -> dict[str, str]:
    """HQ and 北区, enrolled; they never ran."""
    return {
        "hq": enrol(shell, net, "本部", "--ward", "00", "--role", "archive"),
        "kita": enrol(shell, net, "北区", "--ward", "01", "--ward-name", "北区"),
    }


def key_of(node: str) -> Signer:
    return load_keys(Path(node)).signer


def line(origin: bytes, height: int, lane: int = 0) -> Line:
    return Line(LogId(origin, b"12345678", lane), height, bytes([height]) * 32)


def vector_file(shell: Shell, node: str, vector: HeldVector, net: str) -> str:
    path = Path(shell.path("vector.cbor"))
    path.write_bytes(pack(vector, key_of(node), authority.load(Path(net)).network))
    return str(path)


def test_a_nodes_logs_end_where_a_trusted_node_held_them(
    shell: Shell, net: str, wards: dict[str, str]
) -> None:
    hq, kita = key_of(wards["hq"]).public, key_of(wards["kita"]).public
    held = HeldVector(hq, [line(kita, 7), line(hq, 9), line(kita, 3, lane=1)], {})
    file, out = vector_file(shell, wards["hq"], held, net), shell.path("revoked.cbor")

    done = shell.ok("issuer", "revoke", net, "北区役所", "--vector", file, "-o", out)

    assert (done["logs"], done["node"]) == (2, kita.hex())
    book = book_of(unpack_records(Path(out).read_bytes(), out), out)
    assert book.end_of(line(kita, 7).log) == line(kita, 7)
    assert book.end_of(LogId(kita, b"otherone", 0)).height == 0
    assert shell.ok("records", "import", wards["hq"], out)["added"] == 1
    assert "revoked already" in shell.refused(2, "issuer", "revoke", net, "北区役所")
    request = str(Path(wards["kita"], "request.cbor"))
    said = shell.refused(
        2, "issuer", "sign", net, request, "--ward", "01", "-o", shell.path("again")
    )
    assert "was revoked; make new keys" in said


def test_without_a_vector_nothing_is_revoked_unless_that_is_meant(
    shell: Shell, net: str, wards: dict[str, str]
) -> None:
    said = shell.refused(2, "issuer", "revoke", net, "北区役所")
    assert "node vector DIR" in said and "--from-nothing" in said
    assert not authority.load(Path(net)).book.revoked

    prefix = key_of(wards["kita"]).public.hex()[:8]
    assert shell.ok("issuer", "revoke", net, prefix, "--from-nothing")["logs"] == 0


def test_a_node_does_not_say_itself_where_it_ends(
    shell: Shell, net: str, wards: dict[str, str]
) -> None:
    kita = key_of(wards["kita"]).public
    file = vector_file(shell, wards["kita"], HeldVector(kita, [line(kita, 99)], {}), net)

    said = shell.refused(2, "issuer", "revoke", net, "北区役所", "--vector", file)
    assert "not made at a node whose word counts here" in said


def test_an_altered_or_foreign_vector_is_refused(
    shell: Shell, net: str, wards: dict[str, str]
) -> None:
    hq = key_of(wards["hq"])
    network = authority.load(Path(net)).network
    data = pack(HeldVector(hq.public, [line(hq.public, 5)], {}), hq, network)

    assert unpack(data, "v", network).lines == [line(hq.public, 5)]
    altered = bytearray(data)
    altered[-80] ^= 1
    with pytest.raises(ConfigError, match="altered"):
        unpack(bytes(altered), "v", network)
    with pytest.raises(ConfigError, match="another network"):
        unpack(data, "v", bytes(16))
    with pytest.raises(ConfigError, match="node vector"):
        unpack(b"hello", "v", network)
    stranger = Path(shell.path("stranger.cbor"))
    stranger.write_bytes(pack(HeldVector(hq.public, [], {}), Signer(bytes(32)), network))
    said = shell.refused(2, "issuer", "revoke", net, "北区役所", "--vector", str(stranger))
    assert "not made at a node" in said


def test_a_persons_words_count_in_the_logs_that_they_wrote_in(
    shell: Shell, net: str, wards: dict[str, str]
) -> None:
    shell.ok("staff", "import", net, shell.text("a.csv", TENMA))
    ((record, _),) = authority.load(Path(net)).people().values()
    hq, kita = key_of(wards["hq"]).public, key_of(wards["kita"]).public
    lines = [line(kita, 7), line(hq, 9)]
    held = HeldVector(hq, lines, {record: {lines[0].log}, bytes(32): {lines[1].log}})
    file = vector_file(shell, wards["hq"], held, net)

    done = shell.ok("staff", "revoke", net, "10102", "--vector", file)

    assert done["logs"] == 1
    book = authority.load(Path(net)).book
    assert book.staff_end(record, lines[0].log) == 7
    assert book.staff_end(record, lines[1].log) == 0
    assert only(held, [record]) == HeldVector(hq, [lines[0]], {record: {lines[0].log}})


def test_a_ward_is_suspended_lifted_and_suspended_again(
    shell: Shell, net: str, wards: dict[str, str]
) -> None:
    kita = key_of(wards["kita"]).public

    def states() -> list[bool]:
        return [is_suspended(authority.load(Path(net)).book, kita)]

    for command, suspended in (("suspend", True), ("lift", False), ("suspend", True)):
        out = shell.path(f"{command}{len(authority.load(Path(net)).records)}.cbor")
        done = shell.ok("issuer", command, net, "北区役所", "-o", out)
        assert done["suspended"] is suspended
        assert states() == [suspended]
        assert shell.ok("records", "import", wards["hq"], out)["added"] == 1
    assert "cannot be suspended" in shell.refused(2, "issuer", "suspend", net, "本部役所")


def test_the_issuers_word_outruns_what_registrars_said_since(
    shell: Shell, net: str, wards: dict[str, str]
) -> None:
    opened = authority.load(Path(net))
    kita, issuer = key_of(wards["kita"]).public, opened.issuer_record.id
    for number in (1, 2, 3):  # rounds that this directory never heard of
        said = Suspension(issuer, kita, number, False)
        opened.book.add(make_suspension(opened.issuer, opened.network, said))

    out = shell.path("lifted.cbor")
    shell.ok("issuer", "lift", net, "北区役所", "-o", out)

    assert is_suspended(opened.book, kita)
    for record in unpack_records(Path(out).read_bytes(), out):
        opened.book.add(record)
    assert not is_suspended(opened.book, kita)


def test_a_node_that_nobody_knows_is_named_with_where_to_look(shell: Shell, net: str) -> None:
    for name in ("南区役所", "abcd", "ABCDEF0123456789"):
        said = shell.refused(2, "issuer", "suspend", net, name)
        assert "no such node" in said and "issuer nodes" in said


def test_a_node_that_never_ran_holds_no_vector(shell: Shell, wards: dict[str, str]) -> None:
    said = shell.refused(2, "node", "vector", wards["hq"], "-o", shell.path("v"))
    assert "never ran" in said


def test_a_start_on_another_machine_asks_first(
    shell: Shell, wards: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, node = Path(wards["kita"]), key_of(wards["kita"]).public
    monkeypatch.setattr(machine, "MACHINE_ID", tmp_path / "machine-id")
    machine.check_machine(directory, node)  # a machine that has no id
    shell.text("machine-id", "3d1219c7c4c5404aaa1f6d2a48adfda4\n")
    machine.keep_machine(directory, node)
    kept = (directory / "machine").read_text("ascii")
    assert "3d1219c7" not in kept

    shell.ok("config", "check", wards["kita"])
    shell.text("machine-id", "11111111c4c5404aaa1f6d2a48adfda4\n")
    for words in (["config", "check"], ["node", "run"]):
        said = shell.refused(2, *words, wards["kita"])
        assert "ran on another machine before" in said
        assert "--moved" in said and "node request" in said
    machine.keep_machine(directory, node)
    shell.ok("config", "check", wards["kita"])


def test_a_node_is_signed_from_the_text_of_its_qr_code(
    shell: Shell, net: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = shell.ok("node", "request", shell.path("n"), "--name", "北区役所")
    scanned = shell.text("scanned.txt", asked["text"])

    signed = shell.ok("issuer", "sign", net, scanned, "--ward", "00", "-o", shell.path("a"))
    assert signed["words"] == asked["words"]
    again = shell.ok("issuer", "sign", net, asked["request"], "--ward", "00", "-o", shell.path("b"))
    assert again["credential"] == signed["credential"]  # the same keys, the same ward
    shell.ok("node", "enrol", shell.path("n"), shell.path("b"))


def test_a_request_is_shown_again_and_its_code_fits_a_console(shell: Shell) -> None:
    asked = shell.ok("node", "request", shell.path("n"), "--name", "東住吉区役所")

    assert shell.ok("node", "request", shell.path("n"), "--name", "東住吉区役所") == asked
    assert columns_for(asked["text"]) <= 80
    said = shell.refused(2, "node", "request", shell.path("n"), "--name", "西区役所")
    assert "東住吉区役所" in said


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("\n", 1), ("no\n", 1)])
def test_at_a_terminal_the_six_words_are_compared_before_anything_is_signed(
    typed: str, code: int, shell: Shell, net: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    asked = shell.ok("node", "request", shell.path("n"), "--name", "北区役所")
    keyboard = io.StringIO(typed)
    monkeypatch.setattr(keyboard, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", keyboard)
    out = Path(shell.path("a"))

    words = ["issuer", "sign", net, asked["request"], "--ward", "00", "-o", str(out)]
    assert main(words) == code
    assert asked["words"] in capsys.readouterr().err
    assert out.exists() is (code == 0)
    assert len(authority.load(Path(net)).book.nodes) == (code == 0)


def test_a_node_is_found_by_the_name_of_its_ward(
    shell: Shell, net: str, wards: dict[str, str]
) -> None:
    assert wards
    assert shell.ok("issuer", "suspend", net, "北区")["name"] == "北区役所"
    enrol(shell, net, "北区分室", "--ward", "01")
    assert "2 nodes are called so" in shell.refused(2, "issuer", "suspend", net, "北区")


@pytest.mark.parametrize("name", ["", "北区\u202e役所", "a\nb", "長" * 61])
def test_a_hostile_name_of_a_node_is_refused_at_both_ends(
    shell: Shell, net: str, name: str
) -> None:
    assert "--name" in shell.refused(2, "node", "request", shell.path("n"), "--name", name)
    signer, tls = Signer(bytes(32)), x509.make_key()
    csr = x509.to_der(x509.make_request(tls, signer.public.hex()))
    raw = encode([signer.public, signer.sign1(encode([name, bytes(32), csr]), REQUEST_AAD)])
    Path(shell.path("r")).write_bytes(raw)

    said = shell.refused(
        2, "issuer", "sign", net, shell.path("r"), "--ward", "00", "-o", shell.path("o")
    )
    assert "node request" in said


def test_an_answer_holds_nodes_and_revocations_and_no_staff(
    shell: Shell, net: str, wards: dict[str, str]
) -> None:
    shell.ok("staff", "import", net, shell.text("a.csv", TENMA))
    shell.ok("issuer", "revoke", net, "北区役所", "--from-nothing")

    node = enrol(shell, net, "中央区", "--ward", "02", "--ward-name", "中央区")

    path = Path(node, "enrolment.cbor")
    book = book_of(unpack_records(path.read_bytes(), "x"), "x")
    assert len(book.nodes) == 3 and len(book.revoked) == 1 and not book.staff
    assert list(book.transit) == [(key_of(node).public, 1)]
