"""Sending a delta to the store: every write in the ledger before it leaves, every answer checked, none sent twice.

The order of things is what makes it safe to be killed at any point:

1. Writes that an earlier run left pending are settled: the store was read again at the start of this run, so what
   is not in the delta any more was done, and what still is goes out again.
2. Every write of the delta goes into the ledger as pending, in one transaction.
3. Batches leave, products and parents before variations, who gives up a SKU or GTIN before who takes it. Each answer is
   settled in the ledger and stored in the catalogue in one transaction.
4. What never left, because the store went away, is marked unsent.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import duckdb
import polars as pl
from pydantic import ValidationError

from solteq_woo_assets.clients.woo import Batch, ItemRefused, ProductWrite, StoreProduct, WooClient
from solteq_woo_assets.engine import failures, handover, ledger
from solteq_woo_assets.engine.database import Clock, StateDatabase, utc_now
from solteq_woo_assets.engine.delivery import LotSender, Phase, deliver_lots, lots_of
from solteq_woo_assets.engine.handover import Claim
from solteq_woo_assets.engine.ledger import SENT_ACTIONS, DeliveryCounts, changes_hash
from solteq_woo_assets.engine.quarantine import RECORDS, hold, release
from solteq_woo_assets.engine.snapshot import forget, merge_catalogue
from solteq_woo_assets.engine.turns import Release, Turns
from solteq_woo_assets.errors import IntegrationError, WooError
from solteq_woo_assets.flow import Change
from solteq_woo_assets.flows.products.links import LINK_SCHEMA, link, sku_key
from solteq_woo_assets.flows.products.wire import disagreement, product_write

BATCH_SIZE = 100
"""The most that WooCommerce takes in one batch (contract, 11)."""

GONE_CODES = {"woocommerce_rest_product_invalid_id", "woocommerce_rest_product_variation_invalid_id"}
TAKEN_CODES = {"product_invalid_sku", "woocommerce_rest_product_not_created"}


@dataclass(frozen=True, eq=False)
class Write:
    """One row of a delta on its way."""

    delivery_id: str
    key: str
    action: str
    kind: str
    woo_id: int | None
    parent_key: str | None
    parent_id: int | None
    changes: Sequence[Change]


@dataclass(frozen=True)
class Outcome:
    """What became of a write.

    ``state``: delivered; refused (held in quarantine until its source changes); retry (the next run will know
    better, since the catalogue was put right); waiting (for its parent).
    ``found``: store products that were not known before.
    """

    write: Write
    state: str
    product: StoreProduct | None = None
    error: str = ""
    error_field: str = ""
    found: Sequence[StoreProduct] = ()
    is_gone: bool = False
    code: str = "write-refused"


def deliver(
    database: StateDatabase,
    woo: WooClient,
    *,
    flow: str,
    table: str,
    run_id: str,
    in_flight: int,
    keys: Sequence[str] | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    clock: Clock = utc_now,
    stop: Callable[[], bool] = lambda: False,
) -> DeliveryCounts:
    """Send a delta to the store and settle it.

    :param table: the delta, such as ``delta.product_delta``
    :param keys: send these alone
    :param clock: the present, for the history of prices
    :param on_progress: called with the number of writes settled and of all
    :param stop: asked before each lot; once it says so, the rest is left to the next run
    :raises IntegrationError: the store went away, or the database; what was delivered is settled by then
    """
    with database.transaction() as connection:
        writes = _read_writes(connection, table, keys)
    sender = _Sender(woo)
    sender.turns = Turns(writes, _claims(writes), BATCH_SIZE)
    phases: list[Phase[Outcome, Write]] = [partial(_round, database, sender, some) for some in sender.turns.rounds]
    return deliver_lots(
        database,
        flow,
        run_id,
        writes,
        sender,
        phases,
        in_flight=in_flight,
        keep=lambda connection, outcomes: _settle(connection, flow, outcomes, clock()),
        tell=on_progress,
        stop=stop,
    )


def _read_writes(connection: duckdb.DuckDBPyConnection, table: str, keys: Sequence[str] | None) -> list[Write]:
    rows = connection.sql(
        "SELECT replace(uuid()::VARCHAR, '-', '') AS delivery_id, "
        f"key, action, kind, woo_id, parent_key, parent_id, changes FROM {table} "
        f"WHERE list_contains({list(SENT_ACTIONS)}, action) AND ($keys IS NULL OR list_contains($keys, key)) "
        "ORDER BY kind, parent_key, key",
        params={"keys": keys},
    ).pl()
    return [Write(**row) for row in rows.to_dicts()]


def _claims(writes: Sequence[Write]) -> list[Claim]:
    """What the writes hand on to each other. Products go before variations, a parent before its own."""
    by_key = {sku_key(write.key): n for n, write in enumerate(writes) if write.kind == "variable"}
    by_id = {write.woo_id: n for n, write in enumerate(writes) if write.kind != "variation"}
    claims: list[Claim] = []
    for write in writes:
        gives, wants = handover.values(write.changes)
        if gives and not _validated([write])[0]:  # it stays here, and gives nothing up
            gives, wants = {}, {}
        if write.kind == "variation":
            parent = sku_key(write.parent_key)
            place = ("family", write.parent_id or parent)
            after = by_key.get(parent) if write.parent_id is None else by_id.get(write.parent_id, by_key.get(parent))
            claims.append(Claim(place, gives, wants, write.woo_id is None, not_before=1, after=after))
        else:
            claims.append(Claim("products", gives, wants, write.woo_id is None))
    return claims


def _round(
    database: StateDatabase, sender: "_Sender", writes: Sequence[Write], settle: Callable[[Sequence[Outcome]], None]
) -> Iterator[list[Write]]:
    """The lots of writes that need not wait for each other."""
    yield from lots_of([write for write in writes if write.kind != "variation"], sender)
    if variations := [write for write in writes if write.kind == "variation"]:
        yield from _by_parent(database, variations, sender, settle)


def _by_parent(
    database: StateDatabase,
    variations: Sequence[Write],
    sender: "_Sender",
    settle: Callable[[Sequence[Outcome]], None],
) -> Iterator[list[Write]]:
    """One call per parent. New variations whose parent did not arrive, or did not become variable, wait."""
    known, variable = _parents(database, variations)
    families: defaultdict[int, list[Write]] = defaultdict(list)
    waiting: list[Outcome] = []
    for write in variations:
        parent_id = write.parent_id or known.get(sku_key(write.parent_key))
        if parent_id is None:
            waiting.append(Outcome(write, "waiting", error=f"its parent {write.parent_key} is not in the store"))
        elif write.woo_id is None and parent_id not in variable:
            waiting.append(Outcome(write, "waiting", error=f"its parent {write.parent_key} is not a variable product"))
        else:
            families[parent_id].append(replace(write, parent_id=parent_id))
    settle(waiting)
    for family in families.values():
        yield from lots_of(family, sender)


def _parents(database: StateDatabase, variations: Sequence[Write]) -> tuple[dict[str, int], set[int]]:
    """The store's products by model number, and those of the variations' parents that can have variations."""
    wanted = pl.DataFrame(  # noqa: F841
        [(sku_key(write.parent_key), write.parent_id) for write in variations],
        schema={"key": pl.String, "id": pl.Int64},
        orient="row",
    )
    with database.transaction() as connection:
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


class _Sender(LotSender[Write, Outcome]):
    """Sends batches of products, or of the variations of one parent."""

    error = WooError

    def __init__(self, woo: WooClient) -> None:
        super().__init__("the store", BATCH_SIZE)
        self._woo = woo

    def _bodies(self, writes: Sequence[Write], outcomes: list[Outcome]) -> dict[Write, ProductWrite]:
        sound, refused = _validated(writes)
        outcomes += refused
        return sound

    def _post(self, bodies: Mapping[Write, ProductWrite]) -> list[tuple[Write, StoreProduct | ItemRefused]]:
        parent_id = next(iter(bodies)).parent_id
        sent: list[tuple[Write | None, ProductWrite]] = []  # a release is nobody's own write
        for write, body in bodies.items():
            for each in self.turns.releases(write):
                self._released(each)
                if write.woo_id is not None and _parent_of(each.write) == parent_id:
                    sent.append((None, _releasing(each)))
                else:
                    self._woo.write(Batch([], [_releasing(each)], _parent_of(each.write)))
            sent.append((write, body))
        creates = [item for item in sent if item[1].id is None]
        updates = [item for item in sent if item[1].id is not None]
        batch = Batch([body for _, body in creates], [body for _, body in updates], parent_id)
        answers = zip([*creates, *updates], self._woo.write(batch), strict=True)
        return [(write, answer) for (write, _), answer in answers if write is not None]

    def give_back(self, released: Release[Write]) -> bool:
        given = [self._gives_back(released.write, name) for name in released.fields]  # each of them, whatever comes
        return all(given)

    def _gives_back(self, write: Write, name: str) -> bool:
        (change,) = [change for change in write.changes if change["field"] == name]
        for value in (change["new"], change["old"]):
            try:
                body = product_write(write.woo_id, [{**change, "new": value}])
            except ValidationError:
                continue
            if isinstance(self._woo.write(Batch([], [body], _parent_of(write)))[0], StoreProduct):
                return True
        return False

    def _outcome(self, write: Write, state: str, error: str, code: str) -> Outcome:
        return Outcome(write, state, error=error, code=code)

    def _takes_writes(self, error: IntegrationError) -> bool:
        del error
        return self._woo.takes_writes()

    def _lacks_rights(self) -> bool:
        return not self._woo.takes_writes()

    def _not_done(self, writes: Sequence[Write], outcomes: list[Outcome]) -> list[Write]:
        """No answer: see in the store what was done; the rest may be sent again."""
        held = self._read_back(writes, writes[0].parent_id)
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

    def _read_back(self, writes: Sequence[Write], parent_id: int | None) -> dict[str, StoreProduct]:
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

    def _answered(self, write: Write, answer: StoreProduct | ItemRefused) -> Outcome:
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
            return Outcome(
                write, "retry", error=f"the store has it already ({error})", error_field="sku", found=holders
            )
        if answer.resource_id:
            error += f" It is held by the store's product {answer.resource_id}."
        return Outcome(write, "refused", error=error)

    def _holders(self, write: Write) -> list[StoreProduct]:
        """The products, in the bin too, that hold the SKU of a refused create."""
        return [*self._woo.find_by_sku([_sku(write)]), *self._woo.find_by_sku([_sku(write)], status="trash")]


def _parent_of(write: Write) -> int | None:
    return write.parent_id if write.kind == "variation" else None


def _releasing(released: Release[Write]) -> ProductWrite:
    woo_id = released.write.woo_id or 0
    return ProductWrite.model_validate(
        {"id": woo_id, **{name: handover.intermediate(name, woo_id) for name in released.fields}}
    )


def _validated(writes: Sequence[Write]) -> tuple[dict[Write, ProductWrite], list[Outcome]]:
    """Each write as it goes on the wire; batch items are not validated by WooCommerce (contract, 12)."""
    sound: dict[Write, ProductWrite] = {}
    refused: list[Outcome] = []
    for write in writes:
        try:
            sound[write] = product_write(write.woo_id, write.changes)
        except ValidationError as error:
            problem = error.errors(include_input=False, include_url=False)[0]
            name = ".".join(str(part) for part in problem["loc"])
            refused.append(Outcome(write, "refused", error=f"not sent: {problem['msg']}", error_field=name))
    return sound, refused


def _is_another(write: Write, product: StoreProduct) -> bool:
    """A store that was restored may use an id anew. What was written there is put right when the next run compares."""
    tells = write.action == "update" and write.kind != "variable" and product.sku != ""
    return tells and _sku(write) not in ("", sku_key(product.sku))


def _sku(write: Write) -> str:
    return sku_key(next((change["new"] for change in write.changes if change["field"] == "sku"), write.key))


def _settle(
    connection: duckdb.DuckDBPyConnection, flow: str, outcomes: Sequence[Outcome], now: datetime
) -> Sequence[Outcome]:
    """Settle ledger rows and store what the answers tell, all in the caller's transaction; as they were settled."""
    known = _known_ids(connection, outcomes)
    outcomes = [_without_false_hope(outcome, known) for outcome in outcomes]
    products = [product for outcome in outcomes for product in (outcome.product, *outcome.found) if product]
    merge_catalogue(connection, products, seen=now)
    gone = [outcome.write.woo_id for outcome in outcomes if outcome.is_gone and outcome.write.woo_id]
    if gone:
        forget(connection, gone, seen=now)
        connection.execute("DELETE FROM sync.links WHERE list_contains($ids, woo_id)", {"ids": gone})
    outcomes = failures.note(connection, flow, outcomes, utc_now())
    ledger.settle(
        connection,
        [(o.write.delivery_id, o.state, o.error or None, o.product.id if o.product else None) for o in outcomes],
    )
    _link(connection, outcomes)
    delivered = [outcome.write.key for outcome in outcomes if outcome.state == "delivered"]
    release(connection, flow, "delivery", pl.DataFrame({"key": delivered}, schema={"key": pl.String}))
    hold(connection, flow, "delivery", _refused(outcomes))
    return outcomes


