"""The authority's stick at hand: where a command looks for it, and how it is unlocked."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from meshrelay.cli import passphrase
from meshrelay.errors import ConfigError

if TYPE_CHECKING:
    from meshrelay.cli import authdir
    from meshrelay.cli.authority import Authority
    from meshrelay.core.signing import Signer


def add_option(command: argparse.ArgumentParser, why: str = "where role hq is concerned") -> None:
    """Options of a command that may need the authority's word."""
    command.add_argument(
        "--authority",
        metavar="AUTHDIR",
        type=Path,
        help=f"the authority's directory, {why}",
    )
    passphrase.add_known(command)


def unlock(directory: Path, passphrase_file: Path | None) -> tuple[authdir.Stick, Signer]:
    """Read an authority's directory and unlock it; asks for the passphrase if there is one.

    Raises:
        ConfigError: it is none, or the passphrase does not fit.
    """
    from meshrelay.cli import authdir

    stick = authdir.read(directory)
    said = passphrase.known(passphrase_file, str(directory)) if stick.is_wrapped else ""
    return stick, authdir.unlock(stick, said)


def need(network: Authority, args: argparse.Namespace, why: str) -> None:
    """Mount the authority, from --authority or from beside the issuer's files.

    Raises:
        ConfigError: there is none, with `why` it is needed.
    """
    from meshrelay.cli.authdir import KEY_FILE
    from meshrelay.cli.authority import AUTHORITY_DIRECTORY

    if network.authority is not None:
        return
    beside = network.directory / AUTHORITY_DIRECTORY
    directory = args.authority or (beside if (beside / KEY_FILE).exists() else None)
    if directory is None:
        raise ConfigError(
            f"{why}: that takes the authority's word. Put its stick in and give "
            "--authority AUTHDIR; nothing was done"
        )
    network.mount(*unlock(directory, args.passphrase_file))
