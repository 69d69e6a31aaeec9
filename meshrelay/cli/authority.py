"""The network's own directory: authority, issuer, TLS CA, ward list and every record issued.

    NETDIR/authority.key issuer.key   32-byte Ed25519 seeds, hex, 0600
    NETDIR/tls-ca.key ca.crt          PEM
    NETDIR/wards.csv                  code,name,name_en
    NETDIR/records.cbor               array of records, in the order they were issued

Real deployments keep authority.key off line; the other files stay on the issuer's laptop.
"""

from __future__ import annotations

import csv
import io
import secrets
from dataclasses import dataclass
from pathlib import Path

from meshrelay.cli import files, x509
from meshrelay.cli.places import check_network_dir
from meshrelay.core.book import RecordBook
from meshrelay.core.codec import decode, encode
from meshrelay.core.records import (
    NAME_CHARS_MAX,
    IssuerCredential,
    NodeCredential,
    Record,
    make_issuer,
    read_record,
)
from meshrelay.core.signing import KEY_BYTES, Signer, network_id
from meshrelay.errors import ConfigError, RemoteProtocolError

GENERATION_FIRST = 1
HQ_WARD = ("00", "本部", "HQ")


@dataclass(frozen=True)
class WardNames:
    """How an office is called."""

    code: str
    name: str
    name_en: str


@dataclass
class Authority:
    """An opened network directory."""

    directory: Path
    authority: Signer
    issuer: Signer
    issuer_record: Record
    book: RecordBook
    records: list[Record]
    wards: dict[str, WardNames]

    @property
    def network(self) -> bytes:
        return self.book.network

    @property
    def name(self) -> str:
        return self._issuer_content().network_name

    @property
    def drill(self) -> bool:
        return self._issuer_content().drill

    @property
    def generation(self) -> int:
        return self._issuer_content().generation

    @property
    def ca(self) -> bytes:
        return files.read(self.directory / "ca.crt", "the network's CA certificate")

    @property
    def ca_key(self) -> bytes:
        return files.read(self.directory / "tls-ca.key", "the network's CA key")

    def _issuer_content(self) -> IssuerCredential:
        assert isinstance(self.issuer_record.content, IssuerCredential)
        return self.issuer_record.content

    def add(self, new: list[Record]) -> None:
        """Verify and keep records that were just issued, all or none."""
        for record in new:
            self.book.add(record)
        self.records += new
        files.replace(self.directory / "records.cbor", pack_records(self.records))

    def name_ward(self, ward: WardNames) -> None:
        """Remember how a ward is called."""
        self.wards[ward.code] = ward
        files.replace(self.directory / "wards.csv", _wards_csv(self.wards))

    def next_staff_serial(self) -> int:
        """1, 2, 3 without a gap: a node knows by it whether its roster is complete."""
        return self.book.roster_serial() + 1

    def next_node_serial(self) -> int:
        nodes = [r.content for r in self.records if isinstance(r.content, NodeCredential)]
        return max((node.serial for node in nodes), default=0) + 1


def create(directory: Path, name: str, drill: bool) -> Authority:
    """Make a new network.

    Raises:
        ConfigError: the directory holds something, or the name does not fit.
    """
    if not name.strip() or len(name) > NAME_CHARS_MAX:
        raise ConfigError(f"--name: expected 1 to {NAME_CHARS_MAX} characters")
    files.make_directory(directory)
    authority_seed, issuer_seed = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(KEY_BYTES)
    authority, issuer = Signer(authority_seed), Signer(issuer_seed)
    content = IssuerCredential(authority.public, issuer.public, 1, GENERATION_FIRST, name, drill)
    ca_key = x509.make_key()
    write_seed(directory / "authority.key", authority_seed)
    write_seed(directory / "issuer.key", issuer_seed)
    files.write_new(directory / "tls-ca.key", ca_key, files.SECRET_MODE)
    files.write_new(directory / "ca.crt", x509.make_ca(ca_key, name))
    files.write_new(directory / "wards.csv", _wards_csv({HQ_WARD[0]: WardNames(*HQ_WARD)}))
    record = make_issuer(authority, network_id(authority.public), content)
    files.write_new(directory / "records.cbor", pack_records([record]))
    return load(directory)


