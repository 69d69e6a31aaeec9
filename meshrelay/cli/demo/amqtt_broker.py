"""A broker for machines without Mosquitto: amqtt (MQTT 3.1.1), plain, loopback only.

Only for the demo. It has no ACL and keeps nothing; the demo's people, keys and
messages are made up, and every entry is signed anyway.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Sequence
from typing import Any

from meshrelay.errors import ConfigError

# Four nodes, and what is left of them after a cut.
CONNECTIONS_MAX = 20


def broker_config(host: str, port: int) -> dict[str, Any]:
    """amqtt's configuration: one listener, anonymous, no plug-ins besides that."""
    return {
        "listeners": {
            "default": {
                "type": "tcp",
                "bind": f"{host}:{port}",
                "max_connections": CONNECTIONS_MAX,
            }
        },
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }


async def run(host: str, port: int) -> None:
    """Serve until killed: it keeps nothing, so SIGTERM may end it where it stands."""
    from amqtt.broker import Broker

    await Broker(broker_config(host, port)).start()
    await asyncio.Event().wait()


def main(argv: Sequence[str]) -> int:
    logging.basicConfig(level=logging.WARNING)
    try:
        asyncio.run(run(argv[0], int(argv[1])))
    except ImportError as error:
        raise ConfigError(
            "no broker: install Mosquitto (apt install mosquitto) or `meshrelay[demo]`"
        ) from error
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ConfigError as problem:
        print(f"meshrelay: {problem}", file=sys.stderr)
        sys.exit(2)
