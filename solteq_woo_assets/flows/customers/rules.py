"""Who is who in the two systems, and what each of them is to be told: matching and the three-way merge.

Persons are in the form of ``flows/customers/people.py``. A field that a system does not mention (NULL) has not
changed; one that it mentions as empty was cleared. What both sides last agreed on decides whose change a difference
is. What cannot be parsed counts as not mentioned, is held back alone, and so never beats what can.

Private or Company is Solteq's to say. A new account with a company name and a tax code becomes a Company; after that no
type is ever written. A Company cannot be without these two: where one side lacks one, the other side's holds.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import duckdb
import polars as pl

from solteq_woo_assets.engine import sql
from solteq_woo_assets.flows.customers.tables import PERSON_FIELDS, WOO_CUSTOMER_DELTA

Relation = duckdb.DuckDBPyRelation

STAFF_ROLES = ("administrator", "editor", "author", "contributor", "shop_manager")
"""Of people who run a store, as WordPress and WooCommerce come; SOLTEQ_WOO_STAFF_ROLES adds to them."""


@dataclass(frozen=True)
class CustomerRules:
    """The settings that decide about customers.

    :param shop: the store's name in external ids
    :param accounts: which Solteq customers get an account: none, those in ``groups``, or all; always with an e-mail
    :param groups: names of customer groups
    :param guests: whether who ordered without an account becomes a customer
    :param conflicts: whose value counts where both sides changed a field
    :param remove_deleted: whether an account goes when its customer is deleted in Solteq
    """

    shop: str
    accounts: Literal["existing", "groups", "all"] = "existing"
    groups: Sequence[str] = ()
    guests: bool = False
    conflicts: Literal["solteq", "woocommerce", "newest"] = "solteq"
    remove_deleted: bool = False


@dataclass(frozen=True)
class Merge:
    """What both sides agree on by now, and the writes to come.

    ``agreed``: solteq_id, woo_id and what is agreed, of the links whose agreed version is another than before.
    ``to_woo``, ``to_solteq``: rows of the deltas; their keys are Solteq's id, and the store's.
    ``to_woo_held``, ``to_solteq_held``: key, field, reason, code of records that are held back.
    ``in_step``: linked pairs without any difference.
    """

    agreed: pl.DataFrame
    to_woo: pl.DataFrame
    to_solteq: pl.DataFrame
    to_woo_held: pl.DataFrame
    to_solteq_held: pl.DataFrame
    in_step: int


def part_customers(
    connection: duckdb.DuckDBPyConnection, *, customers: Relation, accounts: Relation, links: Relation
) -> pl.DataFrame:
    """Find the linked pairs of which one is gone, as rows of the store's delta, which are sent to nobody.

    :param customers: rows of ``snapshot.solteq_customers``
    :param accounts: rows of ``snapshot.woo_customer_accounts``
    :param links: rows of ``sync.customers``
    """
    with _steps(connection, customers=customers, accounts=accounts, links=links) as steps:
        return _delta(steps.frame("parted"))


def match_customers(
    connection: duckdb.DuckDBPyConnection, *, customers: Relation, accounts: Relation, links: Relation, shop: str
) -> pl.DataFrame:
    """Find out who is who: by an earlier link, then by ExternalID, then by e-mail; never by name alone.

    :param links: rows of ``sync.customers``, those that part parted
    :return: solteq_id, woo_id, why of the new links
    """
    with _steps(connection, customers=customers, accounts=accounts, links=links) as steps:
        _find_candidates(steps, shop)
        return steps.frame("linked")


def merge_customers(
    connection: duckdb.DuckDBPyConnection,
    *,
    customers: Relation,
    accounts: Relation,
    links: Relation,
    guests: Relation,
    rules: CustomerRules,
) -> Merge:
    """Merge each linked pair field by field, and find who is to be created or removed on either side.

    :param customers: rows of ``snapshot.solteq_customers``
    :param accounts: rows of ``snapshot.woo_customer_accounts``; the ``role`` of staff is that of staff
    :param links: rows of ``sync.customers``, matches applied
    :param guests: rows of ``snapshot.woo_guests``: those whom neither side has
    """
    who = {"accounts": rules.accounts, "groups": [group.strip().lower() for group in rules.groups]}
    with _steps(connection, customers=customers, accounts=accounts, links=links, guests=guests) as steps:
        _find_candidates(steps, rules.shop)
        steps.table("pairs")
        steps.table("staff")
        steps.table("differing", conflicts=rules.conflicts)
        steps.table("wanted", **who)
        steps.table("strangers")
        steps.table("doubts")
        held = steps.frame("held", **who).sort("told", "key", "field")
        to_woo = [steps.frame("to_woo"), steps.frame("new_accounts")]
        if rules.remove_deleted:
            to_woo.append(steps.frame("removed"))
        to_solteq = [steps.frame("to_solteq"), steps.frame("new_customers", shop=rules.shop)]
        if rules.guests:
            to_solteq.append(steps.frame("new_guests", shop=rules.shop))
        return Merge(
            agreed=_agreed(steps),
            to_woo=_delta(*to_woo),
            to_solteq=_delta(*to_solteq),
            to_woo_held=held.filter(told="woo").drop("told"),
            to_solteq_held=held.filter(told="solteq").drop("told"),
            in_step=steps.frame("in_step").item(),
        )


def agreed_values(
    connection: duckdb.DuckDBPyConnection, *, customers: Relation, accounts: Relation, links: Relation
) -> pl.DataFrame:
    """What both sides agree on of these links by now: ``Merge.agreed``."""
    with _steps(connection, customers=customers, accounts=accounts, links=links) as steps:
        steps.table("pairs")
        return _agreed(steps)


@contextmanager
def _steps(
    connection: duckdb.DuckDBPyConnection, customers: Relation, accounts: Relation, **more: Relation
) -> Iterator[sql.Steps]:
    """Both sides are silent on what cannot be parsed."""
    with sql.steps(connection, __name__, customers_read=customers, accounts_read=accounts, **more) as steps:
        for side in ("customers", "accounts"):
            steps.add(**{side: connection.sql(f"FROM parsed('{side}_read')")})
        yield steps


def _find_candidates(steps: sql.Steps, shop: str) -> None:
    """Make tables of who may be linked, and of what says so."""
    steps.table("free_customers")
    steps.table("free_accounts")
    steps.table("emails")
    steps.table("named", shop=shop)
    steps.table("returned")


def _agreed(steps: sql.Steps) -> pl.DataFrame:
    """``Merge.agreed`` of the table ``pairs``."""
    person = pl.col("person").list.to_struct(fields=PERSON_FIELDS)
    return steps.frame("agreed").with_columns(person).unnest("person")


def _delta(*frames: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([frame.cast(WOO_CUSTOMER_DELTA.schema) for frame in frames]).sort("key")
