"""Snapshots: the newest version wins, whatever the order of arrival, and a watermark passes nothing by."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solteq_woo_assets.clients.connections import woo_client
from solteq_woo_assets.clients.solteq import SolteqClient
from solteq_woo_assets.clients.solteq_documents import FeedPage, ProductDocument, Tombstone
from solteq_woo_assets.clients.woo import ProductPage
from solteq_woo_assets.engine import snapshot
from solteq_woo_assets.engine.database import utc_now
from solteq_woo_assets.engine.snapshot import (
    SOLTEQ_OVERLAP,
    SOLTEQ_TICK,
    merge,
    watermark,
)
from solteq_woo_assets.engine.upgrades import bring_up
from solteq_woo_assets.flows.balances.source import FEED
from solteq_woo_assets.flows.balances.tables import SOLTEQ_BALANCES
from solteq_woo_assets.flows.products import snapshots
from solteq_woo_assets.flows.products.snapshots import read_catalogue
from solteq_woo_assets.flows.tables import TABLES
from solteq_woo_assets_tests.conftest import Shop, product_document
from solteq_woo_assets_tests.engine.flows import run_flows

START = datetime(2026, 3, 1)  # noqa: DTZ001  as the database keeps it
Connection = duckdb.DuckDBPyConnection


@pytest.fixture(scope="module")
def memory() -> Iterator[Connection]:
    """The tables, in memory."""
    with duckdb.connect() as connection:
        bring_up(connection, TABLES, None)
        yield connection


versions = st.lists(
    st.tuples(st.sampled_from("AB"), st.sampled_from("12"), st.integers(0, 4), st.integers(0, 3)), max_size=12
)


def rows(documents: list[tuple[str, str, int, int]]) -> pl.DataFrame:
    """Balances: code, store, version, quantity."""
    return pl.DataFrame(
        [
            {
                "product_code": code,
                "store_id": store,
                "store_name": None,
                "free_balance": Decimal(quantity),
                "reserved_balance": None,
                "unit": None,
                "deleted": False,
                "modified_at": START + timedelta(minutes=version),
            }
            for code, store, version, quantity in documents
        ],
        schema=SOLTEQ_BALANCES.schema,
    )


def held(connection: Connection) -> dict[tuple[str, str], tuple[datetime, Decimal]]:
    """What the table holds."""
    found = connection.execute(
        f"SELECT product_code, store_id, modified_at, free_balance FROM {SOLTEQ_BALANCES}"
    ).fetchall()
    assert len({row[:2] for row in found}) == len(found), "a key twice"
    return {(row[0], row[1]): (row[2], row[3]) for row in found}


@given(lots=st.lists(versions, max_size=4))
def test_any_order_and_any_repeats_end_with_the_newest_version(
    memory: Connection, lots: list[list[tuple[str, str, int, int]]]
) -> None:
    """And the number of changed rows is right, which a run shows and a sensor goes by."""
    memory.execute(f"DELETE FROM {SOLTEQ_BALANCES}")
    wanted: dict[tuple[str, str], tuple[datetime, Decimal]] = {}
    for lot in lots:
        before = dict(wanted)
        for code, store, version, quantity in lot:
            known = wanted.get((code, store))
            instant = START + timedelta(minutes=version)
            if known is None or instant >= known[0]:
                wanted[code, store] = (instant, Decimal(quantity))
        changed = sum(before.get(key) != value for key, value in wanted.items())
        assert merge(memory, SOLTEQ_BALANCES, rows(lot), version="modified_at") == changed
        assert held(memory) == wanted


class _Read:
    """A feed in which documents appear up to the overlap after their ``modifiedAt``, and its reader."""

    def __init__(self, connection: Connection) -> None:
        connection.execute("DELETE FROM sync.watermarks")
        self.connection = connection
        self.seen: set[int] = set()
        self.answered = 0

    def at(self, now: datetime, documents: list[tuple[datetime, datetime]]) -> None:
        """:param documents: when each was modified, and when it appears"""
        before = watermark(self.connection, SOLTEQ_BALANCES.name)
        since = before.position if before else datetime.min  # noqa: DTZ901
        arrived = {n for n, (modified, appears) in enumerate(documents) if appears <= now and modified >= since}
        self.answered = len(arrived)
        self.seen |= arrived
        snapshot.store_watermark(
            self.connection,
            SOLTEQ_BALANCES.name,
            started=now,
            newest=max((documents[n][0] for n in arrived), default=None),
            overlap=SOLTEQ_OVERLAP,
            tick=SOLTEQ_TICK,
            full=before is None,
        )


seconds = st.integers(0, 1200)


@given(
    documents=st.lists(st.tuples(seconds, st.integers(0, int(SOLTEQ_OVERLAP.total_seconds()))), max_size=8),
    reads=st.lists(seconds, max_size=8).map(sorted),
)
def test_the_watermark_passes_no_document_that_may_still_arrive(
    memory: Connection, documents: list[tuple[int, int]], reads: list[int]
) -> None:
    """However late, within the overlap, and however the reads fall; and once all is quiet, nothing comes again."""
    stamped = [
        (START + timedelta(seconds=modified), START + timedelta(seconds=modified + late))
        for modified, late in documents
    ]
    reader = _Read(memory)
    for second in [*reads, 1200 + int(SOLTEQ_OVERLAP.total_seconds())]:
        now = START + timedelta(seconds=second)
        reader.at(now, stamped)
        assert reader.seen >= {number for number, (_, appears) in enumerate(stamped) if appears <= now}
    for later in (1, 2):
        reader.at(START + timedelta(seconds=1200, hours=later), stamped)
    assert reader.answered == 0


@pytest.mark.parametrize("minutes", [-10, -6, 6, 10])
def test_a_document_that_appears_late_is_read_whatever_our_clock_says(shop: Shop, minutes: int) -> None:
    """Our clock ahead of Solteq's by more than the overlap took what may still arrive for settled."""
    shop.solteq.put("clock", {"ahead_seconds": minutes * 60})
    there = utc_now() + timedelta(minutes=minutes)
    shop.balance("A", 1)
    run_flows(shop.settings, "first", "balances")
    late = (there - timedelta(minutes=4)).isoformat(timespec="milliseconds")
    shop.balance("B", 2, modifiedAt=f"{late}Z")
    run_flows(shop.settings, "second", "balances")
    assert shop.rows(f"SELECT product_code FROM {SOLTEQ_BALANCES} ORDER BY 1") == [("A",), ("B",)]
    ((position, began, ended),) = shop.rows(
        "SELECT position, read_at_there, read_at FROM sync.watermarks WHERE feed = ?", SOLTEQ_BALANCES.name
    )
    assert abs(began - ended - timedelta(minutes=minutes)) < timedelta(minutes=1)
    assert abs(began - position - SOLTEQ_OVERLAP) < timedelta(minutes=1), "and not more is read than that"


