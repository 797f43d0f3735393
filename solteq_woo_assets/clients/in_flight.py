"""How many requests may be under way at once: fewer while the other side is in trouble, more again slowly."""

from collections.abc import Hashable

GOOD_RUN = 20
"""Good answers in a row before one more request is let out."""
NOISE_SECONDS = 0.2
"""Below this, slower than the best tells of the network rather than of load."""
_RISE = 2.0
_WEIGHT = 0.5  # of the newest time in the smoothed one: two slow answers count, one does not always
_FORGETTING = 1.02  # so that a store that has grown slower for good is not held to its youth


class InFlightLimit:
    """Feed it every answer; ``limit`` is how many requests may be under way. Not thread-safe.

    Times are compared within a kind only, so a kind is everything that makes a request cheap or dear: its route, what
    is asked, and how much, by powers of two. Sizes within a kind then differ less than times must to count as rising.

    :param most: never above this, and never below 1
    """

    def __init__(self, most: int) -> None:
        self.most = max(1, most)
        self.limit = self.most
        self._good = 0
        self._best: dict[Hashable, float] = {}
        self._smoothed: dict[Hashable, float] = {}

    def answered(self, kind: Hashable, seconds: float) -> None:
        """A good answer arrived."""
        if self._rises(kind, seconds):
            self.troubled()
            return
        self._good += 1
        if self._good >= GOOD_RUN:
            self._good = 0
            self.limit = min(self.most, self.limit + 1)

    def troubled(self) -> None:
        """A 429, a 5xx, a broken connection, or an answer that took much longer than they do."""
        self._good = 0
        self.limit = max(1, self.limit // 2)
        self._smoothed.clear()  # times under the old limit say nothing about the new one

    def _rises(self, kind: Hashable, seconds: float) -> bool:
        best = min(seconds, self._best.get(kind, seconds) * _FORGETTING)
        smoothed = self._smoothed.get(kind, best)
        smoothed += _WEIGHT * (seconds - smoothed)
        self._best[kind], self._smoothed[kind] = best, smoothed
        return smoothed > _RISE * best and smoothed - best > NOISE_SECONDS
