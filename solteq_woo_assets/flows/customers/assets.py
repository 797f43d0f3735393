"""Customers both ways: both sides' data of each person, their changes, and sending them to the other side."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

import dagster as dg
import duckdb
import polars as pl

from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.assets import agreement_check, delivery_asset, flow_asset
from solteq_woo_assets.engine.database import StateDatabase, utc_now
from solteq_woo_assets.engine.flow import Flow
from solteq_woo_assets.engine.guard_rails import Verdict
from solteq_woo_assets.engine.ledger import SENT_ACTIONS
from solteq_woo_assets.engine.shop import Effort, Shop, failing_in_words
from solteq_woo_assets.engine.steps import (
    PREVIEW_ROWS,
    READ_FIRST,
    DeltaConfig,
    ReadConfig,
    count_rows,
    delivery_result,
    delta_metadata,
    held_rows,
    markdown_table,
    read_metadata,
    send,
    store_delta,
    warn_of_quarantine,
)
from solteq_woo_assets.flow import Comparison
from solteq_woo_assets.flows.customers import links as customer_links
from solteq_woo_assets.flows.customers.erasure import erase, find
from solteq_woo_assets.flows.customers.guard_rails import GUARD_RAILS
from solteq_woo_assets.flows.customers.outbox import release_changed
from solteq_woo_assets.flows.customers.outbox_solteq import CustomerOutbox
from solteq_woo_assets.flows.customers.outbox_woo import AccountOutbox
from solteq_woo_assets.flows.customers.people import masked
from solteq_woo_assets.flows.customers.rules import CustomerRules, Merge
from solteq_woo_assets.flows.customers.snapshots import (
    ACCOUNTS,
    CUSTOMERS,
    read_accounts,
    read_customers,
    read_staff,
    refresh_accounts,
)
from solteq_woo_assets.flows.customers.source import FLOW, FROM_SOLTEQ, FROM_WOO
from solteq_woo_assets.flows.customers.tables import TABLES
from solteq_woo_assets.flows.sales import snapshots as sales
from solteq_woo_assets.settings import Settings

GROUP = "customers_both_ways"
TO_WOO = "customers_to_woo"
TO_SOLTEQ = "customers_to_solteq"


def compare_to_woo(connection: duckdb.DuckDBPyConnection, settings: Settings, _now: datetime) -> Comparison:
    """The changes of customers for the store, by the last read of both sides."""
    return customer_links.look(connection, customer_rules(settings)).to_woo


def compare_to_solteq(connection: duckdb.DuckDBPyConnection, settings: Settings, _now: datetime) -> Comparison:
    """The changes of customers for Solteq, by the last read of both sides."""
    return customer_links.look(connection, customer_rules(settings)).to_solteq


def customer_rules(settings: Settings) -> CustomerRules:
    """The settings that decide about customers."""
    return CustomerRules(
        shop=settings.shop,
        accounts=settings.customer_accounts,
        groups=settings.customer_account_groups,
        guests=settings.guest_customers,
        conflicts=settings.customer_conflicts,
        remove_deleted=settings.deleted_customers == "remove",
    )


def _read_staff(context: dg.AssetExecutionContext, shop: Shop) -> None:
    """One request for each role, only before anybody is linked or written."""
    for role in read_staff(shop.database, shop.woo, shop.settings.staff_roles):
        context.log.warning(f"SOLTEQ_WOO_STAFF_ROLES: the store has no role {role}, so nobody is kept out by it.")


def _read_staff_before(context: dg.AssetExecutionContext, shop: Shop, *, delta: str) -> None:
    """Before a delivery, if anything is to be sent: a delta that is delivered by itself may be hours old."""
    with shop.database.transaction() as connection:
        due = f"SELECT count(*) FROM delta.{delta} WHERE list_contains($sent, action)"
        is_due = count_rows(connection, due, {"sent": list(SENT_ACTIONS)}) > 0
    if is_due:
        _read_staff(context, shop)


CUSTOMERS_TO_WOO = Flow(
    name=TO_WOO,
    module=__name__,
    job=TO_WOO,
    group=GROUP,
    direction="both-ways",
    description="Tells the web store what changed of its customers in Solteq.",
    snapshots={"solteq_customers": "solteq/customers", "woo_customer_accounts": "woocommerce/accounts"},
    delta="woo_customer_delta",
    delivery="woo_customers",
    writes="woocommerce/customers",
    source=FROM_SOLTEQ,
    tables=TABLES,
    compare=compare_to_woo,
    outbox=lambda shop: AccountOutbox(shop.woo, TO_WOO, shop.settings.tax_code_meta),
    guard_rails=GUARD_RAILS,
    lease=FLOW,
    before_sending=partial(_read_staff_before, delta="woo_customer_delta"),
    is_personal=True,
)
CUSTOMERS_TO_SOLTEQ = Flow(
    name=TO_SOLTEQ,
    module=__name__,
    job=TO_SOLTEQ,
    group=GROUP,
    direction="both-ways",
    description="Tells Solteq of new accounts in the web store, and of what changed in the others.",
    snapshots={"solteq_customers": "solteq/customers", "woo_customer_accounts": "woocommerce/accounts"},
    delta="solteq_customer_delta",
    delivery="solteq_customer_updates",
    writes="solteq/customer_register",
    source=FROM_WOO,
    tables=TABLES,
    compare=compare_to_solteq,
    outbox=lambda shop: CustomerOutbox(shop.solteq, TO_SOLTEQ),
    lease=FLOW,
    before_sending=partial(_read_staff_before, delta="solteq_customer_delta"),
    is_personal=True,
)
ATTEMPTS = 3
"""The number of times that a customer who changed in Solteq meanwhile is merged again, before the next run does it."""


@flow_asset(CUSTOMERS_TO_WOO, "solteq", "duckdb", op_tags=READ_FIRST)
def solteq_customers(
    context: dg.AssetExecutionContext,
    config: ReadConfig,
    shop: dg.ResourceParam[Shop],
) -> dg.MaterializeResult:
    """The customers as Solteq's back office has them: names, contact details, addresses and customer groups.

    Reads the changes since the last read. Only the id is kept of a deleted customer. Table
    `snapshot.solteq_customers`.
    """
    with shop.step(context, FLOW) as effort:
        counts = read_customers(shop, TO_WOO, full=config.is_full(shop.database, TO_WOO))
        remarks = _remarks(shop.database, CUSTOMERS)
    return dg.MaterializeResult(metadata={**read_metadata(counts, effort), **remarks})


@flow_asset(CUSTOMERS_TO_SOLTEQ, "woocommerce", "duckdb", op_tags=READ_FIRST)
def woo_customer_accounts(
    context: dg.AssetExecutionContext,
    config: ReadConfig,
    shop: dg.ResourceParam[Shop],
) -> dg.MaterializeResult:
    """The accounts of the web store, of every role: names, contact details and addresses.

    The store cannot tell which accounts changed. One request finds the new ones; a full read finds those that were
    changed or removed. Table `snapshot.woo_customer_accounts`.
    """
    with shop.step(context, FLOW) as effort:
        counts = read_accounts(
            shop.database,
            shop.woo,
            tax_code_meta=shop.settings.tax_code_meta,
            guests=shop.settings.guest_customers,
            full=config.full,
        )
        if counts.full:
            _read_staff(context, shop)
        remarks = _remarks(shop.database, ACCOUNTS)
    return dg.MaterializeResult(metadata={**read_metadata(counts, effort), **remarks})


def _remarks(database: StateDatabase, table: str) -> dict[str, Any]:
    """The number of values that could not be parsed, and the first of them; each begins with its field."""
    with database.transaction() as connection:
        remarks = connection.sql(f"SELECT id::VARCHAR AS id, unnest(remarks) AS remark FROM {table} ORDER BY ALL").pl()
    return {
        "unparsed_values": remarks.height,
        "unparsed": dg.MarkdownMetadataValue(markdown_table(remarks.head(PREVIEW_ROWS))),
    }


@flow_asset(CUSTOMERS_TO_WOO, "duckdb", deps=CUSTOMERS_TO_WOO.compared, check_specs=GUARD_RAILS.check_specs())
def woo_customer_delta(
    context: dg.AssetExecutionContext,
    config: DeltaConfig,
    shop: dg.ResourceParam[Shop],
) -> dg.MaterializeResult:
    """The changes of customers for the web store, field by field, old → new. Nothing is sent yet.

    Each field is merged against the value that both sides last agreed on. Accounts that would be written are read
    again first, so that a change made in the store a minute ago is not lost, and who runs the store, who is never
    written to. Table `delta.woo_customer_delta`.
    """
    with shop.step(context, FLOW) as effort:
        first = _look(context, shop)
        ids = first.merge.to_woo.filter(pl.col("kind") == "customer")["woo_id"].drop_nulls().to_list()
        if ids:
            refresh_accounts(shop.database, shop.woo, ids, tax_code_meta=shop.settings.tax_code_meta)
        with shop.database.transaction() as connection:
            merge, changes, verdicts = _settle(connection, config, shop.settings, first, let_pass=config.let_pass)
            held = held_rows(connection, TO_WOO)
        quarantined = warn_of_quarantine(context, held)
    return dg.MaterializeResult(
        metadata=_delta_metadata(shop, merge, changes, quarantined, effort),
        check_results=GUARD_RAILS.report(context, verdicts, config.let_pass),
    )


@flow_asset(CUSTOMERS_TO_SOLTEQ, "duckdb", deps=CUSTOMERS_TO_SOLTEQ.compared)
def solteq_customer_delta(
    context: dg.AssetExecutionContext,
    config: DeltaConfig,
    shop: dg.ResourceParam[Shop],
) -> dg.MaterializeResult:
    """The changes of customers for Solteq, field by field, old → new: new accounts, and changes made in the store.

    Each field is merged against the value that both sides last agreed on. Who runs the store is read again first, and
    nothing is told of them. Table `delta.solteq_customer_delta`.
    """
    with shop.step(context, FLOW) as effort:
        first = _look(context, shop)
        with shop.database.transaction() as connection:
            merge, _, _ = _settle(connection, config, shop.settings, first)
            held = held_rows(connection, TO_SOLTEQ)
        quarantined = warn_of_quarantine(context, held)
    metadata = _delta_metadata(shop, merge, merge.to_solteq, quarantined, effort)
    return dg.MaterializeResult(metadata=metadata)


def _look(context: dg.AssetExecutionContext, shop: Shop) -> customer_links.People:
    """The writes to come; the store's staff is read again if it matters."""
    with shop.database.transaction() as connection:
        first = customer_links.look(connection, customer_rules(shop.settings))
    if first.depends_on_staff:
        _read_staff(context, shop)
    return first


