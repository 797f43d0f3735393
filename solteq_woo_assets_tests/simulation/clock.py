"""One virtual clock for everybody, with a skew for each side."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import time_machine

from solteq_woo_sandbox.clock import Clock


class VirtualClock:
    """The true time, and what the three machines take it for.

    This process's own time is that of the integration's machine; the stand-ins are ahead of it or behind it.

    :param start: naive UTC
    """

    def __init__(self, start: datetime) -> None:
        self._seconds = start.replace(tzinfo=UTC).timestamp()
        self._ahead = {"ours": 0.0, "solteq": 0.0, "woo": 0.0}
        self._stand_ins: dict[str, Clock] = {}
        self._traveller: time_machine.Traveller | None = None

    @property
    def now(self) -> datetime:
        """The true time, naive UTC."""
        return datetime.fromtimestamp(self._seconds, UTC).replace(tzinfo=None)

    @property
    def seconds(self) -> float:
        """The true time since 1970; it never goes back."""
        return self._seconds

    def set_by(self, side: str, clock: Clock) -> None:
        """Let a stand-in's clock follow."""
        self._stand_ins[side] = clock
        self._show()

    def advance(self, seconds: float) -> None:
        """Time passes for everybody."""
        self._seconds += seconds
        self._show()

    def skew(self, side: str, seconds: float) -> None:
        """From now on the clock of ``ours``, ``solteq`` or ``woo`` is so far ahead of the true time."""
        self._ahead[side] = seconds
        self._show()

    def ahead(self, side: str) -> float:
        """How far the clock of a side is ahead of the true time, in seconds."""
        return self._ahead[side]

    def _show(self) -> None:
        if self._traveller is not None:
            self._traveller.move_to(self._seconds + self._ahead["ours"])
        for side, clock in self._stand_ins.items():
            clock.ahead_seconds = self._ahead[side] - self._ahead["ours"]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let it be the time of this process."""
        with time_machine.travel(self._seconds + self._ahead["ours"], tick=False) as self._traveller:
            yield
        self._traveller = None
