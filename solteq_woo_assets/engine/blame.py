"""Whether failed writes or the other side is to blame.

A write that fails alone is to blame only while the other side takes others, or an empty write. Otherwise the other
side is away, or refuses us.
"""

import threading
from typing import Any, Generic

from solteq_woo_assets.engine.failures import CODE
from solteq_woo_assets.engine.outbox import Outbox
from solteq_woo_assets.engine.writes import M, Outcome, R, Write
from solteq_woo_assets.errors import IntegrationError, RemoteError

DOUBT_AFTER = 5
"""After this number of writes that fail one by one, with none that passes, the other side is to blame."""
TOO_LARGE = 413
_INVALID = {400, TOO_LARGE, 422}
_US = {401, 407, 408, 429}
"""Answers that are about who sends, or how much: another write would get the same."""
_SERVER_ERROR = 500


class Blame(Generic[M, R]):
    """Counts what passes and what fails. Thread-safe."""

    def __init__(self, outbox: Outbox[M, R]) -> None:
        self._outbox = outbox
        self._lock = threading.Lock()
        self._has_passed = False
        self._has_rights = False
        self._failed_in_a_row = 0
        self.alone: list[tuple[Write[M], IntegrationError]] = []
        """The writes that failed standing alone."""

    @property
    def is_in_doubt(self) -> bool:
        """Whether so many failed in a row that it may be the other side."""
        return self._failed_in_a_row >= DOUBT_AFTER

    def passed(self) -> None:
        """The other side took a write, or answered it."""
        with self._lock:
            self._has_passed = True
            self._failed_in_a_row = 0

    def failed(self, write: Write[M], error: IntegrationError) -> None:
        """A write failed standing alone."""
        with self._lock:
            self._failed_in_a_row += 1
            self.alone.append((write, error))

    def check(self, error: RemoteError) -> None:
        """Give up when it is we who are refused.

        :raises RemoteError: there is no connection, or no right to send
        """
        if error.status is None or error.status in _US:
            raise error
        if _is_blocked(error) and not self._has_passed and not self._has_rights:
            if self._outbox.tells_rights and not self._works():
                raise error
            self._has_rights = True

    def verdict(self) -> tuple[list[Outcome[M, R]], RemoteError | None]:
        """The outcomes of writes that failed alone and are to blame; the error when the other side is."""
        if not self.alone:
            return [], None
        last = self.alone[-1][1]
        signs = [self._has_passed, not self.is_in_doubt]
        if all(signs) or (any(signs) and self._takes_others(last)):
            return [self._blamed(*each) for each in self.alone], None
        earlier = self.alone[: -self._failed_in_a_row] if self._has_passed else []
        side = self._outbox.side
        words = f"{side[0].upper()}{side[1:]} fails whatever is sent; the next run tries again. {last}"
        return [self._blamed(*each) for each in earlier], self._outbox.error(words)

    def _takes_others(self, error: IntegrationError) -> bool:
        """Whether the other side takes a write that cannot be like the one that met this error."""
        return (self._outbox.tells_rights or not _is_blocked(error)) and self._works()

    def _works(self) -> bool:
        try:
            return self._outbox.takes_writes()
        except IntegrationError:
            return False

    def _blamed(self, write: Write[M], error: IntegrationError) -> Outcome[M, Any]:
        if _is_blocked(error):
            reason = f"it is refused each time it is sent, while others are taken: {error}"
            return Outcome(write, "refused", error=reason, code="write-blocked")
        reason = f"{self._outbox.side} fails each time it is sent: {error}"
        if isinstance(error, RemoteError) and error.status in _INVALID:
            return Outcome(write, "refused", error=reason)
        return Outcome(write, "retry", error=reason, code=CODE)


def _is_blocked(error: IntegrationError) -> bool:
    """Whether something in front of the other side, such as a firewall, may have refused what was sent.

    It answers 403, 406, 418 and the like, or a page of its own with 200 or 202 where JSON was due.
    """
    cause = error if isinstance(error, RemoteError) else error.__cause__
    status = cause.status if isinstance(cause, RemoteError) else None
    return status is not None and status < _SERVER_ERROR and status not in _INVALID
