"""Authority and issuer apart: sticks, passphrases, successors, generations."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from nacl.public import PrivateKey, SealedBox

from meshrelay.cli import authdir, authority, sealing
from meshrelay.cli.main import main
from meshrelay.cli.recordfile import book_of, unpack_records
from meshrelay.core.book import RecordBook
from meshrelay.core.records import IssuerCredential, NodeCredential, Record, Transit
from tests.unit.cli.shell import Shell, enrol

WORDS = "correct horse battery staple"
HQ = "staff_id,name,kana,ward,unit,roles\n10001,中之島 太郎,なかのしま,00,市長,hq\n"


@pytest.fixture(autouse=True)
def quick_wrapping(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a key is wrapped with stands in its file; test_enrol_prompt checks the real figures."""
    monkeypatch.setattr(sealing, "MEMORY_KIB", 8 * 1024)


@pytest.fixture
def stick(shell: Shell) -> str:
    shell.text("words", WORDS + "\n")
    shell.ok(
        "authority", "create", shell.path("stick"), "--name", "大阪市",
        "--passphrase-file", shell.path("words"),
    )  # fmt: skip
    return shell.path("stick")


def opened_with(shell: Shell) -> list[str]:
    return ["--passphrase-file", shell.path("words")]


def records_of(file: str | Path) -> list[Record]:
    return unpack_records(Path(file).read_bytes(), str(file))


def test_an_issuer_is_made_apart_and_signed_with_the_stick(shell: Shell, stick: str) -> None:
    made = shell.ok("issuer", "create", shell.path("net"))
    said = shell.refused(2, "issuer", "nodes", shell.path("net"))
    assert "waits for the authority" in said and "authority issue" in said

    out = shell.path("issuer.cbor")
    issued = shell.ok("authority", "issue", stick, made["request"], "-o", out, *opened_with(shell))
    assert issued["words"] == made["words"]
    taken = shell.ok("issuer", "accept", shell.path("net"), out)

    assert (taken["name"], taken["generation"]) == ("大阪市", 1)
    assert Path(enrol(shell, shell.path("net"), "本部", "--ward", "00")).exists()
    assert not list(Path(shell.path("net")).glob("**/authority.key"))


def test_the_key_on_the_stick_is_nothing_without_the_passphrase(shell: Shell, stick: str) -> None:
    table = json.loads(Path(stick, "authority.key").read_text("utf-8"))
    assert "secret" not in table and table["kdf"] == "argon2id"
    shell.ok("issuer", "create", shell.path("net"))
    shell.text("wrong", "incorrect horse battery\n")

    for words in (["issue", stick, shell.path("net")], ["raise", stick, shell.path("net")]):
        said = shell.refused(2, "authority", *words, "--passphrase-file", shell.path("wrong"))
        assert "the passphrase does not fit" in said
    assert "nobody to ask" in shell.refused(2, "authority", "issue", stick, shell.path("net"))
    assert not Path(shell.path("net/records.cbor")).exists()


def test_a_passphrase_is_changed_and_the_key_stays(shell: Shell, stick: str) -> None:
    shell.text("new", "four other words here\n")
    before = authdir.read(Path(stick)).public

    shell.ok(
        "authority", "passphrase", stick,
        "--old-passphrase-file", shell.path("words"), "--passphrase-file", shell.path("new"),
    )  # fmt: skip

    kept = authdir.read(Path(stick))
    assert authdir.unlock(kept, "four other words here").public == kept.public == before
    shell.text("short", "short\n")
    said = shell.refused(
        2, "authority", "passphrase", stick,
        "--old-passphrase-file", shell.path("new"), "--passphrase-file", shell.path("short"),
    )  # fmt: skip
    assert "too short" in said


def test_an_authority_is_never_overwritten(shell: Shell, stick: str) -> None:
    words = opened_with(shell)
    before = Path(stick, "authority.key").read_bytes()

    for command in (
        ["authority", "create", stick, "--name", "x", *words],
        ["network", "create", shell.path("n"), "--name", "x", "--authority", stick, *words],
        ["authority", "successor", stick, stick, "--old-passphrase-file", shell.path("words")],
    ):
        assert "not empty" in shell.refused(2, *command)
    assert Path(stick, "authority.key").read_bytes() == before
    assert not Path(shell.path("n")).exists()


