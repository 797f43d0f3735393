"""The merge of 1,000,000 customers beside a bare join of both sides, and 50,000 customers kept in step over HTTP.

The bare join counts the linked pairs whose e-mail, name or phone differ. Each measurement of the merge is in a process
of its own, on a database just opened. Over HTTP, the store is the sandbox in a process of its own.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.delta import Measured, apart, peak, peak_bytes, seconds
from benchmarks.figures import Figure
from benchmarks.shops import Sandbox, environment, run_job, sandbox
from solteq_woo_assets.flows.customers import links as customer_links
from solteq_woo_assets.flows.customers.rules import CustomerRules
from solteq_woo_assets.flows.customers.tables import PERSON_FIELDS
from solteq_woo_assets.flows.tables import state_database

MERGED = 1_000_000
CUSTOMERS = 50_000
CHANGED = 100
REPETITIONS = 3
LOT = 5_000
RULES = CustomerRules(shop="shop")

_PERSON = f"""
    'asiakas' || i || '@example.com' AS email, 'Aino' AS first_name, 'Esimerkki ' || i AS last_name,
    '' AS company_name, '' AS tax_code, '+35840' || printf('%07d', i) AS phone, phone AS phone_text,
    'Mallitie ' || i AS billing_street, '00100' AS billing_postal_code, 'Helsinki' AS billing_city,
    'FI' AS billing_country,
    {", ".join(f"'' AS {f}" for f in PERSON_FIELDS if f.startswith("delivery") or f.endswith("street2"))}
"""
_FILL = (
    f"""INSERT INTO snapshot.solteq_customers BY NAME SELECT 'C-' || i AS id, 'Private' AS type, {_PERSON},
        [] AS customer_groups, [] AS external_ids, [] AS remarks, FALSE AS deleted,
        TIMESTAMP '2026-01-05' AS modified_at FROM range($customers) AS everybody(i)""",
    f"""INSERT INTO snapshot.woo_customer_accounts BY NAME SELECT i + 2 AS id, 'customer' AS role, {_PERSON},
        [] AS remarks, '' AS billing_email, TIMESTAMP '2026-01-05' AS date_modified_gmt
        FROM range($customers) AS everybody(i)""",
)
# Half a per cent on each side, so that both directions have something to say.
_CHANGE = """
UPDATE snapshot.solteq_customers SET phone = '+358501234567', phone_text = phone WHERE hash(id) % 200 = 0;
UPDATE snapshot.woo_customer_accounts SET billing_city = 'Turku' WHERE hash(id) % 200 = 1
"""
_BARE_JOIN = """
SELECT count(*) FROM sync.customers AS link
JOIN snapshot.solteq_customers AS customer ON customer.id = link.solteq_id
JOIN snapshot.woo_customer_accounts AS account ON account.id = link.woo_id
WHERE lower(customer.email) <> lower(account.email) OR customer.last_name <> account.last_name
    OR customer.phone <> account.phone
