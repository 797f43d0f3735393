"""Guard rails: a slip in the back office should not reach the shoppers.

They judge a delta in the transaction that stores it, so that no delivery meets a row that was not judged. Rows
that go too far are stopped, with those that depend on them; all other rows go on. The check of the rail says so. Each
flow has its own rails, in its ``guard_rails.py``.

A rail counts over a window, ``SOLTEQ_WOO_GUARD_RAIL_HOURS``: the rows to be sent, and those sent within it that
still hold, by any flow and in any number of runs. Rows that somebody let pass do not count.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import duckdb
import polars as pl

from solteq_woo_assets.engine import sql, stopped
from solteq_woo_assets.engine.database import utc_now
from solteq_woo_assets.engine.ledger import SENT_ACTIONS
from solteq_woo_assets.settings import Settings

LET_PASS_TAG = "solteq_woo/let_pass"  # noqa: S105  no password
KEYS_SHOWN = 20
FEW = 10
"""Up to this number of products may always leave the shelf, and of customers be parted: in a small shop each is a large
share."""


@dataclass(frozen=True)
class Verdict:
    """The verdict of a guard rail on a delta.

    :param problems: in what the delta goes too far, in words; none: in nothing
    :param keys: the rows that do
    :param may_pass: whether somebody can mean it
    :param let_pass: rows that somebody let pass; they are not among ``keys``
    """

    rail: str
    problems: Sequence[str]
    keys: Sequence[str]
    metadata: Mapping[str, Any]
    may_pass: bool = True
    let_pass: Sequence[str] = ()


@dataclass(frozen=True)
class Delta:
    """A flow's delta that was just stored, and is judged at an instant."""

    connection: duckdb.DuckDBPyConnection
    settings: Settings
    now: datetime
    flow: str
    name: str

    @property
    def begin(self) -> datetime:
        """Since when the ledger counts. Nothing ends the window: a clock that was set back hides nothing."""
        return min(self.now, utc_now()) - timedelta(hours=self.settings.guard_rail_hours)

    def inputs(self, rail: str, actions: Sequence[str] = SENT_ACTIONS) -> dict[str, duckdb.DuckDBPyRelation]:
        """What the query of a rail reads, by name.

        ``own``: the rows with these actions, but for those that somebody let pass. ``passed``: the ids of deliveries
        that somebody let pass.
        """
        return {
            "own": stopped.without_passes(self.connection, self.name, self.flow, rail, actions),
            "passed": stopped.passed_deliveries(self.connection, rail),
        }

    def keys(self, query: str) -> list[str]:
        """The keys that a query gives of the rows that are to be sent."""
        return [row[0] for row in self.connection.execute(query, {"sent": list(SENT_ACTIONS)}).fetchall()]


Rail = Callable[[Delta], Verdict]
"""Named after what it keeps from happening; the first sentence of its docstring describes its check."""


@dataclass(frozen=True)
class Share:
    """How much goes through within the window.

    :param count: in this delta
    :param earlier: sent before within the window, and still so; not counted in ``count``
    :param of: how many there are
    :param may: how many may
    """

    count: int
    earlier: int
    of: int
    may: int

    @property
    def is_too_large(self) -> bool:
        """Whether this delta goes too far."""
        return self.count > 0 and self.count + self.earlier > self.may

    def earlier_words(self, settings: Settings) -> str:
        if not self.earlier:
            return ""
        return f", and {self.earlier} more went so within the last {settings.guard_rail_hours} hours"

    def metadata(self, settings: Settings) -> dict[str, int]:
        return {
            "due": self.count,
            "earlier_in_the_window": self.earlier,
            "of": self.of,
            "may": self.may,
            "window_hours": settings.guard_rail_hours,
        }


