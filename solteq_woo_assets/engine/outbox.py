"""A flow's part of a delivery: which writes are due, how they are sent, and what an answer means."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic

import duckdb

from solteq_woo_assets.engine.database import StateDatabase
from solteq_woo_assets.engine.handover import Claim
from solteq_woo_assets.engine.turns import Release, Turns
from solteq_woo_assets.engine.writes import M, Outcome, R, Write
from solteq_woo_assets.errors import RemoteError


class Outbox(ABC, Generic[M, R]):
    """Sends the delta of a flow. Methods that send and read are called from several threads."""

    flow: str
    side: str
    """The other side's name, for sentences."""
    error: type[RemoteError]
    """The class of the other side's errors."""
    whole: str
    """The name of a write as a whole in the quarantine."""
    batch_size: int = 1
    """The most writes that one request takes."""
    tries: int = 2
    """How often a write that stands alone is sent while no answer comes."""
    portion: int | None = None
    """The number of writes that are looked at again and entered in the ledger together, right before they leave;
    ``None``: all."""
    settled_together: int = 1
    """The number of answers that are stored together."""
    is_in_order: bool = False
    """Whether the writes of a place go one after the other, and wait behind one that did not arrive."""
    holds_fields: bool = False
    """Whether the other side may refuse fields of a write while it takes the rest."""
    keeps_values: bool = True
    """Whether the ledger keeps what was written, or only in which fields."""
    tells_rights: bool = True
    """Whether ``takes_writes`` needs the same rights as a write."""

    @abstractmethod
    def due(self, connection: duckdb.DuckDBPyConnection) -> list[Write[M]]:
        """The rows of the delta that are to be sent, in their order."""

    def claims(self, writes: Sequence[Write[M]]) -> list[Claim]:
        """The unique values that each write gives up and wants."""
        return [Claim(self.flow) for _ in writes]

    def look_again(self, database: StateDatabase, writes: Sequence[Write[M]]) -> Sequence[Write[M]]:
        """The writes that are still due, right before the next portion of them leaves."""
        del database
        return writes

    def enter(self, connection: duckdb.DuckDBPyConnection, run_id: str, writes: Sequence[Write[M]]) -> None:
        """Store more than the ledger, in the transaction that enters writes there."""

    def places(
        self, database: StateDatabase, writes: Sequence[Write[M]]
    ) -> tuple[Iterable[Sequence[Write[M]]], Sequence[Outcome[M, R]]]:
        """Writes by what may go in one request, and the outcomes of those that cannot go."""
        del database
        return [writes], []

    def bodies(self, writes: Sequence[Write[M]], outcomes: list[Outcome[M, R]]) -> Mapping[Write[M], Any]:
        """Each write as it goes on the wire; the outcomes of those that need not or cannot go are added.

        An outbox may ask the other side here whether a write was done by an earlier run.
        """
        del outcomes
        return dict.fromkeys(writes)

    @abstractmethod
    def post(self, bodies: Mapping[Write[M], Any], turns: Turns[M]) -> Sequence[tuple[Write[M], Any]]:
        """Send writes in one request, and before it the releases for them: the answer for each.

        :raises RemoteError: nothing was done
        :raises OutcomeUnknownError: any of it may have been done
        """

    @abstractmethod
    def read(self, write: Write[M], answer: Any) -> Outcome[M, R]:
        """The outcome that an answer means."""

    def read_back(self, writes: Sequence[Write[M]], outcomes: list[Outcome[M, R]]) -> Sequence[Write[M]]:
        """After no answer: the writes that can be sent again. Those that were done are added to the outcomes."""
        del outcomes
        return writes

    @abstractmethod
    def takes_writes(self) -> bool:
        """Whether the other side works, asked with something that changes nothing and that no firewall minds.

        :raises IntegrationError: it does not
        """

    def give_back(self, release: Release[M]) -> bool:
        """After a value was given up in vain, send its own new one alone, or the old one; whether it has one.

        :raises IntegrationError: the other side went away
        """
        del release
        return True

    @abstractmethod
    def keep(self, connection: duckdb.DuckDBPyConnection, outcomes: Sequence[Outcome[M, R]]) -> Sequence[Outcome[M, R]]:
        """Store the answers; the outcomes as they are then."""
