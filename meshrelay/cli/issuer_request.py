"""What an issuer asks its authority to sign, and which of the answers is in force.

request   [issuer key, COSE_Sign1 by it over [issuer credentials and successors it knows]]
"""

from __future__ import annotations

from collections.abc import Iterable

from meshrelay.cli import files
from meshrelay.cli.recordfile import unpack_records
from meshrelay.core.codec import decode, encode, is_bytes
from meshrelay.core.records import IssuerCredential, Record, Successor
from meshrelay.core.signing import KEY_BYTES, Signer, verify1
from meshrelay.errors import ConfigError, RemoteProtocolError

REQUEST_FILE = "issuer-request.cbor"
_REQUEST_AAD = b"meshrelay/issuer-request/1"


def newest_credential(records: Iterable[Record], issuer: bytes, where: str = "") -> Record:
    """The credential of this issuer with the highest generation and serial.

    Raises:
        ConfigError: there is none.
    """
    mine = [
        (record.content.generation, record.content.serial, record)
        for record in records
        if isinstance(record.content, IssuerCredential) and record.content.key == issuer
    ]
    if not mine:
        raise ConfigError(f"{where}: no credential for this issuer; is it of another network?")
    return max(mine, key=lambda row: row[:2])[2]


def authority_records(records: Iterable[Record]) -> list[Record]:
    """What authorities signed to say who they and the issuers are."""
    return [r for r in records if isinstance(r.content, IssuerCredential | Successor)]


def make_request(issuer: Signer, records: Iterable[Record]) -> bytes:
    """What an issuer asks its authority to sign: its key, and the authorities' records it knows."""
    raws = [record.raw for record in authority_records(records)]
    return encode([issuer.public, issuer.sign1(encode(raws), _REQUEST_AAD)])


def read_request(data: bytes, where: str) -> tuple[bytes, list[Record]]:
    """(issuer's public key, records it knows) of a request whose signature was checked.

    Raises:
        ConfigError: it is not one, or it was altered.
    """
    expected = f"{where}: expected the {REQUEST_FILE} of `meshrelay issuer create`"
    try:
        fields = decode(data, files.FILE_BYTES_MAX)
        if not (
            isinstance(fields, list)
            and len(fields) == 2
            and is_bytes(fields[0], KEY_BYTES)
            and isinstance(fields[1], bytes)
        ):
            raise ConfigError(expected)
        return fields[0], unpack_records(verify1(fields[1], fields[0], _REQUEST_AAD), where)
    except RemoteProtocolError as error:
        raise ConfigError(expected) from error
