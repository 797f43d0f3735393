"""Whom to tell what when: at most one alert per cause and pause, and one when it is over.

One row stands for one cause on one channel, so that a channel that is down neither stops the other nor makes it tell
twice. What was told counts by the run that failed, not by the clock that stamped it.

- A failure is told unless the same cause was told less than a pause ago. While it lasts it is told again when it has
  failed again, once a pause at most.
- That it is over is told at once, when somebody was told that it began. What fails and is over before that is not told.
- Failed again within the pause: told when the pause ends, if it still lasts.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, Self

Due = Literal["failing", "over", "forget"]
UNCERTAIN = ""
"""Stands for the run that was told of when it is not known whether the message arrived: told again after the pause."""


@dataclass(frozen=True)
class Alert:
    """A cause on a channel; a row of ``sync.alerts``. Times are naive UTC."""

    cause: str
    channel: str
    words: str
    run_id: str
    since: datetime
    told_at: datetime | None = None
    told_run_id: str | None = None
    over_at: datetime | None = None

    def failed(self, words: str, run_id: str, at: datetime) -> Self:
        """It failed, once more or anew; a run that is known already says nothing new."""
        if run_id == self.run_id:
            return self
        since = self.since if self.over_at is None else at
        return replace(self, words=words, run_id=run_id, since=since, over_at=None)

    def ended(self, at: datetime) -> Self:
        """It fails no more."""
        return self if self.over_at else replace(self, over_at=at)

    def told(self, at: datetime, *, may_have_arrived: bool = False) -> Self:
        """What was due has been said.

        :param may_have_arrived: it left, and no answer came
        """
        if self.over_at:
            return replace(self, told_run_id=None)
        return replace(self, told_at=at, told_run_id=UNCERTAIN if may_have_arrived else self.run_id)


def due(alert: Alert, now: datetime, pause: timedelta) -> Due | None:
    """What is to be done about it now, or ``None``."""
    is_paused = alert.told_at is not None and alert.told_at <= now < alert.told_at + pause
    if alert.over_at and alert.told_run_id is not None:
        return "over"
    if is_paused:
        return None
    if alert.over_at:
        return "forget"
    return "failing" if alert.told_run_id != alert.run_id else None
