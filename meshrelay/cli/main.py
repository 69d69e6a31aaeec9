"""The command line: one word order, one way to answer, one way to fail.

Exit codes: 0 done, 1 refused (or an expectation did not hold), 2 configuration.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from meshrelay.cli import (
    archive,
    authority_commands,
    broker,
    config,
    courier,
    issuer,
    network,
    node,
    records,
    staff,
    status,
)
from meshrelay.cli.demo import command as demo
from meshrelay.errors import ConfigError, MeshRelayError, RefusedError

DONE, REFUSED, CONFIGURATION = 0, 1, 2

_ABOUT = """meshrelay keeps a city talking when the phone network is down."""
_START = """start here:
  meshrelay demo                     a whole city on this machine, with a story

a real network, in this order:
  meshrelay network create NETDIR --name 大阪市
  meshrelay node request DIR --name 北区役所
  meshrelay issuer sign NETDIR DIR/request.cbor --ward 01 --ward-name 北区 -o answer.cbor
  meshrelay node enrol DIR answer.cbor
  meshrelay staff import NETDIR staff.csv
  meshrelay staff bind NETDIR STAFF-ID             (hq, instructor, registrar: in person)
  meshrelay staff cards NETDIR --address 01=192.0.2.10:8101 -o cards
  meshrelay issuer records NETDIR -o records.cbor  (after the last bind)
  meshrelay records import DIR records.cbor
  meshrelay broker make NETDIR --host broker.example -o broker    (if you have a WAN)
  meshrelay config check DIR
  meshrelay node run DIR
  meshrelay status http://127.0.0.1:8101

exit codes: 0 done, 1 refused, 2 configuration
"""


def parser() -> argparse.ArgumentParser:
    """The whole grammar of the command line."""
    top = argparse.ArgumentParser(
        prog="meshrelay",
        description=_ABOUT,
        epilog=_START,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    groups = top.add_subparsers(metavar="COMMAND", required=True)
    for group in (
        network, authority_commands, issuer, node, staff, records, courier, archive, broker,
        status, config, demo,
    ):  # fmt: skip
        group.register(groups)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; an error is one sentence, never a trace."""
    args = parser().parse_args(argv)
    try:
        code: int = args.run(args)
    except ConfigError as error:
        return _failed(args, error, CONFIGURATION)
    except RefusedError as error:
        return _failed(args, error, REFUSED)
    except MeshRelayError as error:
        return _failed(args, error, REFUSED, error.sentence())
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away, as `head` does
        return REFUSED
    return code


def _failed(args: argparse.Namespace, error: MeshRelayError, code: int, sentence: str = "") -> int:
    text = f"{sentence} ({error})" if sentence and str(error) else sentence or str(error)
    if isinstance(error, RefusedError) and error.next_ja:
        text = f"{error.ja} {error.next_ja} / {error.en} {error.next_en}"
    if args.json:
        print(json.dumps({"error": text, "exit": code}, ensure_ascii=False))
    print(f"meshrelay: {text}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