"""


def run(
    merged: int = MERGED, customers: int = CUSTOMERS, changed: int = CHANGED, repetitions: int = REPETITIONS
) -> list[Figure]:
    """The figures."""
    return [*_merges(merged, repetitions), *_over_http(customers, changed)]


def _merges(customers: int, repetitions: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="bench-customers-") as folder:
        database = Path(folder) / "state.duckdb"
        apart(_fill, database, customers)
        first = apart(_merge, database)
        apart(_change, database)
        ways = [[apart(way, database) for way in (_join, _merge)] for _ in range(repetitions)]
    join, again = ([each[way] for each in ways] for way in range(2))
    if not customers // 400 < again[0].changes < customers // 50:
        raise RuntimeError(f"{again[0].changes} writes were found where about {customers // 100} were due")
    return [
        seconds(f"merge of {customers:,} linked customers, 1 % changed", again, "", join),
        peak("peak memory of its process", again, "", join),
        Figure(f"the first merge: {customers:,} pairs matched by e-mail and agreed", first.seconds, "s"),
    ]


def _fill(database: Path, customers: int) -> None:
    with state_database(database).transaction() as connection:
        for statement in _FILL:
            connection.execute(statement, {"customers": customers})


def _change(database: Path) -> None:
    with state_database(database).transaction() as connection:
        connection.execute(_CHANGE)


def _join(database: Path) -> Measured:
    return _measured(database, lambda connection: connection.execute(_BARE_JOIN).fetchall()[0][0])


def _merge(database: Path) -> Measured:
    def merge(connection: Any) -> int:
        people = customer_links.look(connection, RULES)
        people.apply(connection)
        found = people.merge
        return found.to_woo.height + found.to_solteq.height

    return _measured(database, merge)


def _measured(database: Path, work: Callable[[Any], int]) -> Measured:
    started = time.perf_counter()
    with state_database(database).transaction() as connection:
        changes = work(connection)
    return Measured(time.perf_counter() - started, peak_bytes(), changes)


def _over_http(customers: int, changed: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="bench-customers-") as made:
        folder = Path(made)
        with sandbox("solteq", folder) as solteq, sandbox("woo", folder) as woo:
            values = environment(folder, solteq, woo)
            for lot in _lots(customers):
                solteq.call("PUT", "customers", {"documents": [_document(number) for number in lot]})
                woo.call("PUT", "customers", {"customers": [_account(number) for number in lot]})
            what = f"{customers:,} customers on both sides"
            figures = [
                *_job(f"{what}, first run", values, solteq, woo, "customers_to_woo"),
                *_job("nothing changed, to the store", values, solteq, woo, "customers_to_woo"),
                *_job("nothing changed, to Solteq", values, solteq, woo, "customers_to_solteq"),
            ]
            documents = [{"id": f"C-{number}", "phone": "+358501234567"} for number in range(changed)]
            solteq.call("PUT", "customers", {"documents": documents})
            figures += _job(f"{changed} changed in Solteq, to the store", values, solteq, woo, "customers_to_woo")
            for number in range(changed):
                woo.call("PATCH", f"customers/{number + 2}", {"billing": {"city": "Turku"}})
            return figures + _job(
                f"{changed} changed in the store, to Solteq, all accounts read",
                values,
                solteq,
                woo,
                "customers_to_solteq",
                full=True,
            )


def _job(
    what: str, values: dict[str, str], solteq: Sandbox, woo: Sandbox, job: str, *, full: bool = False
) -> list[Figure]:
    for side in (solteq, woo):
        side.forget_requests()
    config = {"ops": {"woo_customer_accounts": {"config": {"full": True}}}} if full else None
    started = time.perf_counter()
    run_job(values, job, config=config)
    figures = [Figure(what, time.perf_counter() - started, "s")]
    for name, side in (("Solteq", solteq), ("the store", woo)):
        asked = side.requests()
        writes = sum(each["method"] != "GET" and "token" not in each["path"] for each in asked)
        compared = f"of them {writes} writes"
        figures.append(Figure(f"{what}: requests to {name}", len(asked), "requests", compared=compared))
    return figures


def _lots(customers: int) -> Iterator[range]:
    for start in range(0, customers, LOT):
        yield range(start, min(start + LOT, customers))


def _document(number: int) -> dict[str, Any]:
    billing = {"type": "Billing", "street": f"Mallitie {number}", "postalCode": "00100", "city": "Helsinki"}
    return {
        "id": f"C-{number}",
        "type": "Private",
        "firstName": "Aino",
        "lastName": f"Esimerkki {number}",
        "email": f"asiakas{number}@example.com",
        "phone": f"+35840{number:07}",
        "addresses": [billing | {"country": "FI"}],
        "customerGroups": [],
        "identifiers": [],
        "deleted": False,
        "modifiedAt": "2026-01-05T06:00:00.000Z",
    }


def _account(number: int) -> dict[str, Any]:
    address = {"address_1": f"Mallitie {number}", "postcode": "00100", "city": "Helsinki", "country": "FI"}
    return {
        "email": f"asiakas{number}@example.com",
        "first_name": "Aino",
        "last_name": f"Esimerkki {number}",
        "billing": {**address, "phone": f"+35840{number:07}"},
    }
