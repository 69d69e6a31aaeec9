"""Opening a TCP connection on a path that may come back at any moment.

A SYN that was lost is sent again after 1, 3 and 7 s: a path that is back after 1.1 s is
noticed after 3. While a peer was met a short time ago, a fresh SYN goes out more often.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

Address = tuple[str, int]

# How long after the loss of a link its address is dialled in a hurry.
HURRY_SECONDS = 120.0
# Between two SYNs in a hurry, and before the next round of them.
SYN_EVERY_S = 0.3
HURRY_PAUSE_S = 0.1
CONNECT_SECONDS_MAX = 5.0


async def connect(address: Address, hurry: bool) -> socket.socket:
    """A connected, non-blocking socket; in a hurry the first of several attempts that succeeds.

    Raises:
        OSError: refused or unreachable. TimeoutError: nobody answered in CONNECT_SECONDS_MAX.
    """
    loop = asyncio.get_running_loop()
    end_s = loop.time() + CONNECT_SECONDS_MAX
    tries: set[asyncio.Task[socket.socket]] = set()
    try:
        while (left_s := end_s - loop.time()) > 0:
            tries.add(loop.create_task(_connect_once(address)))
            wait_s = min(SYN_EVERY_S, left_s) if hurry else left_s
            done, _ = await asyncio.wait(tries, timeout=wait_s, return_when="FIRST_COMPLETED")
            if done:
                first = done.pop()
                tries.discard(first)
                return first.result()
        raise TimeoutError
    finally:
        for attempt in tries:
            attempt.add_done_callback(_close)
            attempt.cancel()


def _close(attempt: asyncio.Task[socket.socket]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()


async def _connect_once(address: Address) -> socket.socket:
    loop = asyncio.get_running_loop()
    infos = await loop.getaddrinfo(*address, type=socket.SOCK_STREAM)
    for number, (family, kind, proto, _, where) in enumerate(infos, 1):
        raw = socket.socket(family, kind, proto)
        raw.setblocking(False)
        with contextlib.ExitStack() as stack:
            stack.callback(raw.close)
            try:
                await loop.sock_connect(raw, where)
            except OSError:
                if number == len(infos):
                    raise
                continue
            stack.pop_all()
            return raw
    raise OSError(f"{address[0]} is no address")
