"""Who is who in the two systems, and what each of them is to be told: matching and the three-way merge.

Persons are in the form of ``flows/customers/people.py``. A field that a system does not mention (NULL) has not
changed; one that it mentions as empty was cleared. What both sides last agreed on decides whose change a difference
is. What cannot be parsed counts as not mentioned, is held back alone, and so never beats what can.

Private or Company is Solteq's to say. A new account with a company name and a tax code becomes a Company; after that no
type is ever written. A Company cannot be without these two: where one side lacks one, the other side's holds.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import duckdb
import polars as pl

from solteq_woo_assets.engine.handover import IS_INTERMEDIATE
from solteq_woo_assets.flows.customers.people import NEEDS_PARSING
from solteq_woo_assets.flows.customers.tables import ADDRESSES, PERSON_FIELDS, WOO_CUSTOMER_DELTA

Relation = duckdb.DuckDBPyRelation

SYNCED_ROLES = ("customer", "subscriber")
"""Accounts of people who run the store are never written to: to change their e-mail would be to take them over."""
STAFF_ROLES = ("administrator", "editor", "author", "contributor", "shop_manager")
"""Of people who run a store, as WordPress and WooCommerce come; SOLTEQ_WOO_STAFF_ROLES adds to them."""
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


def _joined(parts: Iterable[str], glue: str = ", ") -> str:
    return glue.join(parts)


def same_key(field: str, value: str) -> str:
    """SQL for what is compared of a field: shops write e-mail addresses and postal codes in more than one way."""
    if field == "email":
        return f"lower({value})"
    if field.endswith("_postal_code"):
        return f"replace(upper({value}), ' ', '')"
    return value


# An erased person is nobody's candidate. One whose counterpart was removed may be linked with another.
_FREE = """
CREATE TEMP TABLE free_customers AS
SELECT id AS solteq_id, lower(email) AS email_key, first_name, last_name, external_ids FROM customers
WHERE NOT deleted AND NOT EXISTS (
    FROM links WHERE links.solteq_id = customers.id AND state IN ('linked', 'erased'));
CREATE TEMP TABLE free_accounts AS
SELECT id AS woo_id, lower(email) AS email_key, coalesce(nullif(first_name, ''), billing_first_name) AS first_name,
    coalesce(nullif(last_name, ''), billing_last_name) AS last_name
FROM accounts
WHERE list_contains($roles, role) AND NOT EXISTS (
    FROM links WHERE links.woo_id = accounts.id AND state IN ('linked', 'erased'))
"""

# Everybody who has the e-mail address of someone free, whether free or not.
_EMAILS = """
CREATE TEMP TABLE emails AS
WITH wanted AS (
    SELECT email_key FROM free_customers WHERE email_key <> ''
    UNION SELECT email_key FROM free_accounts WHERE email_key <> ''
)
SELECT email_key, list(solteq_id ORDER BY solteq_id) FILTER (solteq_id IS NOT NULL) AS customer_ids,
    list(woo_id ORDER BY woo_id) FILTER (woo_id IS NOT NULL) AS account_ids
FROM (
    SELECT lower(email) AS email_key, id AS solteq_id, NULL AS woo_id FROM customers WHERE NOT deleted
    UNION ALL SELECT lower(email), NULL, id FROM accounts
) WHERE email_key IN (SELECT email_key FROM wanted)
GROUP BY email_key
"""

# Which customer has the ExternalID of which account, whether free or not, but for those that are linked.
_NAMED = f"""
CREATE TEMP TABLE named AS
SELECT DISTINCT solteq_id, accounts.id AS woo_id
FROM (SELECT id AS solteq_id, unnest(external_ids) AS external_id FROM customers WHERE NOT deleted) AS named
JOIN accounts ON external_id = {external_id("accounts.id")}
WHERE NOT EXISTS (FROM links WHERE links.solteq_id = named.solteq_id AND links.woo_id = accounts.id
    AND state = 'linked')
