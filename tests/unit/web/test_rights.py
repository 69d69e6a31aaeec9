"""Special rights over plain http, over https and at the console; two tiers, two cookies."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request

from meshrelay.errors import ConfigError, RefusedError
from meshrelay.web import rights
from meshrelay.web.rights import Policy, check_rights, https_address, is_wired, link_base
from meshrelay.web.server import Https, create_app, serve
from tests.certs import CertificateAuthority
from tests.office_fake import CARD, MAYOR, PIN, SATO, YAMADA, FakeOffice
from tests.unit.web.conftest import HTML, Browser


class FromLan:
    """A transport whose peer is a phone on the LAN."""

    def __init__(self, address: str) -> None:
        self._address = address

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return (self._address, 50000) if name == "peername" else default


def request_from(address: str, host: str = "10.0.0.5:8101") -> Any:
    return make_mocked_request("GET", "/", headers={"Host": host}, transport=FromLan(address))


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1"])
def test_the_console_is_the_node_itself(address: str) -> None:
    assert is_wired(request_from(address))


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::1", "fe80::1%eth0", "", "unix"])
def test_nobody_else_is_the_console(address: str) -> None:
    assert not is_wired(request_from(address))


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_what_a_header_says_of_the_way_here_proves_nothing(header: str) -> None:
    headers = {"Host": "10.0.0.5", header: "127.0.0.1", "X-Forwarded-Proto": "https"}
    request = make_mocked_request("GET", "/", headers=headers, transport=FromLan("192.0.2.7"))

    with pytest.raises(RefusedError) as refused:
        check_rights(request, YAMADA, Policy())

    assert refused.value.code == "need_https"


@pytest.mark.parametrize("person", [MAYOR, YAMADA])
def test_rights_do_not_work_over_plain_http_and_the_sentence_says_where_to_go(person: Any) -> None:
    with pytest.raises(RefusedError) as refused:
        check_rights(request_from("192.0.2.7"), person, Policy(https_port=8443))

    assert refused.value.status == 403
    assert "https://10.0.0.5:8443/" in refused.value.next_ja
    assert "https://10.0.0.5:8443/" in refused.value.next_en


def test_a_network_may_relax_it_and_who_has_no_rights_is_not_asked() -> None:
    lan = request_from("192.0.2.7")

    check_rights(lan, YAMADA, Policy(rights_over_http=True))
    check_rights(lan, SATO, Policy())  # the node says that the role is missing
    check_rights(request_from("127.0.0.1"), YAMADA, Policy())


@pytest.mark.parametrize(
    ("host", "port", "address"),
    [
        ("10.0.0.5:8101", 443, "https://10.0.0.5/"),
        ("[2001:db8::1]:8101", 8443, "https://[2001:db8::1]:8443/"),
        ("kita.example", 8443, "https://kita.example:8443/"),
        ("kita.example", None, ""),
    ],
)
def test_the_encrypted_page_is_on_the_same_host(host: str, port: int | None, address: str) -> None:
    assert https_address(request_from("192.0.2.7", host), Policy(port)) == address


def test_a_link_made_at_the_console_names_an_address_that_a_phone_can_open() -> None:
    policy = Policy(address="10.0.0.5:8101")

    assert link_base(request_from("127.0.0.1", "localhost:8101"), policy) == "http://10.0.0.5:8101"
    assert link_base(request_from("192.0.2.7", "kita.example"), policy) == "http://kita.example"


@pytest.fixture
def from_lan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every browser of the test is somewhere on the LAN."""
    monkeypatch.setattr(rights, "is_wired", lambda _request: False)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/cards"),
        ("GET", "/api/nodes"),
        ("POST", "/api/cards/reset"),
        ("POST", "/api/cards/settle"),
        ("POST", "/api/cards/temporary"),
        ("POST", "/api/nodes/suspend"),
        ("POST", "/api/nodes/lift"),
    ],
)
@pytest.mark.usefixtures("from_lan")
async def test_over_plain_http_a_registrar_talks_but_does_not_act(
    registrar: Browser, office: FakeOffice, method: str, path: str
) -> None:
    refused = await registrar.client.request(
        method, path, json={}, headers={"X-CSRF-Token": registrar.csrf}
    )
    talked = await registrar.send("受付を始めます")

    assert (refused.status, (await refused.json())["code"]) == (403, "need_https")
    assert talked.status == 201 and office.asked == {}


@pytest.mark.parametrize("path", ["/", "/settings", "/nodes"])
@pytest.mark.usefixtures("from_lan")
async def test_the_pages_say_so_before_anything_is_pressed(registrar: Browser, path: str) -> None:
    text = await (await registrar.get(path, headers=HTML)).text()

    assert "暗号化されていない接続では使えません" in text
    assert 'action="/nodes/suspend"' not in text


