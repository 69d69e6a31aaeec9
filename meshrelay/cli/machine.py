"""Which machine a node's directory runs on: asked before a copied disk speaks in its name."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

from meshrelay.cli import files
from meshrelay.errors import ConfigError

# machine-id(5): must not be told to others as it is, so only a keyed hash is kept.
MACHINE_ID = Path("/etc/machine-id")
KEPT = "machine"


def check_machine(directory: Path, node: bytes) -> None:
    """Refuse a directory that ran on another machine before.

    A machine without /etc/machine-id cannot be told from another; nothing is refused there.

    Raises:
        ConfigError: with both things that may be right now.
    """
    here, path = _mark(node), directory / KEPT
    if here is None or not path.exists():
        return
    if files.read(path, "what `node run` wrote").decode("ascii", "replace").strip() != here:
        raise ConfigError(
            f"{directory} ran on another machine before: was its disk moved, or copied? "
            "If the other machine will never run it again, say so once: "
            f"meshrelay node run {directory} --moved. If this is a copy, do not start it (two "
            "machines would speak in one name): make new keys with `meshrelay node request` "
            "in a new directory"
        )


def keep_machine(directory: Path, node: bytes) -> None:
    """This is the machine from now on."""
    here = _mark(node)
    if here is not None:
        files.replace(directory / KEPT, here.encode() + b"\n", files.SECRET_MODE)


def _mark(node: bytes) -> str | None:
    try:
        known = MACHINE_ID.read_bytes().strip()
    except FileNotFoundError:
        return None
    return blake2b(known, key=node, digest_size=16).hexdigest() if known else None
