"""Who is who in the two systems, and what each of them is to be told: matching and the three-way merge.

Persons are in the form of ``rules/people.py``. A field that a system does not mention (NULL) has not changed; one that
it mentions as empty was cleared. What both sides last agreed on decides whose change a difference is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import duckdb
import polars as pl

from solteq_woo_assets.rules.handover import IS_INTERMEDIATE
from solteq_woo_assets.rules.people import PERSON_FIELDS

Relation = duckdb.DuckDBPyRelation

SYNCED_ROLES = ("customer", "subscriber")
"""Accounts of people who run the store are never written to: to change their e-mail would be to take them over."""
AGREED_FIELDS = (*PERSON_FIELDS, "solteq_phone_text", "woo_phone_text")


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
class Matches:
    """What becomes of the links. ``linked``, ``parted``: frames of solteq_id, woo_id, why."""

    linked: pl.DataFrame
    parted: pl.DataFrame


@dataclass(frozen=True)
class Merge:
    """What both sides agree on by now, and the writes to come.

    ``agreed``: solteq_id, woo_id and ``AGREED_FIELDS`` of the links whose agreed version is another than before.
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


def external_id(woo_id: str) -> str:
    """SQL for the ExternalID of an account (design, interface); the query has the parameter ``$shop``."""
    return f"'woo:' || $shop || ':customer:' || {woo_id}"


# An erased person is nobody's candidate. One whose counterpart was removed may be linked with another, not with that.
_FREE = """
CREATE TEMP TABLE free_customers AS
SELECT id AS solteq_id, lower(email) AS email_key, external_ids FROM customers
WHERE NOT deleted AND NOT EXISTS (
    FROM links WHERE links.solteq_id = customers.id AND state IN ('linked', 'erased'));
CREATE TEMP TABLE free_accounts AS
SELECT id AS woo_id, lower(email) AS email_key FROM accounts
WHERE list_contains($roles, role) AND NOT EXISTS (
    FROM links WHERE links.woo_id = accounts.id AND state IN ('linked', 'erased'))
"""

# Everybody who has the e-mail address of someone free, whether free or not.
_EMAILS = """
CREATE TEMP TABLE emails AS
WITH wanted AS (
    SELECT email_key FROM free_customers WHERE email_key <> '' UNION SELECT email_key FROM free_accounts
)
SELECT email_key, list(solteq_id ORDER BY solteq_id) FILTER (solteq_id IS NOT NULL) AS customer_ids,
    list(woo_id ORDER BY woo_id) FILTER (woo_id IS NOT NULL) AS account_ids
FROM (
    SELECT lower(email) AS email_key, id AS solteq_id, NULL AS woo_id FROM customers WHERE NOT deleted
    UNION ALL SELECT lower(email), NULL, id FROM accounts
) WHERE email_key IN (SELECT email_key FROM wanted)
GROUP BY email_key
"""

_LINKED = f"""
WITH named AS (
    SELECT solteq_id, woo_id, 'the customer has the account''s ExternalID' AS why
    FROM (SELECT solteq_id, unnest(external_ids) AS external_id FROM free_customers)
    JOIN free_accounts ON external_id = {external_id("woo_id")}
    QUALIFY count(*) OVER (PARTITION BY solteq_id) = 1 AND count(*) OVER (PARTITION BY woo_id) = 1
), mailed AS (
    SELECT customer_ids[1] AS solteq_id, account_ids[1] AS woo_id, 'they have the same e-mail address' AS why
    FROM emails WHERE len(customer_ids) = 1 AND len(account_ids) = 1
)
SELECT * FROM named
UNION ALL
SELECT mailed.* FROM mailed SEMI JOIN free_customers USING (solteq_id) SEMI JOIN free_accounts USING (woo_id)
WHERE solteq_id NOT IN (SELECT solteq_id FROM named) AND woo_id NOT IN (SELECT woo_id FROM named)
    AND NOT EXISTS (FROM links WHERE links.solteq_id = mailed.solteq_id AND links.woo_id = mailed.woo_id)
"""

_PARTED = """
SELECT solteq_id, woo_id, CASE
    WHEN accounts.id IS NULL THEN 'the account was removed from the store'
    ELSE 'the customer was deleted in Solteq'
END AS why
FROM links LEFT JOIN customers ON customers.id = solteq_id LEFT JOIN accounts ON accounts.id = woo_id
WHERE state = 'linked' AND (accounts.id IS NULL OR customers.deleted)
"""


