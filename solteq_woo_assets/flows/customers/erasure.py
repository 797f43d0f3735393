"""Erasing a person: everything personal goes from every table of ours, and from the bytes of the file.

The ids of the customer, the account and the orders stay (erased.py), so that no later read
brings the person back. The transaction that empties the tables also says that the file is to be written anew
(``sync.rewrite_due``), so that an erasure which is cut short is carried on by whoever comes next.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.database import StateDatabase, utc_now
from solteq_woo_assets.flows.customers.tables import ADDRESSES
from solteq_woo_assets.flows.sales.frames import amounts_alone

_FLOWS = ["customers_to_woo", "customers_to_solteq"]
_ACCOUNT, _ORDER = "woo:", "order:"
_SHORTEST = 3
"""Letters of a value that is looked for in texts; shorter ones are in every word."""

_BY_PERSON = ("delta.woo_customer_delta", "delta.solteq_customer_delta", "sync.customers", "sync.customer_conflicts")
_BY_KEY = ("sync.quarantine", "sync.reconciliation", "sync.failures")
_TEXTS = {
    "delta.product_delta": ["reason"],
    "delta.balance_delta": ["reason"],
    "delta.campaign_price_delta": ["reason"],
    "delta.woo_customer_delta": ["reason"],
    "delta.solteq_customer_delta": ["reason"],
    "delta.sales_delta": ["reason"],
    "sync.deliveries": ["error"],
    "sync.quarantine": ["reason"],
    "sync.reconciliation": ["expected", "held", "reason"],
    "sync.alerts": ["words"],
    "sync.sales_conflicts": ["reason"],
}
"""Words about other rows, in which the other side may have named somebody."""
_TELLING = (
    *("email", "first_name", "last_name", "company_name", "tax_code", "phone"),
    *(f"{address}_{part}" for address in ADDRESSES for part in ("street", "street2")),
)
"""The fields whose values say who somebody is; a city does not."""


@dataclass(frozen=True)
class Person:
    """Who is erased, by the ids of both systems."""

    solteq_id: str | None
    woo_id: int | None

    def __str__(self) -> str:
        names = [f"customer {self.solteq_id}"] if self.solteq_id is not None else []
        return " and ".join(names + ([f"account {self.woo_id}"] if self.woo_id is not None else []))


@dataclass(frozen=True)
class Erasure:
    """Whom a name means, by ids alone.

    :param orders: that stay for the books and the stock, without who bought
    :param guests: orders whose guests wait to become customers; they are among ``orders``
    :param others: who has the same e-mail address or name, and stays, in words
    """

    people: Sequence[Person] = ()
    orders: Sequence[int] = ()
    guests: Sequence[int] = ()
    others: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.people or self.orders)

    @property
    def solteq_ids(self) -> list[str]:
        """Of customers."""
        return [each.solteq_id for each in self.people if each.solteq_id is not None]

    @property
    def woo_ids(self) -> list[int]:
        """Of accounts."""
        return [each.woo_id for each in self.people if each.woo_id is not None]

    @property
    def ids(self) -> dict[str, object]:
        """Both, as parameters of queries."""
        return {"solteq_ids": self.solteq_ids, "woo_ids": self.woo_ids}

    def words(self) -> list[str]:
        """Who goes, and what is touched; a line each."""
        lines = [f"{len(self.people)} people: {', '.join(map(str, self.people))}"] if self.people else []
        if self.orders:
            lines.append(f"who bought, of {len(self.orders)} orders: {_listed(self.orders)}")
        if self.guests:
            lines.append(f"{len(self.guests)} guests who wait to become customers: orders {_listed(self.guests)}")
        return lines


def _listed(ids: Iterable[int]) -> str:
    return ", ".join(map(str, ids))


def find(database: StateDatabase, who: str) -> Erasure:
    """Whom this means. Nothing is changed.

    :param who: Solteq's id, ``woo:`` and an account's id, ``order:`` and a guest's order, or an e-mail address
    """
    with database.transaction() as connection:
        return _find(connection, who.strip())


def erase(database: StateDatabase, who: str) -> Erasure:
    """Erase whoever this is, and carry on what was cut short before.

    :param who: as ``find`` takes it; blank is nobody
    :return: whom that was
    :raises StateError: the tables or the file cannot be written; what is out of the tables stays out
    """
    with database.transaction() as connection:
        found = _find(connection, who.strip())
        if found:
            _erase(connection, found)
    database.finish_erasure()
    return found


def _column(connection: duckdb.DuckDBPyConnection, query: str, **parameters: object) -> list[Any]:
    return [row[0] for row in connection.execute(query, parameters).fetchall()]


def _find(connection: duckdb.DuckDBPyConnection, who: str) -> Erasure:
    if not who:
        return Erasure()
    if who.startswith(_ORDER):
        order = who.removeprefix(_ORDER)
        orders = _column(connection, "SELECT id FROM snapshot.woo_sales WHERE id::VARCHAR = $order", order=order)
        guests = _column(
            connection, "SELECT order_id FROM snapshot.woo_guests WHERE order_id::VARCHAR = $order", order=order
        )
        return Erasure(orders=sorted({*orders, *guests}), guests=guests)
    people = _people(connection, who)
    found = Erasure(people)
    known = _known_by(connection, found.ids)
    emails = list(known["email"] | ({who.lower()} if "@" in who else set()))
    names = _full_names(known)
    guests = _column(
        connection,
        "SELECT order_id FROM snapshot.woo_guests WHERE list_contains($emails, lower(email)) ORDER BY 1",
        emails=emails,
    )
    ordered = _column(
        connection,
        "SELECT id FROM snapshot.woo_sales WHERE list_contains($woo_ids, customer_id) "
        "OR list_contains($emails, lower(email)) OR coalesce(customer_id, 0) = 0 "
        "AND coalesce(email, '') = '' AND list_contains($names, lower(name))",
        woo_ids=found.woo_ids,
        emails=emails,
        names=names,
    )
    became_customers = _column(
        connection,
        "SELECT TRY_CAST(regexp_extract(external_id, ':guest:([0-9]+)$', 1) AS BIGINT) AS order_id FROM "
        "(SELECT unnest(external_ids) AS external_id FROM snapshot.solteq_customers WHERE list_contains($ids, id)) "
        "WHERE order_id IS NOT NULL",
        ids=found.solteq_ids,
    )
    orders = sorted({*guests, *ordered, *became_customers})
    return Erasure(people, orders, guests, _others(connection, found.woo_ids, orders, emails, names))


def _people(connection: duckdb.DuckDBPyConnection, who: str) -> list[Person]:
    """Those that fit, each with whom it is linked, also those that were erased before."""
    account = who.removeprefix(_ACCOUNT) if who.startswith(_ACCOUNT) else ""
    with sql.steps(connection, __name__) as steps:
        rows = steps.frame("people", who=who, account=account if account.isdecimal() else None).rows()
    pairs = {row for row in rows if None not in row}
    paired = {side for pair in pairs for side in pair}
    return [Person(*row) for row in rows if row in pairs or not paired.intersection(row)]


def _known_by(connection: duckdb.DuckDBPyConnection, ids: Mapping[str, object]) -> dict[str, set[str]]:
    """What these people are known by, lower case, by field: all that both sides say, and what they agreed on."""
    fields = ", ".join(_TELLING)
    more = "billing_email, billing_first_name, billing_last_name, shipping_first_name, shipping_last_name"
    rows = connection.sql(
        f"SELECT {fields}, phone_text FROM snapshot.solteq_customers WHERE list_contains($solteq_ids, id) "
        f"UNION ALL BY NAME SELECT {fields}, phone_text, {more} FROM snapshot.woo_customer_accounts "
        "WHERE list_contains($woo_ids, id) "
        f"UNION ALL BY NAME SELECT {fields}, solteq_phone_text, woo_phone_text FROM sync.customers "
        "WHERE list_contains($solteq_ids, solteq_id) OR list_contains($woo_ids, woo_id)",
        params=ids,
    ).pl()
    return {name: {value.strip().lower() for value in rows[name].drop_nulls()} - {""} for name in rows.columns}


def _full_names(known: Mapping[str, set[str]]) -> list[str]:
    """First and last names as the store writes them under an order."""
    pairs = [("first_name", "last_name"), ("billing_first_name", "billing_last_name")]
    return [f"{first} {last}" for names in pairs for first in known[names[0]] for last in known[names[1]]]


def _others(
    connection: duckdb.DuckDBPyConnection,
    woo_ids: Sequence[int],
    orders: Sequence[int],
    emails: Sequence[str],
    names: Sequence[str],
) -> list[str]:
    """Who has an e-mail address or a name of theirs, and may be somebody else."""
    invoiced = _column(
        connection,
        "SELECT id FROM snapshot.woo_customer_accounts WHERE NOT list_contains($ids, id) "
        "AND list_contains($emails, lower(billing_email)) ORDER BY id",
        ids=woo_ids,
        emails=emails,
    )
    namesakes = _column(
        connection,
        "SELECT id FROM snapshot.woo_sales WHERE NOT list_contains($ids, id) AND coalesce(customer_id, 0) = 0 "
        "AND list_contains($names, lower(name)) ORDER BY id",
        ids=orders,
        names=names,
    )
    return [
        *(f"account {each} has the e-mail address on its invoices: woo:{each}" for each in invoiced),
        *(f"the guest of order {each} has the name and another e-mail address: order:{each}" for each in namesakes),
    ]


def _erase(connection: duckdb.DuckDBPyConnection, found: Erasure) -> None:
    ids, solteq_ids, woo_ids = found.ids, found.solteq_ids, found.woo_ids
    values = _values(connection, found)
    connection.execute("DELETE FROM snapshot.solteq_customers WHERE list_contains($1, id)", [solteq_ids])
    connection.execute("DELETE FROM snapshot.woo_customer_accounts WHERE list_contains($1, id)", [woo_ids])
    for table in _BY_PERSON:
        connection.execute(
            f"DELETE FROM {table} WHERE list_contains($solteq_ids, solteq_id) OR list_contains($woo_ids, woo_id)", ids
        )
    orders = [f"order {order_id}" for order_id in found.orders]
    keys = [*solteq_ids, *map(str, woo_ids), *(f"account {woo_id}" for woo_id in woo_ids), *orders]
    theirs = "list_contains($flows, flow) AND list_contains($keys, key)"
    named: dict[str, object] = {"flows": _FLOWS, "keys": keys}
    for table in _BY_KEY:
        connection.execute(f"DELETE FROM {table} WHERE {theirs}", named)
    # That something was sent stays: the guard rails count it.
    connection.execute(f"UPDATE sync.deliveries SET changes = [], error = NULL WHERE {theirs}", named)
    connection.execute("DELETE FROM delta.solteq_customer_delta WHERE list_contains($1, key)", [orders])
    _erase_buyers(connection, found.orders)
    _sweep(connection, values)
    _remember(connection, found)


def _erase_buyers(connection: duckdb.DuckDBPyConnection, orders: Sequence[int]) -> None:
    """The sales stay, for the books and the stock; whose they were does not."""
    ids = {"ids": list(orders)}
    connection.execute("DELETE FROM snapshot.woo_guests WHERE list_contains($ids, order_id)", ids)
    connection.execute("UPDATE snapshot.woo_sales SET email = NULL, name = NULL WHERE list_contains($ids, id)", ids)
    rows = connection.execute(
        "SELECT id, payment_meta FROM snapshot.woo_sales WHERE list_contains($ids, id) AND payment_meta IS NOT NULL",
        ids,
    ).fetchall()
    for order_id, meta in rows:  # of an earlier version: now it holds amounts alone when it is read
        connection.execute(
            "UPDATE snapshot.woo_sales SET payment_meta = ? WHERE id = ?", [amounts_alone(meta), order_id]
        )


def _remember(connection: duckdb.DuckDBPyConnection, found: Erasure) -> None:
    now = utc_now()
    for person in found.people:
        connection.execute(
            "INSERT INTO sync.customers (solteq_id, woo_id, state, why, since) VALUES (?, ?, 'erased', ?, ?)",
            [person.solteq_id, person.woo_id, "erased on request", now],
        )
    for order_id in found.orders:
        connection.execute("INSERT OR IGNORE INTO sync.erased_orders VALUES (?, ?)", [order_id, now])
    connection.execute(
        "INSERT INTO sync.rewrite_due SELECT $now WHERE NOT EXISTS (FROM sync.rewrite_due)", {"now": now}
    )


def _values(connection: duckdb.DuckDBPyConnection, found: Erasure) -> set[str]:
    """What could name them in texts, lower case."""
    known = _known_by(connection, found.ids)
    of_orders = connection.sql(
        f"SELECT {', '.join(_TELLING)} FROM snapshot.woo_guests WHERE list_contains($ids, order_id) "
        "UNION ALL BY NAME SELECT email, name FROM snapshot.woo_sales WHERE list_contains($ids, id)",
        params={"ids": found.orders},
    ).pl()
    lost = _column(
        connection,
        "SELECT unnest([kept, lost]) FROM sync.customer_conflicts WHERE list_contains($fields, field) "
        "AND (list_contains($solteq_ids, solteq_id) OR list_contains($woo_ids, woo_id))",
        fields=_TELLING,
        **found.ids,
    )
    said = [value for column in of_orders for value in column.drop_nulls()] + [value for value in lost if value]
    values = set().union(*known.values(), (value.strip().lower() for value in said))
    return {value for value in values if len(value) >= _SHORTEST}


def _sweep(connection: duckdb.DuckDBPyConnection, values: Collection[str]) -> None:
    """Take the values out of texts about other rows."""
    if not values:
        return
    alternatives = "|".join(re.escape(value) for value in sorted(values, key=len, reverse=True))
    named = re.compile(rf"(?<!\w)({alternatives})(?!\w)", re.IGNORECASE)
    for table, columns in _TEXTS.items():
        for column in columns:
            rows = connection.execute(
                f"SELECT rowid, {column} FROM {table} "
                f"WHERE list_bool_or(list_transform($values, lambda v: contains(lower({column}), v)))",
                {"values": list(values)},
            ).fetchall()
            for rowid, text in rows:
                connection.execute(
                    f"UPDATE {table} SET {column} = ? WHERE rowid = ?", [named.sub("(erased)", text), rowid]
                )
