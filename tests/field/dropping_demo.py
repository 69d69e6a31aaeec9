"""`meshrelay demo` with nodes of the planted fault `dropping_node`."""

from __future__ import annotations

import sys

from meshrelay.cli.demo.command import run_with
from meshrelay.cli.main import parser

if __name__ == "__main__":
    command = (sys.executable, "-m", "tests.field.dropping_node")
    sys.exit(run_with(parser().parse_args(sys.argv[1:]), command))
