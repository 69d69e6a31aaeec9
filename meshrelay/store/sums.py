"""Checksums of what no signature covers: verdicts, times and answers that this node wrote itself.

They tell a flipped bit (CRC-32, ISO 3309), not a forger: whoever can write the file can do more.
"""

from __future__ import annotations

from zlib import crc32


def sum_of(*values: object) -> int:
    """One number over some integers, texts, byte strings or None."""
    return crc32(repr(values).encode("utf-8", "surrogatepass"))
