"""Sends changes of the store's products: in batches, products and parents before variations, read back in doubt."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import polars as pl
from pydantic import ValidationError

from solteq_woo_assets.clients.woo import WooClient
from solteq_woo_assets.clients.woo_batches import ItemRefused
from solteq_woo_assets.clients.woo_documents import ProductBatch, ProductWrite, StoreProduct, sku_key
from solteq_woo_assets.engine import handover, sql, writes
from solteq_woo_assets.engine.database import Clock, StateDatabase, utc_now
from solteq_woo_assets.engine.handover import Claim
from solteq_woo_assets.engine.ledger import SENT_ACTIONS
from solteq_woo_assets.engine.outbox import Outbox
from solteq_woo_assets.engine.turns import Release, Turns
from solteq_woo_assets.engine.writes import not_sent, writes_of
from solteq_woo_assets.errors import WooError
from solteq_woo_assets.flows.products.links import LINK_SCHEMA, link
from solteq_woo_assets.flows.products.snapshots import forget, merge_catalogue
from solteq_woo_assets.flows.products.wire import disagreement, product_write

BATCH_SIZE = 100
"""The most that WooCommerce takes in one batch (contract, 11)."""

GONE_CODES = {"woocommerce_rest_product_invalid_id", "woocommerce_rest_product_variation_invalid_id"}
TAKEN_CODES = {"product_invalid_sku", "woocommerce_rest_product_not_created"}


@dataclass(frozen=True)
class Parent:
    parent_key: str | None
    parent_id: int | None


Write = writes.Write[Parent]
Outcome = writes.Outcome[Parent, StoreProduct]


class ProductOutbox(Outbox[Parent, StoreProduct]):
    """A delta of products, balances or campaign prices on its way to the store.

    :param table: the delta, such as ``delta.product_delta``
    :param clock: the present, for the history of prices
    :param portion: the number of writes between two looks
    :param look: called before each portion, with the keys that have not left; says whether it made the delta anew
    """

    side = "the store"
    error = WooError
    whole = "(the product)"

    def __init__(
        self,
        woo: WooClient,
        flow: str,
        table: str,
        *,
        clock: Clock = utc_now,
        portion: int | None = None,
        look: Callable[[list[str]], bool] = lambda _: False,
    ) -> None:
        self.flow = flow
        self.batch_size = BATCH_SIZE
        self.portion = portion
        self._woo = woo
        self._table = table
        self._clock = clock
        self._look = look
        self._waiting: dict[str, None] = {}
        self._is_anew = False

    def due(self, connection: duckdb.DuckDBPyConnection) -> list[Write]:
        writes = self._in_delta(connection)
        self._waiting = dict.fromkeys(write.key for write in writes)
        return writes

    def _in_delta(self, connection: duckdb.DuckDBPyConnection) -> list[Write]:
        rows = connection.sql(
            f"SELECT key, action, kind, woo_id, parent_key, parent_id, changes FROM {self._table} "
            f"WHERE list_contains({list(SENT_ACTIONS)}, action) ORDER BY kind, parent_key, parent_id, key"
        )
        return writes_of(rows, Parent)

    def look_again(self, database: StateDatabase, writes: Sequence[Write]) -> Sequence[Write]:
        self._is_anew |= self._look([*self._waiting])
        if not self._is_anew:
            return writes
        with database.transaction() as connection:  # an earlier look may have changed these writes, too
            now = {write.key: write for write in self._in_delta(connection)}
        return [replace(now[each.key], delivery_id=each.delivery_id) for each in writes if each.key in now]

    def enter(self, connection: duckdb.DuckDBPyConnection, run_id: str, writes: Sequence[Write]) -> None:
        for write in writes:
            self._waiting.pop(write.key, None)

    def claims(self, writes: Sequence[Write]) -> list[Claim]:
        """Products go before variations, a parent before its own."""
        by_key = {sku_key(write.key): n for n, write in enumerate(writes) if write.kind == "variable"}
        by_id = {write.woo_id: n for n, write in enumerate(writes) if write.kind != "variation"}
        claims: list[Claim] = []
        for write in writes:
            gives, wants = handover.values(write.changes)
            if gives and not self.bodies([write], []):  # it is not sent, and gives nothing up
                gives, wants = {}, {}
            if write.kind == "variation":
                parent, parent_id = sku_key(write.more.parent_key), write.more.parent_id
                after = by_key.get(parent) if parent_id is None else by_id.get(parent_id, by_key.get(parent))
                place = ("family", parent_id or parent)
                claims.append(Claim(place, gives, wants, write.woo_id is None, not_before=1, after=after))
            else:
                claims.append(Claim("products", gives, wants, write.woo_id is None))
        return claims

    def places(
        self, database: StateDatabase, writes: Sequence[Write]
    ) -> tuple[Iterator[Sequence[Write]], Sequence[Outcome]]:
        """Products together, variations parent by parent. New variations whose parent did not arrive, or did not become
        variable, wait."""
        variations = [write for write in writes if write.kind == "variation"]
        families: defaultdict[int, list[Write]] = defaultdict(list)
        waiting: list[Outcome] = []
        known, variable = _parents(database, variations)
        for write in variations:
            parent_id = write.more.parent_id or known.get(sku_key(write.more.parent_key))
            if parent_id is None:
                why = f"its parent {write.more.parent_key} is not in the store"
                waiting.append(Outcome(write, "waiting", error=why))
            elif write.woo_id is None and parent_id not in variable:
                why = f"its parent {write.more.parent_key} is not a variable product"
                waiting.append(Outcome(write, "waiting", error=why))
            else:
                families[parent_id].append(replace(write, more=replace(write.more, parent_id=parent_id)))
        products = [write for write in writes if write.kind != "variation"]
        return iter([products, *families.values()]), waiting

    def bodies(self, writes: Sequence[Write], outcomes: list[Outcome]) -> dict[Write, ProductWrite]:
        """Batch items are not validated by WooCommerce (contract, 12)."""
        sound: dict[Write, ProductWrite] = {}
        for write in writes:
            try:
                sound[write] = product_write(write.woo_id, write.changes)
            except ValidationError as error:
                outcomes.append(not_sent(write, error))
        return sound

    def post(
        self, bodies: Mapping[Write, ProductWrite], turns: Turns[Parent]
    ) -> list[tuple[Write, StoreProduct | ItemRefused]]:
        parent_id = next(iter(bodies)).more.parent_id
        sent: list[tuple[Write | None, ProductWrite]] = []  # a release is nobody's own write
        for write, body in bodies.items():
            for each in turns.releases(write):
                turns.note_release(each)
                if write.woo_id is not None and _parent_of(each.write) == parent_id:
                    sent.append((None, _releasing(each)))
                else:
                    self._woo.write(ProductBatch([], [_releasing(each)], _parent_of(each.write)))
            sent.append((write, body))
        creates = [item for item in sent if item[1].id is None]
        updates = [item for item in sent if item[1].id is not None]
        batch = ProductBatch([body for _, body in creates], [body for _, body in updates], parent_id)
        answers = zip([*creates, *updates], self._woo.write(batch), strict=True)
        return [(write, answer) for (write, _), answer in answers if write is not None]

    def read(self, write: Write, answer: StoreProduct | ItemRefused) -> Outcome:
        if isinstance(answer, StoreProduct):
            if _is_another(write, answer):
                return Outcome(write, "retry", answer, error=f"product {answer.id} of the store is another by now")
            if (difference := disagreement(answer, write.changes)) is None:
                return Outcome(write, "delivered", answer)
            return Outcome(write, "refused", answer, error=difference.message, error_field=difference.field)
        error = f"{answer.code}: {answer.message}"
        if answer.code in GONE_CODES:
            return Outcome(write, "retry", error=f"it is gone from the store ({error})", is_gone=True)
        if answer.code in TAKEN_CODES and (holders := self._holders(write)):
            why = f"the store has it already ({error})"
            return Outcome(write, "retry", error=why, error_field="sku", found=holders)
        if answer.resource_id:
            error += f" It is held by the store's product {answer.resource_id}."
        return Outcome(write, "refused", error=error)

    def _holders(self, write: Write) -> list[StoreProduct]:
        """The products, in the bin too, that hold the SKU of a refused create."""
        return [*self._woo.find_by_sku([_sku(write)]), *self._woo.find_by_sku([_sku(write)], status="trash")]

    def read_back(self, writes: Sequence[Write], outcomes: list[Outcome]) -> list[Write]:
        held = self._held(writes, writes[0].more.parent_id)
        rest: list[Write] = []
        for write in writes:
            product = held.get(write.delivery_id)
            if product is not None and disagreement(product, write.changes) is None:
                outcomes.append(Outcome(write, "delivered", product))
            elif product is not None and write.woo_id is None:
                outcomes.append(Outcome(write, "retry", error="created, but not as sent", found=[product]))
            else:
                rest.append(write)
        return rest

    def _held(self, writes: Sequence[Write], parent_id: int | None) -> dict[str, StoreProduct]:
        """The store's product of each write, by delivery id."""
        by_id = {write.woo_id: write for write in writes if write.woo_id is not None}
        by_sku = {_sku(write): write for write in writes if write.woo_id is None}
        found: dict[str, StoreProduct] = {}
        if by_id:
            for product in self._woo.read_by_id(list(by_id), parent_id=parent_id):
                found[by_id[product.id].delivery_id] = product
        if by_sku:
            for product in self._woo.find_by_sku(list(by_sku)):
                if write := by_sku.get(sku_key(product.sku)):
                    found[write.delivery_id] = product
        return found

    def takes_writes(self) -> bool:
        return self._woo.takes_writes()

    def give_back(self, release: Release[Parent]) -> bool:
        given = [self._gives_back(release.write, name) for name in release.fields]  # all of them, even if one fails
        return all(given)

    def _gives_back(self, write: Write, name: str) -> bool:
        (change,) = [change for change in write.changes if change["field"] == name]
        for value in (change["new"], change["old"]):
            try:
                body = product_write(write.woo_id, [{**change, "new": value}])
            except ValidationError:
                continue
            if isinstance(self._woo.write(ProductBatch([], [body], _parent_of(write)))[0], StoreProduct):
                return True
        return False

    def keep(self, connection: duckdb.DuckDBPyConnection, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        outcomes = _still_refused(connection, outcomes)
        seen = self._clock()
        merge_catalogue(connection, [each for o in outcomes for each in (o.answer, *o.found) if each], seen=seen)
        gone = [outcome.write.woo_id for outcome in outcomes if outcome.is_gone and outcome.write.woo_id]
        if gone:
            forget(connection, gone, seen=seen)
            connection.execute("DELETE FROM sync.links WHERE list_contains($ids, woo_id)", {"ids": gone})
        _link(connection, outcomes)
        return outcomes


def _parents(database: StateDatabase, variations: Sequence[Write]) -> tuple[dict[str, int], set[int]]:
    """The store's products by model number, and those of the variations' parents that can have variations."""
    if not variations:
        return {}, set()
    wanted = pl.DataFrame(
        [(sku_key(write.more.parent_key), write.more.parent_id) for write in variations],
        schema={"key": pl.String, "id": pl.Int64},
        orient="row",
    )
    with database.transaction() as connection, sql.reading(connection, wanted=wanted):
        known = dict(
            connection.execute(
                "SELECT key, woo_id FROM sync.links WHERE kind = 'product' AND key IN (SELECT key FROM wanted)"
            ).fetchall()
        )
        variable = connection.execute(
            "SELECT id FROM snapshot.woo_catalogue WHERE type LIKE 'variable%' AND (id IN (SELECT id FROM wanted) "
            "OR id IN (SELECT woo_id FROM sync.links WHERE key IN (SELECT key FROM wanted)))"
        ).fetchall()
    return known, {row[0] for row in variable}


def _parent_of(write: Write) -> int | None:
    return write.more.parent_id if write.kind == "variation" else None


def _releasing(released: Release[Parent]) -> ProductWrite:
    woo_id = released.write.woo_id or 0
    return ProductWrite.model_validate(
        {"id": woo_id, **{name: handover.intermediate(name, woo_id) for name in released.fields}}
    )


def _is_another(write: Write, product: StoreProduct) -> bool:
    """A store that was restored may use an id anew. The next run puts right what was written there."""
    tells = write.action == "update" and write.kind != "variable" and product.sku != ""
    return tells and _sku(write) not in ("", sku_key(product.sku))


def _sku(write: Write) -> str:
    return sku_key(next((change["new"] for change in write.changes if change["field"] == "sku"), write.key))


def _still_refused(connection: duckdb.DuckDBPyConnection, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """A retry would not help if the delta knew the products that are in the way."""
    found = [product.id for outcome in outcomes for product in outcome.found]
    rows = connection.execute("SELECT id FROM snapshot.woo_catalogue WHERE list_contains($1, id)", [found]).fetchall()
    known = {row[0] for row in rows}
    return [
        replace(outcome, state="refused", error_field="sku")
        if outcome.state == "retry" and outcome.found and known.issuperset(each.id for each in outcome.found)
        else outcome
        for outcome in outcomes
    ]


def _link(connection: duckdb.DuckDBPyConnection, outcomes: Sequence[Outcome]) -> None:
    rows: list[dict[str, Any]] = []
    for outcome in outcomes:
        if outcome.state != "delivered" or outcome.answer is None:
            continue
        status = next((change for change in outcome.write.changes if change["field"] == "status"), None)
        is_withdrawn = outcome.write.action == "withdraw"
        rows.append(
            {
                "key": sku_key(outcome.write.key),
                "woo_id": outcome.answer.id,
                "status_before": status["old"] if status and is_withdrawn else None,
                "status_is_ours": status is not None,
                "solteq_id": None,
                "sku": sku_key(outcome.answer.sku),
            }
        )
    with sql.reading(connection, told=pl.DataFrame(rows, schema=LINK_SCHEMA)):
        told = connection.sql(_WITH_IDS).pl()
    link(connection, told)


_WITH_IDS = """
SELECT told.* REPLACE (product.id AS solteq_id)
FROM told LEFT JOIN snapshot.solteq_products AS product
    ON sku_key(product.code) = told.key AND product.active AND NOT product.deleted
QUALIFY row_number() OVER (PARTITION BY told.key, told.woo_id ORDER BY product.modified_at DESC) = 1
"""
