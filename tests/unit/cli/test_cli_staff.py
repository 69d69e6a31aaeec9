"""The staff list of each month: added, changed, left; cards, PINs, lost cards."""

from __future__ import annotations

import csv
from pathlib import Path
from urllib.parse import quote

import pytest

from meshrelay.cli import authority
from meshrelay.cli.cardfile import read_codes
from meshrelay.cli.main import main
from meshrelay.cli.recordfile import book_of, unpack_records
from meshrelay.core import claims
from meshrelay.core.records import StaffCredential
from meshrelay.core.signing import Signer
from meshrelay.node.identity import author_seed, binding_of
from tests.unit.cli.shell import Shell

HEAD = "staff_id,name,kana,ward,unit,roles\n"
UMEDA = "10101,梅田 一郎,うめだ いちろう,00,防災担当,instructor\n"
TENMA = "10102,天満 さくら,てんま さくら,00,避難所班,\n"
HONMACHI = "10201,本町 健,ほんまち けん,00,防災担当,\n"
MAYOR = "10001,中之島 太郎,なかのしま,00,市長,hq\n"
ADDRESS = ("--address", "192.0.2.10:8101")


@pytest.fixture
def city(shell: Shell, net: str) -> str:
    """Umeda, Tenma and Honmachi hold cards."""
    rows = shell.text("first.csv", HEAD + UMEDA + TENMA + HONMACHI)
    shell.ok("staff", "import", net, rows)
    return net


def person(net: str, number: str) -> tuple[bytes, StaffCredential]:
    return authority.load(Path(net)).people()[number]


def test_a_dry_run_shows_and_does_nothing(shell: Shell, city: str) -> None:
    before = Path(city, "records.cbor").read_bytes()
    rows = shell.text("next.csv", HEAD + UMEDA + TENMA.replace("避難所班", "救護班") + MAYOR)

    done = shell.ok("staff", "import", city, rows, "--dry-run", "-o", shell.path("o"))

    assert (done["added"], done["changed"], done["left"], done["unchanged"]) == (1, 1, 1, 1)
    assert done["done"] is False
    assert Path(city, "records.cbor").read_bytes() == before
    assert not Path(shell.path("o")).exists()


