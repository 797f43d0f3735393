"""Parts of every flow's assets: how they report, and how they fail."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import dagster as dg
import duckdb
import polars as pl

from solteq_woo_assets.engine import failures, handover, quarantine, sql
from solteq_woo_assets.engine.database import StateDatabase, utc_now
from solteq_woo_assets.engine.delivery import deliver
from solteq_woo_assets.engine.flow import Flow
from solteq_woo_assets.engine.guard_rails import Verdict
from solteq_woo_assets.engine.ledger import SENT_ACTIONS, DeliveryCounts, changes_hash
from solteq_woo_assets.engine.outbox import Outbox
from solteq_woo_assets.engine.shop import Effort, Shop, failing_in_words
from solteq_woo_assets.engine.snapshot import ReadCounts
from solteq_woo_assets.flow import Comparison
from solteq_woo_assets.settings import Settings

OWNERS = ["team:integration"]
PREVIEW_ROWS = 20
READ_FIRST = {"dagster/priority": "2"}
REPORT_NEXT = {"dagster/priority": "1"}
"""When one run does all flows, it reads everything and reconciles before it sends anything."""


class ReadConfig(dg.Config):
    """How much of a system to read."""

    full: bool = False
    """Read everything again instead of only what changed."""
    retry_quarantined: bool = False
    """Read everything again if a document could not be read before."""

    def is_full(self, database: StateDatabase, flow: str) -> bool:
        """Whether to read everything."""
        if self.full or not self.retry_quarantined:
            return self.full
        with database.transaction() as connection:
            held = "SELECT count(*) FROM sync.quarantine WHERE flow = ? AND stage = 'feed'"
            return count_rows(connection, held, [flow]) > 0


class DeltaConfig(dg.Config):
    """Records that a delta leaves out."""

    retry_refused: bool = False
    """Include the writes that the other side refused before, though they are the same."""
    retry: list[str] = []  # noqa: RUF012  a field of pydantic's, copied for each
    """Include those of these keys alone."""
    let_pass: list[str] = []  # noqa: RUF012
    """Names of guard rails: rows that they stopped before and that are unchanged may go. The run's tags say so."""


def read_metadata(counts: ReadCounts, effort: Effort) -> dict[str, Any]:
    """The result of a snapshot."""
    return {
        "received": counts.received,
        "changed": counts.changed,
        "quarantined": counts.quarantined,
        "removed": counts.removed,
        "full_read": counts.full,
        **effort.metadata(),
    }


def delta_metadata(
    shop: Shop, changes: pl.DataFrame, *, quarantined: int, unchanged: int, effort: Effort
) -> dict[str, Any]:
    """The result of a delta: counts by action and a preview of its first rows."""
    by_action = dict(changes["action"].value_counts().iter_rows())
    return {
        "created": by_action.get("create", 0),
        "updated": sum(by_action.get(action, 0) for action in SENT_ACTIONS if action != "create"),
        "waiting": by_action.get("wait", 0),
        "skipped": by_action.get("skip", 0),
        "stopped": by_action.get("stopped", 0),
        "unchanged": unchanged,
        "quarantined": quarantined,
        "preview": dg.MarkdownMetadataValue(preview(shop.settings, changes)),
        **effort.metadata(),
    }


def send(
    context: dg.AssetExecutionContext, shop: Shop, flow: Flow, outbox: Outbox[Any, Any] | None = None
) -> DeliveryCounts:
    """Send the due writes of a flow; it gives way between two lots if asked.

    :param outbox: in place of the flow's own
    """
    return deliver(
        shop.database,
        outbox or flow.outbox(shop),
        context.run.run_id,
        in_flight=shop.settings.requests_in_flight,
        tell=_progress(context, flow.name),
        stop=lambda: flow.gives_way and shop.leases.is_wanted(flow.shared_lease),
    )


