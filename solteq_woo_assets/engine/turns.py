"""The turns of a delivery's writes, in which unique values are handed on, and the values that were given up.

A write that others wait for may be told to give its value up before its own turn. That belongs to its own delivery: if
it does not arrive in the end, it gets its new value alone, or its old one back (``Outbox.give_back``). If the run
dies in between, its row is open in the ledger, and the next run compares again.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from solteq_woo_assets.engine.handover import UNIQUE, Claim, Step, plan
from solteq_woo_assets.engine.writes import M, Outcome, Write


@dataclass(frozen=True)
class Release(Generic[M]):
    """The fields that a write gives up before its own turn."""

    write: Write[M]
    fields: Sequence[str]


class Turns(Generic[M]):
    """The turns of writes. Thread-safe.

    :param claims: of each write, what it gives up and wants
    :param most: of the items that a request takes
    """

    def __init__(self, writes: Sequence[Write[M]], claims: Sequence[Claim], most: int) -> None:
        self._writes = writes
        self._rounds: dict[int, list[Write[M]]] = {}
        self._steps: dict[str, Step] = {}
        self._states: dict[str, str] = {}
        self._released: dict[str, Release[M]] = {}
        self._lock = threading.Lock()
        for step in plan(claims, most):
            write = writes[step.claim]
            self._rounds.setdefault(step.round, []).append(write)
            self._steps[write.delivery_id] = step

    @property
    def rounds(self) -> list[list[Write[M]]]:
        """Each when all of the one before have been answered."""
        return [self._rounds[number] for number in sorted(self._rounds)]

    def is_bound(self, write: Write[M]) -> bool:
        """Whether it goes in one lot with the others of its round and place that are bound, in their order."""
        step = self._steps.get(write.delivery_id)
        return step is not None and step.is_bound

    def releases(self, write: Write[M]) -> list[Release[M]]:
        """The releases of others right before it."""
        step = self._steps.get(write.delivery_id)
        return [Release(self._writes[n], fields) for n, fields in step.releases.items()] if step else []

    def size(self, write: Write[M]) -> int:
        return 1 + len(self.releases(write))

    def note_release(self, release: Release[M]) -> None:
        """It may have been done."""
        with self._lock:
            self._released[release.write.delivery_id] = release

    def forget_releases(self, writes: Sequence[Write[M]]) -> None:
        """None of these has given anything up: the request was not done."""
        with self._lock:
            for write in writes:
                self._released.pop(write.delivery_id, None)

    def has_released(self, write: Write[M]) -> bool:
        """Whether it may have given something up."""
        return write.delivery_id in self._released

    def note_outcomes(self, outcomes: Iterable[Outcome[M, Any]]) -> None:
        with self._lock:
            self._states |= {outcome.write.delivery_id: _state_of_values(outcome) for outcome in outcomes}

    def waits_for_another(self, outcome: Outcome[M, Any]) -> bool:
        """Whether it was refused while a later lot or the next run is still to give up the value that it wants."""
        step = self._steps.get(outcome.write.delivery_id)
        holders = [self._writes[holder].delivery_id for holder in step.holders] if step else []
        states = [self._states.get(holder, "" if holder in self._released else "retry") for holder in holders]
        return _state_of_values(outcome) == "refused" and not {"retry", "unsent"}.isdisjoint(states)

    def left_over(self) -> list[Release[M]]:
        """Writes that gave up a value for another and did not arrive themselves."""
        return [release for key, release in self._released.items() if self._states.get(key) != "delivered"]


def _state_of_values(outcome: Outcome[Any, Any]) -> str:
    """The fate of a write's unique values: it may arrive without them."""
    return "refused" if any(held.change["field"] in UNIQUE for held in outcome.held) else outcome.state
