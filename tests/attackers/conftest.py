"""What several attackers start from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.attackers.rogue import Rogue, captured


@pytest.fixture
async def rogue(tmp_path: Path) -> AsyncIterator[Rogue]:
    """Ward 02's node in bad hands, on a link to 北区."""
    async with captured(tmp_path) as taken:
        yield taken
