"""The commands, as an operator types them: what they make, and how they refuse."""

from __future__ import annotations

import argparse
import fcntl
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshrelay.cli import authority, x509
from meshrelay.cli.answer import count
from meshrelay.cli.keyfiles import check_key_files
from meshrelay.cli.main import main, parser
from meshrelay.core.records import NodeCredential, StaffCredential
from meshrelay.errors import ConfigError
from meshrelay.node.identity import load_keys
from tests.unit.cli.shell import Shell, enrol

STAFF = "職員番号,氏名,かな,区,所属,権限\n10101,梅田 一郎,うめだ,01,防災,instructor\n"


def every_command() -> Iterator[list[str]]:
    """The words of each command, as the grammar has them."""
    (top,) = subparsers(parser())
    for name, group in top.choices.items():
        below = subparsers(group)
        yield from ([name, word] for word in below[0].choices) if below else [[name]]


def subparsers(of: argparse.ArgumentParser) -> list[Any]:
    return [action for action in of._actions if isinstance(action, argparse._SubParsersAction)]


def test_the_commands_are_those_of_the_house() -> None:
    found = {" ".join(words) for words in every_command()}

    assert found == {
        "network create", "authority create", "authority issue", "authority raise",
        "authority successor", "authority passphrase", "issuer create", "issuer accept",
        "issuer sign", "issuer listen", "issuer renew", "issuer rekey",
        "issuer nodes", "issuer records",
        "issuer revoke", "issuer suspend", "issuer lift", "node request", "node enrol",
        "node vector", "node run", "staff import", "staff cards", "staff find", "staff bind",
        "staff reissue", "staff revoke", "records import", "courier write", "courier read",
        "courier status", "archive backup", "archive verify", "archive restore", "broker make",
        "broker run", "status", "config check", "demo",
    }  # fmt: skip


def test_every_command_has_an_example_in_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    for words in every_command():
        with pytest.raises(SystemExit) as done:
            parser().parse_args([*words, "--help"])
        assert done.value.code == 0
        shown = capsys.readouterr().out
        assert f"example:\n  meshrelay {' '.join(words)}" in shown
        assert "--json" in shown


def test_a_node_is_enrolled_from_request_to_configuration(shell: Shell, net: str) -> None:
    node = Path(enrol(shell, net, "北区", "--ward", "01", "--ward-name", "北区"))

    assert 'ward = "01"' in (node / "node.toml").read_text("utf-8")
    ca, certificate = (node / "keys/ca.crt").read_bytes(), (node / "keys/tls.crt").read_bytes()
    x509.check_issued(ca, certificate)
    records = authority.unpack_records((node / "enrolment.cbor").read_bytes(), "x")
    mine = [r.content for r in records if isinstance(r.content, NodeCredential)]
    assert [(n.ward, n.name, n.roles) for n in mine] == [("01", "北区役所", [])]
    assert mine[0].tls_spki_sha256 == x509.spki_sha256(certificate)
    assert x509.common_name(certificate) == mine[0].key.hex()
    check_key_files(node)


def test_an_archive_is_a_node_with_that_role(shell: Shell, net: str) -> None:
    enrol(shell, net, "本部", "--ward", "00", "--role", "archive")

    nodes = authority.load(Path(net)).book.nodes.values()
    assert [(n.ward_name, n.ward_name_en, n.roles) for n in nodes] == [("本部", "HQ", ["archive"])]


def test_two_networks_never_share_an_id(shell: Shell, net: str) -> None:
    other = shell.ok(
        "network", "create", shell.path("drill"), "--name", "訓練", "--drill", "--no-passphrase"
    )

    assert other["drill"] is True
    assert other["network"] != authority.load(Path(net)).network.hex()


