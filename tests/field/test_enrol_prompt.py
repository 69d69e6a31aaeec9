"""At a real terminal: passphrases are asked for twice and never shown, codes are drawn."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

from meshrelay.cli.authdir import read, unlock
from meshrelay.cli.main import main
from meshrelay.cli.sealing import Wrapped

SECONDS_MAX = 30.0
WORDS = "correct horse battery staple"
COLUMNS = 120


def at_terminal(typed: list[tuple[str, str]], *words: str) -> tuple[int, str]:
    """Run a command on a terminal; type each answer when its prompt stands there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 60, COLUMNS, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "meshrelay", *words],
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        env={key: value for key, value in os.environ.items() if key != "COLUMNS"},
    )  # fmt: skip
    os.close(theirs)
    shown, seen = b"", 0
    waiting = list(typed)
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        if not select.select([ours], [], [], 0.5)[0]:
            continue
        try:
            part = os.read(ours, 65_536)
        except OSError:  # the other end closed
            break
        if not part:
            break
        shown += part
        if waiting and waiting[0][0].encode() in shown[seen:]:
            seen = len(shown)
            os.write(ours, waiting.pop(0)[1].encode() + b"\n")
    os.close(ours)
    assert not waiting, f"never asked for {waiting[0][0]}: {shown.decode()}"
    return process.wait(timeout=SECONDS_MAX), shown.decode("utf-8", "replace")


def test_a_passphrase_is_typed_twice_and_never_shown(tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    typed = [("new passphrase", WORDS), ("again", WORDS)]

    code, shown = at_terminal(typed, "authority", "create", str(stick), "--name", "大阪市")

    assert code == 0, shown
    assert WORDS not in shown
    kept = read(stick)
    assert unlock(kept, WORDS).public == kept.public
    assert isinstance(kept.kept, Wrapped)
    assert (kept.kept.passes, kept.kept.memory_kib) == (3, 256 * 1024)  # libsodium's "moderate"


def test_a_short_passphrase_is_asked_for_again(tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    typed = [("new passphrase", "short"), ("new passphrase", WORDS), ("again", WORDS)]

    code, shown = at_terminal(typed, "authority", "create", str(stick), "--name", "大阪市")

    assert code == 0, shown
    assert "too short: expected at least" in shown
    assert unlock(read(stick), WORDS).public == read(stick).public


def test_two_passphrases_that_differ_make_nothing(tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    typed = [("new passphrase", WORDS), ("again", WORDS + "!")]

    code, shown = at_terminal(typed, "authority", "create", str(stick), "--name", "大阪市")

    assert code == 2 and "the two differ" in shown
    assert not stick.exists()


def test_the_qr_code_of_a_request_fits_a_terminal(tmp_path: Path) -> None:
    code, shown = at_terminal([], "node", "request", str(tmp_path / "n"), "--name", "北区役所")

    assert code == 0
    drawn = [line for line in shown.splitlines() if set(line.strip()) & set("█▀▄")]
    assert len(drawn) >= 30
    assert max(len(line) for line in drawn) <= 100
    assert "six words: " in shown


def test_who_says_no_leaves_everything_as_it_was(tmp_path: Path) -> None:
    net, rows = tmp_path / "net", tmp_path / "staff.csv"
    assert main(["network", "create", str(net), "--name", "大阪市", "--no-passphrase"]) == 0
    rows.write_text("staff_id,name,ward\n1,天満,00\n2,本町,00\n", "utf-8")
    assert main(["staff", "import", str(net), str(rows)]) == 0
    rows.write_text("staff_id,name,ward\n1,天満,00\n", "utf-8")
    words = ["staff", "import", str(net), str(rows), "--from-nothing"]
    before = (net / "records.cbor").read_bytes()

    code, shown = at_terminal([("[y/N]", "n")], *words)
    assert code == 1 and "left 退職: 1" in shown and "2 本町 (00)" in shown
    assert (net / "records.cbor").read_bytes() == before
    code, shown = at_terminal([("[y/N]", "y")], *words)
    assert code == 0, shown
    assert (net / "records.cbor").read_bytes() != before