@pytest.mark.parametrize(
    "path", ["/cards/reset", "/cards/settle", "/cards/temporary", "/nodes/suspend", "/nodes/lift"]
)
@pytest.mark.usefixtures("from_lan")
async def test_a_form_over_plain_http_is_refused_too(registrar: Browser, path: str) -> None:
    answer = await registrar.client.post(
        path, data={"csrf": registrar.csrf, "staff": "1001", "confirm": "停止"}, headers=HTML
    )

    assert answer.status == 403 and "暗号化されていない" in await answer.text()


@asynccontextmanager
async def both_tiers(directory: Path, office: FakeOffice) -> AsyncIterator[tuple[Any, str, str]]:
    """One application on http and https, and a client that trusts its CA."""
    ca = CertificateAuthority(directory)
    files = ca.broker("127.0.0.1")
    app = create_app(office, hosts=["127.0.0.1"])
    https = Https("127.0.0.1", 0, files.certificate, files.key)
    trust = ssl.create_default_context(cafile=str(files.ca))
    async with serve(app, "127.0.0.1", 0, https) as server:
        plain, secure = server.port, server.https_port
        jar = CookieJar(unsafe=True)
        async with TestClient(TestServer(create_app(office, hosts=[])), cookie_jar=jar) as client:
            client.session.connector._ssl = trust  # type: ignore[union-attr]
            yield client.session, f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{secure}"


LOG_IN = {"staff": "1001", "card": CARD, "pin": PIN}


async def test_each_tier_has_a_cookie_of_its_own_and_takes_no_other(tmp_path: Path) -> None:
    async with both_tiers(tmp_path, FakeOffice()) as (session, http, https):
        plain = await session.post(f"{http}/api/login", json=LOG_IN)
        session.cookie_jar.clear()
        secure = await session.post(f"{https}/api/login", json=LOG_IN)
        session.cookie_jar.clear()
        stolen = plain.cookies["mr-5a5a5a5a"].value
        names = ("mr-5a5a5a5a", "__Host-mr-5a5a5a5a")
        tried = [
            (await session.get(f"{https}/api/me", headers={"Cookie": f"{name}={stolen}"})).status
            for name in names
        ]
        kept = await session.get(f"{http}/api/me", headers={"Cookie": f"mr-5a5a5a5a={stolen}"})

        header = secure.headers["Set-Cookie"]
        assert "Secure" in header and header.startswith("__Host-mr-5a5a5a5a=")
        assert "Secure" not in plain.headers["Set-Cookie"]
        assert (tried, kept.status) == ([401, 401], 200)


async def test_an_http_page_changes_nothing_on_the_encrypted_tier(tmp_path: Path) -> None:
    async with both_tiers(tmp_path, FakeOffice()) as (session, http, https):
        told = await (await session.post(f"{https}/api/login", json=LOG_IN)).json()
        token = {"X-CSRF-Token": told["csrf"]}
        foreign = [http, https.replace("https", "http"), http.replace("http", "https")]
        answers = [
            (await session.post(f"{https}/api/logout", headers={**token, "Origin": origin})).status
            for origin in foreign
        ]
        own = await session.post(f"{https}/api/logout", headers={**token, "Origin": https})

        assert (answers, own.status) == ([403, 403, 403], 204)


@pytest.mark.parametrize("fault", ["missing", "no_pem", "other_key"])
async def test_a_certificate_that_cannot_be_used_is_one_clear_sentence(
    tmp_path: Path, fault: str
) -> None:
    ca = CertificateAuthority(tmp_path)
    files, key = ca.broker("127.0.0.1"), tmp_path / "other.key"
    if fault == "no_pem":
        key.write_text("not a key")
    elif fault == "other_key":
        key.write_bytes(ca.node("other", "00" * 32).key.read_bytes())
    https = Https("127.0.0.1", 0, files.certificate, key)

    with pytest.raises(ConfigError, match=r"\[web\] certificate = .*other\.key"):
        await serve(create_app(FakeOffice(), hosts=[]), "127.0.0.1", 0, https).start()


async def test_a_taken_https_port_names_its_key(tmp_path: Path) -> None:
    files = CertificateAuthority(tmp_path).broker("127.0.0.1")
    async with serve(create_app(FakeOffice(), hosts=[]), "127.0.0.1", 0) as first:
        https = Https("127.0.0.1", first.port, files.certificate, files.key)
        second = serve(create_app(FakeOffice(), hosts=[]), "127.0.0.1", 0, https)
        with pytest.raises(ConfigError, match=rf"https_listen = 127.0.0.1:{first.port}"):
            await second.start()