def test_an_unnamed_ward_and_a_renamed_ward_are_refused(shell: Shell, net: str) -> None:
    shell.ok("node", "request", shell.path("n"), "--name", "北区役所")
    request, out = shell.path("n/request.cbor"), shell.path("a")

    said = shell.refused(2, "issuer", "sign", net, request, "--ward", "01", "-o", out)
    assert "--ward-name" in said
    said = shell.refused(2, "issuer", "sign", net, request, "--ward", "1", "-o", out)
    assert "expected two digits" in said
    shell.ok("issuer", "sign", net, request, "--ward", "01", "--ward-name", "北区", "-o", out)
    said = shell.refused(
        2, "issuer", "sign", net, request, "--ward", "01", "--ward-name", "南区", "-o", out + "2"
    )
    assert "北区 already" in said


def test_an_altered_request_is_refused(shell: Shell, net: str) -> None:
    shell.ok("node", "request", shell.path("n"), "--name", "北区役所")
    request = Path(shell.path("n/request.cbor"))
    data = bytearray(request.read_bytes())
    data[60] ^= 1
    request.write_bytes(bytes(data))

    said = shell.refused(
        2, "issuer", "sign", net, str(request), "--ward", "00", "-o", shell.path("a")
    )
    assert "request" in said
    assert not Path(shell.path("a")).exists()


def test_an_answer_for_another_node_changes_nothing(shell: Shell, net: str) -> None:
    enrol(shell, net, "北区", "--ward", "01", "--ward-name", "北区")
    shell.ok("node", "request", shell.path("other"), "--name", "中央区役所")
    before = Path(shell.path("other/node.toml")).read_bytes()

    said = shell.refused(2, "node", "enrol", shell.path("other"), shell.path("北区.answer"))

    assert "another node" in said
    assert Path(shell.path("other/node.toml")).read_bytes() == before
    assert not Path(shell.path("other/enrolment.cbor")).exists()


def test_an_answer_of_another_network_is_refused_even_for_this_node(shell: Shell, net: str) -> None:
    shell.ok("network", "create", shell.path("evil"), "--name", "偽", "--no-passphrase")
    shell.ok("node", "request", shell.path("n"), "--name", "北区役所")
    out = shell.path("a")
    shell.ok("issuer", "sign", net, shell.path("n/request.cbor"), "--ward", "00", "-o", out)
    Path(shell.path("net/tls-ca.key")).rename(shell.path("k"))
    Path(shell.path("evil/tls-ca.key")).rename(shell.path("net/tls-ca.key"))
    mixed = shell.path("mixed")
    shell.ok("issuer", "sign", net, shell.path("n/request.cbor"), "--ward", "00", "-o", mixed)

    said = shell.refused(2, "node", "enrol", shell.path("n"), mixed)
    assert "CA" in said


def test_staff_become_records_that_a_node_takes_in(shell: Shell, net: str) -> None:
    node = enrol(shell, net, "北区", "--ward", "01", "--ward-name", "北区")
    rows = shell.text("staff.csv", STAFF)

    done = shell.ok("staff", "import", net, rows, "-o", shell.path("staff.cbor"))
    assert (done["added"], done["unchanged"], done["unbound"]) == (1, 0, ["10101"])
    assert Path(shell.path("net/cards.secret")).stat().st_mode & 0o777 == 0o600

    taken = shell.ok("records", "import", node, done["records"])
    assert taken == {"added": 1, "known": 1, "running": False}
    again = shell.ok("staff", "import", net, rows)
    assert (again["added"], again["unchanged"], again["done"]) == (0, 1, False)
    staff = [
        r.content
        for r in authority.load(Path(net)).records
        if isinstance(r.content, StaffCredential)
    ]
    assert [(s.serial, s.roles) for s in staff] == [(1, ["staff", "instructor"])]


def test_excel_files_in_cp932_are_read(shell: Shell, net: str) -> None:
    rows = shell.text("staff.csv", "職員番号,氏名,区\n1,淀川 花子,00\n", "cp932")

    assert shell.ok("staff", "import", net, rows, "-o", shell.path("c"))["added"] == 1


