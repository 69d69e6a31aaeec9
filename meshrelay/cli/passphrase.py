"""Asking for a passphrase or a PIN: at the terminal, or from a file for those who automate."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable
from pathlib import Path

from meshrelay.cli import files
from meshrelay.errors import ConfigError

CHARS_MIN = 12
CHARS_MAX = 1_000


def add_new(command: argparse.ArgumentParser) -> None:
    """Options of a command that wraps a key."""
    add_known(command)
    command.add_argument(
        "--no-passphrase",
        action="store_true",
        help="leave the key unwrapped: for demonstrations and tests",
    )


def add_known(command: argparse.ArgumentParser) -> None:
    """Option of a command that unwraps a key."""
    command.add_argument(
        "--passphrase-file",
        metavar="FILE",
        type=Path,
        help="read the passphrase from its first line instead of asking",
    )


def new(args: argparse.Namespace, what: str) -> str | None:
    """A passphrase chosen now; None when --no-passphrase was given.

    Raises:
        ConfigError: too short, the two differ, or nobody can be asked.
    """
    if args.no_passphrase:
        if args.passphrase_file is not None:
            raise ConfigError("--no-passphrase and --passphrase-file exclude each other")
        return None
    return chosen(
        args.passphrase_file,
        f"new passphrase of {what} ({CHARS_MIN} characters or more)",
        "--passphrase-file FILE",
        _check,
    )


def known(file: Path | None, what: str) -> str:
    """The passphrase of a key that is wrapped already.

    Raises:
        ConfigError: nobody can be asked.
    """
    if file is not None:
        return first_line(file)
    return _ask(f"passphrase of {what}: ", "--passphrase-file FILE")


def chosen(file: Path | None, what: str, option: str, check: Callable[[str], None]) -> str:
    """A new secret: from a file, or typed twice, and again until `check` has nothing against it.

    Raises:
        ConfigError: `check` says so of the file's, the two differ, or nobody can be asked.
    """
    if file is not None:
        secret = first_line(file)
        check(secret)
        return secret
    secret = _ask(f"{what}: ", option)
    while problem := _problem(check, secret):
        print(problem, file=sys.stderr)
        secret = _ask(f"{what}: ", option)
    if _ask(f"{what}, again: ", option) != secret:
        raise ConfigError("the two differ; nothing was done")
    return secret


def _problem(check: Callable[[str], None], secret: str) -> str:
    try:
        check(secret)
    except ConfigError as error:
        return str(error)
    return ""


def first_line(file: Path) -> str:
    """The first line of a secret file, without its end.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        lines = files.read(file, "a secret in its first line").decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: expected UTF-8 text") from error
    return lines[0] if lines else ""


def _check(passphrase: str) -> None:
    if not CHARS_MIN <= len(passphrase) <= CHARS_MAX:
        raise ConfigError(
            f"the passphrase is too short: expected at least {CHARS_MIN} characters, "
            "such as five words that do not belong together"
        )


def _ask(prompt: str, option: str) -> str:
    if not sys.stdin.isatty():
        raise ConfigError(f"nobody to ask for the {prompt.rstrip(': ')}; give {option}")
    return getpass.getpass(prompt)