def match_customers(
    connection: duckdb.DuckDBPyConnection, *, customers: Relation, accounts: Relation, links: Relation, shop: str
) -> Matches:
    """Find out who is who: by link, then by ExternalID, then by e-mail; never by name.

    :param customers: rows of ``snapshot.solteq_customers``
    :param accounts: rows of ``snapshot.woo_customer_accounts``
    :param links: rows of ``sync.customers``
    """
    _begin(connection, customers, accounts, links)
    matches = Matches(
        linked=connection.sql(_LINKED, params={"shop": shop}).pl(),
        parted=connection.sql(_PARTED).pl(),
    )
    _end(connection)
    return matches


def _begin(connection: duckdb.DuckDBPyConnection, customers: Relation, accounts: Relation, links: Relation) -> None:
    for name, relation in (("customers", customers), ("accounts", accounts), ("links", links)):
        connection.register(name, relation)
    for statement in _FREE.split(";"):
        connection.execute(statement, {"roles": list(SYNCED_ROLES)} if "$roles" in statement else {})
    connection.execute(_EMAILS)


def _end(connection: duckdb.DuckDBPyConnection, *tables: str) -> None:
    for table in (*tables, "emails", "free_accounts", "free_customers"):
        connection.execute(f"DROP TABLE {table}")
    for name in ("customers", "accounts", "links"):
        connection.unregister(name)


def same_key(field: str, value: str) -> str:
    """SQL for what is compared of a field: shops write e-mail addresses and postal codes in more than one way."""
    if field == "email":
        return f"lower({value})"
    if field.endswith("_postal_code"):
        return f"replace(upper({value}), ' ', '')"
    return value


def _said(side: str, field: str) -> str:
    """SQL: a side's value; what it does not say is as agreed.

    A phone number means what it meant while its text is the same, though the address it was read by moves abroad.
    """
    if field != "phone":
        return f"coalesce({side}.{field}, links.{field}, '')"
    text = f"{side}.phone_text IS NOT DISTINCT FROM links.{'solteq' if side == 'customers' else 'woo'}_phone_text"
    kept = f"{side}.phone IS NULL OR links.phone IS NOT NULL AND {text}"
    return f"CASE WHEN {kept} THEN coalesce(links.phone, '') ELSE {side}.phone END"


def _verdict(field: str, choice: str) -> str:
    """SQL: whose value is to hold: of Solteq or of the store; with ``!`` where the other one changed it, too."""
    s, w, b = f"s_{field}", f"w_{field}", f"b_{field}"
    rules: list[str] = [f"WHEN {same_key(field, s)} = {same_key(field, w)} THEN 'same'"]
    if field == "email":  # an account cannot be without one
        rules.append(f"WHEN {w} {IS_INTERMEDIATE} THEN 'solteq'")
        is_new = f"{b} IS NULL OR {same_key(field, w)} <> {same_key(field, b)}"
        rules.append(f"WHEN {s} = '' THEN CASE WHEN {is_new} THEN 'woo' ELSE 'same' END")
    if field in ("company_name", "tax_code"):  # a company cannot be without them
        rules.append(f"WHEN {w} = '' AND type = 'Company' THEN 'solteq'")
    rules += [
        f"WHEN {b} IS NULL AND {w} = '' THEN 'solteq'",
        f"WHEN {b} IS NULL AND {s} = '' THEN 'woo'",
        f"WHEN {same_key(field, s)} = {same_key(field, b)} THEN 'woo'",
        f"WHEN {same_key(field, w)} = {same_key(field, b)} THEN 'solteq'",
        f"ELSE {choice}",
    ]
    return f"CASE {' '.join(rules)} END"


def _joined(parts: Iterable[str], glue: str = ", ") -> str:
    return glue.join(parts)


# One row a linked pair: each field as Solteq says it (s_), as the store does (w_), and as was last agreed (b_).
_PAIRS = f"""
CREATE TEMP TABLE pairs AS
SELECT
    links.solteq_id, links.woo_id, customers.type, customers.modified_at, accounts.date_modified_gmt,
    customers.phone_text AS solteq_phone_text, accounts.phone_text AS woo_phone_text,
    links.solteq_phone_text AS b_solteq_phone_text, links.woo_phone_text AS b_woo_phone_text,
    accounts.held_solteq_id, accounts.billing_email, accounts.billing_first_name, accounts.billing_last_name,
    accounts.shipping_first_name, accounts.shipping_last_name,
    {
    _joined(
        f"{_said('customers', f)} AS s_{f}, {_said('accounts', f)} AS w_{f}, links.{f} AS b_{f}" for f in PERSON_FIELDS
    )
}
FROM links JOIN customers ON customers.id = links.solteq_id JOIN accounts ON accounts.id = links.woo_id
WHERE links.state = 'linked' AND NOT customers.deleted AND list_contains($roles, accounts.role)
"""