def test_bad_rows_are_named_by_line_and_nothing_is_half_done(shell: Shell, net: str) -> None:
    rows = shell.text(
        "staff.csv",
        "staff_id,name,ward,roles\n1,良い人,00,\n,名なし番,00,\n3,,00,\n4,d,99,\n5,e,00,king\n"
        '1,f,00,\n7,"g\x07",00,\n8,h,00,staff,more\n',
    )

    said = shell.refused(2, "staff", "import", net, rows, "-o", shell.path("cards"))

    for line in range(3, 10):
        assert f"staff.csv:{line}: " in said
    assert "staff.csv:2: " not in said
    assert not Path(shell.path("cards")).exists()
    assert authority.load(Path(net)).next_staff_serial() == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "staff.csv:1: expected the headings"),
        ("staff_id,name\n1,a\n", "expected the headings"),
        ("staff_id,name,ward,shoe\n", "expected the headings"),
        ("staff_id,name,ward\n", "expected at least one row"),
    ],
)
def test_a_list_that_is_none_is_refused(shell: Shell, net: str, content: str, words: str) -> None:
    rows = shell.text("staff.csv", content)

    assert words in shell.refused(2, "staff", "import", net, rows, "-o", shell.path("c"))


def test_records_of_another_network_are_refused(shell: Shell, net: str) -> None:
    node = enrol(shell, net, "北区", "--ward", "00")
    shell.ok("network", "create", shell.path("other"), "--name", "堺市", "--no-passphrase")

    said = shell.refused(2, "records", "import", node, shell.path("other/records.cbor"))
    assert "another network" in said


@pytest.mark.parametrize("name", ["", " ", "長" * 61])
def test_a_network_needs_a_name_that_fits(shell: Shell, name: str) -> None:
    said = shell.refused(2, "network", "create", shell.path("n"), "--name", name, "--no-passphrase")
    assert "--name" in said


def test_an_existing_directory_is_never_overwritten(shell: Shell, net: str) -> None:
    assert "not empty" in shell.refused(2, "network", "create", net, "--name", "x")
    assert "not empty" in shell.refused(2, "node", "request", net, "--name", "x")


def test_keys_that_others_can_read_are_refused_with_the_remedy(shell: Shell) -> None:
    shell.ok("node", "request", shell.path("n"), "--name", "北区役所")
    key = Path(shell.path("n/keys/node.key"))
    key.chmod(0o640)

    with pytest.raises(ConfigError, match=r"mode 0640 .* chmod 600"):
        check_key_files(Path(shell.path("n")))


def test_errors_are_json_too_when_that_was_asked_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["config", "check", str(tmp_path), "--json"]) == 2
    said = json.loads(capsys.readouterr().out)
    assert said["exit"] == 2
    assert "node.toml" in said["error"]


def test_a_node_that_does_not_answer_is_a_refusal(shell: Shell) -> None:
    assert "does not answer" in shell.refused(1, "status", "http://127.0.0.1:9")


def test_a_directory_that_is_not_there_cannot_run(shell: Shell) -> None:
    assert "node request" in shell.refused(2, "node", "run", shell.path("none"))


def test_a_configuration_is_good_once_the_node_could_start(shell: Shell, net: str) -> None:
    shell.ok("node", "request", shell.path("n"), "--name", "北区役所")
    assert "run `meshrelay node enrol`" in shell.refused(2, "config", "check", shell.path("n"))
    assert "run `meshrelay node enrol`" in shell.refused(2, "node", "run", shell.path("n"))

    node = enrol(shell, net, "中央区", "--ward", "02", "--ward-name", "中央区")
    assert shell.ok("config", "check", node)["ward"] == "02"

    (Path(node) / "enrolment.cbor").write_bytes(b"damaged")
    assert "enrolment.cbor" in shell.refused(2, "config", "check", node)


