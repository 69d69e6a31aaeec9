"""Small files written so that a power cut or a second run cannot spoil them."""

from __future__ import annotations

import os
from pathlib import Path

from meshrelay.errors import ConfigError

SECRET_MODE = 0o600
# 30,000 staff at about 600 bytes each, with room.
FILE_BYTES_MAX = 64 * 1024 * 1024


def write_new(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file that must not exist yet.

    Raises:
        ConfigError: it exists, or the disk says no.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise ConfigError(f"{path} exists already; it is not overwritten") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
    _fill(handle, path, data)


def replace(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file whole or not at all, over an older one if there is one.

    Raises:
        ConfigError: the disk says no; the older file is as it was.
    """
    aside = path.with_name(path.name + ".part")
    try:
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
    _fill(handle, aside, data)
    aside.replace(path)


def _fill(handle: int, path: Path, data: bytes) -> None:
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink()
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error


def read(path: Path, what: str) -> bytes:
    """The bytes of a file that must be there.

    Raises:
        ConfigError: with `what` it should have been.
    """
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise ConfigError(f"{path} is larger than {FILE_BYTES_MAX} bytes; expected {what}")
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); expected {what}") from error


def make_directory(path: Path) -> None:
    """Make a directory for one owner; an empty one may be there already.

    Raises:
        ConfigError: it holds something, or cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise ConfigError(f"{path} is not empty; expected a new directory")
        path.chmod(0o700)
    except OSError as error:
        raise ConfigError(f"{path} cannot be made: {error.strerror}") from error
