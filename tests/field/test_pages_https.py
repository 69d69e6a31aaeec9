"""`meshrelay node run` with the encrypted tier of its node.toml."""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path

import aiohttp

from tests.certs import CertificateAuthority
from tests.town import SATO, build_town, free_port

READY_S_MAX = 20.0


async def until_it_answers(session: aiohttp.ClientSession, url: str, trust: ssl.SSLContext) -> None:
    async with asyncio.timeout(READY_S_MAX):
        while True:
            try:
                async with session.get(url, ssl=trust) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.1)


async def test_a_node_serves_http_and_https_as_its_file_says(tmp_path: Path) -> None:
    town = build_town(tmp_path / "town", {"01": ()}, clerks=(SATO,))
    directory, port = tmp_path / "town" / "01", free_port()
    files = CertificateAuthority(directory / "web").broker("127.0.0.1")
    text = (directory / "node.toml").read_text("utf-8")
    text = text.replace('https_listen = ""', f'https_listen = "127.0.0.1:{port}"')
    text = text.replace('certificate = ""', 'certificate = "web/broker.crt"')
    (directory / "node.toml").write_text(
        text.replace('key = ""', 'key = "web/broker.key"'), "utf-8"
    )
    trust = ssl.create_default_context(cafile=str(files.ca))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "meshrelay", "node", "run", str(directory),
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with aiohttp.ClientSession() as session:
            url = f"https://127.0.0.1:{port}"
            await until_it_answers(session, f"{url}/livez", trust)
            card = {"staff": SATO.staff_id, "card": SATO.code, "pin": SATO.pin}
            async with session.post(f"{url}/api/login", json=card, ssl=trust) as answer:
                cookie = answer.headers["Set-Cookie"]
            rebound = {"Host": f"evil.example:{port}"}
            async with session.get(f"{url}/login", ssl=trust, headers=rebound) as answer:
                misdirected = answer.status
    finally:
        process.terminate()
        _, said = await process.communicate()
        town.witnesses.cleanup()

    assert (process.returncode, misdirected) == (0, 421)
    assert cookie.startswith("__Host-mr-") and "Secure" in cookie
    assert f"staff page https://127.0.0.1:{port}" in said.decode()
