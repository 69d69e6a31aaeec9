"""A network of one issuer, made by the commands themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.shell import Shell


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


@pytest.fixture
def net(shell: Shell) -> str:
    shell.ok("network", "create", shell.path("net"), "--name", "大阪市", "--no-passphrase")
    return shell.path("net")
