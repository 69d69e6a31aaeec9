"""NETDIR/cards.secret: the codes of cards that were issued, so that one can be printed again.

Whoever has this file and a card's PIN is that person; it stays on the issuer's laptop, 0600.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from meshrelay.cli import files
from meshrelay.cli.authority import Authority
from meshrelay.core.signing import KEY_BYTES
from meshrelay.errors import ConfigError

NAME = "cards.secret"


def read_codes(directory: Path) -> dict[bytes, str]:
    """Card public key -> card code; empty when no card was issued here yet.

    Raises:
        ConfigError: damaged, or others can read it.
    """
    path = directory / NAME
    if not path.exists():
        return {}
    files.check_secret(path)
    codes = {}
    for number, line in enumerate(files.read(path, "card codes").splitlines(), 1):
        try:
            card, code = line.decode("ascii").split()
            key = bytes.fromhex(card)
        except ValueError:
            key, code = b"", ""
        if len(key) != KEY_BYTES:
            raise ConfigError(f"{path}:{number}: is damaged; restore it from a copy")
        codes[key] = code
    return codes


def keep_codes(directory: Path, codes: Mapping[bytes, str]) -> None:
    """Write them all, whole or not at all."""
    text = "".join(f"{card.hex()} {code}\n" for card, code in codes.items())
    files.replace(directory / NAME, text.encode("ascii"), files.SECRET_MODE)


def forget_codes(network: Authority, codes: Mapping[bytes, str]) -> None:
    """Keep the codes of cards that are in force, and no others."""
    cards = {person.card for _, person in network.people().values()}
    keep_codes(network.directory, {card: code for card, code in codes.items() if card in cards})
