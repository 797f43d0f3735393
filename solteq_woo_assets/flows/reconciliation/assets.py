"""The differences between the two systems, why, and for how long: one table for all flows, with its history."""

from collections.abc import Collection, Sequence
from typing import Any

import dagster as dg
import duckdb
import polars as pl

from solteq_woo_assets.engine import quarantine, sql
from solteq_woo_assets.engine.database import utc_now
from solteq_woo_assets.engine.flow import Flow
from solteq_woo_assets.engine.shop import Shop
from solteq_woo_assets.engine.steps import (
    OWNERS,
    PREVIEW_ROWS,
    REPORT_NEXT,
    markdown_table,
    without_refused,
)
from solteq_woo_assets.flows.balances import assets as balances
from solteq_woo_assets.flows.reconciliation.pruning import prune
from solteq_woo_assets.flows.reconciliation.rules import SCHEMA, WHYS, differences


def reconciliation_of(flows: Sequence[Flow]) -> dg.AssetsDefinition:
    """The reconciliation of these flows."""

    # It depends on no snapshot: Dagster would skip it where one of them failed. Its priority puts it behind them all.
    @dg.asset(group_name="reconciliation", kinds={"duckdb"}, owners=OWNERS, code_version="2", op_tags=REPORT_NEXT)
    def reconciliation(context: dg.AssetExecutionContext, shop: dg.ResourceParam[Shop]) -> dg.MaterializeResult:
        """The differences between the two systems, field by field, and why, before they are put right.

        Missing: one side lacks it. Surplus: one side has it, and should not. Edited: it was as it should be, and
        somebody changed it. Changed: the owner changed it and it was not delivered yet. Waiting: for something else,
        such as a balance for its product. Quarantined: held back. Unread: a snapshot of the flow failed in this run, so
        the flow was not compared; the other flows were. Each reconciliation adds its rows, of customers without values,
        and forgets what is older than SOLTEQ_WOO_KEEP_…_DAYS say. Table `sync.reconciliation`.
        Beside them, the orders that hold pieces from the shelf, the longest first: order, SKU, pieces, since when and
        why.
        """
        unread = _unread(flows, _failed_steps(context))
        for flow, name in unread:
            context.log.warning(f"{flow} was not compared: {name} could not be read.")
        with shop.step(context) as effort, shop.database.transaction() as connection:
            found = _found(connection, shop, flows, unread)
            stored = _store(connection, found, context.run.run_id)
            held = balances.held_pieces(connection, shop.settings)
            pruned = prune(connection, shop.settings, utc_now())
        not_compared = ", ".join(sorted({flow for flow, _ in unread})) or "nothing"
        told = {"not_compared": not_compared, "pruned": pruned, **effort.metadata()}
        return dg.MaterializeResult(metadata=_metadata(stored, held) | told)

    return reconciliation


def _metadata(stored: pl.DataFrame, held: pl.DataFrame) -> dict[str, Any]:
    """Counts and first rows of the differences, and of the orders that hold pieces."""
    counts = dict(stored["why"].value_counts().iter_rows())
    by_flow = stored.group_by("flow", "why").agg(pl.len().cast(pl.String).alias("rows")).sort("flow", "why")
    shown = stored.sort("first_seen", "flow", "key").select("flow", "key", "field", "held", "expected", "why", "reason")
    return {
        "differing": stored.height,
        **{why: counts.get(why, 0) for why in WHYS},
        "surviving": _surviving(stored).height,
        "by_flow": dg.MarkdownMetadataValue(markdown_table(by_flow)),
        "preview": dg.MarkdownMetadataValue(markdown_table(shown.head(PREVIEW_ROWS))),
        "pieces_held": float(held["pieces"].sum()),
        "held_by": dg.MarkdownMetadataValue(markdown_table(held.head(PREVIEW_ROWS).cast(pl.String))),
    }