def _progress(context: dg.AssetExecutionContext, noun: str) -> Callable[[int, int], None]:
    """Tell the log how far a delivery is, every tenth of the way."""
    told = 0

    def tell(done: int, total: int) -> None:
        nonlocal told
        if done * 10 // total > told or done == total:
            told = done * 10 // total
            context.log.info(f"{done} of {total} {noun} settled")

    return tell


_SENT = f"""
SELECT key, action, kind, woo_id, NULL AS parent_id, changes, state || coalesce(': ' || error, '') AS reason
FROM sync.deliveries WHERE run_id = $run_id AND flow = $flow ORDER BY created_at, key LIMIT {PREVIEW_ROWS}
"""


def delivery_result(
    context: dg.AssetExecutionContext,
    shop: Shop,
    flow: str,
    delta: str,
    counts: DeliveryCounts,
    effort: Effort,
) -> dg.MaterializeResult:
    """The result of a delivery: counts, and the first writes with the other side's answers.

    :param delta: the delta asset's name
    """
    due = counts.delivered + counts.undelivered
    if counts.undelivered:
        context.log.warning(f"{counts.undelivered} of {due} writes were not delivered.")
    with failing_in_words(), shop.database.transaction() as connection:
        held = held_rows(connection, flow) if counts.refused else []
        sent = connection.sql(_SENT, params={"run_id": context.run.run_id, "flow": flow}).pl()
        stopped = count_rows(connection, f"SELECT count(*) FROM delta.{delta} WHERE action = 'stopped'")
    quarantined = warn_of_quarantine(context, held)
    return dg.MaterializeResult(
        metadata={
            "records_in": due,
            "sent": counts.delivered,
            "created": counts.by_action["create"],
            "updated": counts.delivered - counts.by_action["create"],
            "refused": counts.refused,
            "retried_next_run": counts.retry + counts.unsent,
            "waiting": counts.waiting,
            "stopped": stopped,
            "found_interrupted": counts.interrupted,
            "quarantined": quarantined,
            "preview": dg.MarkdownMetadataValue(preview(shop.settings, sent, of=due)),
            **effort.metadata(),
        }
    )


def preview(settings: Settings, changes: pl.DataFrame, *, of: int | None = None) -> str:
    """The first rows of a delta as a Markdown table, writes before waiting rows; keys lead to the store's admin.

    :param of: how many rows there are in all, if not those of ``changes``
    """
    if changes.is_empty():
        return "Nothing to write."
    ordered = changes.sort(~pl.col("action").is_in(SENT_ACTIONS), maintain_order=True)
    lines = ["| key | action | field: old → new | why |", "| --- | --- | --- | --- |"]
    for row in ordered.head(PREVIEW_ROWS).to_dicts():
        fields = "; ".join(_field(each) for each in row["changes"])
        key = _linked(_cell(row["key"]), admin_page(settings, row["kind"], row["parent_id"] or row["woo_id"]))
        lines.append(f"| {key} | {row['action']} | {fields} | {_cell(row['reason'])} |")
    more = (changes.height if of is None else of) - PREVIEW_ROWS
    if more > 0:
        lines.append(f"\n… and {more} rows more.")
    return "\n".join(lines)


def _field(change: Mapping[str, str | None]) -> str:
    """A field with its values, or alone if the ledger keeps none, as for people."""
    if change["old"] is None and change["new"] is None:
        return _cell(change["field"])
    return f"{_cell(change['field'])}: {_cell(change['old'])} → {_cell(change['new'])}"


def admin_page(settings: Settings, kind: str, woo_id: int | None) -> str | None:
    """The page of the store's admin for a product, order or account; for a variation that of its parent.

    WordPress leads from the page of a post to that of an order, wherever the store keeps its orders.
    """
    if woo_id is None:
        return None
    page = f"user-edit.php?user_id={woo_id}" if kind in ("customer", "link") else f"post.php?post={woo_id}&action=edit"
    return f"{settings.woo_url}/wp-admin/{page}"


def _linked(text: str, page: str | None) -> str:
    return f"[{text}]({page})" if page else text