def _settle(
    connection: duckdb.DuckDBPyConnection,
    config: DeltaConfig,
    settings: Settings,
    first: customer_links.People,
    *,
    let_pass: Sequence[str] | None = None,
) -> tuple[Merge, pl.DataFrame, list[Verdict]]:
    """Merge, and make both deltas: news that one direction reads must wake the other's sensor.

    :param first: the look before the staff was read again
    :param let_pass: see ``guard``; the rails are those of the store's delta, which the other direction leaves alone
    :return: the merge, the store's delta as its guard rails left it, and what they say
    """
    # Where nobody is to be linked or written, nothing was read since the first look.
    people = customer_links.look(connection, customer_rules(settings)) if first.depends_on_staff else first
    changes, verdicts = _store(connection, config, settings, people, let_pass)
    if customer_links.stopped(connection) != people.kept:  # others may part now than by the last delta
        people = customer_links.look(connection, customer_rules(settings))
        passes = None if let_pass is None else []  # those that may pass have been told
        changes, verdicts = _store(connection, config, settings, people, passes)
    people.apply(connection)
    return people.merge, changes, verdicts


def _store(
    connection: duckdb.DuckDBPyConnection,
    config: DeltaConfig,
    settings: Settings,
    people: customer_links.People,
    let_pass: Sequence[str] | None,
) -> tuple[pl.DataFrame, list[Verdict]]:
    for flow, delta, comparison in (
        (TO_WOO, "woo_customer_delta", people.to_woo),
        (TO_SOLTEQ, "solteq_customer_delta", people.to_solteq),
    ):
        release_changed(connection, flow, comparison.changes)
        store_delta(connection, config, flow, delta, comparison)
    return GUARD_RAILS.guard(connection, settings, utc_now(), let_pass=let_pass)