"""


def _contradicts(field: str) -> str:
    """SQL: the field's name where both sides fill it differently; of the e-mail address also where one lacks it."""
    ours, theirs = (same_key(field, f"{side}.{field}") for side in ("customers", "accounts"))
    if field == "email":
        differs = f"coalesce({ours}, '') = '' OR {ours} IS DISTINCT FROM {theirs}"
    else:
        differs = f"customers.{field} <> '' AND accounts.{field} <> '' AND {ours} <> {theirs}"
    return f"CASE WHEN {differs} THEN '{field}' END"


# Who were linked before one of them was gone, and are both there again.
_RETURNED = f"""
CREATE TEMP TABLE returned AS
SELECT links.solteq_id, links.woo_id,
    list_filter([{", ".join(map(_contradicts, PERSON_FIELDS))}], lambda field: field IS NOT NULL) AS differing
FROM links SEMI JOIN free_customers USING (solteq_id) SEMI JOIN free_accounts USING (woo_id)
JOIN customers ON customers.id = links.solteq_id JOIN accounts ON accounts.id = links.woo_id
WHERE state = 'unlinked'
"""


def _names(verdict: str) -> str:
    """SQL: whether first and last names are the same, or differ where both sides have them."""
    both = "customer.{f} <> '' AND account.{f} <> '' AND lower(customer.{f}) {sign} lower(account.{f})"
    sign, glue = ("=", " AND ") if verdict == "same" else ("<>", " OR ")
    return f"coalesce({_joined((both.format(f=f, sign=sign) for f in ('first_name', 'last_name')), glue)}, FALSE)"


# An ExternalID links when the e-mail addresses are the same, or when they are nobody else's and the names agree. Of a
# customer without an e-mail address it is enough that no name differs.
_LINKED = f"""
WITH again AS (
    SELECT solteq_id, woo_id, 'they were linked before, and nothing has changed since' AS why
    FROM returned WHERE len(differing) = 0
), by_id AS (
    SELECT solteq_id, woo_id, 'the customer has the account''s ExternalID' AS why
    FROM named JOIN free_customers AS customer USING (solteq_id) JOIN free_accounts AS account USING (woo_id)
    LEFT JOIN emails AS of_customer ON of_customer.email_key = customer.email_key
    LEFT JOIN emails AS of_account ON of_account.email_key = account.email_key
    WHERE solteq_id NOT IN (SELECT solteq_id FROM returned) AND woo_id NOT IN (SELECT woo_id FROM returned)
        AND (customer.email_key = account.email_key
            OR of_customer.account_ids IS NULL AND of_account.customer_ids IS NULL
                AND ({_names("same")} OR coalesce(customer.email_key, '') = '' AND NOT {_names("different")}))
    QUALIFY count(*) OVER (PARTITION BY solteq_id) = 1 AND count(*) OVER (PARTITION BY woo_id) = 1
), by_email AS (
    SELECT customer_ids[1] AS solteq_id, account_ids[1] AS woo_id, 'they have the same e-mail address' AS why
    FROM emails WHERE len(customer_ids) = 1 AND len(account_ids) = 1
)
SELECT * FROM again
UNION ALL
SELECT * FROM by_id
UNION ALL
SELECT by_email.* FROM by_email SEMI JOIN free_customers USING (solteq_id) SEMI JOIN free_accounts USING (woo_id)
WHERE solteq_id NOT IN (SELECT solteq_id FROM named UNION SELECT solteq_id FROM returned)
    AND woo_id NOT IN (SELECT woo_id FROM named UNION SELECT woo_id FROM returned)
"""

_PARTED = """
SELECT 'link ' || solteq_id AS key, 'part' AS action, 'link' AS kind, woo_id, NULL AS parent_key, NULL AS parent_id,
    [] AS changes, CASE
        WHEN accounts.id IS NULL THEN 'the account was removed from the store'
        ELSE 'the customer was deleted in Solteq'
    END AS reason, solteq_id, [] AS conflicts
FROM links LEFT JOIN customers ON customers.id = solteq_id LEFT JOIN accounts ON accounts.id = woo_id
WHERE state = 'linked' AND (accounts.id IS NULL OR customers.deleted)
"""