def test_a_product_edited_in_the_second_of_the_read_is_read_though_our_clock_is_ahead(shop: Shop) -> None:
    shop.woo.put("clock", {"ahead_seconds": -600})
    shop.product("A")
    shop.balance("A", 5)
    run_flows(shop.settings, "first", "products", "balances")
    ((position, newest),) = shop.rows(
        "SELECT position, newest FROM sync.watermarks WHERE feed = 'snapshot.woo_catalogue'"
    )
    assert position < newest, "the store tells what changed after a second, not in it"


def test_a_quiet_feed_is_one_request_and_no_document(shop: Shop) -> None:
    old = "2026-01-01T00:00:00Z"
    for number in range(3):
        shop.product(f"A{number}", modifiedAt=old)
    run_flows(shop.settings, "first", "products")
    shop.solteq.asked()
    told = run_flows(shop.settings, "second", "products")
    assert told["solteq_products"]["received"] == 0
    assert len([request for request in shop.solteq.asked() if "v1-ext" in request["path"]]) == 1


def stone(code: str, minutes: int) -> Tombstone:
    """A deletion of a balance in store 1."""
    return Tombstone((code, "1"), (START + timedelta(minutes=minutes)).replace(tzinfo=UTC))


def test_a_tombstone_buries_what_is_not_newer_and_counts_once(memory: Connection) -> None:
    memory.execute(f"DELETE FROM {SOLTEQ_BALANCES}")
    merge(
        memory,
        SOLTEQ_BALANCES,
        rows([("A", "1", 1, 5), ("B", "1", 3, 5), ("A", "2", 1, 5)]),
        version="modified_at",
    )
    stones = [stone("A", 1), stone("A", 2), stone("B", 2), stone("unknown", 2)]
    assert FEED._mark_deleted(memory, stones) == 1
    assert FEED._mark_deleted(memory, stones) == 0
    found = memory.execute(
        f"SELECT product_code, store_id, deleted, modified_at FROM {SOLTEQ_BALANCES} ORDER BY ALL"
    ).fetchall()
    assert found == [
        ("A", "1", True, START + timedelta(minutes=2)),
        ("A", "2", False, START + timedelta(minutes=1)),
        ("B", "1", False, START + timedelta(minutes=3)),
    ]


def test_a_tombstone_that_comes_before_its_document_still_counts(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The feed has no order: an old version in a later lot must not bring a deleted product back on sale."""
    monkeypatch.setattr(snapshot, "ROWS_PER_TRANSACTION", 1)
    shop.product("OTHER")
    raw = '{{"id": "p-{0}", "deleted": true, "modifiedAt": "2026-05-01T00:00:00Z"}}'
    documents = [{"raw": raw.format(number)} for number in range(8)]
    shop.solteq.put("products", {"documents": documents})
    read = SolteqClient.read

    def with_old_versions_last(*arguments: Any, **options: Any) -> Iterator[FeedPage]:
        yield from read(*arguments, **options)
        for number in range(8):
            old = product_document(str(number), vatRate=Decimal("25.5"), modifiedAt="2026-04-01T00:00:00Z")
            yield FeedPage([ProductDocument.model_validate(old)], [])

    monkeypatch.setattr(SolteqClient, "read", with_old_versions_last)
    run_flows(shop.settings, "run", "products")
    assert set(shop.store()) == {"OTHER"}


def test_what_is_made_in_the_store_during_a_full_read_is_not_forgotten(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A parent made after the products were read and before its variations were: only what was there before the
    read and is not found by it is gone."""
    shop.product("STAYS")
    shop.product("GOES")
    run_flows(shop.settings, "first", "products")
    read, is_beside = snapshots._variation_pages, False

    def meanwhile(*arguments: Any) -> Iterator[ProductPage]:
        nonlocal is_beside
        if not is_beside:
            is_beside = True
            for size in "SL":
                shop.product(f"V-{size}", modelNumber="V", attributes={"Koko": size})
            run_flows(shop.settings, "beside", "products")
        return read(*arguments)

    monkeypatch.setattr(snapshots, "_variation_pages", meanwhile)
    shop.delete(shop.store()["GOES"])
    woo = woo_client(shop.settings)
    counts = read_catalogue(shop.database, woo, full=True)
    woo.close()
    assert counts.removed == 1
    skus = {sku for (sku,) in shop.rows("SELECT sku FROM snapshot.woo_catalogue")}
    assert skus == {"STAYS", "V", "V-S", "V-L"}
    links = {key for (key,) in shop.rows("SELECT key FROM sync.links")}
    assert links == {"stays", "v", "v-s", "v-l"}