def _known_ids(connection: duckdb.DuckDBPyConnection, outcomes: Sequence[Outcome]) -> set[int]:
    ids = [product.id for outcome in outcomes for product in outcome.found]
    if not ids:
        return set()
    rows = connection.execute(
        "SELECT id FROM snapshot.woo_catalogue WHERE list_contains($ids, id)", {"ids": ids}
    ).fetchall()
    return {row[0] for row in rows}


def _without_false_hope(outcome: Outcome, known: set[int]) -> Outcome:
    """A SKU held by a product that the delta knew of will be refused the next time, too."""
    if outcome.state == "retry" and outcome.found and all(product.id in known for product in outcome.found):
        return Outcome(outcome.write, "refused", error=outcome.error, error_field="sku", found=outcome.found)
    return outcome


def _link(connection: duckdb.DuckDBPyConnection, outcomes: Sequence[Outcome]) -> None:
    rows: list[dict[str, Any]] = []
    for outcome in outcomes:
        if outcome.state != "delivered" or outcome.product is None:
            continue
        status = next((change for change in outcome.write.changes if change["field"] == "status"), None)
        is_withdrawn = outcome.write.action == "withdraw"
        rows.append(
            {
                "key": sku_key(outcome.write.key),
                "woo_id": outcome.product.id,
                "status_before": status["old"] if status and is_withdrawn else None,
                "status_is_ours": status is not None,
                "solteq_id": None,
                "sku": sku_key(outcome.product.sku),
            }
        )
    told = pl.DataFrame(rows, schema=LINK_SCHEMA)  # noqa: F841  DuckDB reads it by its name
    link(connection, connection.sql(_WITH_IDS).pl())


_WITH_IDS = """
SELECT told.* REPLACE (product.id AS solteq_id)
FROM told LEFT JOIN snapshot.solteq_products AS product
    ON sku_key(product.code) = told.key AND product.active AND NOT product.deleted
QUALIFY row_number() OVER (PARTITION BY told.key, told.woo_id ORDER BY product.modified_at DESC) = 1
"""


def _refused(outcomes: Sequence[Outcome]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "key": outcome.write.key,
                "field": outcome.error_field or "(the product)",
                "reason": outcome.error,
                "code": outcome.code,
                "raw": changes_hash(outcome.write.changes),
            }
            for outcome in outcomes
            if outcome.state == "refused"
        ],
        schema=RECORDS,
    )