def part_customers(
    connection: duckdb.DuckDBPyConnection, *, customers: Relation, accounts: Relation, links: Relation
) -> pl.DataFrame:
    """Find the linked pairs of which one is gone, as rows of the store's delta, which are sent to nobody.

    :param customers: rows of ``snapshot.solteq_customers``
    :param accounts: rows of ``snapshot.woo_customer_accounts``
    :param links: rows of ``sync.customers``
    """
    with _registered(connection, customers=customers, accounts=accounts, links=links):
        return _delta([connection.sql(_PARTED).pl()])


def match_customers(
    connection: duckdb.DuckDBPyConnection, *, customers: Relation, accounts: Relation, links: Relation, shop: str
) -> pl.DataFrame:
    """Find out who is who: by an earlier link, then by ExternalID, then by e-mail; never by name alone.

    :param links: rows of ``sync.customers``, those that part parted
    :return: solteq_id, woo_id, why of the new links
    """
    with (
        _registered(connection, customers=customers, accounts=accounts, links=links),
        _candidates(connection, shop),
    ):
        return connection.sql(_LINKED).pl()


_UNPARSED = "list_transform(coalesce(remarks, []), lambda r: split_part(r, ' ', 1))"
_PARSED = f"""* REPLACE ({
    ", ".join(f"CASE WHEN NOT list_contains({_UNPARSED}, '{f}') THEN {f} END AS {f}" for f in NEEDS_PARSING)
}), {_UNPARSED} AS unparsed"""
"""A side's rows, silent on what cannot be parsed. ``unparsed``: those fields, and others that go as they are."""


@contextmanager
def _registered(connection: duckdb.DuckDBPyConnection, **relations: Relation) -> Iterator[None]:
    for name, relation in relations.items():
        is_side = name in ("customers", "accounts")
        connection.register(name, relation.select(_PARSED) if is_side else relation)
    yield
    for name in relations:
        connection.unregister(name)


@contextmanager
def _candidates(connection: duckdb.DuckDBPyConnection, shop: str) -> Iterator[None]:
    """Temporary tables of who may be linked, and of what says so."""
    for statement in _FREE.split(";"):
        connection.execute(statement, {"roles": list(SYNCED_ROLES)} if "$roles" in statement else {})
    connection.execute(_EMAILS)
    connection.execute(_NAMED, {"shop": shop})
    connection.execute(_RETURNED)
    yield
    for table in ("returned", "named", "emails", "free_accounts", "free_customers"):
        connection.execute(f"DROP TABLE {table}")


_SIDES = {"customers": "solteq", "accounts": "woo"}


def _beaten(side: str) -> str:
    """SQL: whether a side's phone is no number while the other side's is one. Else any text goes, as an extension."""
    other = next(each for each in _SIDES if each != side)
    is_number = f"NOT list_contains({other}.unparsed, 'phone') AND coalesce({other}.phone, '') <> ''"
    return f"(list_contains({side}.unparsed, 'phone') AND {is_number})"


def _phone_text(side: str) -> str:
    """SQL: the text that a side's phone is agreed by."""
    text = f"{_SIDES[side]}_phone_text"
    return f"CASE WHEN {_beaten(side)} THEN links.{text} ELSE {side}.phone_text END AS {text}"


def _said(side: str, field: str) -> str:
    """SQL: a side's value; what it does not say is as agreed.

    A phone number means what it meant while its text is the same, though the address it was read by moves abroad.
    """
    if field != "phone":
        return f"coalesce({side}.{field}, links.{field}, '')"
    text = f"{side}.phone_text IS NOT DISTINCT FROM links.{_SIDES[side]}_phone_text"
    kept = f"{side}.phone IS NULL OR links.phone IS NOT NULL AND {text} OR {_beaten(side)}"
    return f"CASE WHEN {kept} THEN coalesce(links.phone, '') ELSE {side}.phone END"