def test_a_witness_on_a_disk_is_refused_before_and_at_the_start(shell: Shell, net: str) -> None:
    node = enrol(shell, net, "本部", "--ward", "00")
    toml = Path(node) / "node.toml"
    toml.write_text(toml.read_text("utf-8").replace('"/dev/shm"', '"/proc"'), "utf-8")

    for words in (["config", "check", node], ["node", "run", node]):
        assert "key witness.dir: /proc is not a directory on a tmpfs" in shell.refused(2, *words)


def test_an_altered_record_fails_the_check(shell: Shell, net: str) -> None:
    node = enrol(shell, net, "本部", "--ward", "00")
    path = Path(node) / "enrolment.cbor"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))

    assert "enrol again" in shell.refused(2, "config", "check", node)


def test_a_wrong_directory_is_answered_with_the_command_that_makes_one(
    shell: Shell, net: str
) -> None:
    shell.ok("node", "request", shell.path("n"), "--name", "北区役所")
    node, none = shell.path("n"), shell.path("none")
    file = shell.text("file", "x")

    for words in (
        ["node", "run"],
        ["config", "check"],
        ["node", "enrol", file],
        ["records", "import", file],
    ):
        said = shell.refused(2, *words[:2], none, *words[2:])
        assert "it is not there; make one with `meshrelay node request" in said
        said = shell.refused(2, *words[:2], net, *words[2:])
        assert f"{net} is a network's directory; expected a node's" in said
        said = shell.refused(2, *words[:2], file, *words[2:])
        assert "it is a file" in said
    for words in (
        ["staff", "import", "{}", file, "-o", shell.path("o")],
        ["issuer", "sign", "{}", file, "--ward", "00", "-o", shell.path("o")],
        ["broker", "make", "{}", "--host", "broker.example", "-o", shell.path("o")],
    ):
        said = shell.refused(2, *[none if word == "{}" else word for word in words])
        assert "make one with `meshrelay network create" in said
        said = shell.refused(2, *[node if word == "{}" else word for word in words])
        assert f"{node} is a node's directory; expected the network's" in said
    assert "has no node.toml" in shell.refused(2, "config", "check", str(shell.home))


def test_a_file_of_another_kind_is_named_without_the_protocol(shell: Shell, net: str) -> None:
    node = enrol(shell, net, "本部", "--ward", "00")
    answer, text = shell.path("本部.answer"), shell.text("text", "hello")

    for file in (answer, text):
        said = shell.refused(2, "records", "import", node, file)
        assert "expected a file of records that `meshrelay staff` or" in said
        assert "deterministic" not in said
    said = shell.refused(2, "node", "enrol", node, text)
    assert said.endswith("not a file made by `meshrelay issuer sign`, or it was altered\n")
    said = shell.refused(2, "issuer", "sign", net, text, "--ward", "00", "-o", shell.path("o"))
    assert said.endswith("not a file made by `meshrelay node request`, or it was altered\n")


def test_records_of_a_node_that_is_not_enrolled_are_refused(shell: Shell, net: str) -> None:
    shell.ok("node", "request", shell.path("n"), "--name", "北区役所")

    said = shell.refused(2, "records", "import", shell.path("n"), f"{net}/records.cbor")
    assert "run `meshrelay node enrol` first" in said


def test_imported_records_are_taken_in_at_a_start_and_the_answer_says_so(
    shell: Shell, net: str, capsys: pytest.CaptureFixture[str]
) -> None:
    node = enrol(shell, net, "本部", "--ward", "00")

    assert main(["records", "import", node, f"{net}/records.cbor"]) == 0
    said = capsys.readouterr().out
    assert f"nothing new in {net}/records.cbor: all of its 3 records were here" in said
    rows = "staff_id,name,ward\n1,淀川,00\n"
    shell.ok("staff", "import", net, shell.text("1.csv", rows), "-o", shell.path("1"))
    rows += "2,福島,00\n"
    shell.ok("staff", "import", net, shell.text("2.csv", rows), "-o", shell.path("2"))
    assert main(["records", "import", node, shell.path("1")]) == 0
    said = capsys.readouterr().out
    assert "1 record added" in said and "takes them in when it starts" in said
    with (Path(node) / "node.lock").open("wb") as running:
        fcntl.flock(running, fcntl.LOCK_EX)
        assert main(["records", "import", node, shell.path("2")]) == 0
    assert "within seconds" in capsys.readouterr().out


