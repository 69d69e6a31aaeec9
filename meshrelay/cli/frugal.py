"""What keeps the process of a node small; call it before anything large is imported.

With 30,000 staff both together take 3 MB of 85 (`make bench ARGS='--only roster'`).
"""

from __future__ import annotations

import ctypes
import os

# mallopt(3): blocks from this size on go back to the kernel when they are freed. glibc raises the
# limit with every such block, so that a growing table leaves holes as large as itself.
_M_MMAP_THRESHOLD, _BLOCK_BYTES = -3, 64 * 1024


def be_frugal() -> None:
    """Set what the allocator and OpenSSL read once."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _BLOCK_BYTES)
    # aiohttp reads every CA of the system for clients; a node trusts its own city's alone.
    os.environ["SSL_CERT_FILE"] = os.devnull
