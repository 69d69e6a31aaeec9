"""Enrolment on the LAN: who knows the token, and nobody else, is admitted once."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from meshrelay.cli import listening, sealing
from meshrelay.cli.listening import TOKEN_WORDS, fetch, new_token, serve_one, spoken
from meshrelay.errors import RefusedError

HOST = "127.0.0.1"
TOKEN = "lusab babad gutih tugad"


class Desk:
    """An issuer that listens, in a thread; answers a request with the request turned round."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.asked: list[bytes] = []
        self._pool = pool
        self.listener = socket.create_server((HOST, 0))
        self.port = int(self.listener.getsockname()[1])

    def serve(self, seconds: float = 20.0) -> Future[str]:
        return self._pool.submit(serve_one, self.listener, TOKEN, self._admit, seconds)

    def _admit(self, request: bytes) -> bytes:
        self.asked.append(request)
        return request[::-1]


@pytest.fixture
def desk() -> Iterator[Desk]:
    with ThreadPoolExecutor() as pool:
        made = Desk(pool)
        with made.listener:
            yield made


def test_a_token_is_four_words_of_sixteen_bits() -> None:
    token = new_token()

    assert len(token.split()) == TOKEN_WORDS == 4
    assert token != new_token()
    assert spoken(" LUSAB-babad,gutih  Tugad ") == TOKEN


def test_the_node_that_was_told_the_token_gets_its_answer(desk: Desk) -> None:
    served = desk.serve()

    assert fetch(HOST, desk.port, "Lusab-Babad-Gutih-Tugad", b"request") == b"tseuqer"
    assert served.result() == HOST
    assert desk.asked == [b"request"]


def test_five_wrong_tokens_end_it_and_admit_nobody(desk: Desk) -> None:
    served = desk.serve()

    for _ in range(5):
        with pytest.raises(RefusedError) as wrong:
            fetch(HOST, desk.port, "lusab babad gutih tugaf", b"request")
        assert wrong.value.code == "wrong_token"
    with pytest.raises(RefusedError) as ended:
        served.result()
    assert ended.value.code == "too_many_tries"
    assert desk.asked == []


def test_who_says_nothing_uses_up_no_try(desk: Desk) -> None:
    served = desk.serve()
    for _ in range(6):
        socket.create_connection((HOST, desk.port)).close()

    assert fetch(HOST, desk.port, TOKEN, b"request") == b"tseuqer"
    served.result()


def test_who_drips_holds_nobody_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    served = desk.serve()
    with monkeypatch.context() as hasty:
        hasty.setattr(listening, "PEER_SECONDS_MAX", 0.2)
        with socket.create_connection((HOST, desk.port)) as slow:
            slow.sendall(b"\x00\x00\x10\x00 and no more")
            slow.settimeout(10)
            while slow.recv(1024):  # until the issuer lets go
                continue

    assert fetch(HOST, desk.port, TOKEN, b"request") == b"tseuqer"
    served.result()


def test_who_announces_too_much_is_let_go(desk: Desk) -> None:
    served = desk.serve()
    with socket.create_connection((HOST, desk.port)) as greedy:
        greedy.sendall(b"\xff\xff\xff\xff")

        assert fetch(HOST, desk.port, TOKEN, b"request") == b"tseuqer"
    served.result()


def test_nobody_came_in_time(desk: Desk) -> None:
    with pytest.raises(RefusedError) as late:
        desk.serve(0.05).result()
    assert late.value.code == "nobody_came"


def between(desk: Desk, change: Callable[[bytes], bytes]) -> int:
    """Somebody on the LAN who passes everything on, and alters what the issuer says."""
    listener = socket.create_server((HOST, 0))

    def relay() -> None:
        with (
            listener,
            listener.accept()[0] as node,
            socket.create_connection((HOST, desk.port)) as issuer,
        ):
            node.sendall(issuer.recv(1024))
            issuer.sendall(node.recv(65_536))
            issuer.settimeout(5)
            node.sendall(change(issuer.recv(65_536)))

    threading.Thread(target=relay, daemon=True).start()
    return int(listener.getsockname()[1])


def test_who_sits_in_between_alters_nothing_unseen(desk: Desk) -> None:
    served = desk.serve()
    port = between(desk, lambda data: data[:-1] + bytes([data[-1] ^ 1]))

    with pytest.raises(RefusedError) as altered:
        fetch(HOST, port, TOKEN, b"request")
    assert altered.value.code == "wrong_token"
    served.result()


def test_an_issuer_that_was_not_told_the_token_fools_no_node() -> None:
    key = sealing.token_key("another token", bytes(sealing.SALT_BYTES))
    with socket.create_server((HOST, 0)) as listener:

        def pretend() -> None:
            with listener.accept()[0] as node:
                node.sendall(b"meshrelay enrol 1\n" + bytes(sealing.SALT_BYTES))
                node.recv(65_536)
                sealed = sealing.seal(sealing.one_way(key, b"answer"), b"mine")
                node.sendall(len(sealed).to_bytes(4, "big") + sealed)

        threading.Thread(target=pretend, daemon=True).start()
        with pytest.raises(RefusedError) as fooled:
            fetch(HOST, listener.getsockname()[1], TOKEN, b"request")
    assert fooled.value.code == "wrong_token"


def test_a_request_sent_back_is_no_answer() -> None:
    with socket.create_server((HOST, 0)) as listener:

        def mirror() -> None:
            with listener.accept()[0] as node:
                node.sendall(b"meshrelay enrol 1\n" + bytes(sealing.SALT_BYTES))
                node.sendall(node.recv(65_536))

        threading.Thread(target=mirror, daemon=True).start()
        with pytest.raises(RefusedError) as fooled:
            fetch(HOST, listener.getsockname()[1], TOKEN, b"request")
    assert fooled.value.code == "wrong_token"


def test_an_issuer_that_does_not_answer_is_named() -> None:
    with pytest.raises(RefusedError) as silent:
        fetch(HOST, 9, TOKEN, b"request")
    assert silent.value.code == "issuer_silent"