def share(count: int, earlier: int, of: int, *, percent: int, few: int) -> Share:
    """A share of which so many percent may go, and at least a few."""
    return Share(count, earlier, of, max(few, of * percent // 100))


@dataclass(frozen=True)
class Limit:
    """How many may go: so many percent, and at least a few.

    :param setting: the name of the setting that says how many percent
    """

    setting: str
    percent: int
    few: int


def count(
    delta: Delta,
    rail: str,
    query: str,
    limit: Limit,
    words: str,
    *,
    names: tuple[str, str],
    actions: Sequence[str] = SENT_ACTIONS,
) -> Verdict:
    """Judge a delta by how many of its rows do something.

    :param query: gives their keys, how many more did it within the window, and how many there are in all; reads
        :meth:`Delta.inputs` and the parameter ``$begin``
    :param words: what the delta does, with ``{count}`` and ``{of}``
    :param names: of both numbers, for the check
    :param actions: of the rows that count
    """
    with sql.reading(delta.connection, **delta.inputs(rail, actions)):
        keys, earlier, of = delta.connection.execute(query, {"begin": delta.begin}).fetchall()[0]
    keys = keys or []
    counted = share(len(keys), earlier, of, percent=limit.percent, few=limit.few)
    problem = (
        f"{words.format(count=counted.count, of=of)}{counted.earlier_words(delta.settings)} "
        f"({limit.setting} allows {limit.percent} %, {counted.may})"
    )
    numbers = dict(zip(names, (counted.count, of), strict=True))
    metadata = {**numbers, "keys": keys[:KEYS_SHOWN], **counted.metadata(delta.settings)}
    return Verdict(rail, [problem] if counted.is_too_large else [], keys, metadata)


def wrong(rail: str, keys: Sequence[str], what: str) -> Verdict:
    """The verdict on rows that are wrong in any case."""
    problems = [f"{len(keys)} of its rows {what} ({', '.join(keys[:KEYS_SHOWN])})"] if keys else []
    return Verdict(rail, problems, keys, {"count": len(keys), "keys": list(keys[:KEYS_SHOWN])}, may_pass=False)


@dataclass(frozen=True)
class GuardRails:
    """The rails of a flow's delta.

    :param dependents: SQL: the keys of the rows that would be wrong without those in ``meant``
    """

    flow: str
    delta: str
    rails: Sequence[Rail]
    dependents: str = "FROM meant"

    @property
    def names(self) -> list[str]:
        return [rail.__name__ for rail in self.rails]

    def check_specs(self) -> list[dg.AssetCheckSpec]:
        """The checks by which the rails say what they stopped. They do not block: the other rows go on."""
        return [
            dg.AssetCheckSpec(rail.__name__, asset=self.delta, description=(rail.__doc__ or "").partition("\n\n")[0])
            for rail in self.rails
        ]

    def guard(
        self,
        connection: duckdb.DuckDBPyConnection,
        settings: Settings,
        now: datetime,
        *,
        let_pass: Sequence[str] | None = None,
        judged: Collection[str] = (),
    ) -> tuple[pl.DataFrame, list[Verdict]]:
        """Judge the delta that was just stored, and stop the rows that go too far with what hangs on them.

        :param let_pass: names of rails: what they had stopped before, and still is as it was, may go. ``None``: this is
            not the run of the delta's own flow; it lets nothing pass, and what is stopped stays so
        :param judged: keys that were judged a moment ago and may go
        :return: the delta as it is now, and what each rail says
        """
        delta = Delta(connection, settings, now, self.flow, self.delta)
        stopped.forget(connection, self.flow, self.delta, utc_now(), delta.begin)
        if let_pass:
            stopped.let_pass(connection, self.flow, let_pass, utc_now())
        passes = stopped.passes(connection, self.flow, self.delta)
        verdicts = [
            replace(verdict, let_pass=passes.get(verdict.rail, [])) for verdict in (rail(delta) for rail in self.rails)
        ]
        stays = stopped.held(connection, self.flow) if let_pass is None else {}
        stops = {
            verdict.rail: self._stops(connection, verdict, stays.get(verdict.rail, [])) - set(judged)
            for verdict in verdicts
        }
        lasting = {verdict.rail: list(stops[verdict.rail]) for verdict in verdicts if verdict.may_pass}
        stopped.remember(connection, self.flow, self.delta, lasting, utc_now())
        for rail, keys in stops.items():
            self._stop(connection, keys, rail)
        return connection.table(f"delta.{self.delta}").pl(), verdicts

    def _stops(self, connection: duckdb.DuckDBPyConnection, verdict: Verdict, stays: Collection[str]) -> set[str]:
        """The rows that a rail stops: its own, those that would be wrong without them, and those that stay stopped."""
        keys = verdict.keys if verdict.problems else []
        if not keys and not stays:
            return set()
        with sql.reading(connection, meant=stopped.frame(keys)):
            return {*keys, *stays, *(row[0] for row in connection.execute(self.dependents).fetchall())}

    def _stop(self, connection: duckdb.DuckDBPyConnection, keys: Collection[str], rail: str) -> None:
        with sql.reading(connection, meant=stopped.frame(keys)):
            connection.execute(
                f"UPDATE delta.{self.delta} SET action = 'stopped', reason = $why || reason "
                "WHERE list_contains($sent, action) AND key IN (SELECT key FROM meant)",
                {"sent": list(stopped.STOPPABLE), "why": f"stopped by {rail}: "},
            )

    def report(
        self, context: dg.AssetExecutionContext, verdicts: Iterable[Verdict], let_pass: Sequence[str]
    ) -> list[dg.AssetCheckResult]:
        """The results of the rails' checks; what was let pass is in the run's tags.

        :param let_pass: the rails that were to let pass what they had stopped
        """
        return [
            _result(context, self.delta, verdict, is_asked=verdict.rail in let_pass)
            if verdict.may_pass
            else _wrong_result(context, verdict)
            for verdict in verdicts
        ]


def _result(context: dg.AssetExecutionContext, delta: str, verdict: Verdict, *, is_asked: bool) -> dg.AssetCheckResult:
    if verdict.let_pass:
        _tag(context, f"{delta}: {verdict.rail}")
        context.log.warning(f"Let pass by {verdict.rail}: {len(verdict.let_pass)} rows of {delta}.")
    problems = "; ".join(verdict.problems)
    unseen = "Rows that were stopped before and are unchanged pass; these are new or have changed. " if is_asked else ""
    words = (
        f"These writes are stopped, the others are sent: {problems}. {unseen}If that is meant, run the job from the "
        f"launchpad with ops: {{{delta}: {{config: {{let_pass: [{verdict.rail}]}}}}}}, or solteq-woo sync with "
        "--let-pass."
    )
    if problems:
        context.log.warning(words)
    return dg.AssetCheckResult(
        check_name=verdict.rail,
        passed=not problems,
        metadata={**verdict.metadata, "let_pass": len(verdict.let_pass)},
        description=words if problems else None,
    )


def _wrong_result(context: dg.AssetExecutionContext, verdict: Verdict) -> dg.AssetCheckResult:
    problems = "; ".join(verdict.problems)
    words = f"These rows are wrong and are not sent, the others are: {problems}. Correct the records in Solteq."
    if problems:
        context.log.warning(words)
    return dg.AssetCheckResult(
        check_name=verdict.rail,
        passed=not problems,
        metadata=dict(verdict.metadata),
        description=words if problems else None,
    )


def _tag(context: dg.AssetExecutionContext, what: str) -> None:
    """Say in the run's tags what was let pass; one run may let several pass."""
    run = context.instance.get_run_by_id(context.run.run_id)
    before = run.tags.get(LET_PASS_TAG) if run else None
    context.instance.add_run_tags(context.run.run_id, {LET_PASS_TAG: ", ".join(filter(None, (before, what)))})