def test_a_row_with_too_many_or_too_few_cells_names_both_counts(shell: Shell, net: str) -> None:
    rows = shell.text("staff.csv", "staff_id,name,ward\n1,淀川,00,x\n2,淀川\n")

    said = shell.refused(2, "staff", "import", net, rows, "-o", shell.path("c"))
    assert "staff.csv:2: expected 3 cells, as in the headings; found 4" in said
    assert "staff.csv:3: expected 3 cells, as in the headings; found 2" in said


def test_an_address_without_http_is_answered_with_the_address_to_type(shell: Shell) -> None:
    said = shell.refused(2, "status", "127.0.0.1:8101")
    assert "write http:// in front: meshrelay status http://127.0.0.1:8101" in said
    for wrong in ("ftp://127.0.0.1", "http://", "http://h:99999", "http://[::1"):
        assert "expected an address such as" in shell.refused(2, "status", wrong)


@pytest.mark.parametrize(
    ("kind", "body"),
    [("text/html", b"<html>a printer"), ("application/json", b"{}"), ("application/json", b"[]")],
)
@pytest.mark.parametrize("code", [200, 404])
def test_another_server_is_told_from_a_node(
    shell: Shell, kind: str, body: bytes, code: int
) -> None:
    class Printer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with http.server.HTTPServer(("127.0.0.1", 0), Printer) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        assert "not a meshrelay node" in shell.refused(1, "status", url)


def test_a_broker_is_made_once_and_only_for_hosts_that_can_be(shell: Shell, net: str) -> None:
    words = ["broker", "make", net, "-o", shell.path("b")]
    for wrong in ("mqtts://broker", "192.0.2.1:8883", "大阪", "", "-x"):
        assert "--host" in shell.refused(2, *words, f"--host={wrong}")
    for port in ("0", "65536"):
        assert "--port" in shell.refused(2, *words, "--host", "b.example", "--port", port)
    assert not Path(shell.path("b")).exists()

    made = shell.ok(*words, "--host", "2001:db8::1", "--host", "b.example")

    assert made["broker"] == "[2001:db8::1]:8883"
    assert made["start"] == f"meshrelay broker run {shell.path('b')}"
    assert Path(shell.path("b/broker.key")).stat().st_mode & 0o777 == 0o600
    x509.check_issued(
        Path(shell.path("b/ca.crt")).read_bytes(), Path(shell.path("b/broker.crt")).read_bytes()
    )
    assert "not empty" in shell.refused(2, *words, "--host", "b.example")


def test_one_is_not_counted_in_the_plural() -> None:
    assert [count(number, "card") for number in (0, 1, 2)] == ["0 cards", "1 card", "2 cards"]
    assert [count(number, "entry", "entries") for number in (1, 2)] == ["1 entry", "2 entries"]


def test_a_city_has_more_records_than_a_frame_may(shell: Shell, net: str) -> None:
    node = Path(enrol(shell, net, "本部", "--ward", "00"))
    path = node / "enrolment.cbor"
    records = authority.unpack_records(path.read_bytes(), "enrolment.cbor")
    many = records * (30_000 // len(records))

    path.write_bytes(authority.pack_records(many))

    assert len(authority.unpack_records(path.read_bytes(), "enrolment.cbor")) == len(many)
    assert len(list(load_keys(node).records())) == len(many)
    assert shell.ok("config", "check", str(node))["ok"] is True