_AGREED = f"""
SELECT solteq_id, woo_id,
    {
    _joined(
        f"CASE WHEN {same_key(f, f's_{f}')} = {same_key(f, f'w_{f}')} THEN s_{f} ELSE b_{f} END AS {f}"
        for f in PERSON_FIELDS
    )
},
    CASE WHEN s_phone = w_phone THEN solteq_phone_text ELSE b_solteq_phone_text END AS solteq_phone_text,
    CASE WHEN s_phone = w_phone THEN woo_phone_text ELSE b_woo_phone_text END AS woo_phone_text
FROM pairs
WHERE {
    _joined(
        (f"{same_key(f, f's_{f}')} = {same_key(f, f'w_{f}')} AND s_{f} IS DISTINCT FROM b_{f}" for f in PERSON_FIELDS),
        " OR ",
    )
}
    OR s_phone = w_phone AND (solteq_phone_text IS DISTINCT FROM b_solteq_phone_text
        OR woo_phone_text IS DISTINCT FROM b_woo_phone_text)
"""


def _differing(choice: str) -> str:
    """SQL for the pairs that differ, with a list of what each field should become and for whom."""
    fields = _joined(
        f"{{'field': '{f}', 'solteq': s_{f}, 'woo': w_{f}, 'verdict': {_verdict(f, choice)}}}" for f in PERSON_FIELDS
    )
    differs = _joined((f"{same_key(f, f's_{f}')} <> {same_key(f, f'w_{f}')}" for f in PERSON_FIELDS), " OR ")
    return f"""
CREATE TEMP TABLE differing AS
SELECT *, list_filter([{fields}], lambda field: field.verdict <> 'same') AS fields FROM pairs WHERE {differs}
"""


_CHOICES = {
    "solteq": "'solteq!'",
    "woocommerce": "'woo!'",
    "newest": "CASE WHEN date_modified_gmt > modified_at THEN 'woo!' ELSE 'solteq!' END",
}

# The names and the e-mail on the invoice and the parcel follow the person's, unless they are of somebody else.
_NAMES = (
    ("email", "billing_email"),
    ("first_name", "billing_first_name"),
    ("last_name", "billing_last_name"),
    ("first_name", "shipping_first_name"),
    ("last_name", "shipping_last_name"),
)


def _following(field: str, copy: str) -> str:
    held = f"w_{field}"
    if field == "email":
        held = f"CASE WHEN {held} {IS_INTERMEDIATE} THEN b_email ELSE {held} END"
    return (
        f"CASE WHEN {copy} <> '' AND lower({copy}) = lower({held}) AND list_contains(list_transform(fields, "
        f"lambda f: f.field || ' ' || f.verdict[1:6]), '{field} solteq') "
        f"THEN {{'field': '{copy}', 'old': {copy}, 'new': s_{field}}} END"
    )


def _told(side: str) -> str:
    """SQL: the changes for a side, what they cost where both had changed a field, and the reason."""
    winner, loser = ("solteq", "woo") if side == "woo" else ("woo", "solteq")
    name = {"woo": "the store", "solteq": "Solteq"}
    return f"""
    list_transform(
        list_filter(fields, lambda f: starts_with(f.verdict, '{winner}')),
        lambda f: {{'field': f.field, 'old': f.{loser}, 'new': f.{winner}}}
    ) AS changes,
    list_transform(
        list_filter(fields, lambda f: f.verdict = '{winner}!'),
        lambda f: {{'field': f.field, 'kept': f.{winner}, 'lost': f.{loser}}}
    ) AS conflicts,
    '{name[winner]} has ' || array_to_string(list_transform(changes, lambda c: c.field), ', ')
    || CASE WHEN len(conflicts) > 0 THEN '; both sides have changed '
        || array_to_string(list_transform(conflicts, lambda c: c.field), ', ')
        || ': the value of {name[winner]} counts, the other one is kept in conflicts' ELSE '' END AS reason
"""


