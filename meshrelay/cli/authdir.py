"""An authority's directory, on a removable medium: one key under a passphrase.

    AUTHDIR/authority.key   JSON: public key, network, the key wrapped (0600)
    AUTHDIR/records.cbor    successors, and every issuer credential this authority signed

The first authority names the network; a successor's word counts because the one before
signed its key. Nothing here is ever overwritten but the wrapping and the list of records.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meshrelay.cli import files, sealing
from meshrelay.cli.recordfile import book_of, pack_records, unpack_records
from meshrelay.core.records import (
    NAME_CHARS_MAX,
    IssuerCredential,
    Record,
    Successor,
    make_issuer,
    make_successor,
    network_of,
)
from meshrelay.core.signing import KEY_BYTES, Signer, network_id
from meshrelay.errors import ConfigError

KEY_FILE, RECORDS_FILE = "authority.key", "records.cbor"
GENERATION_FIRST = 1
_FORMAT = "meshrelay authority 1"
_EXPECTED = "an authority's directory, made by `meshrelay authority create AUTHDIR --name NAME`"


@dataclass
class Stick:
    """What can be read without the passphrase. `kept`: the seed, wrapped or bare."""

    directory: Path
    public: bytes
    network: bytes
    name: str
    drill: bool
    kept: sealing.Wrapped | bytes
    records: list[Record]

    @property
    def is_wrapped(self) -> bool:
        return isinstance(self.kept, sealing.Wrapped)

    @property
    def by(self) -> bytes:
        """The successor record that this authority speaks by; empty for the first one."""
        if network_id(self.public) == self.network:
            return b""
        for record in self.records:
            if isinstance(record.content, Successor) and record.content.key == self.public:
                return record.id
        raise ConfigError(
            f"{self.directory / RECORDS_FILE}: the record that makes this key an authority "
            "is missing; restore the file from a copy of this stick"
        )


def create(directory: Path, name: str, drill: bool, passphrase: str | None) -> Stick:
    """The first authority of a new network.

    Raises:
        ConfigError: the directory holds something, or the name does not fit.
    """
    if not name.strip() or len(name) > NAME_CHARS_MAX or not name.isprintable():
        raise ConfigError(f"--name: expected 1 to {NAME_CHARS_MAX} characters")
    seed = secrets.token_bytes(KEY_BYTES)
    network = network_id(Signer(seed).public)
    return _write(directory, seed, network, name, drill, passphrase, [])


def succeed(stick: Stick, signer: Signer, directory: Path, passphrase: str | None) -> Stick:
    """A second stick with a key of its own, which may then do whatever this one may.

    Raises:
        ConfigError: the directory holds something.
    """
    seed = secrets.token_bytes(KEY_BYTES)
    content = Successor(stick.public, Signer(seed).public, stick.by)
    record = make_successor(signer, stick.network, content)
    records = [*stick.records, record]
    made = _write(directory, seed, stick.network, stick.name, stick.drill, passphrase, records)
    keep(stick, [record])
    return made


def read(directory: Path) -> Stick:
    """An authority's directory, without its secret.

    Raises:
        ConfigError: it is none, it is damaged, or others can read the key.
    """
    path = directory / KEY_FILE
    if not path.exists():
        raise ConfigError(f"{directory} has no {KEY_FILE}; expected {_EXPECTED}")
    try:
        table = json.loads(files.read(path, _EXPECTED))
        if table["format"] != _FORMAT:
            raise ConfigError(f"{path}: expected format {_FORMAT!r}, found {table['format']!r}")
        kept = _kept(table)
        if isinstance(kept, bytes):  # a stick without owners may hold a wrapped key, not a bare one
            files.check_secret(path)
        fields = (bytes.fromhex(table["public"]), bytes.fromhex(table["network"]))
        name, drill = str(table["network_name"]), table["drill"] is True
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is damaged; restore it from the other stick") from error
    records_path = directory / RECORDS_FILE
    data = files.read(records_path, _EXPECTED)
    records = unpack_records(data, str(records_path))
    if records:
        book_of(records, str(records_path))
        if network_of(records) != fields[1]:
            raise ConfigError(f"{records_path}: these records are of another network")
    return Stick(directory, *fields, name, drill, kept, records)


def unlock(stick: Stick, passphrase: str) -> Signer:
    """The authority's key, for as long as the command runs; about a second.

    Raises:
        ConfigError: the passphrase does not fit.
    """
    return Signer(_seed(stick, passphrase))


def rewrap(stick: Stick, old: str, choose: Callable[[], str | None]) -> None:
    """The same key under another passphrase; `choose` is asked once the old one fits.

    Raises:
        ConfigError: it does not; nothing was changed.
    """
    seed = _seed(stick, old)
    passphrase = choose()
    stick.kept = sealing.wrap(seed, passphrase) if passphrase is not None else seed
    files.replace(stick.directory / KEY_FILE, _render(stick), files.SECRET_MODE)


def _seed(stick: Stick, passphrase: str) -> bytes:
    kept = stick.kept
    seed = sealing.unwrap(kept, passphrase) if isinstance(kept, sealing.Wrapped) else kept
    if seed is None or Signer(seed).public != stick.public:
        raise ConfigError(
            f"{stick.directory / KEY_FILE}: the passphrase does not fit, or the file was altered"
        )
    return seed


def issue(
    stick: Stick, signer: Signer, issuer: bytes, known: list[Record], raised: bool
) -> list[Record]:
    """The authority's word on an issuer: successors and credential, parents first.

    `known`: issuers and successors that the issuer's own directory holds. `raised`: a new
    generation. An issuer that has its credential already gets the same one again.

    Raises:
        ConfigError: `known` is of another network.
    """
    _learn(stick, known)
    issuers = [r for r in stick.records if isinstance(r.content, IssuerCredential)]
    contents = [r.content for r in issuers if isinstance(r.content, IssuerCredential)]
    generation = max((each.generation for each in contents), default=GENERATION_FIRST - 1)
    generation = max(generation + raised, GENERATION_FIRST)
    for record, content in zip(issuers, contents, strict=True):
        same = (content.key, content.authority) == (issuer, stick.public)
        if same and content.generation == generation and not raised:
            return _chain(stick, record)
    serial = max((each.serial for each in contents), default=0) + 1
    content = IssuerCredential(
        stick.public, issuer, serial, generation, stick.name, stick.drill, stick.by
    )
    record = make_issuer(signer, stick.network, content)
    keep(stick, [record])
    return _chain(stick, record)


def keep(stick: Stick, new: list[Record]) -> None:
    """Remember records on the stick."""
    stick.records += new
    files.replace(stick.directory / RECORDS_FILE, pack_records(stick.records))


def _learn(stick: Stick, known: list[Record]) -> None:
    here = {record.id for record in stick.records}
    new = [
        record
        for record in known
        if isinstance(record.content, IssuerCredential | Successor) and record.id not in here
    ]
    if not new:
        return
    if network_of(known) != stick.network:
        raise ConfigError(f"the issuer belongs to another network than {stick.directory}")
    book_of([*stick.records, *new], "the issuer's records")
    keep(stick, new)


def _chain(stick: Stick, record: Record) -> list[Record]:
    return [*(r for r in stick.records if isinstance(r.content, Successor)), record]


def _write(
    directory: Path,
    seed: bytes,
    network: bytes,
    name: str,
    drill: bool,
    passphrase: str | None,
    records: list[Record],
) -> Stick:
    kept = sealing.wrap(seed, passphrase) if passphrase is not None else seed
    made = Stick(directory, Signer(seed).public, network, name, drill, kept, records)
    files.make_directory(directory, removable=True)
    files.write_new(directory / KEY_FILE, _render(made), files.SECRET_MODE)
    files.write_new(directory / RECORDS_FILE, pack_records(records))
    return made


def _render(stick: Stick) -> bytes:
    table: dict[str, Any] = {
        "format": _FORMAT,
        "network": stick.network.hex(),
        "network_name": stick.name,
        "drill": stick.drill,
        "public": stick.public.hex(),
    }
    kept = stick.kept
    if isinstance(kept, sealing.Wrapped):
        table |= {
            "kdf": "argon2id",
            "passes": kept.passes,
            "memory_kib": kept.memory_kib,
            "salt": kept.salt.hex(),
            "sealed": kept.sealed.hex(),
        }
    else:
        table["secret"] = kept.hex()
    return json.dumps(table, ensure_ascii=False, indent=2).encode() + b"\n"


def _kept(table: dict[str, Any]) -> sealing.Wrapped | bytes:
    """Raises ValueError, KeyError, TypeError: damaged."""
    if "secret" in table:
        seed = bytes.fromhex(table["secret"])
        if len(seed) != KEY_BYTES:
            raise ValueError("length")
        return seed
    passes, memory_kib = int(table["passes"]), int(table["memory_kib"])
    salt = bytes.fromhex(table["salt"])
    good = (
        table["kdf"] == "argon2id"
        and 1 <= passes <= sealing.PASSES_MAX
        and 8 <= memory_kib <= sealing.MEMORY_KIB_MAX
        and len(salt) == sealing.SALT_BYTES
    )
    if not good:
        raise ValueError("parameters")
    return sealing.Wrapped(passes, memory_kib, salt, bytes.fromhex(table["sealed"]))