def test_a_bare_key_that_others_can_read_is_refused(shell: Shell, net: str) -> None:
    key = Path(net, "authority", "authority.key")
    key.chmod(0o644)

    assert "mode 0644" in shell.refused(2, "issuer", "nodes", net)
    key.chmod(0o600)
    Path(net, "issuer.key").chmod(0o640)
    assert "chmod 600" in shell.refused(2, "issuer", "nodes", net)


def test_the_short_road_wraps_the_key_and_says_to_move_it(
    shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.text("words", WORDS)
    words = ["network", "create", shell.path("net"), "--name", "大阪市"]
    assert "nobody to ask" in shell.refused(2, *words)
    assert not Path(shell.path("net")).exists()

    assert main([*words, "--passphrase-file", shell.path("words")]) == 0
    assert "move the authority to two USB sticks" in capsys.readouterr().out
    assert authdir.read(Path(shell.path("net/authority"))).is_wrapped
    assert authority.load(Path(shell.path("net"))).authority is None
    staff = ["staff", "import", shell.path("net"), shell.text("staff.csv", HQ)]
    assert "nobody to ask" in shell.refused(2, *staff)
    assert shell.ok(*staff, "--passphrase-file", shell.path("words"))["added"] == 1


def test_hq_takes_the_authoritys_word_and_a_successors_is_as_good(shell: Shell, stick: str) -> None:
    shell.text("second", "five words of another kind\n")
    shell.ok(
        "authority", "successor", stick, shell.path("stick2"),
        "--old-passphrase-file", shell.path("words"), "--passphrase-file", shell.path("second"),
    )  # fmt: skip
    net, rows = shell.path("net"), shell.text("staff.csv", HQ)
    shell.ok("issuer", "create", net, "--authority", stick, *opened_with(shell))
    before = Path(net, "records.cbor").read_bytes()

    said = shell.refused(2, "staff", "import", net, rows)
    assert "role hq (10001)" in said and "--authority AUTHDIR" in said
    assert Path(net, "records.cbor").read_bytes() == before
    assert not Path(net, "cards.secret").exists()

    shutil.rmtree(stick)  # the first stick is lost
    second = ["--authority", shell.path("stick2"), "--passphrase-file", shell.path("second")]
    shell.ok("staff", "import", net, rows, *second, "-o", shell.path("staff.cbor"))
    book = book_of(records_of(shell.path("staff.cbor")), "staff.cbor")
    assert [person.roles for person in book.staff.values()] == [["staff", "hq"]]
    assert book.network == authority.load(Path(net)).network


def test_the_authority_of_another_network_is_refused(shell: Shell, net: str, stick: str) -> None:
    shutil.rmtree(Path(net, "authority"))
    rows = shell.text("staff.csv", HQ)

    said = shell.refused(2, "staff", "import", net, rows, "--authority", stick, *opened_with(shell))
    assert "another network" in said
    said = shell.refused(2, "authority", "issue", stick, net, *opened_with(shell))
    assert "another network" in said


def test_an_altered_request_of_an_issuer_is_refused(shell: Shell, stick: str) -> None:
    request = Path(shell.ok("issuer", "create", shell.path("net"))["request"])
    data = bytearray(request.read_bytes())
    data[-1] ^= 1
    request.write_bytes(bytes(data))

    said = shell.refused(
        2, "authority", "issue", stick, str(request), "-o", shell.path("o"), *opened_with(shell)
    )
    assert "expected the issuer-request.cbor" in said
    assert not Path(shell.path("o")).exists()


def transit_keys(net: str, generation: int, nodes: dict[str, str]) -> dict[str, bytes]:
    """What each node of `nodes` (name -> directory) can open."""
    book = authority.load(Path(net)).book
    opened = {}
    for key, node in book.nodes.items():
        box = Path(nodes[node.name], "keys", "box.key").read_text("ascii").strip()
        sealed = book.transit.get((key, generation))
        if sealed is not None:
            opened[node.name] = SealedBox(PrivateKey(bytes.fromhex(box))).decrypt(sealed)
    return opened


def test_a_new_generation_renews_every_node_but_the_revoked(shell: Shell, net: str) -> None:
    nodes = {
        f"{name}役所": enrol(shell, net, name, "--ward", ward, "--ward-name", name)
        for name, ward in (("北区", "01"), ("中央区", "02"), ("西成区", "03"))
    }
    assert len(set(transit_keys(net, 1, nodes).values())) == 1
    assert len(transit_keys(net, 1, nodes)) == 3
    shell.ok("issuer", "revoke", net, "西成区役所", "--from-nothing")

    raised = shell.ok("authority", "raise", str(Path(net, "authority")), net)
    done = shell.ok("issuer", "renew", net, "-o", shell.path("renewed.cbor"))

    assert (raised["generation"], done["renewed"]) == (2, 2)
    old, new = transit_keys(net, 1, nodes), transit_keys(net, 2, nodes)
    assert sorted(new) == ["中央区役所", "北区役所"]
    assert len(set(new.values())) == 1 and set(new.values()).isdisjoint(old.values())
    told = records_of(shell.path("renewed.cbor"))
    book = RecordBook(authority.load(Path(net)).network)
    for record in told:
        book.add(record)
    assert book.generation() == 2
    kinds = [
        (type(r.content), r.content.generation)
        for r in told
        if isinstance(r.content, NodeCredential | Transit)
    ]
    assert kinds.count((NodeCredential, 2)) == kinds.count((Transit, 2)) == 2
    again = shell.ok("issuer", "renew", net, "-o", shell.path("again.cbor"))
    assert again["renewed"] == 0
    taken = shell.ok("records", "import", nodes["北区役所"], shell.path("renewed.cbor"))
    assert taken["added"] == 5
    states = {row["name"]: row["state"] for row in shell.ok("issuer", "nodes", net)["nodes"]}
    assert states == {"北区役所": "good", "中央区役所": "good", "西成区役所": "revoked"}


def test_a_new_generation_crosses_the_gap_as_a_file(shell: Shell, net: str) -> None:
    stick = str(Path(shell.path("away")))
    Path(net, "authority").rename(stick)
    request, out = str(Path(net, "issuer-request.cbor")), shell.path("raised.cbor")

    second = shell.path("second")
    shell.ok("authority", "successor", stick, second, "--no-passphrase")
    shell.ok("authority", "raise", stick, request, "-o", out)
    assert shell.ok("issuer", "accept", net, out)["generation"] == 2
    # The other stick, which lay in the safe, learns of it from the issuer's request.
    shell.ok("authority", "raise", second, request, "-o", shell.path("more.cbor"))
    assert shell.ok("issuer", "accept", net, shell.path("more.cbor"))["generation"] == 3
    mine = [r.content for r in records_of(Path(net, "records.cbor"))]
    serials = [each.serial for each in mine if isinstance(each, IssuerCredential)]
    assert serials == [1, 2, 3]


def test_a_stolen_laptops_key_falls_behind(shell: Shell, net: str) -> None:
    nodes = {"北区役所": enrol(shell, net, "北区", "--ward", "01", "--ward-name", "北区")}
    stolen = authority.load(Path(net)).issuer.public

    done = shell.ok("issuer", "rekey", net, "--authority", str(Path(net, "authority")))
    renewed = shell.ok("issuer", "renew", net, "-o", shell.path("renewed.cbor"))

    assert (done["generation"], renewed["renewed"]) == (2, 1)
    opened = authority.load(Path(net))
    assert opened.issuer.public.hex() == done["issuer"] != stolen.hex()
    (node,) = opened.book.nodes.values()
    assert opened.book.issuers[node.issuer].key == opened.issuer.public
    assert list(transit_keys(net, 2, nodes)) == ["北区役所"]
    taken = shell.ok("records", "import", nodes["北区役所"], shell.path("renewed.cbor"))
    assert taken["added"] == 3


def test_an_answer_for_another_issuer_is_refused(shell: Shell, net: str) -> None:
    shell.ok("issuer", "create", shell.path("net2"))
    out = shell.path("out.cbor")
    stick = str(Path(net, "authority"))
    shell.ok("authority", "issue", stick, f"{net}/issuer-request.cbor", "-o", out)

    assert "no credential for this issuer" in shell.refused(
        2, "issuer", "accept", shell.path("net2"), out
    )