def _is_name(field: str) -> str:
    """SQL: whether the store has a country's name where its code is due."""
    return f"({field.removesuffix('_country')}_is_name AND w_{field} <> '')"


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
        rules.append(f"WHEN {s} = '' AND type = 'Company' THEN 'woo'")
    rules += [
        f"WHEN {b} IS NULL AND {w} = '' THEN 'solteq'",
        f"WHEN {b} IS NULL AND {s} = '' THEN 'woo'",
        f"WHEN {same_key(field, s)} = {same_key(field, b)} THEN 'woo'",
        f"WHEN {same_key(field, w)} = {same_key(field, b)} THEN 'solteq'",
        f"ELSE {choice}",
    ]
    return f"CASE {' '.join(rules)} END"


# One row a linked pair: each field as Solteq says it (s_), as the store does (w_), and as was last agreed (b_).
_PAIRS = f"""
CREATE TEMP TABLE pairs AS
SELECT
    links.solteq_id, links.woo_id, customers.type, customers.modified_at, accounts.date_modified_gmt,
    {_phone_text("customers")}, {_phone_text("accounts")},
    links.solteq_phone_text AS b_solteq_phone_text, links.woo_phone_text AS b_woo_phone_text,
    customers.remarks AS solteq_remarks, {_beaten("customers")} AS solteq_is_beaten,
    accounts.remarks AS woo_remarks, {_beaten("accounts")} AS woo_is_beaten,
    {_joined(f"coalesce(list_contains(accounts.country_names, '{a}'), FALSE) AS {a}_is_name" for a in ADDRESSES)},
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

_STAFF = """
CREATE TEMP TABLE staff AS
SELECT links.solteq_id, links.woo_id, 'role' AS field,
    'account ' || links.woo_id || ' of customer ' || links.solteq_id || ' has the role ' || accounts.role AS reason,
    'account-of-staff' AS code
FROM links JOIN customers ON customers.id = links.solteq_id JOIN accounts ON accounts.id = links.woo_id
WHERE links.state = 'linked' AND NOT customers.deleted AND NOT list_contains($roles, accounts.role)
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
    differs += "".join(f" OR {_is_name(f'{address}_country')}" for address in ADDRESSES)
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


def _is_told(field: str) -> str:
    """SQL: whether the store is told Solteq's value."""
    return f"list_contains(list_transform(fields, lambda f: f.field || ' ' || f.verdict[1:6]), '{field} solteq')"


def _spelled(address: str) -> str:
    """SQL: the code of a country that the store has as a name: it counts VAT by codes alone."""
    field = f"{address}_country"
    return (
        f"CASE WHEN {_is_name(field)} AND NOT {_is_told(field)} "
        f"THEN {{'field': '{field}', 'old': w_{field}, 'new': w_{field}}} END"
    )


