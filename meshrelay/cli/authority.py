"""The issuer's directory of one network: issuer key, TLS CA, ward list, every record issued.

    NETDIR/issuer.key tls-ca.key      secrets of the issuer, 0600
    NETDIR/transit.secret             transit keys, a generation and 64 hex digits a line, 0600
    NETDIR/cards.secret               card codes, so that a card can be printed again, 0600
    NETDIR/ca.crt                     PEM
    NETDIR/wards.csv                  code,name,name_en,address
    NETDIR/records.cbor               array of records, in the order they were issued
    NETDIR/issuer-request.cbor        what the authority is asked to sign
    NETDIR/authority/                 the authority, until it is moved to two USB sticks

The authority's own key is no part of it (`authdir`): it is mounted where hq is concerned.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from meshrelay.cli import authdir, files, sealing, x509
from meshrelay.cli.files import read_seed, write_seed
from meshrelay.cli.issuer_request import (
    REQUEST_FILE,
    authority_records,
    make_request,
    newest_credential,
    read_request,
)
from meshrelay.cli.places import check_network_dir
from meshrelay.cli.recordfile import (
    book_of,
    pack_records,
    unpack_records,
)
from meshrelay.cli.wards import HQ_WARD, WARDS_FILE, WardNames, read_wards, wards_csv
from meshrelay.core.book import RecordBook
from meshrelay.core.records import (
    ROLE_HQ,
    IssuerCredential,
    NodeCredential,
    Record,
    StaffCredential,
    Transit,
    make_transit,
)
from meshrelay.core.signing import KEY_BYTES, Signer
from meshrelay.errors import ConfigError

AUTHORITY_DIRECTORY = "authority"
RECORDS_FILE, TRANSIT_FILE = "records.cbor", "transit.secret"

__all__ = ["WardNames", "book_of", "pack_records", "unpack_records"]


@dataclass
class Authority:
    """An opened network directory. `authority`: its authority's key, while it is mounted."""

    directory: Path
    issuer: Signer
    issuer_record: Record
    book: RecordBook
    records: list[Record]
    wards: dict[str, WardNames]
    authority: Signer | None = None
    transit: dict[int, bytes] = field(default_factory=dict)

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
        path = self.directory / "tls-ca.key"
        files.check_secret(path)
        return files.read(path, "the network's CA key")

    def _issuer_content(self) -> IssuerCredential:
        assert isinstance(self.issuer_record.content, IssuerCredential)
        return self.issuer_record.content

    def add(self, new: list[Record]) -> None:
        """Verify and keep records that were just issued, all or none."""
        for record in new:
            self.book.add(record)
        self.records += new
        files.replace(self.directory / RECORDS_FILE, pack_records(self.records))

    def name_ward(self, ward: WardNames) -> None:
        """Remember how a ward is called."""
        self.wards[ward.code] = ward
        files.replace(self.directory / WARDS_FILE, wards_csv(self.wards))

    def next_staff_serial(self) -> int:
        """1, 2, 3 without a gap: a node knows by it whether its roster is complete."""
        return self.book.roster_serial() + 1

    def next_node_serial(self) -> int:
        nodes = [r.content for r in self.records if isinstance(r.content, NodeCredential)]
        return max((node.serial for node in nodes), default=0) + 1

    def speaker_for(self, roles: Collection[str]) -> tuple[Record, Signer]:
        """Issuer credential and key that speak of people with these roles.

        Raises:
            ConfigError: for role hq the authority is needed and is not mounted.
        """
        if ROLE_HQ not in roles:
            return self.issuer_record, self.issuer
        if self.authority is None:
            raise ConfigError(
                "role hq takes the authority's word: put the authority's stick in and give "
                "--authority AUTHDIR"
            )
        mine = [
            (content.generation, content.serial, record)
            for record, content in self._own_credentials()
            if content.authority == self.authority.public
        ]
        return max(mine, key=lambda row: row[:2])[2], self.authority

    def _own_credentials(self) -> list[tuple[Record, IssuerCredential]]:
        return [
            (record, record.content)
            for record in self.records
            if isinstance(record.content, IssuerCredential)
            and record.content.key == self.issuer.public
        ]

    def mount(self, stick: authdir.Stick, signer: Signer) -> None:
        """Have the authority at hand; one that never spoke for this issuer does so now.

        Raises:
            ConfigError: it is the authority of another network.
        """
        if stick.network != self.network:
            raise ConfigError(f"{stick.directory} is the authority of another network")
        known = authority_records(self.records)
        self.accept(authdir.issue(stick, signer, self.issuer.public, known, raised=False))
        self.authority = signer

    def accept(self, records: list[Record]) -> None:
        """Take the authority's records in, and speak by the newest credential from now on."""
        new = [record for record in records if record.id not in self.book]
        if not new:
            return
        self.add(new)
        self.issuer_record = newest_credential(self.records, self.issuer.public)
        files.replace(self.directory / REQUEST_FILE, make_request(self.issuer, self.records))

    def transit_for(self, nodes: Iterable[bytes]) -> list[Record]:
        """Transit records of the current generation for nodes that have none yet."""
        generation = self.generation
        made = []
        for node in nodes:
            if (node, generation) not in self.book.transit:
                sealed = sealing.seal_to(self.book.nodes[node].box, self._transit_key(generation))
                content = Transit(self.issuer_record.id, node, generation, sealed)
                made.append(make_transit(self.issuer, self.network, content))
        return made

    def _transit_key(self, generation: int) -> bytes:
        if generation not in self.transit:
            self.transit[generation] = secrets.token_bytes(KEY_BYTES)
            lines = [f"{number} {key.hex()}\n" for number, key in sorted(self.transit.items())]
            path = self.directory / TRANSIT_FILE
            files.replace(path, "".join(lines).encode(), files.SECRET_MODE)
        return self.transit[generation]

    def people(self) -> dict[str, tuple[bytes, StaffCredential]]:
        """Staff number -> newest credential (record id and content) that was not revoked."""
        return {
            number: (record, self.book.staff[record])
            for number, record in self.book.staff_by_number.items()
            if record not in self.book.struck
        }