def load(directory: Path) -> Authority:
    """Open a network directory and check everything in it.

    Raises:
        ConfigError: it is not one, or a file in it is damaged.
    """
    check_network_dir(directory)
    path = directory / "records.cbor"
    records = unpack_records(files.read(path, "the network's records"), str(path))
    book = book_of(records, str(path))
    authority, issuer = (
        Signer(read_seed(directory / name)) for name in ("authority.key", "issuer.key")
    )
    mine = [
        record
        for record in records
        if isinstance(record.content, IssuerCredential) and record.content.key == issuer.public
    ]
    if not mine:
        raise ConfigError(f"{directory / 'issuer.key'} is not the issuer of this network")
    return Authority(directory, authority, issuer, mine[-1], book, records, _read_wards(directory))


def write_seed(path: Path, seed: bytes) -> None:
    """Keep a 32-byte secret as hex, readable by its owner only."""
    files.write_new(path, seed.hex().encode() + b"\n", files.SECRET_MODE)


def read_seed(path: Path) -> bytes:
    """A 32-byte secret."""
    try:
        seed = bytes.fromhex(files.read(path, "64 hex digits").decode("ascii").strip())
    except (ValueError, UnicodeDecodeError):
        seed = b""
    if len(seed) != KEY_BYTES:
        raise ConfigError(f"{path}: expected 64 hex digits")
    return seed


def pack_records(records: list[Record]) -> bytes:
    """Records as a file: a CBOR array of their bytes, parents first."""
    return encode([record.raw for record in records])


def unpack_records(data: bytes, where: str, expected: str = "a file of records") -> list[Record]:
    """What `pack_records` made; parsed, not verified.

    Raises:
        ConfigError: it is something else.
    """
    try:
        raws = decode(data, files.FILE_BYTES_MAX)
        if not isinstance(raws, list) or not all(isinstance(raw, bytes) for raw in raws):
            raise ConfigError(f"{where}: expected {expected}")
        return [read_record(raw) for raw in raws]
    except RemoteProtocolError as error:
        raise ConfigError(f"{where}: expected {expected}") from error


def book_of(records: list[Record], where: str) -> RecordBook:
    """Verify records that belong to one network.

    Raises:
        ConfigError: no issuer among them, or one does not verify.
    """
    issuers = [r.content for r in records if isinstance(r.content, IssuerCredential)]
    if not issuers:
        raise ConfigError(f"{where}: no issuer credential among the records")
    book = RecordBook(network_id(issuers[0].authority))
    try:
        for record in records:
            book.add(record)
    except RemoteProtocolError as error:
        raise ConfigError(
            f"{where}: a record in it does not verify; it is damaged or was altered"
        ) from error
    missing = sum(record.id not in book for record in records)
    if missing:
        raise ConfigError(f"{where}: records that others depend on are missing ({missing})")
    return book


def _wards_csv(wards: dict[str, WardNames]) -> bytes:
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["code", "name", "name_en"])
    rows.writerows([w.code, w.name, w.name_en] for _, w in sorted(wards.items()))
    return out.getvalue().encode()


def _read_wards(directory: Path) -> dict[str, WardNames]:
    path = directory / "wards.csv"
    try:
        text = files.read(path, "code,name,name_en").decode("utf-8")
        rows = list(csv.DictReader(io.StringIO(text)))
        return {row["code"]: WardNames(row["code"], row["name"], row["name_en"]) for row in rows}
    except (UnicodeDecodeError, KeyError, csv.Error) as error:
        raise ConfigError(f"{path}: expected columns code,name,name_en") from error