def _following(field: str, copy: str) -> str:
    held = f"w_{field}"
    if field == "email":
        held = f"CASE WHEN {held} {IS_INTERMEDIATE} THEN b_email ELSE {held} END"
    return (
        f"CASE WHEN {copy} <> '' AND lower({copy}) = lower({held}) AND {_is_told(field)} "
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
    changes || spelled || list_filter([{_joined(_following(*names) for names in _NAMES)}, CASE
        WHEN held_solteq_id IS DISTINCT FROM solteq_id
        THEN {{'field': 'solteq_customer_id', 'old': held_solteq_id, 'new': solteq_id}}
    END], lambda c: c IS NOT NULL) AS changes,
    CASE WHEN len(changes) > 0 THEN reason ELSE 'the store has a country''s name where its code is due' END AS reason,
    solteq_id, conflicts
FROM (
    SELECT *, {_told("woo")}, list_filter([{_joined(map(_spelled, ADDRESSES))}], lambda c: c IS NOT NULL) AS spelled
    FROM differing
) WHERE len(changes) + len(spelled) > 0
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


_GETS_ACCOUNT = """CASE $accounts
    WHEN 'all' THEN TRUE
    WHEN 'groups' THEN list_has_any(list_transform(customer_groups, lambda g: lower(trim(g))), $groups)
    ELSE FALSE
END"""
_WANTED = f"""
CREATE TEMP TABLE wanted AS
SELECT customers.*, emails.customer_ids, emails.account_ids
FROM customers JOIN free_customers ON free_customers.solteq_id = customers.id JOIN emails USING (email_key)
WHERE NOT EXISTS (FROM links WHERE links.solteq_id = customers.id) AND {_GETS_ACCOUNT}
"""

_OUR_META = "{'field': 'solteq_customer_id', 'old': NULL::VARCHAR, 'new': id}"
_NEW_ACCOUNTS = f"""
SELECT
    id AS key, 'create' AS action, 'customer' AS kind, NULL AS woo_id, NULL AS parent_key, NULL AS parent_id,
    {_whole("wanted", _OUR_META)} AS changes,
    'a customer without an account' AS reason, id AS solteq_id, [] AS conflicts
FROM wanted WHERE len(customer_ids) = 1 AND account_ids IS NULL AND id NOT IN (SELECT solteq_id FROM doubts)
"""

_REMOVED = """
SELECT
    solteq_id AS key, 'remove' AS action, 'customer' AS kind, woo_id, NULL AS parent_key, NULL AS parent_id,
    [] AS changes, 'the customer was deleted in Solteq' AS reason, solteq_id, [] AS conflicts
FROM links JOIN customers ON customers.id = solteq_id JOIN accounts ON accounts.id = woo_id
WHERE state = 'unlinked' AND customers.deleted AND list_contains($roles, role)
    AND woo_id NOT IN (SELECT woo_id FROM links WHERE state = 'linked')
"""

# Pairs of whom one thing says that they are one person, and another that they are not: nothing is written of either.
_DOUBTS = """
CREATE TEMP TABLE doubts AS
WITH id_says AS (
    SELECT solteq_id, woo_id, CASE
        WHEN woo_id IN (SELECT woo_id FROM free_accounts UNION SELECT woo_id FROM links WHERE state = 'linked')
        THEN 'somebody else by the e-mail address or the name' ELSE 'somebody who runs the store'
    END AS who
    FROM named ANTI JOIN links USING (solteq_id, woo_id)
), email_says AS (
    SELECT customer_ids[1] AS solteq_id, account_ids[1] AS woo_id FROM emails
    WHERE len(customer_ids) = 1 AND len(account_ids) = 1
)
SELECT solteq_id, woo_id, 'external_id' AS field, 'id-contradicts-email' AS code,
    'it has the ExternalID of account ' || woo_id || ', who is ' || who AS of_customer,
    'customer ' || solteq_id || ' has its ExternalID, and it is ' || who AS of_account
FROM id_says
UNION ALL
SELECT solteq_id, woo_id, 'external_id', 'id-contradicts-email',
    'its e-mail address is that of account ' || woo_id || ', who is somebody else by an ExternalID or an earlier link',
    'its e-mail address is that of customer ' || solteq_id
        || ', who is somebody else by an ExternalID or an earlier link'
FROM email_says SEMI JOIN free_customers USING (solteq_id) SEMI JOIN free_accounts USING (woo_id)
ANTI JOIN links USING (solteq_id, woo_id) ANTI JOIN named USING (solteq_id, woo_id)
UNION ALL
SELECT solteq_id, woo_id, array_to_string(differing, ', '), 'linked-before',
    'it was linked with account ' || woo_id || ' until one of them was gone; both are back, and these differ',
    'it was linked with customer ' || solteq_id || ' until one of them was gone; both are back, and these differ'
FROM returned WHERE len(differing) > 0
"""


def _doubted(key: str, words: str, free: str) -> str:
    """SQL: what is held back of one side, one row a record."""
    return f"""
SELECT {key}::VARCHAR AS key, min_by(field, code) AS field, string_agg({words}, '; ' ORDER BY {words}) AS reason,
    min(code) AS code
FROM doubts SEMI JOIN {free} USING ({key}) GROUP BY {key}
"""


_TO_WOO_HELD = f"""
SELECT id AS key, 'email' AS field, CASE
    WHEN len(customer_ids) > 1
        THEN 'its e-mail address is on several customers: ' || array_to_string(customer_ids, ', ')
    ELSE 'its e-mail address is that of account ' || account_ids[1] || ' in the store, which is somebody else''s'
END AS reason, CASE WHEN len(customer_ids) > 1 THEN 'email-on-several-customers' ELSE 'email-taken' END AS code
FROM wanted WHERE (len(customer_ids) > 1 OR account_ids IS NOT NULL) AND id NOT IN (SELECT solteq_id FROM doubts)
UNION ALL
{_doubted("solteq_id", "of_customer", "free_customers")}
"""


def _fields_held(side: str, new: str) -> str:
    """SQL: the fields that one side has and the other is not told, of linked people and of those that are created.

    :param new: the table of those who have nobody on the other side
    """
    name, key = ("Solteq", "solteq_id") if side == "solteq" else ("the store", "woo_id")
    known = _joined(f"'{field}'" for field in NEEDS_PARSING)
    return f"""
SELECT key, split_part(remark, ' ', 1) AS field, 'in {name} its ' || remark AS reason, CASE
    WHEN field = 'email' THEN 'email-invalid' WHEN field = 'tax_code' THEN 'tax-code-invalid'
    WHEN field = 'phone' THEN 'phone-unreadable' ELSE 'country-unknown'
END AS code
FROM (
    SELECT {key}::VARCHAR AS key, unnest({side}_remarks) AS remark, {side}_is_beaten AS is_beaten FROM pairs
    UNION ALL SELECT id::VARCHAR, unnest(remarks), FALSE FROM {new}
) WHERE field IN ({known}) OR field = 'phone' AND is_beaten
"""


# An account cannot be made without an e-mail address.
_WITHOUT_EMAIL = f"""
SELECT id AS key, 'email' AS field, 'in Solteq its ' || list_filter(remarks, lambda r: starts_with(r, 'email '))[1]
    || ', and an account cannot be without' AS reason, 'email-invalid' AS code
FROM customers JOIN free_customers ON free_customers.solteq_id = customers.id
WHERE list_contains(unparsed, 'email') AND NOT EXISTS (FROM links WHERE links.solteq_id = customers.id)
    AND {_GETS_ACCOUNT}
"""

# Nobody's address is an intermediate one, as a killed run leaves it behind in a database that is lost since.
_STRANGERS = f"""
CREATE TEMP TABLE strangers AS
SELECT accounts.*, emails.customer_ids FROM accounts JOIN free_accounts ON free_accounts.woo_id = accounts.id
LEFT JOIN emails USING (email_key)
WHERE NOT EXISTS (FROM links WHERE links.woo_id = accounts.id) AND coalesce(email, '') NOT {IS_INTERMEDIATE}
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
) FROM strangers) AS strangers WHERE customer_ids IS NULL AND id NOT IN (SELECT woo_id FROM doubts)
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

_TO_SOLTEQ_HELD = f"""
SELECT id::VARCHAR AS key, 'email' AS field, CASE
    WHEN len(customer_ids) > 1
        THEN 'the account''s e-mail address is on several customers in Solteq: ' || array_to_string(customer_ids, ', ')
    ELSE 'the account''s e-mail address is that of customer ' || customer_ids[1]
        || coalesce(', who is linked with account ' || links.woo_id, '')
END AS reason, CASE WHEN len(customer_ids) > 1 THEN 'email-on-several-customers' ELSE 'email-taken' END AS code
FROM strangers LEFT JOIN links ON links.solteq_id = customer_ids[1] AND links.state = 'linked'
WHERE customer_ids IS NOT NULL AND id NOT IN (SELECT woo_id FROM doubts)
UNION ALL
{_doubted("woo_id", "of_account", "free_accounts")}
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
    :param accounts: rows of ``snapshot.woo_customer_accounts``; the ``role`` of staff is that of staff
    :param links: rows of ``sync.customers``, matches applied
    :param guests: rows of ``snapshot.woo_guests``: those whom neither side has
    """
    with (
        _registered(connection, customers=customers, accounts=accounts, links=links, guests=guests),
        _candidates(connection, rules.shop),
        _compared(connection, rules),
    ):
        return _merged(connection, rules)


@contextmanager
def _compared(connection: duckdb.DuckDBPyConnection, rules: CustomerRules) -> Iterator[None]:
    """Temporary tables of the linked pairs, and of those who have nobody on the other side."""
    connection.execute(_PAIRS, {"roles": list(SYNCED_ROLES)})
    connection.execute(_STAFF, {"roles": list(SYNCED_ROLES)})
    connection.execute(_differing(_CHOICES[rules.conflicts]))
    connection.execute(_WANTED, _who_gets_accounts(rules))
    connection.execute(_STRANGERS)
    connection.execute(_DOUBTS)
    yield
    for table in ("doubts", "strangers", "wanted", "differing", "staff", "pairs"):
        connection.execute(f"DROP TABLE {table}")


def _who_gets_accounts(rules: CustomerRules) -> dict[str, object]:
    return {"accounts": rules.accounts, "groups": [group.strip().lower() for group in rules.groups]}


def _merged(connection: duckdb.DuckDBPyConnection, rules: CustomerRules) -> Merge:
    def rows(query: str, **parameters: object) -> pl.DataFrame:
        return connection.sql(query, params=parameters).pl()

    ordered = [rows(_NEW_GUESTS, shop=rules.shop)] if rules.guests else []
    removed = [rows(_REMOVED, roles=list(SYNCED_ROLES))] if rules.remove_deleted else []
    return Merge(
        agreed=rows(_AGREED),
        to_woo=_delta([rows(_TO_WOO), rows(_NEW_ACCOUNTS), *removed]),
        to_solteq=_delta([rows(_TO_SOLTEQ), rows(_NEW_CUSTOMERS, shop=rules.shop), *ordered]),
        to_woo_held=pl.concat(
            [
                rows(_TO_WOO_HELD),
                rows(_fields_held("solteq", "wanted")),
                rows(_WITHOUT_EMAIL, **_who_gets_accounts(rules)),
                rows("SELECT solteq_id AS key, field, reason, code FROM staff"),
            ]
        ),
        to_solteq_held=pl.concat(
            [
                rows(_TO_SOLTEQ_HELD),
                rows(_fields_held("woo", "strangers")),
                rows("SELECT woo_id::VARCHAR AS key, field, reason, code FROM staff"),
            ]
        ),
        in_step=connection.execute(
            "SELECT (SELECT count(*) FROM pairs) - (SELECT count(*) FROM differing WHERE len(fields) > 0 OR "
            f"{_joined((_is_name(f'{address}_country') for address in ADDRESSES), ' OR ')})"
        ).fetchall()[0][0],
    )


def agreed_values(
    connection: duckdb.DuckDBPyConnection, *, customers: Relation, accounts: Relation, links: Relation
) -> pl.DataFrame:
    """What both sides agree on of these links by now: ``Merge.agreed``."""
    with _registered(connection, customers=customers, accounts=accounts, links=links):
        connection.execute(_PAIRS, {"roles": list(SYNCED_ROLES)})
        agreed = connection.sql(_AGREED).pl()
        connection.execute("DROP TABLE pairs")
    return agreed


def _delta(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat([frame.cast(WOO_CUSTOMER_DELTA.schema) for frame in frames]).sort("key")
