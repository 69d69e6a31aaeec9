"""Small files written so that a power cut or a second run cannot spoil them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from meshrelay.core.signing import KEY_BYTES
from meshrelay.errors import ConfigError

SECRET_MODE = 0o600
_LOOSE = stat.S_IRWXG | stat.S_IRWXO
# 30,000 staff at about 600 bytes each, with room.
FILE_BYTES_MAX = 64 * 1024 * 1024
# 30,000 staff, each with several records over the years.
FILE_ITEMS_MAX = 1_000_000


def write_new(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file that must not exist yet.

    Raises:
        ConfigError: it exists, or the disk says no.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise ConfigError(
            f"{path} exists already and is not overwritten; name another file"
        ) from None
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


def write_seed(path: Path, seed: bytes) -> None:
    """Keep a 32-byte secret as hex, readable by its owner only."""
    write_new(path, seed.hex().encode() + b"\n", SECRET_MODE)


def read_seed(path: Path) -> bytes:
    """A 32-byte secret.

    Raises:
        ConfigError: it is missing or damaged, or others can read it.
    """
    try:
        check_secret(path)
        seed = bytes.fromhex(read(path, "64 hex digits").decode("ascii").strip())
    except (ValueError, UnicodeDecodeError):
        seed = b""
    if len(seed) != KEY_BYTES:
        raise ConfigError(f"{path}: expected 64 hex digits")
    return seed


def check_secret(path: Path) -> None:
    """Refuse a secret that others on this machine can read.

    Raises:
        ConfigError: it is missing or its mode is too open.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    if mode & _LOOSE:
        raise ConfigError(
            f"{path}: mode {stat.S_IMODE(mode):04o} lets others read this key; "
            f"expected 0600 (run: chmod 600 {path})"
        )


def check_absent(path: Path) -> None:
    """Refuse to write over something, before anything else is done.

    Raises:
        ConfigError: it is there.
    """
    if path.exists():
        raise ConfigError(f"{path} exists already and is not overwritten; name another file")


def check_new(path: Path) -> None:
    """Refuse a directory that holds something, before anything else is done.

    Raises:
        ConfigError: it does, or it is no directory.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ConfigError(f"{path} is not empty; expected a new directory")


def make_directory(path: Path, removable: bool = False) -> None:
    """Make a directory for one owner; an empty one may be there already.

    `removable`: a USB stick's file system may know no owners; then its modes are let be.

    Raises:
        ConfigError: it holds something, or cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise ConfigError(f"{path} is not empty; expected a new directory")
        try:
            path.chmod(0o700)
        except PermissionError:
            if not removable:
                raise
    except OSError as error:
        raise ConfigError(f"{path} cannot be made: {error.strerror}") from error