_TO_WOO = f"""
SELECT
    solteq_id AS key, 'update' AS action, 'customer' AS kind, woo_id, NULL AS parent_key, NULL AS parent_id,
    changes || list_filter([{_joined(_following(*names) for names in _NAMES)}, CASE
        WHEN held_solteq_id IS DISTINCT FROM solteq_id
        THEN {{'field': 'solteq_customer_id', 'old': held_solteq_id, 'new': solteq_id}}
    END], lambda c: c IS NOT NULL) AS changes,
    reason, solteq_id, conflicts
FROM (SELECT *, {_told("woo")} FROM differing) WHERE len(changes) > 0
"""

_TO_SOLTEQ = f"""
SELECT
    woo_id::VARCHAR AS key, 'update' AS action, 'customer' AS kind, woo_id, NULL AS parent_key, NULL AS parent_id,
    changes, reason, solteq_id, conflicts
FROM (SELECT *, {_told("solteq")} FROM differing) WHERE len(changes) > 0
"""


def _whole(side: str, *more: str) -> str:
    """SQL: everything that a side says of a person, as the changes that make a new one."""
    fields = [f"{{'field': '{f}', 'old': NULL::VARCHAR, 'new': {side}.{f}}}" for f in PERSON_FIELDS]
    return f"list_filter([{_joined([*fields, *more])}], lambda c: coalesce(c.new, '') <> '')"


_WANTED = """
CREATE TEMP TABLE wanted AS
SELECT customers.*, emails.customer_ids, emails.account_ids
FROM customers JOIN free_customers ON free_customers.solteq_id = customers.id JOIN emails USING (email_key)
WHERE NOT EXISTS (FROM links WHERE links.solteq_id = customers.id) AND CASE $accounts
    WHEN 'all' THEN TRUE
    WHEN 'groups' THEN list_has_any(list_transform(customer_groups, lambda g: lower(trim(g))), $groups)
    ELSE FALSE
END
"""

_OUR_META = "{'field': 'solteq_customer_id', 'old': NULL::VARCHAR, 'new': id}"
_NEW_ACCOUNTS = f"""
SELECT
    id AS key, 'create' AS action, 'customer' AS kind, NULL AS woo_id, NULL AS parent_key, NULL AS parent_id,
    {_whole("wanted", _OUR_META)} AS changes,
    'a customer without an account' AS reason, id AS solteq_id, [] AS conflicts
FROM wanted WHERE len(customer_ids) = 1 AND account_ids IS NULL
"""

_REMOVED = """
SELECT
    solteq_id AS key, 'remove' AS action, 'customer' AS kind, woo_id, NULL AS parent_key, NULL AS parent_id,
    [] AS changes, 'the customer was deleted in Solteq' AS reason, solteq_id, [] AS conflicts
FROM links JOIN customers ON customers.id = solteq_id JOIN accounts ON accounts.id = woo_id
WHERE state = 'unlinked' AND customers.deleted AND list_contains($roles, role)
    AND woo_id NOT IN (SELECT woo_id FROM links WHERE state = 'linked')
"""

_TO_WOO_HELD = """
SELECT id AS key, 'email' AS field, CASE
    WHEN len(customer_ids) > 1
        THEN 'its e-mail address is on several customers: ' || array_to_string(customer_ids, ', ')
    ELSE 'its e-mail address is that of account ' || account_ids[1] || ' in the store, which is somebody else''s'
END AS reason, CASE WHEN len(customer_ids) > 1 THEN 'email-on-several-customers' ELSE 'email-taken' END AS code
FROM wanted WHERE len(customer_ids) > 1 OR account_ids IS NOT NULL
"""

_STRANGERS = """
CREATE TEMP TABLE strangers AS
SELECT accounts.*, emails.customer_ids FROM accounts JOIN free_accounts ON free_accounts.woo_id = accounts.id
LEFT JOIN emails USING (email_key)
WHERE NOT EXISTS (FROM links WHERE links.woo_id = accounts.id)
"""