def create(
    directory: Path,
    name: str,
    drill: bool,
    passphrase: str | None = None,
    authority_directory: Path | None = None,
) -> Authority:
    """Make a new network, authority and issuer in one go; the authority is mounted.

    Without a passphrase its key is not wrapped: for demonstrations and tests.

    Raises:
        ConfigError: a directory holds something, or the name does not fit.
    """
    if authority_directory is not None:
        files.check_new(directory)
    else:
        files.make_directory(directory)
    beside = authority_directory or directory / AUTHORITY_DIRECTORY
    stick = authdir.create(beside, name, drill, passphrase)
    signer = authdir.unlock(stick, passphrase or "")
    if authority_directory is not None:
        files.make_directory(directory)
    request = _fill(directory)
    issuer, known = read_request(request, "the issuer's request")
    accept(directory, authdir.issue(stick, signer, issuer, known, raised=False), "the authority")
    made = load(directory)
    made.authority = signer
    return made


def create_issuer(directory: Path) -> bytes:
    """An issuer's directory that waits for the authority; returns its request.

    Raises:
        ConfigError: the directory holds something.
    """
    files.make_directory(directory)
    return _fill(directory)


def _fill(directory: Path) -> bytes:
    seed = secrets.token_bytes(KEY_BYTES)
    write_seed(directory / "issuer.key", seed)
    files.write_new(directory / "tls-ca.key", x509.make_key(), files.SECRET_MODE)
    files.write_new(directory / WARDS_FILE, wards_csv({HQ_WARD.code: HQ_WARD}))
    request = make_request(Signer(seed), [])
    files.write_new(directory / REQUEST_FILE, request)
    return request


def accept(directory: Path, records: list[Record], where: str) -> Authority:
    """Take in what `authority issue` or `authority raise` wrote.

    Raises:
        ConfigError: it is for another issuer, of another network, or does not verify.
    """
    check_network_dir(directory)
    book = book_of(records, where)
    issuer = Signer(read_seed(directory / "issuer.key"))
    newest_credential(records, issuer.public, where)
    if (directory / RECORDS_FILE).exists():
        opened = load(directory)
        if opened.network != book.network:
            raise ConfigError(f"{where}: is of another network than {directory}")
        opened.accept(records)
        return opened
    content = newest_credential(records, issuer.public).content
    assert isinstance(content, IssuerCredential)
    ca_key = files.read(directory / "tls-ca.key", "the network's CA key")
    files.replace(directory / "ca.crt", x509.make_ca(ca_key, content.network_name))
    files.replace(directory / REQUEST_FILE, make_request(issuer, records))
    files.write_new(directory / RECORDS_FILE, pack_records(records))
    return load(directory)


def rekey(opened: Authority, stick: authdir.Stick, signer: Signer) -> Authority:
    """A new issuer key in a new generation; what the old key signs from now on falls behind.

    Raises:
        ConfigError: `stick` is the authority of another network.
    """
    seed = secrets.token_bytes(KEY_BYTES)
    known = authority_records(opened.records)
    issued = authdir.issue(stick, signer, Signer(seed).public, known, raised=True)
    # The key comes last: until then the old one speaks for this directory.
    opened.add([record for record in issued if record.id not in opened.book])
    path = opened.directory / "issuer.key"
    files.replace(path, seed.hex().encode() + b"\n", files.SECRET_MODE)
    renewed = load(opened.directory)
    files.replace(opened.directory / REQUEST_FILE, make_request(renewed.issuer, renewed.records))
    return renewed


def load(directory: Path) -> Authority:
    """Open a network directory and check everything in it.

    An authority beside it is mounted if its key is not wrapped.

    Raises:
        ConfigError: it is not one, or a file in it is damaged or open to others.
    """
    check_network_dir(directory)
    path = directory / RECORDS_FILE
    issuer = Signer(read_seed(directory / "issuer.key"))
    if not path.exists():
        raise ConfigError(
            f"{directory} waits for the authority: carry {directory / REQUEST_FILE} to it "
            "(`meshrelay authority issue`) and its answer back (`meshrelay issuer accept`)"
        )
    records = unpack_records(files.read(path, "the network's records"), str(path))
    book = book_of(records, str(path))
    newest = newest_credential(records, issuer.public, str(directory / "issuer.key"))
    opened = Authority(directory, issuer, newest, book, records, read_wards(directory))
    opened.transit = _read_transit(directory / TRANSIT_FILE)
    beside = directory / AUTHORITY_DIRECTORY
    if (beside / authdir.KEY_FILE).exists():
        stick = authdir.read(beside)
        if not stick.is_wrapped:
            opened.mount(stick, authdir.unlock(stick, ""))
    return opened


def _read_transit(path: Path) -> dict[int, bytes]:
    if not path.exists():
        return {}
    files.check_secret(path)
    try:
        rows = [line.split() for line in files.read(path, "transit keys").decode().splitlines()]
        found = {int(number): bytes.fromhex(key) for number, key in rows}
    except ValueError as error:
        raise ConfigError(f"{path}: expected a generation and 64 hex digits a line") from error
    if any(len(key) != KEY_BYTES for key in found.values()):
        raise ConfigError(f"{path}: expected a generation and 64 hex digits a line")
    return found
