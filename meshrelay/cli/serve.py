"""The wiring of `node run`: node, staff page and monitor in one process, ended in order.

The only place that knows both web and monitor. No X.509 code comes in here: a node
verifies with OpenSSL alone.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from meshrelay.cli.addresses import first_own_address, own_addresses, shown
from meshrelay.cli.keyfiles import read_node_dir
from meshrelay.cli.machine import keep_machine
from meshrelay.cli.places import LOCK
from meshrelay.core.clock import TRUSTED
from meshrelay.errors import ConfigError, StoreError
from meshrelay.monitor.pages import routes
from meshrelay.node.config import Config, address
from meshrelay.node.identity import Keys
from meshrelay.node.node import Node
from meshrelay.web.rights import Policy
from meshrelay.web.server import Https, create_app, serve

EVERYWHERE = ("0.0.0.0", "::", "")

log = logging.getLogger("meshrelay.cli")


def serve_node(directory: Path, moved: bool = False) -> int:
    """Run the node of `directory` until SIGTERM or SIGINT.

    `moved`: this machine is the node from now on, another one was before.

    Raises:
        ConfigError: something must be mended first; nothing was started.
        StoreError: the disk failed; the node ended so that nothing unsaved is acknowledged.
    """
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    # It warns, with a traceback, of every interface without a route; discovery tells what matters.
    logging.getLogger("zeroconf").setLevel(logging.ERROR)
    config, keys = read_node_dir(directory, moved)
    with _only_one(directory):
        keep_machine(directory, keys.signer.public)
        asyncio.run(_run(directory, config, keys))
    return 0


@contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    """Two processes on one store would sign two entries with one number.

    The kernel drops the lock with the process, however it ends.
    """
    handle = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise ConfigError(f"{directory}: another process runs this node already") from error
    finally:
        os.close(handle)


async def _run(directory: Path, config: Config, keys: Keys) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    host, port = address(config.web.listen)
    async with Node(directory, config, keys) as node:
        page, https = _page_host(host, port), _https(directory, config)
        policy = Policy(https.port if https else None, config.web.rights_over_http, page)
        app = create_app(node, hosts=web_hosts(config), extra=routes(node), policy=policy)
        async with serve(app, host, port, https):
            log.info("staff page http://%s", page)
            if node.status().clock_quality < TRUSTED:
                log.warning(
                    "nobody vouches for this clock: messages are marked 時刻不確か until NTP or HQ "
                    "sets it, or until [clock] set_by_person in node.toml says that a person did"
                )
            if https:
                log.info("staff page https://%s", _page_host(https.host, https.port))
            stopping = loop.create_task(stop.wait())
            ends: list[asyncio.Future[Any]] = [stopping, node.failed]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
        if node.failed.done():
            failure: StoreError = node.failed.result()
            raise failure


def _https(directory: Path, config: Config) -> Https | None:
    """The encrypted tier of node.toml; its paths start at the node's directory."""
    if not config.web.https_listen:
        return None
    host, port = address(config.web.https_listen)
    return Https(host, port, directory / config.web.certificate, directory / config.web.key)


def web_hosts(config: Config) -> list[str]:
    """Names under which browsers may reach the pages: as configured, else its own addresses."""
    if config.web.hosts:
        return list(config.web.hosts)
    listens = [each for each in (config.web.listen, config.web.https_listen) if each]
    return sorted(name for each in listens for name in _names(*address(each)))


def _names(host: str, port: int) -> list[str]:
    names = {"localhost", host} if host not in EVERYWHERE else {"localhost", *own_addresses()}
    return [shown(name, port) for name in names]


def _page_host(host: str, port: int) -> str:
    """The address to type: where the page listens, or this machine's first own one."""
    return shown(first_own_address() if host in EVERYWHERE else host, port)
