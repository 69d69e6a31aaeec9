"""A look at a node's secret files before a run. Apart, so that a node needs no X.509 code."""

from __future__ import annotations

import stat
from pathlib import Path

from meshrelay.errors import ConfigError

SECRET_FILES = ("node.key", "tls.key", "box.key")
_LOOSE = stat.S_IRWXG | stat.S_IRWXO


def check_key_files(directory: Path) -> None:
    """Refuse secrets that others on this machine can read.

    Raises:
        ConfigError: a key is missing or its file mode is too open.
    """
    for name in SECRET_FILES:
        path = directory / "keys" / name
        try:
            mode = path.stat().st_mode
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
        if mode & _LOOSE:
            raise ConfigError(
                f"{path}: mode {stat.S_IMODE(mode):04o} lets others read this key; "
                f"expected 0600 (run: chmod 600 {path})"
            )
