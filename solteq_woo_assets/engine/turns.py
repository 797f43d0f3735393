"""In which turn the writes of a delivery go, so that unique values can be handed on, and who gave up theirs for others.

A write that others wait for may be told to give its value up before its own turn. That belongs to its own delivery: if
it does not arrive in the end, it gets its new value alone, or its old one back (``LotSender.give_back``). If the run
dies in between, its row is open in the ledger, and the next run compares again.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from solteq_woo_assets.engine import ledger
from solteq_woo_assets.engine.handover import Claim, Step, plan

W = TypeVar("W", bound=ledger.Write)


@dataclass(frozen=True)
class Release(Generic[W]):
    """What a write gives up before its own turn: the fields."""

    write: W
    fields: Sequence[str]


class Turns(Generic[W]):
    """The turns of writes. Thread-safe.

    :param claims: of each write, what it gives up and wants
    :param most: of the items that a request takes
    """

    def __init__(self, writes: Sequence[W] = (), claims: Sequence[Claim] = (), most: int = 1) -> None:
        self._writes = writes
        self._rounds: dict[int, list[W]] = {}
        self._steps: dict[str, Step] = {}
        self._states: dict[str, str] = {}
        self._released: dict[str, Release[W]] = {}
        self._lock = threading.Lock()
        for step in plan(claims, most):
            write = writes[step.claim]
            self._rounds.setdefault(step.round, []).append(write)
            self._steps[write.delivery_id] = step

    @property
    def rounds(self) -> list[list[W]]:
        """Each when all of the one before have been answered."""
        return [self._rounds[number] for number in sorted(self._rounds)]

    def is_bound(self, write: W) -> bool:
        """Whether it goes in one lot with the others of its round and place that are bound, in their order."""
        step = self._steps.get(write.delivery_id)
        return step is not None and step.is_bound

    def releases(self, write: W) -> list[Release[W]]:
        """What others give up right before it."""
        step = self._steps.get(write.delivery_id)
        return [Release(self._writes[n], fields) for n, fields in step.releases.items()] if step else []

    def size(self, write: W) -> int:
        """The items that it takes in a request."""
        return 1 + len(self.releases(write))

    def note_release(self, release: Release[W]) -> None:
        """It may have been done."""
        with self._lock:
            self._released[release.write.delivery_id] = release

    def note_outcome(self, write: ledger.Write, state: str) -> None:
        """What became of a write."""
        with self._lock:
            self._states[write.delivery_id] = state

    def waits_for_another(self, write: ledger.Write) -> bool:
        """Whether the value that it wants is still to be given up: the next run will, or a later lot of this one."""
        step = self._steps.get(write.delivery_id)
        holders = [self._writes[holder].delivery_id for holder in step.holders] if step else []
        return any(
            self._states.get(holder, "" if holder in self._released else "retry") == "retry" for holder in holders
        )

    def left_over(self) -> list[Release[W]]:
        """Those who gave up a value for another and did not arrive themselves."""
        return [release for key, release in self._released.items() if self._states.get(key) != "delivered"]