def _failed_steps(context: dg.AssetExecutionContext) -> set[str]:
    """The assets that failed in this run so far."""
    logged = context.instance.all_logs(context.run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    return {entry.step_key for entry in logged if entry.step_key}


def _unread(flows: Sequence[Flow], failed: Collection[str]) -> list[tuple[str, str]]:
    """The flows that cannot be compared, each with the snapshots that failed."""
    return [(flow.name, name) for flow in flows for name in sorted(flow.compared) if name in failed]


def _found(
    connection: duckdb.DuckDBPyConnection, shop: Shop, flows: Sequence[Flow], unread: Sequence[tuple[str, str]]
) -> pl.DataFrame:
    """The writes that each flow would make by the snapshots, and the records that it holds back.

    :param unread: flows that are left out, each with a snapshot that could not be read
    """
    rows: list[pl.DataFrame] = []
    for flow in flows:
        if flow.name in dict(unread):
            continue
        comparison = flow.compare(connection, shop.settings, shop.clock())
        quarantine.replace(connection, flow.name, "delta", comparison.held)
        rows.append(
            differences(
                connection,
                flow=flow.name,
                changes=without_refused(connection, flow.name, comparison.changes)[0],
                deliveries=connection.table("sync.deliveries"),
                is_personal=flow.is_personal,
            )
        )
    quarantined = connection.sql(
        "SELECT flow, key, field, NULL AS expected, NULL AS held, 'quarantined' AS why, reason "
        "FROM sync.quarantine WHERE dismissed_at IS NULL"
    ).pl()
    left_out = pl.DataFrame(
        [(flow, name, "(all)", None, None, "unread", f"{name} could not be read in this run") for flow, name in unread],
        schema=SCHEMA,
        orient="row",
    )
    found = pl.concat([*rows, quarantined.cast(SCHEMA), left_out])  # type: ignore[arg-type]
    # A value that two flows would write, such as a price, is told once. Rows without values are alike within a flow.
    has_no_values = pl.col("expected").is_null() & pl.col("held").is_null()
    found = found.with_columns(of=pl.when(has_no_values).then(pl.concat_str("flow", "why", separator=" ")))
    return found.unique(["of", "key", "field", "expected", "held"], keep="first", maintain_order=True).drop("of")


def _store(connection: duckdb.DuckDBPyConnection, found: pl.DataFrame, run_id: str) -> pl.DataFrame:
    """Add the rows of this reconciliation, and when each difference was first seen without a break."""
    now = utc_now()
    connection.register("found_now", found)
    stored = connection.sql(
        """
        SELECT $now AS reconciled_at, $run_id AS run_id, found_now.*, coalesce(first_seen, $now) AS first_seen
        FROM found_now LEFT JOIN (
            SELECT flow, key, field, why, expected, min(first_seen) AS first_seen FROM sync.reconciliation AS row
            WHERE reconciled_at = (  -- the last one that compared this flow
                SELECT max(reconciled_at) FROM sync.reconciliation WHERE reconciled_at NOT IN (
                    SELECT unread.reconciled_at FROM sync.reconciliation AS unread
                    WHERE unread.flow = row.flow AND unread.why = 'unread'
                ))
                AND NOT EXISTS (  -- it was put right since, and differs anew
                    FROM sync.deliveries AS sent WHERE sent.flow = row.flow AND sent.key = row.key
                    AND sent.state = 'delivered' AND sent.settled_at >= row.reconciled_at
                    AND (row.field = '(all)' OR list_contains(list_transform(changes, lambda c: c.field), row.field))
                )
            GROUP BY ALL
        ) AS before ON before.flow = found_now.flow AND before.key = found_now.key
            AND before.field = found_now.field AND before.why = found_now.why
            AND before.expected IS NOT DISTINCT FROM found_now.expected
        """,
        params={"now": now, "run_id": run_id},
    ).pl()
    connection.unregister("found_now")
    with sql.reading(connection, stored=stored):
        connection.execute("INSERT INTO sync.reconciliation BY NAME FROM stored")
    return stored


def _surviving(stored: pl.DataFrame) -> pl.DataFrame:
    """Differences of the last reconciliation that the one before saw, too, except waiting ones."""
    told_elsewhere = pl.col("why").is_in(["waiting", "unread"])
    return stored.filter(pl.col("first_seen") < pl.col("reconciled_at"), ~told_elsewhere)


@dg.asset_check(asset="reconciliation")
def nothing_survives(shop: dg.ResourceParam[Shop]) -> dg.AssetCheckResult:
    """No difference of the reconciliation before this one is still there."""
    with shop.database.transaction() as connection:
        newest = connection.sql(
            "FROM sync.reconciliation WHERE reconciled_at = (SELECT max(reconciled_at) FROM sync.reconciliation)"
        ).pl()
    left = _surviving(newest)
    names = ", ".join(f"{row['flow']} {row['key']}" for row in left.head(5).to_dicts())
    words = (
        f"{left.height} differences were there at the reconciliation before this one, too: {names}. "
        "The table says why; solteq-woo quarantine list says what to do about what is held back."
    )
    shown = left.select("flow", "key", "field", "why", "reason")
    return dg.AssetCheckResult(
        passed=left.is_empty(),
        severity=dg.AssetCheckSeverity.ERROR,
        description=words if left.height else None,
        metadata={
            "surviving": left.height,
            "differences": dg.MarkdownMetadataValue(markdown_table(shown.head(PREVIEW_ROWS))),
        },
    )
