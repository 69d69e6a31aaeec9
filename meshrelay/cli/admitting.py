"""What `issuer sign` and `issuer listen` share: the ward of a node, and what is said of it."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from meshrelay.errors import ConfigError

if TYPE_CHECKING:
    from meshrelay.cli.authority import Authority
    from meshrelay.cli.enrolment import Request
    from meshrelay.cli.wards import WardNames
    from meshrelay.core.records import Record


def add_ward(command: argparse.ArgumentParser) -> None:
    """Options that say where a node belongs."""
    command.add_argument("--ward", required=True, help="two digits; 00 is 本部")
    command.add_argument("--ward-name", help="Japanese name of the ward, e.g. 北区")
    command.add_argument("--ward-name-en", help="English name of the ward, e.g. Kita")
    command.add_argument("--role", choices=("node", "archive"), default="node")


def ward_of(opened: Authority, args: argparse.Namespace) -> WardNames:
    """The ward that the options name; a new one is remembered.

    Raises:
        ConfigError: no code, or a name is missing or contradicts the known one.
    """
    from meshrelay.cli.wards import WardNames
    from meshrelay.core.records import NAME_CHARS_MAX

    if not re.fullmatch(r"\d\d", args.ward):
        raise ConfigError(f"--ward {args.ward}: expected two digits, e.g. 01")
    known = opened.wards.get(args.ward)
    if known is None and not args.ward_name:
        raise ConfigError(
            f"--ward {args.ward}: no such ward yet; name it with --ward-name and --ward-name-en"
        )
    if known is not None and args.ward_name in (None, known.name):
        return known
    if known is not None:
        raise ConfigError(f"--ward {args.ward} is {known.name} already, not {args.ward_name}")
    for name in (args.ward_name, args.ward_name_en or ""):
        if len(name) > NAME_CHARS_MAX or not name.isprintable():
            raise ConfigError(f"--ward-name: expected at most {NAME_CHARS_MAX} characters")
    ward = WardNames(args.ward, args.ward_name, args.ward_name_en or args.ward_name)
    opened.name_ward(ward)
    return ward


def admitted(request: Request, ward: WardNames, role: str, record: Record) -> dict[str, str]:
    """Who was admitted, for machines."""
    return {
        "node": request.node.hex(),
        "name": request.name,
        "ward": ward.code,
        "role": role,
        "credential": record.id.hex(),
    }


def admitted_line(request: Request, ward: WardNames, role: str) -> str:
    """Who was admitted, for people."""
    kind = "an archive" if role == "archive" else "a node"
    return f"{request.name} is {kind} of {ward.name} ({ward.code})"