def markdown_table(rows: pl.DataFrame) -> str:
    """A frame of text as a Markdown table."""
    if rows.is_empty():
        return "Nothing."
    lines = [f"| {' | '.join(rows.columns)} |", f"|{' --- |' * rows.width}"]
    lines += [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows.iter_rows()]
    return "\n".join(lines)


_ESCAPED = str.maketrans({sign: f"\\{sign}" for sign in "\\`*[]|~"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def _cell(value: str | None) -> str:
    """A value without Markdown: names and SKUs are shown as they are."""
    text = "–" if value in (None, "") else " ".join(str(value).split())
    text = text if len(text) <= 80 else f"{text[:77]}…"  # noqa: PLR2004
    return text.translate(_ESCAPED)


def store_delta(
    connection: duckdb.DuckDBPyConnection,
    config: DeltaConfig,
    flow: str,
    delta: str,
    comparison: Comparison,
) -> int:
    """Make a flow's delta just these rows, without the writes that the store refused, unless they are to be retried.

    What is held back is in the quarantine then. A refusal of what is not due any more leaves it.

    :param delta: the delta asset's name
    :return: how many were refused before
    """
    quarantine.replace(connection, flow, "delta", comparison.held)
    changes, refused = comparison.changes, 0
    due = changes.filter(changes["action"].is_in(SENT_ACTIONS)).select("key")
    quarantine.keep_only(connection, flow, due)
    failures.keep_only(connection, flow, due)
    if not config.retry_refused:
        changes, refused = without_refused(connection, flow, changes, but=config.retry)
    connection.execute(f"DELETE FROM delta.{delta}")
    with sql.reading(connection, changes=changes):
        connection.execute(f"INSERT INTO delta.{delta} BY NAME FROM changes")
    connection.execute(
        "INSERT OR REPLACE INTO sync.comparisons (flow, computed_at, next_edge, is_outdated) VALUES (?, ?, ?, FALSE)",
        [flow, utc_now(), comparison.next_edge],
    )
    return refused


@dataclass(frozen=True)
class MadeDelta:
    """A delta that was just stored. ``changes``: as the guard rails left it. ``refused``: writes left out."""

    comparison: Comparison
    changes: pl.DataFrame
    verdicts: Sequence[Verdict]
    refused: int
    now: datetime

    @property
    def unchanged(self) -> int:
        """The number of records that are right on the other side."""
        differing = self.changes.filter(~pl.col("kind").is_in(("variable", "campaign"))).height
        held = self.comparison.held["key"].n_unique()
        return max(self.comparison.compared - differing - held - self.refused, 0)


def make_delta(
    connection: duckdb.DuckDBPyConnection,
    shop: Shop,
    flow: Flow,
    config: DeltaConfig,
    *,
    let_pass: Sequence[str] | None = None,
    judged: Collection[str] = (),
) -> MadeDelta:
    """Compare, and store the delta; for ``let_pass`` and ``judged`` see ``GuardRails.guard``."""
    now = shop.clock()
    comparison = flow.compare(connection, shop.settings, now)
    comparison.take_effect(connection)
    refused = store_delta(connection, config, flow.name, flow.delta, comparison)
    if flow.guard_rails:
        rails = flow.guard_rails
        changes, verdicts = rails.guard(connection, shop.settings, now, let_pass=let_pass, judged=judged)
    else:
        changes, verdicts = connection.table(f"delta.{flow.delta}").pl(), []
    return MadeDelta(comparison, changes, verdicts, refused, now)


def wake(connection: duckdb.DuckDBPyConnection, *, flow: str, at: datetime | None) -> None:
    """Have a flow compared at an instant, if not sooner."""
    connection.execute(
        "UPDATE sync.comparisons SET next_edge = least(next_edge, $at) WHERE flow = $flow", {"flow": flow, "at": at}
    )


def without_refused(
    connection: duckdb.DuckDBPyConnection, flow: str, changes: pl.DataFrame, *, but: Collection[str] = ()
) -> tuple[pl.DataFrame, int]:
    """Leave out the writes that the other side refused and that are the same again; their number.

    Those at which it failed wait until they are to be tried again.

    :param but: keys that are to be tried again
    """
    changes = failures.waiting(connection, flow, changes, utc_now(), but=but)
    rows = connection.execute(
        "SELECT key, raw FROM sync.quarantine WHERE flow = ? AND stage = 'delivery' AND code IS DISTINCT FROM ?",
        [flow, failures.CODE],
    ).fetchall()
    refused = {(key, raw) for key, raw in rows if key not in but}
    if not refused:
        return changes, 0
    numbered = changes.with_row_index("number")
    is_suspect = pl.col("key").is_in([key for key, _ in refused])
    suspects = numbered.filter(is_suspect).to_dicts()
    others = numbered.filter(~is_suspect)
    left = _with_freed(suspects, [_not_refused(row, refused) for row in suspects], others)
    kept = [row | {"changes": rest} for row, rest in zip(suspects, left, strict=True) if rest is not None]
    rows = pl.concat([others, pl.DataFrame(kept, schema=numbered.schema)])
    return rows.sort("number").drop("number"), len(suspects) - len(kept)


def _with_freed(
    suspects: Sequence[Mapping[str, Any]], left: Sequence[list[Any] | None], others: pl.DataFrame
) -> list[list[Any] | None]:
    """The rest of each row's changes; all of them if another write gives up by now the value that it wants.

    :param others: the rows of which nothing was refused
    """
    pairs = zip(suspects, left, strict=True)
    resting = [[each for each in row["changes"] if each not in (rest or [])] for row, rest in pairs]
    if not any(handover.values(changes)[1] for changes in resting):
        return list(left)
    due = [rest for rest in left if rest] + others.filter(pl.col("action").is_in(SENT_ACTIONS))["changes"].to_list()
    free = handover.set_free([*resting, *due], range(len(resting)))
    return [row["changes"] if n in free else left[n] for n, row in enumerate(suspects)]


def _not_refused(row: Mapping[str, Any], refused: Collection[tuple[str, str]]) -> list[Any] | None:
    """A row's changes without those that were refused alone; ``None`` if none is left."""
    left = [change for change in row["changes"] if (row["key"], changes_hash([change])) not in refused]
    is_refused = any((row["key"], changes_hash(changes)) in refused for changes in (row["changes"], left))
    return None if is_refused or (row["changes"] and not left) else left


def agreement(connection: duckdb.DuckDBPyConnection, flow: str, comparison: Comparison) -> dg.AssetCheckResult:
    """Whether nothing is left to write after a delivery, by the comparison as it is now."""
    changes, refused = without_refused(connection, flow, comparison.changes)
    left = changes.filter(changes["action"].is_in(SENT_ACTIONS))
    return dg.AssetCheckResult(
        passed=left.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"differing": left.height, "refused": refused, "keys": left["key"].head(20).to_list()},
    )


def count_rows(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
) -> int:
    """The single number that a query gives."""
    return connection.execute(query, parameters).fetchall()[0][0]


HeldRow = tuple[str, str, str, str]


def held_rows(connection: duckdb.DuckDBPyConnection, flow: str) -> list[HeldRow]:
    """The records in quarantine that are not dismissed: key, field, reason and mend, the newest first."""
    return connection.execute(
        "SELECT key, field, reason, mend FROM sync.quarantine WHERE flow = ? AND dismissed_at IS NULL "
        "ORDER BY first_seen DESC, key",
        [flow],
    ).fetchall()


def warn_of_quarantine(context: dg.AssetExecutionContext, rows: Sequence[HeldRow]) -> int:
    """Name these records in the run's log, after the transaction that read them: the log is slower; their number."""
    for key, field, reason, mend in rows[:PREVIEW_ROWS]:
        context.log.warning(f"Held back: {key}: {field}: {reason}. To mend: {mend}.")
    if len(rows) > PREVIEW_ROWS:
        context.log.warning(f"… and {len(rows) - PREVIEW_ROWS} more in sync.quarantine.")
    return len(rows)
