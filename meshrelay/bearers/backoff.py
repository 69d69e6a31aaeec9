"""How long to wait before the next try.

Decorrelated jitter (M. Brooker, "Exponential Backoff And Jitter", AWS 2015): a city of
nodes that lost the same broker in the same second must not come back in the same second.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass
class Backoff:
    """Seconds to wait after each failure, between `base_s` and `cap_s`.

    Call `reset` when contact was made. The wait is random on purpose: never build a
    time-out on one value.
    """

    base_s: float
    cap_s: float
    rng: random.Random = field(default_factory=random.Random)
    _last_s: float = 0.0

    def next_s(self) -> float:
        """The next wait; grows up to threefold until `cap_s`."""
        last_s = max(self._last_s, self.base_s)
        self._last_s = min(self.cap_s, self.rng.uniform(self.base_s, last_s * 3))
        return self._last_s

    def reset(self) -> None:
        """Contact was made: the next failure starts from `base_s` again."""
        self._last_s = 0.0
