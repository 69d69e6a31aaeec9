"""The curl lines of the README do what they say."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.office_fake import CARD, PIN
from tests.unit.web.conftest import Browser, message_id

README = Path(__file__).parents[3] / "README.md"
LINES = re.findall(r"^    (curl .*)$", README.read_text("utf-8"), re.MULTILINE)


async def run(browser: Browser, line: str) -> tuple[int, dict[str, object]]:
    """One curl line, with our own client in curl's place: -H, -d and an address."""
    words, headers, data = iter(shlex.split(line)[1:]), {}, None
    for word in words:
        if word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            data = next(words)
        elif word in ("-b", "-c"):
            assert next(words) == "jar"  # the client keeps its cookies
        else:
            path = word.removeprefix("http://192.0.2.10:8101")
    method = "GET" if data is None else "POST"
    answer = await browser.client.request(method, path, data=data, headers=headers)
    return answer.status, await answer.json()


async def test_they_log_in_post_and_read(browser: Browser) -> None:
    log_in, post, read, sync = LINES
    values = {"10201": "1001", "CARD": CARD, "PIN": PIN, "ID": message_id(1)}

    def filled(line: str) -> str:
        for name, value in values.items():
            line = line.replace(f'"{name}"', f'"{value}"')
        return line.replace("TOKEN", browser.csrf).replace("CURSOR", cursor)

    cursor = ""
    status, told = await run(browser, filled(log_in))
    browser.csrf = str(told["csrf"])
    assert status == 200
    status, posted = await run(browser, filled(post))
    assert (status, posted["message_id"]) == (201, message_id(1))
    status, room = await run(browser, filled(read))
    assert status == 200 and "河川水位 2.1 m" in str(room["messages"])
    cursor = str(room["cursor"])
    await browser.send("その後のこと", 2)
    status, changed = await run(browser, filled(sync))
    assert status == 200 and "その後のこと" in str(changed["messages"])
    assert "河川水位" not in str(changed["messages"])
