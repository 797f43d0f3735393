"""The clock of a stand-in: it can be ahead of this machine's, or behind it, as those of real systems are."""

import time
from datetime import UTC, datetime
from email.utils import formatdate


class Clock:
    """One stand-in's present: in its ``Date`` header, in what it stamps, and in the signatures it takes.

    :param ahead_seconds: before this machine's; negative behind it
    """

    def __init__(self, ahead_seconds: float = 0.0) -> None:
        self.ahead_seconds = ahead_seconds

    def seconds(self) -> float:
        """Since 1970."""
        return time.time() + self.ahead_seconds

    def now(self) -> datetime:
        """In UTC."""
        return datetime.fromtimestamp(self.seconds(), UTC)

    def date_header(self) -> bytes:
        """As HTTP says it: whole seconds."""
        return formatdate(self.seconds(), usegmt=True).encode()