# Who has never filled in a name may have one on an invoice.
_NEW_CUSTOMERS = f"""
SELECT
    id::VARCHAR AS key, 'create' AS action, 'customer' AS kind, id AS woo_id, NULL AS parent_key, NULL AS parent_id,
    [
        {{'field': 'type', 'old': NULL::VARCHAR, 'new':
            CASE WHEN company_name <> '' AND tax_code <> '' THEN 'Company' ELSE 'Private' END}},
        {{'field': 'external_id', 'old': NULL::VARCHAR, 'new': {external_id("id")}}}
    ] || {_whole("strangers")} AS changes,
    'a new account in the store' AS reason, NULL AS solteq_id, [] AS conflicts
FROM (SELECT * REPLACE (
    coalesce(nullif(first_name, ''), billing_first_name) AS first_name,
    coalesce(nullif(last_name, ''), billing_last_name) AS last_name
) FROM strangers) AS strangers WHERE customer_ids IS NULL
"""

_NEW_GUESTS = f"""
SELECT
    'order ' || order_id AS key, 'create' AS action, 'customer' AS kind, NULL AS woo_id, NULL AS parent_key,
    NULL AS parent_id,
    [
        {{'field': 'type', 'old': NULL::VARCHAR, 'new': 'Private'}},
        {{'field': 'external_id', 'old': NULL::VARCHAR, 'new': 'woo:' || $shop || ':guest:' || order_id}}
    ] || {_whole("guests")} AS changes,
    'a guest who ordered' AS reason, NULL AS solteq_id, [] AS conflicts
FROM guests
"""

_TO_SOLTEQ_HELD = """
SELECT id::VARCHAR AS key, 'email' AS field, CASE
    WHEN len(customer_ids) > 1
        THEN 'the account''s e-mail address is on several customers in Solteq: ' || array_to_string(customer_ids, ', ')
    ELSE 'the account''s e-mail address is that of customer ' || customer_ids[1]
        || coalesce(', who is linked with account ' || links.woo_id, '')
END AS reason, CASE WHEN len(customer_ids) > 1 THEN 'email-on-several-customers' ELSE 'email-taken' END AS code
FROM strangers LEFT JOIN links ON links.solteq_id = customer_ids[1] AND links.state = 'linked'
WHERE customer_ids IS NOT NULL
"""


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
    :param accounts: rows of ``snapshot.woo_customer_accounts``
    :param links: rows of ``sync.customers``, matches applied
    :param guests: rows of ``snapshot.woo_guests``: those whom neither side has
    """
    roles = {"roles": list(SYNCED_ROLES)}
    _begin(connection, customers, accounts, links)
    connection.register("guests", guests)
    connection.execute(_PAIRS, roles)
    connection.execute(_differing(_CHOICES[rules.conflicts]))
    groups = [group.strip().lower() for group in rules.groups]
    connection.execute(_WANTED, {"accounts": rules.accounts, "groups": groups})
    connection.execute(_STRANGERS)

    def rows(query: str, parameters: dict[str, object] | None = None) -> pl.DataFrame:
        return connection.sql(query, params=parameters or {}).pl()

    ordered = [rows(_NEW_GUESTS, {"shop": rules.shop})] if rules.guests else []
    removed = [rows(_REMOVED, dict(roles))] if rules.remove_deleted else []
    merge = Merge(
        agreed=rows(_AGREED),
        to_woo=_delta([rows(_TO_WOO), rows(_NEW_ACCOUNTS), *removed]),
        to_solteq=_delta([rows(_TO_SOLTEQ), rows(_NEW_CUSTOMERS, {"shop": rules.shop}), *ordered]),
        to_woo_held=rows(_TO_WOO_HELD),
        to_solteq_held=rows(_TO_SOLTEQ_HELD),
        in_step=connection.execute(
            "SELECT (SELECT count(*) FROM pairs) - (SELECT count(*) FROM differing WHERE len(fields) > 0)"
        ).fetchall()[0][0],
    )
    connection.unregister("guests")
    _end(connection, "strangers", "wanted", "differing", "pairs")
    return merge


CUSTOMER_CHANGES_SCHEMA = pl.Schema(
    {
        "key": pl.String,
        "action": pl.String,
        "kind": pl.String,
        "woo_id": pl.Int64,
        "parent_key": pl.String,
        "parent_id": pl.Int64,
        "changes": pl.List(pl.Struct({"field": pl.String, "old": pl.String, "new": pl.String})),
        "reason": pl.String,
        "solteq_id": pl.String,
        "conflicts": pl.List(pl.Struct({"field": pl.String, "kept": pl.String, "lost": pl.String})),
    }
)
"""The columns of both deltas; ``sync/state.py`` says what they hold."""


def _delta(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat([frame.cast(CUSTOMER_CHANGES_SCHEMA) for frame in frames]).sort("key")