def test_added_changed_and_left_are_shown_by_name(
    shell: Shell, city: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = shell.text("next.csv", HEAD + UMEDA + TENMA.replace("避難所班", "救護班") + MAYOR)

    assert main(["staff", "import", city, rows, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "added 追加: 1\n  10001 中之島 太郎 (00)" in said
    assert "changed 変更: 1\n  10102 天満 さくら: 避難所班 → 救護班" in said
    assert "left 退職: 1\n  10201 本町 健 (00)" in said


def test_what_ends_a_credential_needs_a_vector_and_a_yes(shell: Shell, city: str) -> None:
    before = Path(city, "records.cbor").read_bytes()
    rows = shell.text("next.csv", HEAD + UMEDA + TENMA)

    said = shell.refused(2, "staff", "import", city, rows)
    assert "meshrelay node vector" in said and "--from-nothing" in said
    assert main(["staff", "import", city, rows, "--from-nothing"]) == 1  # nobody says yes
    assert Path(city, "records.cbor").read_bytes() == before


def test_who_changed_keeps_the_card_and_who_left_is_revoked(shell: Shell, city: str) -> None:
    (tenma, old), (honmachi, _) = person(city, "10102"), person(city, "10201")
    rows = shell.text("next.csv", HEAD + UMEDA + TENMA.replace("避難所班", "救護班"))
    out = shell.path("next.cbor")

    shell.ok("staff", "import", city, rows, "--from-nothing", "--yes", "-o", out)

    book = book_of(unpack_records(Path(out).read_bytes(), out), out)
    assert {tenma, honmachi} == set(book.struck)
    record, new = person(city, "10102")
    assert (new.unit, new.card, new.serial) == ("救護班", old.card, 4)
    assert record not in book.struck
    assert set(authority.load(Path(city)).people()) == {"10101", "10102"}
    cards = {p.card for _, p in authority.load(Path(city)).people().values()}
    assert set(read_codes(Path(city))) == cards
    assert "nobody with this number" in shell.refused(2, "staff", "bind", city, "10201")


def test_who_changed_may_be_given_a_new_card(shell: Shell, city: str) -> None:
    _, old = person(city, "10102")
    rows = shell.text("next.csv", HEAD + UMEDA + TENMA.replace("避難所班", "救護班"))
    words = ["--from-nothing", "--yes", "--new-cards", "--keep-others"]

    done = shell.ok("staff", "import", city, rows, *words)

    assert (done["changed"], done["left"]) == (1, 0)
    assert person(city, "10102")[1].card != old.card
    assert "10201" in authority.load(Path(city)).people()


def test_who_left_and_comes_back_gets_a_new_card(shell: Shell, city: str) -> None:
    _, old = person(city, "10201")
    without = shell.text("next.csv", HEAD + UMEDA + TENMA)
    shell.ok("staff", "import", city, without, "--from-nothing", "--yes")

    done = shell.ok("staff", "import", city, shell.path("first.csv"))

    assert (done["added"], done["unchanged"]) == (1, 2)
    assert person(city, "10201")[1].card != old.card


def test_a_new_name_of_an_hq_person_takes_the_authority_too(shell: Shell, city: str) -> None:
    shell.ok("staff", "import", city, shell.text("a.csv", HEAD + MAYOR), "--keep-others")
    Path(city, "authority").rename(shell.path("away"))
    rows = shell.text("b.csv", HEAD + MAYOR.replace(",hq", ","))
    words = ["--keep-others", "--from-nothing", "--yes"]

    assert "role hq (10001)" in shell.refused(2, "staff", "import", city, rows, *words)
    shell.ok("staff", "import", city, rows, *words, "--authority", shell.path("away"))
    assert person(city, "10001")[1].roles == ["staff"]


def test_special_rights_are_bound_to_a_pin_in_person_and_once(shell: Shell, city: str) -> None:
    pin, simple = shell.text("pin", "271828\n"), shell.text("simple", "111111\n")
    for words, why in (
        (["--pin-file", simple], "one repeated character"),
        (["--pin-file", shell.text("short", "271\n")], "too short"),
        ([], "nobody to ask"),
    ):
        assert why in shell.refused(2, "staff", "bind", city, "10101", *words)

    out = shell.path("bound.cbor")
    shell.ok("staff", "bind", city, "10101", "--pin-file", pin, "-o", out)

    book = book_of(unpack_records(Path(out).read_bytes(), out), out)
    record, umeda = person(city, "10101")
    code = read_codes(Path(city))[umeda.card]
    author = Signer(author_seed(code, "271828", book.network, "10101"))
    assert binding_of(book, record, author) in claims.live_bindings(book, record)
    assert "chose a PIN here already" in shell.refused(
        2, "staff", "bind", city, "10101", "--pin-file", pin
    )


def test_an_hq_pin_has_ten_characters(shell: Shell, city: str) -> None:
    shell.ok("staff", "import", city, shell.text("a.csv", HEAD + MAYOR), "--keep-others")

    said = shell.refused(
        2, "staff", "bind", city, "10001", "--pin-file", shell.text("p", "135792468\n")
    )
    assert "at least 10 characters" in said
    shell.ok("staff", "bind", city, "10001", "--pin-file", shell.text("q", "osaka-2018!\n"))


def test_a_lost_card_is_replaced_and_the_old_one_revoked(shell: Shell, city: str) -> None:
    record, old = person(city, "10102")
    code = read_codes(Path(city))[old.card]
    assert "needs a vector" in shell.refused(2, "staff", "reissue", city, "10102")

    done = shell.ok("staff", "reissue", city, "10102", "--from-nothing")

    book = authority.load(Path(city)).book
    fresh, new = person(city, "10102")
    assert record in book.struck and fresh not in book.struck
    assert (new.name, new.unit, done["unbound"]) == (old.name, old.unit, False)
    codes = read_codes(Path(city))
    assert code not in codes.values() and codes[new.card] != code
    assert shell.ok("staff", "reissue", city, "10101", "--from-nothing")["unbound"] is True


def test_a_revoked_person_holds_no_card(shell: Shell, city: str) -> None:
    record, _ = person(city, "10102")

    shell.ok("staff", "revoke", city, "10102", "--from-nothing", "-o", shell.path("r"))

    assert record in authority.load(Path(city)).book.struck
    assert "10102" not in authority.load(Path(city)).people()
    assert "staff find" in shell.refused(2, "staff", "revoke", city, "10102", "--from-nothing")


@pytest.mark.parametrize("text", ["うめだ", "ウメダ", "ｳﾒﾀﾞ", "梅田", "10101", "梅田一郎", "101"])
def test_people_are_found_by_kana_name_and_number(shell: Shell, city: str, text: str) -> None:
    found = shell.ok("staff", "find", city, text)["people"]

    assert "10101" in [each["staff_id"] for each in found]
    assert len(found) == (2 if text == "101" else 1)


def test_nobody_found_is_a_refusal(city: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["staff", "find", city, "存在しない"]) == 1
    assert capsys.readouterr().out == "nobody\n"


def test_cards_are_printed_by_ward_and_again(shell: Shell, city: str) -> None:
    said = shell.refused(2, "staff", "cards", city, "-o", shell.path("cards"))
    assert "--address 00=HOST:PORT" in said

    done = shell.ok("staff", "cards", city, *ADDRESS, "-o", shell.path("cards"))

    assert done["cards"] == 3
    (file,) = done["files"]
    assert file.endswith("cards-00.html")
    assert Path(file).stat().st_mode & 0o777 == 0o600
    one = shell.ok("staff", "cards", city, "--staff", "10102", "-o", shell.path("one.html"))
    assert one["cards"] == 1  # the address was remembered
    text = Path(shell.path("one.html")).read_text("utf-8")
    assert "天満 さくら" in text and "梅田" not in text
    code = read_codes(Path(city))[person(city, "10102")[1].card]
    assert code in text and code in Path(file).read_text("utf-8")
    assert "exists already" in shell.refused(
        2, "staff", "cards", city, "-o", shell.path("one.html")
    )


def test_cards_as_a_table_have_codes_and_links_and_no_formulas(shell: Shell, net: str) -> None:
    rows = shell.text("a.csv", HEAD + "1,=HYPERLINK(1),,00,-1,\n")
    shell.ok("staff", "import", net, rows)

    shell.ok("staff", "cards", net, *ADDRESS, "-o", shell.path("cards.csv"))

    with Path(shell.path("cards.csv")).open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["name"], row["unit"]) == ("'=HYPERLINK(1)", "'-1")
    assert row["link"] == f"http://192.0.2.10:8101/login#s=1&c={quote(row['card'])}"


def test_cards_of_several_wards_are_several_files(shell: Shell, net: str) -> None:
    request = shell.ok("node", "request", shell.path("n"), "--name", "北区役所")["request"]
    ward = ["--ward", "01", "--ward-name", "北区"]
    shell.ok("issuer", "sign", net, request, *ward, "-o", shell.path("a"))
    rows = shell.text("a.csv", HEAD + TENMA + UMEDA.replace(",00,", ",01,"))
    shell.ok("staff", "import", net, rows)
    addresses = ["--address", "00=192.0.2.1:8101", "--address", "01=https://kita.example"]

    assert "2 wards, one file each" in shell.refused(
        2, "staff", "cards", net, *addresses, "-o", shell.path("c.html")
    )
    done = shell.ok("staff", "cards", net, *addresses, "-o", shell.path("c"))
    assert [Path(each).name for each in done["files"]] == ["cards-00.html", "cards-01.html"]
    table = shell.ok("staff", "cards", net, "--ward", "01", "-o", shell.path("c.csv"))
    assert table["cards"] == 1
    assert "https://kita.example/login#s=10101" in Path(shell.path("c.csv")).read_text("utf-8")
    for wrong in ("99=h:1", "h ost:1", "http://h/path"):
        said = shell.refused(2, "staff", "cards", net, "--address", wrong, "-o", shell.path("d"))
        assert "--address" in said


def test_a_large_ward_is_printed_a_thousand_people_a_file(shell: Shell, net: str) -> None:
    people = "".join(f"{number},天満 さくら,,00,,\n" for number in range(1001))
    shell.ok("staff", "import", net, shell.text("a.csv", HEAD + people))

    done = shell.ok("staff", "cards", net, *ADDRESS, "-o", shell.path("c"))

    files = [Path(each) for each in done["files"]]
    assert [each.name for each in files] == ["cards-00-1.html", "cards-00-2.html"]
    counts = [each.read_text("utf-8").count('<article class="card">') for each in files]
    assert counts == [1000, 1]


def test_card_codes_that_others_can_read_are_refused(shell: Shell, city: str) -> None:
    secret = Path(city, "cards.secret")
    secret.chmod(0o644)
    assert "mode 0644" in shell.refused(2, "staff", "cards", city, *ADDRESS, "-o", shell.path("c"))
    secret.unlink()
    said = shell.refused(2, "staff", "cards", city, *ADDRESS, "-o", shell.path("c"))
    assert "lacks the codes of 3 cards" in said and "staff reissue" in said
