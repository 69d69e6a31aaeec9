"""Is this the right directory? Asked first, so that a wrong one is answered with the next step.

Apart from the code that reads them: a node needs no X.509 code for it.
"""

from __future__ import annotations

from pathlib import Path

from meshrelay.errors import ConfigError

# Held by the process that runs a node.
LOCK = "node.lock"
_NODE, _NETWORK = "node.toml", "wards.csv"


def check_node_dir(directory: Path) -> None:
    """Refuse what `node request` did not make; what is in it is not looked at.

    Raises:
        ConfigError: with the command that makes one.
    """
    if (directory / _NODE).exists():
        return
    if (directory / _NETWORK).exists():
        raise ConfigError(
            f"{directory} is a network's directory; expected a node's, "
            "made by `meshrelay node request DIR --name NAME`"
        )
    raise ConfigError(
        f"{directory} is not a node's directory: {_what(directory, _NODE)}; "
        "make one with `meshrelay node request DIR --name NAME`"
    )


def check_network_dir(directory: Path) -> None:
    """Refuse what `network create` did not make; what is in it is not looked at.

    Raises:
        ConfigError: with the command that makes one.
    """
    if (directory / _NETWORK).exists():
        return
    if (directory / _NODE).exists():
        raise ConfigError(
            f"{directory} is a node's directory; expected the network's, "
            "made by `meshrelay network create NETDIR --name NAME`"
        )
    raise ConfigError(
        f"{directory} is not a network's directory: {_what(directory, _NETWORK)}; "
        "make one with `meshrelay network create NETDIR --name NAME`"
    )


def _what(directory: Path, file: str) -> str:
    if not directory.exists():
        return "it is not there"
    return f"it has no {file}" if directory.is_dir() else "it is a file"