def _delta_metadata(
    shop: Shop, merge: Merge, changes: pl.DataFrame, quarantined: int, effort: Effort
) -> dict[str, Any]:
    metadata = delta_metadata(
        shop, masked_changes(changes), quarantined=quarantined, unchanged=merge.in_step, effort=effort
    )
    conflicts = int(changes["conflicts"].list.len().sum() or 0)
    return {**metadata, "conflicts": conflicts, "parted": changes.filter(pl.col("action") == "part").height}


def masked_changes(changes: pl.DataFrame) -> pl.DataFrame:
    """Rows that may be shown: no value of a person in full."""
    rows = [
        row | {"changes": [c | {side: _shown(c["field"], c[side]) for side in ("old", "new")} for c in row["changes"]]}
        for row in changes.drop("conflicts").to_dicts()
    ]
    return pl.DataFrame(rows, schema=changes.drop("conflicts").schema)


def _shown(field: str, value: str | None) -> str:
    return value or "" if field in ("type", "external_id", "solteq_customer_id") else masked(field, value)


woo_customers = delivery_asset(
    CUSTOMERS_TO_WOO,
    """The changes of customers, sent to the web store in batches; only fields that differ.

    Each write is in the ledger, `sync.deliveries`, before it leaves, without the values.
    """,
)


