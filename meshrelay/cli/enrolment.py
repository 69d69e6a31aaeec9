"""How a node joins: a request that proves its keys, and the issuer's answer.

    request  [node key, COSE_Sign1 by it over [name, box key, certificate request DER]]
    answer   [ward, CA PEM, certificate PEM, [records, parents first]]

Both are CBOR files that travel by USB stick; a request may also be photographed as a QR
code, whose text begins with MR1:. The answer holds nothing that others could use: the
transit key in it is sealed to the node's own box key.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from meshrelay.cli import files, x509
from meshrelay.cli.authority import Authority
from meshrelay.cli.issuer_request import authority_records
from meshrelay.cli.recordfile import book_of, with_parents
from meshrelay.cli.wards import WardNames
from meshrelay.core.book import RecordBook
from meshrelay.core.codec import decode, encode, is_bytes, is_text
from meshrelay.core.records import (
    NAME_CHARS_MAX,
    ROLE_ARCHIVE,
    NodeCredential,
    Record,
    Revocation,
    Suspension,
    Transit,
    make_node,
    read_record,
)
from meshrelay.core.signing import KEY_BYTES, Signer, verify1
from meshrelay.errors import ConfigError, FrameError, RemoteProtocolError

REQUEST_BYTES_MAX = 8 * 1024
# Letters and digits that QR codes pack densely (ISO/IEC 18004, alphanumeric mode).
TEXT_PREFIX = "MR1:"
_KEY_AT = slice(3, 3 + KEY_BYTES)  # of a request: after the heads of its array and of the key
REQUEST_AAD = b"meshrelay/request/1"


class Request(NamedTuple):
    """What a node asks to be called, and its keys."""

    node: bytes
    name: str
    box: bytes
    certificate_request: bytes


def make_request(signer: Signer, name: str, box: bytes, tls_key_pem: bytes) -> bytes:
    """The request file of a node.

    Raises:
        ConfigError: the name does not fit.
    """
    if not name.strip() or len(name) > NAME_CHARS_MAX or not name.isprintable():
        raise ConfigError(f"--name: expected 1 to {NAME_CHARS_MAX} characters")
    csr = x509.to_der(x509.make_request(tls_key_pem, signer.public.hex()))
    return encode([signer.public, signer.sign1(encode([name, box, csr]), REQUEST_AAD)])


def request_text(data: bytes) -> str:
    """A request as its QR code says it.

    The name in the certificate request is the node's key in hex: said once, the code fits a
    terminal of 80 columns.
    """
    before, _, after = data.partition(data[_KEY_AT].hex().encode("ascii"))
    return TEXT_PREFIX + base64.b32encode(encode([before, after])).decode("ascii").rstrip("=")


def request_bytes(data: bytes) -> bytes:
    """A request, whether it came as a file or as the text of its QR code."""
    text = b"".join(data.upper().split())
    if not text.startswith(TEXT_PREFIX.encode()):
        return data
    symbols = text[len(TEXT_PREFIX) :]
    try:
        packed = base64.b32decode(symbols + b"=" * (-len(symbols) % 8))
        before, after = decode(packed, REQUEST_BYTES_MAX)
        return bytes(before + before[_KEY_AT].hex().encode("ascii") + after)
    except (binascii.Error, FrameError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError("the text of the QR code is incomplete; scan it again") from error


def read_request(data: bytes, where: str) -> Request:
    """A request whose signature was checked.

    Raises:
        ConfigError: it is not one, or it was altered.
    """
    try:
        outer = decode(data, REQUEST_BYTES_MAX)
        if not (
            isinstance(outer, list)
            and len(outer) == 2
            and is_bytes(outer[0], KEY_BYTES)
            and isinstance(outer[1], bytes)
        ):
            raise ConfigError(f"{where}: expected a file made by `meshrelay node request`")
        node, cose = outer
        fields = decode(verify1(cose, node, REQUEST_AAD), REQUEST_BYTES_MAX)
    except RemoteProtocolError as error:
        raise ConfigError(
            f"{where}: not a file made by `meshrelay node request`, or it was altered"
        ) from error
    if not (
        isinstance(fields, list)
        and len(fields) == 3
        and is_text(fields[0], NAME_CHARS_MAX)
        and fields[0].strip()
        and fields[0].isprintable()  # it comes from elsewhere: no control and bidi characters
        and is_bytes(fields[1], KEY_BYTES)
        and isinstance(fields[2], bytes)
    ):
        raise ConfigError(f"{where}: expected a file made by `meshrelay node request`")
    return Request(node, fields[0], fields[1], x509.request_pem(fields[2]))


def sign_request(
    authority: Authority, request: Request, ward: WardNames, archive: bool
) -> tuple[Record, bytes]:
    """Admit a node: its credential, and the answer file.

    What was issued is kept in the network directory. A node that was admitted to the same
    ward with the same keys gets the credential that it has.

    Raises:
        ConfigError: the certificate request is not for this node, or the node was revoked.
    """
    if request.node in authority.book.revoked:
        raise ConfigError(
            f"{request.name}: this node was revoked; make new keys on it: "
            "meshrelay node request in a new directory"
        )
    certificate = _certificate(authority, request)
    content = NodeCredential(
        authority.issuer_record.id,
        request.node,
        x509.spki_sha256(certificate),
        request.box,
        [ROLE_ARCHIVE] if archive else [],
        ward.code,
        ward.name,
        ward.name_en,
        request.name,
        authority.next_node_serial(),
        authority.generation,
    )
    known = authority.book.nodes.get(request.node)
    if known is None or known._replace(serial=content.serial) != content:
        record = make_node(authority.issuer, authority.network, content)
        authority.add([record])
    else:
        record = authority.book.by_id[authority.book.node_records[request.node]]
    authority.add(authority.transit_for([request.node]))
    return record, _answer(authority, ward.code, certificate, _for_a_node(authority, request.node))


def answer_again(authority: Authority, request: Request) -> bytes:
    """A newer answer for a node that was admitted before, with every record issued since,
    the roster too.

    Raises:
        ConfigError: no credential was issued for it.
    """
    known = authority.book.nodes.get(request.node)
    if known is None:
        raise ConfigError(f"{request.name}: not admitted yet; run `meshrelay issuer sign`")
    certificate = _certificate(authority, request)
    return _answer(authority, known.ward, certificate, authority.records)


def _for_a_node(authority: Authority, node: bytes) -> list[Record]:
    """What a new node needs to meet the others; the roster it gets from them."""
    book = authority.book
    wanted = [
        record
        for record in authority.records
        if isinstance(record.content, NodeCredential | Revocation | Suspension)
    ]
    keys = [record for record in authority.records if is_transit_of(record, node)]
    return with_parents(book, [*authority_records(authority.records), *wanted, *keys])


def is_transit_of(record: Record, node: bytes) -> bool:
    """Whether a record brings a transit key to this node."""
    return isinstance(record.content, Transit) and record.content.node == node


def _certificate(authority: Authority, request: Request) -> bytes:
    certificate = x509.sign_request(authority.ca_key, authority.ca, request.certificate_request)
    if x509.common_name(certificate) != request.node.hex():
        raise ConfigError("the certificate request names another node")
    return certificate


def _answer(
    authority: Authority, ward: str, certificate: bytes, records: Iterable[Record]
) -> bytes:
    return encode([ward, authority.ca, certificate, [known.raw for known in records]])


@dataclass(frozen=True)
class Answer:
    """A verified answer for this node."""

    ward: str
    ca: bytes
    certificate: bytes
    records: list[Record]
    book: RecordBook


def read_answer(data: bytes, where: str, node: bytes, tls_key_pem: bytes, box: bytes) -> Answer:
    """The issuer's answer, checked against this node's own keys.

    Raises:
        ConfigError: for another node, altered, or not from one network.
    """
    try:
        fields = decode(data, files.FILE_BYTES_MAX, files.FILE_ITEMS_MAX)
        if not (
            isinstance(fields, list)
            and len(fields) == 4
            and isinstance(fields[0], str)
            and isinstance(fields[1], bytes)
            and isinstance(fields[2], bytes)
            and isinstance(fields[3], list)
            and all(isinstance(raw, bytes) for raw in fields[3])
        ):
            raise ConfigError(f"{where}: expected a file made by `meshrelay issuer sign`")
        records = [read_record(raw) for raw in fields[3]]
    except RemoteProtocolError as error:
        raise ConfigError(
            f"{where}: not a file made by `meshrelay issuer sign`, or it was altered"
        ) from error
    book = book_of(records, where)
    ward, ca, certificate = fields[:3]
    mine = book.nodes.get(node)
    if mine is None:
        raise ConfigError(f"{where}: this answer is for another node")
    if (node, mine.generation) not in book.transit:
        raise ConfigError(f"{where}: no transit key for this node in it; have it signed again")
    x509.check_issued(ca, certificate)
    own_key = x509.spki_sha256(x509.make_request(tls_key_pem, node.hex()))
    if not (
        mine.tls_spki_sha256 == x509.spki_sha256(certificate) == own_key
        and mine.box == box
        and mine.ward == ward
    ):
        raise ConfigError(f"{where}: the answer does not match this node's keys")
    return Answer(ward, ca, certificate, records, book)


def read_answer_file(path: Path) -> bytes:
    return files.read(path, "a file made by `meshrelay issuer sign`")


def renew(authority: Authority) -> list[Record]:
    """Credentials of the current generation for nodes in good standing that have an older one."""
    book = authority.book
    behind = [
        node
        for key, node in book.nodes.items()
        if key not in book.revoked and node.generation < authority.generation
    ]
    first = authority.next_node_serial()
    return [
        make_node(
            authority.issuer,
            authority.network,
            node._replace(
                issuer=authority.issuer_record.id,
                serial=first + number,
                generation=authority.generation,
            ),
        )
        for number, node in enumerate(sorted(behind, key=lambda each: each.serial))
    ]


def of_generation(authority: Authority) -> list[Record]:
    """Credentials and transit keys of the current generation."""
    return [
        record
        for record in authority.records
        if isinstance(record.content, NodeCredential | Transit)
        and record.content.generation == authority.generation
    ]
