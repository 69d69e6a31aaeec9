"""Commands as an operator types them, in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from meshrelay.cli.main import main


class Shell:
    """Runs commands in this process and keeps what they print."""

    def __init__(self, home: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._capture = capture

    def ok(self, *words: str) -> dict[str, Any]:
        code = main([*words, "--json"])
        out, err = self._capture.readouterr()
        assert code == 0, err
        result: dict[str, Any] = json.loads(out)
        return result

    def refused(self, code: int, *words: str) -> str:
        assert main(list(words)) == code
        out, err = self._capture.readouterr()
        assert out == ""
        assert "Traceback" not in err
        assert err.startswith("meshrelay: ")
        return err

    def path(self, name: str) -> str:
        return str(self.home / name)

    def text(self, name: str, content: str, encoding: str = "utf-8") -> str:
        (self.home / name).write_text(content, encoding)
        return self.path(name)


def enrol(shell: Shell, net: str, name: str, *options: str) -> str:
    request = shell.ok("node", "request", shell.path(name), "--name", f"{name}役所")["request"]
    answer = shell.path(f"{name}.answer")
    shell.ok("issuer", "sign", net, request, *options, "-o", answer)
    shell.ok("node", "enrol", shell.path(name), answer)
    return shell.path(name)
