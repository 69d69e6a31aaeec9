"""A node's directory: made and enrolled."""

from __future__ import annotations

import fcntl
import secrets
from pathlib import Path

from meshrelay.cli import files, x509
from meshrelay.cli.enrolment import Answer, make_request, read_answer, read_request
from meshrelay.cli.files import read_seed, write_seed
from meshrelay.cli.node_toml import NodeToml, with_ward
from meshrelay.cli.places import LOCK, check_node_dir
from meshrelay.cli.recordfile import book_of, pack_records, unpack_records
from meshrelay.core.signing import KEY_BYTES, Signer
from meshrelay.errors import ConfigError
from meshrelay.node.config import load
from meshrelay.node.identity import box_public

ENROLLED = "what `meshrelay node enrol` wrote; enrol again"
ISSUED = "a file of records that `meshrelay staff` or `meshrelay issuer` wrote"


def make_node_dir(directory: Path, settings: NodeToml) -> bytes:
    """Make keys and configuration of a new node; returns the request, also kept in the directory.

    Raises:
        ConfigError: the directory holds something, or the name does not fit.
    """
    files.make_directory(directory)
    keys = directory / "keys"
    files.make_directory(keys)
    seed, box = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(KEY_BYTES)
    tls_key = x509.make_key()
    request = make_request(Signer(seed), settings.name, box_public(box), tls_key)
    write_seed(keys / "node.key", seed)
    write_seed(keys / "box.key", box)
    files.write_new(keys / "tls.key", tls_key, files.SECRET_MODE)
    files.write_new(directory / "node.toml", settings.render().encode())
    files.write_new(directory / "request.cbor", request)
    return request


def kept_request(directory: Path, name: str) -> bytes | None:
    """The request that a directory holds already, to be shown once more.

    Raises:
        ConfigError: it is of another name.
    """
    path = directory / "request.cbor"
    if not path.exists():
        return None
    data = files.read(path, "a file made by `meshrelay node request`")
    kept = read_request(data, str(path)).name
    if kept != name:
        raise ConfigError(f"{directory} holds the request of {kept}; expected a new directory")
    return data


def enrol_node_dir(directory: Path, data: bytes, where: str) -> Answer:
    """Check the issuer's answer against this node's keys and keep it.

    Raises:
        ConfigError: it is not for this node; nothing was changed.
    """
    keys = directory / "keys"
    node = Signer(read_seed(keys / "node.key")).public
    box = box_public(read_seed(keys / "box.key"))
    tls_key = files.read(keys / "tls.key", "the node's TLS key")
    taken = read_answer(data, where, node, tls_key, box)
    toml = directory / "node.toml"
    load(toml)
    text = files.read(toml, "the node's configuration").decode("utf-8")
    files.replace(keys / "ca.crt", taken.ca)
    files.replace(keys / "tls.crt", taken.certificate)
    files.replace(toml, with_ward(text, taken.ward).encode())
    files.replace(directory / "enrolment.cbor", pack_records(taken.records))
    return taken


def import_records(directory: Path, path: Path) -> tuple[int, int]:
    """Add records to what the node takes in at its next start: (added, known).

    Raises:
        ConfigError: they are of another network, or do not verify; nothing was changed.
    """
    check_node_dir(directory)
    target = directory / "enrolment.cbor"
    if not target.exists():
        raise ConfigError(f"{directory} is not enrolled yet; run `meshrelay node enrol` first")
    old = unpack_records(files.read(target, "an enrolled node"), str(target), ENROLLED)
    network = book_of(old, str(target)).network
    new = unpack_records(files.read(path, ISSUED), str(path), ISSUED)
    if book_of(new, str(path)).network != network:
        raise ConfigError(f"{path}: these records are of another network")
    known = {record.id for record in old}
    added = [record for record in new if record.id not in known]
    files.replace(target, pack_records(old + added))
    return len(added), len(new) - len(added)


def is_running(directory: Path) -> bool:
    """Whether a process runs this node on this machine now."""
    try:
        with (directory / LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
