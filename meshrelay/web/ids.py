"""UUIDv7 (RFC 9562 section 5.7): message ids made for pages without script."""

from __future__ import annotations

import secrets
import uuid


def uuid7(now_ms: int) -> str:
    """A new id; sorts by time to the millisecond."""
    value = (now_ms & 0xFFFF_FFFF_FFFF) << 80
    value |= 0x7 << 76 | secrets.randbits(12) << 64
    value |= 0b10 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=value))