@flow_asset(CUSTOMERS_TO_SOLTEQ, "solteq", deps=[solteq_customer_delta])
def solteq_customer_updates(
    context: dg.AssetExecutionContext,
    shop: dg.ResourceParam[Shop],
) -> dg.MaterializeResult:
    """The new and changed customers of the web store, sent to Solteq one by one.

    A customer that somebody changed in Solteq meanwhile is read and merged again. Each write is in the ledger,
    `sync.deliveries`, before it leaves, without the values.
    """
    flow = CUSTOMERS_TO_SOLTEQ
    with shop.step(context, *flow.leases) as effort:
        flow.before_sending(context, shop)
        outbox = CustomerOutbox(shop.solteq, TO_SOLTEQ)
        counts = send(context, shop, flow, outbox)
        for _ in range(ATTEMPTS - 1):
            stale = outbox.stale
            if not stale:
                break
            read_customers(shop, TO_WOO)
            _merge_again(shop.database, shop.settings, stale)
            counts.retry -= len(stale)
            outbox = CustomerOutbox(shop.solteq, TO_SOLTEQ, only=stale)
            counts.merge(send(context, shop, flow, outbox))
    return delivery_result(context, shop, TO_SOLTEQ, flow.delta, counts, effort)


def _merge_again(database: StateDatabase, settings: Settings, keys: Sequence[str]) -> None:
    """Merge these again; the rows and the quarantine of the others stay as they are."""
    with database.transaction() as connection:
        comparison = compare_to_solteq(connection, settings, utc_now())
        with sql.reading(connection, changes=comparison.changes.filter(pl.col("key").is_in(keys))):
            connection.execute("DELETE FROM delta.solteq_customer_delta WHERE list_contains($1, key)", [list(keys)])
            connection.execute("INSERT INTO delta.solteq_customer_delta BY NAME FROM changes")


class ErasureConfig(dg.Config):
    """The customer to erase."""

    customer: str
    """Solteq's id of the customer, woo: and the account's id, or order: and a guest's order. Never an e-mail address:
    Dagster keeps what is entered here; solteq-woo erase takes one."""


@dg.op
def erase_from_database(
    context: dg.OpExecutionContext,
    config: ErasureConfig,
    shop: dg.ResourceParam[Shop],
) -> None:
    """Erase a customer from every table, and from the bytes of the database file.

    The ids stay, so that nothing brings the person back. Solteq and the store are not touched: erase there first.
    """
    if "@" in config.customer:
        raise dg.Failure(
            "Nobody was erased: an e-mail address is not taken here, since Dagster keeps it. Delete this run, then use "
            "an id, or solteq-woo erase.",
            allow_retries=False,
        )
    with failing_in_words():
        for flow in (FLOW, sales.FLOW):
            shop.leases.take(flow, context.run_id)
        found = find(shop.database, config.customer)
        for line in (*found.words(), *(f"Stays: {other}" for other in found.others)):
            context.log.info(line)
        erase(shop.database, config.customer)
    if not found:
        raise dg.Failure("Nobody is known by that id.", allow_retries=False)
    context.log.info("Erased, also from the bytes of the file.")


accounts_agree = agreement_check(
    CUSTOMERS_TO_WOO,
    "accounts_agree",
    "After delivery the store has been told everything, but for what is in quarantine.",
)
customers_agree = agreement_check(
    CUSTOMERS_TO_SOLTEQ,
    "customers_agree",
    "After delivery Solteq has been told everything, but for what is in quarantine.",
)
