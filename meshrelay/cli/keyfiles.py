"""What must be right in a node's directory before a run. A node needs no X.509 code for it."""

from __future__ import annotations

from pathlib import Path

from meshrelay.bearers import tls
from meshrelay.cli.files import check_secret
from meshrelay.cli.machine import check_machine
from meshrelay.cli.places import check_node_dir
from meshrelay.core.book import RecordBook
from meshrelay.errors import ConfigError, RemoteProtocolError
from meshrelay.node.config import Config, load
from meshrelay.node.identity import Keys, load_keys
from meshrelay.node.witness import is_tmpfs

SECRET_FILES = ("node.key", "tls.key", "box.key")


def read_node_dir(directory: Path, moved: bool = False) -> tuple[Config, Keys]:
    """Configuration and keys of a node that may run: `config check` and `node run` share it.

    `moved`: it may run on this machine although it ran on another before.

    Raises:
        ConfigError: what must be mended first, and how.
    """
    check_node_dir(directory)
    config = load(directory / "node.toml")
    check_key_files(directory)
    keys = load_keys(directory)
    if not moved:
        check_machine(directory, keys.signer.public)
    files = directory / "keys"
    tls.contexts(files / "tls.key", files / "tls.crt", files / "ca.crt")
    if not is_tmpfs(Path(config.witness.dir)):
        raise ConfigError(
            f"{directory / 'node.toml'}: key witness.dir: {config.witness.dir} is not a "
            "directory on a tmpfs; expected one, such as /dev/shm"
        )
    return config, keys


def check_records(directory: Path, keys: Keys) -> None:
    """Verify every record of the enrolment. A run does it while it starts, so not twice.

    Raises:
        ConfigError: one does not verify.
    """
    book = RecordBook(keys.network)
    try:
        for record in keys.records():
            book.add(record)
    except RemoteProtocolError as error:
        raise ConfigError(
            f"{directory / 'enrolment.cbor'}: a record in it does not verify; enrol again"
        ) from error


def check_key_files(directory: Path) -> None:
    """Refuse secrets that others on this machine can read.

    Raises:
        ConfigError: a key is missing or its file mode is too open.
    """
    for name in SECRET_FILES:
        check_secret(directory / "keys" / name)
