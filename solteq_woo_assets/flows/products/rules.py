"""What the store's catalogue should hold, given Solteq's products: the product delta.

These are set operations over up to a million rows, so they are SQL. Each step makes a temporary table that the
next ones read:

``unsettled``  the codes that do not plainly agree with the store already; only these go on
``matches``    which store product each of them is, with what ``matching.py`` makes on the way
``codes``      one row a product code: its prices, tax class and GTIN
``verdicts``   the codes that cannot be sold online, and why
``families``   the variable products of the store whose variations are all of one model in Solteq
``models``     which model numbers are variable products, and which store product is their parent
``items``      what each code becomes: a simple product, or a variation of which parent
``choices``    what each variation is sent of its attributes, and whether it has others

There is no clock and no I/O.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import duckdb
import polars as pl
import simplejson

from solteq_woo_assets.engine import sql
from solteq_woo_assets.engine.skus import sku_key
from solteq_woo_assets.flow import CHANGES_SCHEMA
from solteq_woo_assets.flows.campaigns.pricing import (
    LOWEST_PRICE_META,
    OFFER_FIELDS,
    PricingRules,
    forget_prices,
    next_edge,
    price_products,
    price_text,
    purchase_price,
    regular_price,
    sale_agrees,
    sale_changes,
    time_text,
)
from solteq_woo_assets.flows.products.attributes import attribute_text, name_key, option_key
from solteq_woo_assets.flows.products.gtins import OF_A_COMPANY, gtin_fault, padded_gtin
from solteq_woo_assets.flows.products.matching import match_products
from solteq_woo_assets.flows.products.sellable import keeps_no_stock
from solteq_woo_assets.flows.products.variants import Pair, chosen_options, common_name, has_chosen, merged_attributes

Relation = duckdb.DuckDBPyRelation

PURCHASE_PRICE_META = "_solteq_purchase_price"
STORE_BALANCES_META = "_solteq_store_balances"


@dataclass(frozen=True)
class CatalogueRules:
    """The settings that the rules depend on; ``settings.py`` explains them."""

    new_product_status: str
    inactive_products: str
    binned_products: str
    tax_classes: Mapping[Decimal, str]
    store_tax_classes: frozenset[str]
    """Slugs the store knows; its standard class is an empty slug here, as it is on a product."""
    attribute_separator: str = "/"


@dataclass(frozen=True)
class ProductDelta:
    """The writes to come, what is held back, and who is who.

    ``changes`` has ``CHANGES_SCHEMA``. ``quarantine``: key, field, reason, code.
    ``links``: key, woo_id, solteq_id and sku of the codes and model numbers that are in the store; where
    ``status_is_ours``, the status to go back to (``status_before``) is forgotten: the product is on sale on both sides.
    ``next_edge``: when the next sale begins or ends, if any does.
    """

    changes: pl.DataFrame
    quarantine: pl.DataFrame
    links: pl.DataFrame
    next_edge: datetime | None


# Held products whose every owned field is right are left out before anything else is asked. Whatever is not plain
# here (another spelling of the SKU, a new model, a missing link) goes through the whole of the rules.
_UNSETTLED = f"""
CREATE TEMP TABLE unsettled AS
WITH shared_models AS (
    SELECT model_number FROM products WHERE trim(model_number) <> '' GROUP BY ALL HAVING count(*) > 1
), parents AS (
    SELECT catalogue.id, catalogue.sku, status, tax_class, links.status_before,
        flatten(list_transform(attributes, lambda a: a.options)) AS options
    FROM catalogue LEFT JOIN links ON links.woo_id = catalogue.id AND links.key = {sku_key("catalogue.sku")}
    WHERE type = 'variable'
)
SELECT {sku_key("product.code")} AS sku_key, nullif({sku_key("product.model_number")}, '') AS model_key
FROM products AS product
LEFT JOIN catalogue AS store ON store.sku = product.code
LEFT JOIN offers AS offer ON offer.id = product.id
LEFT JOIN links ON links.woo_id = store.id AND links.key = {sku_key("product.code")}
LEFT JOIN parents AS parent ON parent.id = store.parent_id
LEFT JOIN tax_classes USING (vat_rate)
LEFT JOIN shared_models ON shared_models.model_number = product.model_number
WHERE NOT coalesce(
    product.active AND NOT product.deleted AND product.product_type IN ('Basic', 'Variant', 'Service')
    AND links.solteq_id = product.id AND links.sku = links.key AND links.status_before IS NULL
    AND store.status <> 'trash'
    AND store.regular_price = {regular_price("product.sales_price")}
    AND {sale_agrees("store", "offer")}
    AND (product.discounted_price > 0 OR product.discounted_price IS NULL)
    AND (product.vat_rate IS NULL OR tax_classes.known
        AND CASE store.tax_class WHEN 'parent' THEN parent.tax_class ELSE store.tax_class END = tax_classes.slug)
    AND store.purchase_price IS NOT DISTINCT FROM {price_text(purchase_price("product.purchase_price"))}
    AND (NOT store.has_cost_of_goods OR product.purchase_price IS NULL
        OR store.cost_of_goods_sold = {purchase_price("product.purchase_price")})
    AND (product.gtin IS NULL OR product.gtin = store.global_unique_id)
    AND CASE store.type
        WHEN 'simple' THEN shared_models.model_number IS NULL
        WHEN 'variation' THEN parent.sku = product.model_number AND parent.status <> 'trash'
            AND parent.status_before IS NULL
            AND list_has_all(parent.options, list_transform(product.attributes, lambda a: a."option"))
            AND list_transform(store.attributes, lambda a: (a.name, a.options[1]))
                = list_transform(product.attributes, lambda a: (a.name, a."option"))
        ELSE FALSE
    END,
    FALSE
)
"""

# Before the campaigns have been read nobody knows that a sale in the store is none of theirs.
_SALES_LEFT_ALONE = f"""
INSERT INTO offers BY NAME
WITH found AS (
    SELECT product.id, links.woo_id, 1 AS choice FROM products AS product JOIN links ON links.solteq_id = product.id
    UNION ALL
    SELECT product.id, store.id, 2 FROM products AS product
    JOIN catalogue AS store ON {sku_key("store.sku")} = {sku_key("product.code")}
)
SELECT DISTINCT ON (found.id) found.id, {", ".join(f"store.{field}" for field in OFFER_FIELDS)}
FROM found JOIN catalogue AS store ON store.id = found.woo_id
WHERE found.id NOT IN (SELECT id FROM offers) ORDER BY store.status = 'trash', choice, store.id
"""

# Of an attribute that a document has in two spellings the first counts.
_CODES = f"""
CREATE TEMP TABLE codes AS
WITH claimed AS (
    SELECT sku_key, list(sales_price) AS claimed_prices FROM documents WHERE on_sale GROUP BY ALL HAVING count(*) > 1
), single AS (
    SELECT documents.* EXCLUDE (sku_key, gtin_key), matches.* EXCLUDE (id), claimed_prices
    FROM matches JOIN documents USING (id) LEFT JOIN claimed ON claimed.sku_key = matches.sku_key
), padded AS (
    SELECT *, {padded_gtin("gtin")} AS gtin_padded,
        CASE WHEN trim(gtin) <> '' THEN {gtin_fault("gtin_padded")} END AS gtin_fault,
        CASE WHEN gtin_fault IS NULL THEN gtin_padded END AS gtin_used
    FROM single
), of_documents AS (
    SELECT
        id, place, names.text AS name, options.text AS "option", names.name_key, options.option_key,
        row_number() OVER (PARTITION BY id, names.name_key ORDER BY place) AS spelling
    FROM (SELECT id, unnest(attributes) AS a, generate_subscripts(attributes, 1) AS place FROM documents)
    JOIN attribute_texts AS names ON names.given = a.name
    JOIN attribute_texts AS options ON options.given = a."option"
    WHERE names.name_key <> '' AND options.text <> ''
), tidied AS (
    SELECT id, list({{
            'name': name, 'option': "option", 'name_key': name_key, 'option_key': option_key
        }} ORDER BY place) AS attributes
    FROM of_documents WHERE spelling = 1 GROUP BY id
), cleaned AS (
    SELECT padded.* REPLACE (coalesce(tidied.attributes, []) AS attributes)
    FROM padded LEFT JOIN tidied ON tidied.id = padded.id
)
SELECT
    sku_key, model_key, id, trim(code) || CASE WHEN replaced_by IS NULL THEN '' ELSE ' (' || id || ')' END AS sku,
    trim(model_number) AS model_number, nullif(trim(name), '') AS name, on_sale, deleted, type,
    claimants, claimed_prices, replaced_by, contradicted_id, vat_rate, sales_price, discounted_price, gtin_fault,
    attributes,
    {regular_price("sales_price")} AS regular_price,
    sale_price, date_on_sale_from_gmt, date_on_sale_to_gmt, lowest_price_30d,
    {purchase_price("purchase_price")} AS purchase_price,
    gtin_used AS gtin, gtin AS gtin_given,
    count(*) FILTER (on_sale) OVER (PARTITION BY gtin_used) AS gtin_claimants,
    slug AS tax_class, known AS tax_class_is_known,
    len(cleaned.attributes) > 0 AND 1 >= count(*) FILTER (on_sale) OVER (
        PARTITION BY model_key,
        list_sort(list_transform(cleaned.attributes, lambda a: a.name_key || '=' || a.option_key))
    ) AS is_told_apart
FROM cleaned LEFT JOIN tax_classes USING (vat_rate) LEFT JOIN offers USING (id)
"""

# Field, reason and code of the first thing that keeps a code from being sold, and the fate of its page in the store: it
# goes off (as that of an inactive product), stays as it is, or goes on without the field.
_VERDICTS = """
CREATE TEMP TABLE verdicts AS
SELECT sku_key, verdict.* FROM (
    SELECT sku_key, CASE
        WHEN claimants > 1 THEN {'held': 'quarantine', 'field': 'code',
            'reason': 'the code is on ' || claimants || ' active products',
            'problem': 'code-duplicate', 'fate': 'stays'}
        WHEN contradicted_id IS NOT NULL THEN {'held': 'quarantine', 'field': 'gtin',
            'reason': 'the store''s product ' || contradicted_id || ' has this SKU and another GTIN than '
                || trim(gtin_given),
            'problem': 'sku-of-other-gtin', 'fate': 'stays'}
        WHEN type IN ('giftcard', 'deposit', 'custom') THEN {'held': 'skip', 'field': 'productType',
            'reason': CASE type WHEN 'giftcard' THEN 'gift cards' WHEN 'deposit' THEN 'deposits'
                ELSE 'custom products' END || ' are not sold online',
            'problem': '', 'fate': 'off'}
        WHEN type NOT IN ('basic', 'variant', 'service') OR type IS NULL THEN
            {'held': 'quarantine', 'field': 'productType',
            'reason': 'the product type is not known', 'problem': 'product-type-unknown', 'fate': 'off'}
        WHEN sales_price < 0 THEN {'held': 'quarantine', 'field': 'salesPrice',
            'reason': 'the price is negative', 'problem': 'price-negative', 'fate': 'off'}
        WHEN coalesce(regular_price, 0) = 0 THEN {'held': 'quarantine', 'field': 'salesPrice',
            'reason': 'there is no price', 'problem': 'price-missing', 'fate': 'off'}
        WHEN tax_class IS NULL AND vat_rate IS NOT NULL THEN {'held': 'quarantine', 'field': 'vatRate',
            'reason': 'VAT ' || vat_rate || ' % has no tax class',
            'problem': 'vat-rate-without-class', 'fate': 'goes on'}
        WHEN NOT tax_class_is_known THEN {'held': 'quarantine', 'field': 'vatRate',
            'reason': 'the store has no tax class ' || tax_class,
            'problem': 'tax-class-missing', 'fate': 'goes on'}
        WHEN length(sku) > 100 THEN {'held': 'quarantine', 'field': 'code',
            'reason': 'the code is longer than the 100 characters that a SKU may have',
            'problem': 'code-too-long', 'fate': 'stays'}
    END AS verdict
    FROM codes WHERE on_sale
) WHERE verdict IS NOT NULL
"""

# Who wants a SKU that another store product has waits until that one gives it away in the same delivery. Where it does
# not, both stay as they are, and who waits for them, too.
_TAKEN = """
INSERT INTO verdicts
WITH RECURSIVE placed AS (
    SELECT codes.sku_key, codes.on_sale AND fate IS DISTINCT FROM 'off' AS on_sale, codes.replaced_by, matches.woo_id,
        page.own_sku
    FROM codes JOIN matches USING (sku_key) LEFT JOIN held AS page ON page.id = matches.woo_id
    LEFT JOIN verdicts ON verdicts.sku_key = codes.sku_key
    WHERE fate IS NULL OR fate = 'off' OR fate = 'goes on' AND matches.woo_id IS NOT NULL
), moving AS (
    SELECT placed.* FROM placed WHERE own_sku IS DISTINCT FROM sku_key AND replaced_by IS NULL AND (
        on_sale OR woo_id IS NOT NULL AND own_sku IN (SELECT sku_key FROM placed AS wanting WHERE on_sale)
    )
), leaving AS (
    SELECT woo_id FROM moving WHERE woo_id IS NOT NULL
    UNION ALL
    SELECT woo_id FROM placed WHERE replaced_by IN (SELECT sku_key FROM placed AS wanting WHERE on_sale)
), waiting AS (
    SELECT moving.sku_key, moving.woo_id, holder.id AS holder_id
    FROM moving JOIN held AS holder ON holder.own_sku = moving.sku_key AND holder.id IS DISTINCT FROM moving.woo_id
), blocked AS (
    SELECT sku_key, woo_id, holder_id FROM waiting WHERE holder_id NOT IN (FROM leaving)
    UNION
    SELECT waiting.sku_key, waiting.woo_id, waiting.holder_id
    FROM waiting JOIN blocked ON blocked.woo_id = waiting.holder_id
)
SELECT sku_key, 'quarantine', 'code', 'the store''s product ' || min(holder_id) || ' has this SKU already'
    || coalesce('; it is product ' || any_value(woo_id) || ' there', ''), 'sku-taken', 'stays'
FROM blocked GROUP BY sku_key
"""

# All variations of it that Solteq sells are of one model, whatever its SKU says: a model that got another number.
_FAMILIES = f"""
CREATE TEMP TABLE families AS
WITH parents AS (
    SELECT DISTINCT held.parent_id FROM matches JOIN held ON held.id = matches.woo_id WHERE held.type = 'variation'
), children AS (
    SELECT child.parent_id, coalesce(codes.model_key, CASE WHEN codes.sku_key IS NULL THEN {sku_key("parent.sku")}
        END) AS model_key
    FROM catalogue AS child JOIN catalogue AS parent ON parent.id = child.parent_id
    LEFT JOIN matches ON matches.woo_id = child.id LEFT JOIN codes USING (sku_key)
    WHERE child.parent_id IN (FROM parents) AND coalesce(codes.on_sale, child.id IN (
        SELECT woo_id FROM links WHERE solteq_id IS NOT NULL
    ))
)
SELECT parent_id, any_value(model_key) AS model_key FROM children
GROUP BY parent_id HAVING count(DISTINCT model_key) = 1 AND count(model_key) = count(*)
"""

# The parent of a variable product in the store: the product with the model number as SKU, unless its variations and
# those of the model say that numbers were handed on; else the parent of which all variations are of the model, else the
# one that the model is linked to, else the parent of variations that are there, else the oldest simple product among
# its codes, which is turned into the variable one. A model number that is also a code cannot be a SKU twice: no model.
_MODELS = f"""
CREATE TEMP TABLE models AS
WITH members AS (
    SELECT
        codes.model_key, codes.sku_key, on_sale, is_told_apart, held.id, held.type,
        families.parent_id AS family_id,
        CASE WHEN {sku_key("parent.sku")} IS NOT DISTINCT FROM codes.model_key OR families.parent_id IS NOT NULL
            OR NOT EXISTS (FROM products WHERE active AND NOT deleted
                AND {sku_key("model_number")} = {sku_key("parent.sku")}) THEN parent.id END AS parent_id
    FROM codes
    LEFT JOIN matches USING (sku_key) LEFT JOIN held ON held.id = matches.woo_id
    LEFT JOIN held AS parent ON parent.id = held.parent_id
    LEFT JOIN families ON families.parent_id = held.parent_id AND families.model_key = codes.model_key
    LEFT JOIN verdicts ON verdicts.sku_key = codes.sku_key
    WHERE codes.model_key IS NOT NULL AND verdicts.held IS DISTINCT FROM 'skip'
), counted AS (
    SELECT
        model_key,
        count(*) FILTER (on_sale) AS on_sale_count,
        count(*) FILTER (on_sale AND is_told_apart) AS told_apart_count,
        model_key IN (SELECT sku_key FROM codes) AS is_also_code,
        min(family_id) AS family_id,
        min(parent_id) FILTER (type = 'variation') AS parent_of_variations,
        min(id) FILTER (type = 'simple' AND is_told_apart) AS oldest_simple
    FROM members GROUP BY model_key
), named AS (
    SELECT counted.*, by_sku.id AS by_sku, by_sku.type AS by_sku_type, by_link.id AS by_link
    FROM counted
    LEFT JOIN held AS by_sku
        ON by_sku.sku_key = counted.model_key AND by_sku.type IN ('simple', 'variable') AND NOT is_also_code
        AND NOT (family_id IS NOT NULL AND by_sku.id IN (
            SELECT parent_id FROM families WHERE families.model_key <> counted.model_key
        ))
    LEFT JOIN linked ON linked.key = counted.model_key AND linked.solteq_id IS NULL
    LEFT JOIN held AS by_link ON by_link.id = linked.woo_id AND by_link.type = 'variable'
)
SELECT
    model_key, is_also_code, coalesce(by_sku, family_id, by_link, parent_of_variations, oldest_simple) AS parent_id,
    (SELECT max(status_before) FROM links WHERE links.solteq_id IS NULL AND links.woo_id = parent_id) AS status_before,
    -- Nothing is turned into a variable product until two of its variants can be told apart.
    told_apart_count < CASE WHEN oldest_simple IS NULL THEN 1 ELSE 2 END
        AND by_sku_type IS DISTINCT FROM 'variable' AND by_link IS NULL AND parent_of_variations IS NULL
        AS is_undecided
FROM named
WHERE on_sale_count > 1 OR by_sku_type = 'variable' OR by_link IS NOT NULL OR parent_of_variations IS NOT NULL
"""

# woo_id is NULL for what is yet to be created. A product that could not become the parent stays on sale as it is.
_ITEMS = f"""
CREATE TEMP TABLE items AS
WITH placed AS (
    SELECT
        codes.*, matches.matched_by, matches.status_before,
        models.model_key IS NOT NULL AND NOT models.is_also_code AND NOT models.is_undecided AS is_variant,
        coalesce(models.is_undecided, FALSE) AS model_is_undecided,
        coalesce(models.is_also_code, FALSE) AS model_is_also_code, models.parent_id AS model_parent_id,
        CASE WHEN NOT is_variant OR matches.woo_id IS DISTINCT FROM models.parent_id THEN matches.woo_id END AS woo_id
    FROM codes LEFT JOIN matches USING (sku_key) LEFT JOIN models ON models.model_key = codes.model_key
)
SELECT
    placed.*, verdicts.held AS verdict, verdicts.reason AS verdict_reason, held.type AS store_type,
    -- Of a code on several products the page stays while it shows the price of one of them.
    CASE WHEN problem = 'code-duplicate'
        AND NOT list_contains(list_transform(claimed_prices, lambda p: {regular_price("p")}), held.regular_price)
        THEN 'off' ELSE fate END AS page,
    on_sale AND page IS DISTINCT FROM 'off' AS for_sale,
    CASE
        WHEN held.type = 'variation' OR (placed.woo_id IS NULL AND is_variant) THEN 'variation' ELSE 'simple'
    END AS kind,
    CASE WHEN held.type = 'variation' THEN held.parent_id WHEN placed.woo_id IS NULL THEN model_parent_id END
        AS parent_id,
    placed.woo_id IS NULL AND on_sale AND (model_is_undecided OR is_variant AND NOT is_told_apart)
        AS cannot_be_told_apart,
    parent.status AS parent_status,
    gtin_claimants > 1 OR EXISTS (
        FROM held AS other WHERE other.global_unique_id = placed.gtin AND other.id IS DISTINCT FROM matches.woo_id
    ) AS gtin_is_taken,
    -- What is off sale keeps its SKU, unless another code needs it.
    CASE WHEN NOT for_sale AND held.own_sku IN (
            SELECT codes.sku_key FROM codes LEFT JOIN verdicts USING (sku_key) JOIN matches USING (sku_key)
            WHERE codes.on_sale AND (fate IS NULL OR fate = 'goes on' AND matches.woo_id IS NOT NULL)
        ) AND held.own_sku IS DISTINCT FROM placed.sku_key
        THEN CASE WHEN placed.replaced_by IS NULL THEN placed.sku ELSE '' END
    END AS sku_to_give_way
FROM placed
LEFT JOIN matches USING (sku_key)
LEFT JOIN held ON held.id = placed.woo_id
LEFT JOIN held AS parent ON parent.id = placed.model_parent_id
LEFT JOIN verdicts ON verdicts.sku_key = placed.sku_key
"""

# Who wants a GTIN that another store product has gets it when that one takes another in the same delivery; unless that
# one cannot, nor those that it waits for. A product without a GTIN in Solteq keeps the store's.
_GTINS_KEPT = """
CREATE TEMP TABLE gtins_kept AS
WITH RECURSIVE leaving AS (
    SELECT items.woo_id FROM items JOIN held ON held.id = items.woo_id
    WHERE for_sale AND (verdict IS NULL OR page = 'goes on') AND gtin_claimants <= 1
        AND items.gtin <> held.global_unique_id AND held.status <> 'trash' AND held.type NOT IN ('variable', 'grouped')
), wanting AS (
    SELECT items.sku_key, items.woo_id, other.id AS holder_id
    FROM items JOIN held AS other ON other.global_unique_id = items.gtin AND other.id IS DISTINCT FROM items.woo_id
    WHERE gtin_is_taken AND gtin_claimants <= 1
), blocked AS (
    SELECT * FROM wanting WHERE holder_id NOT IN (FROM leaving)
    UNION
    SELECT wanting.* FROM wanting JOIN blocked ON blocked.woo_id = wanting.holder_id
)
SELECT sku_key FROM blocked;
UPDATE items SET gtin_is_taken = gtin_claimants > 1 OR sku_key IN (FROM gtins_kept) WHERE gtin_is_taken
"""

_STEPS = {
    "codes": _CODES,
    "verdicts": f"{_VERDICTS};\n{_TAKEN}",
    "families": _FAMILIES,
    "models": _MODELS,
    "items": _ITEMS,
    "gtins_kept": _GTINS_KEPT,
}

_QUARANTINE = f"""
SELECT coalesce(nullif(trim(code), ''), id) AS key, 'code' AS field, 'the product has no code' AS reason,
    'code-missing' AS code
FROM documents WHERE sku_key = '' AND on_sale
UNION ALL
SELECT sku, field, reason, problem FROM verdicts JOIN items USING (sku_key) WHERE held = 'quarantine'
UNION ALL
SELECT sku, 'gtin', 'the GTIN ' || coalesce(gtin_fault, 'is on another product too') || '; the product goes without it',
    CASE WHEN gtin IS NULL THEN 'gtin-invalid' ELSE 'gtin-duplicate' END
FROM items WHERE on_sale AND verdict IS NULL AND CASE WHEN gtin IS NULL THEN gtin_fault <> '{OF_A_COMPANY}'
    ELSE gtin_is_taken END
UNION ALL
SELECT sku, 'discountedPrice', 'the discounted price is not above 0; the product goes without a sale price',
    'discounted-price-invalid'
FROM items WHERE on_sale AND verdict IS NULL AND discounted_price <= 0
UNION ALL
SELECT sku, 'attributes', 'its attributes do not tell it from another variant of model ' || model_number,
    'variant-indistinguishable'
FROM items WHERE verdict IS NULL AND cannot_be_told_apart
UNION ALL
SELECT sku, 'modelNumber', 'model number ' || model_number || ' is also the code of a product, and a SKU is unique',
    'model-number-is-code'
FROM items WHERE on_sale AND verdict IS NULL AND model_is_also_code AND woo_id IS NULL
UNION ALL
SELECT sku, 'modelNumber', 'it is a product of its own in the store (id ' || woo_id || ') and stays so; '
        || 'its model ' || model_number || ' is product ' || model_parent_id,
    'variant-is-simple-product'
FROM items WHERE on_sale AND verdict IS NULL AND is_variant AND kind = 'simple' AND woo_id IS NOT NULL
UNION ALL
SELECT sku, 'modelNumber', 'it is a variation of product ' || parent_id || ' in the store and stays so; its model '
        || model_number || ' is another product',
    'variation-of-other-product'
FROM items WHERE on_sale AND verdict IS NULL AND is_variant AND kind = 'variation' AND woo_id IS NOT NULL
    AND parent_id IS DISTINCT FROM model_parent_id
UNION ALL
SELECT sku, 'code', 'the store''s product ' || woo_id || ' with this SKU is of type ' || store_type
        || ', which has no price of its own',
    'sku-of-variable-product'
FROM items WHERE on_sale AND verdict IS NULL AND store_type IN ('variable', 'grouped')
UNION ALL
SELECT items.sku, 'status', 'the store''s product ' || held.id || ' is in the bin',
    'product-in-bin'
FROM items JOIN held ON held.id = coalesce(items.woo_id, items.parent_id)
WHERE items.on_sale AND items.verdict IS NULL AND held.status = 'trash' AND $binned_products = 'leave'
"""

# The store puts what has no tax class into its standard one. With another VAT rate that would be a wrong price, so a
# product without a VAT rate is not shown to shoppers before somebody has looked at it.
_CREATED = f"""
SELECT
    sku AS key, 'create' AS action, kind, NULL::BIGINT AS woo_id,
    CASE kind WHEN 'variation' THEN items.model_number END AS parent_key,
    CASE kind WHEN 'variation' THEN items.parent_id END AS parent_id,
    list_filter([
        {{'field': 'name', 'old': NULL, 'new': CASE kind WHEN 'simple' THEN coalesce(items.name, items.sku) END}},
        {{'field': 'type', 'old': NULL, 'new': CASE kind WHEN 'simple' THEN 'simple' END}},
        {{'field': 'status', 'old': NULL, 'new': CASE
            WHEN kind = 'simple' AND vat_rate IS NULL AND $new_product_status = 'publish' THEN 'draft'
            WHEN kind = 'simple' THEN $new_product_status
        END}},
        {{'field': 'sku', 'old': NULL, 'new': items.sku}},
        {{'field': 'regular_price', 'old': NULL, 'new': {price_text("items.regular_price")}}},
        {{'field': 'sale_price', 'old': NULL, 'new': {price_text("items.sale_price")}}},
        {{'field': 'date_on_sale_from_gmt', 'old': NULL,
            'new': nullif({time_text("items.date_on_sale_from_gmt")}, '')}},
        {{'field': 'date_on_sale_to_gmt', 'old': NULL,
            'new': nullif({time_text("items.date_on_sale_to_gmt")}, '')}},
        {{'field': '{LOWEST_PRICE_META}', 'old': NULL, 'new': items.lowest_price_30d}},
        {{'field': 'tax_class', 'old': NULL, 'new': items.tax_class}},
        {{'field': 'global_unique_id', 'old': NULL, 'new': CASE WHEN NOT gtin_is_taken THEN gtin END}},
        {{'field': '{PURCHASE_PRICE_META}', 'old': NULL, 'new': {price_text("items.purchase_price")}}},
        {{'field': 'attributes', 'old': NULL, 'new': CASE kind WHEN 'variation' THEN choices END}},
        {{'field': 'manage_stock', 'old': NULL, 'new': CASE WHEN items.type <> 'service' THEN 'true' END}},
        {{'field': 'stock_quantity', 'old': NULL, 'new': CASE WHEN items.type <> 'service' THEN '0' END}}
    ], lambda change: change.new IS NOT NULL) AS changes,
    'new in Solteq' || CASE WHEN vat_rate IS NULL THEN '; without a VAT rate there' ELSE '' END AS reason
FROM items LEFT JOIN choices USING (sku_key)
WHERE woo_id IS NULL AND on_sale AND verdict IS NULL AND NOT cannot_be_told_apart AND NOT model_is_also_code
    AND NOT (kind = 'variation' AND coalesce(parent_status, '') = 'trash' AND $binned_products = 'leave')
"""

# Stock counts products by their code and type: what it does not find, or does not count, becomes a draft instead.
_CANNOT_RUN_OUT = f"({keeps_no_stock('items.type')} OR {sku_key('held.sku')} IS DISTINCT FROM items.sku_key)"

_UPDATED = f"""
WITH compared AS (
    SELECT
        items.*, held.status, held.regular_price AS held_regular_price, held.sku AS held_sku, held.global_unique_id,
        {sale_changes("held", "items")} AS sale_fields,
        held.purchase_price AS held_purchase_price, held.cost_of_goods_sold, held.has_cost_of_goods,
        held.attributes AS held_attributes,
        CASE held.tax_class WHEN 'parent' THEN parent.tax_class ELSE held.tax_class END AS held_tax_class,
        CASE
            WHEN NOT for_sale AND held.status IN ('publish', 'future') AND ($inactive_products = 'draft'
                OR $inactive_products = 'out_of_stock' AND {_CANNOT_RUN_OUT})
                THEN CASE items.kind WHEN 'variation' THEN 'private' ELSE 'draft' END
            WHEN for_sale AND held.status = 'trash'
                THEN CASE items.kind WHEN 'variation' THEN 'publish' ELSE $new_product_status END
            WHEN for_sale AND status_before IS NOT NULL AND held.status IN ('draft', 'private')
                THEN CASE status_before WHEN 'future' THEN 'publish' ELSE status_before END
            ELSE held.status
        END AS wanted_status,
        choices, items.kind = 'variation' AND items.parent_id IS NOT DISTINCT FROM items.model_parent_id
            AND is_told_apart AND coalesce(differs, FALSE) AS moved
    FROM items
    LEFT JOIN choices USING (sku_key)
    JOIN held ON held.id = items.woo_id
    LEFT JOIN held AS parent ON parent.id = held.parent_id
    WHERE held.type NOT IN ('variable', 'grouped')
        AND NOT (held.status = 'trash' AND (NOT for_sale OR $binned_products = 'leave'))
        AND CASE coalesce(page, 'goes on') WHEN 'goes on' THEN TRUE WHEN 'stays' THEN FALSE
            -- A gift card that the store made itself is none of ours.
            ELSE matched_by = 'link' OR verdict = 'quarantine' AND matched_by = 'SKU' END
), fields AS (
    SELECT *, [
        {{'field': 'status', 'old': status, 'new': wanted_status}}
    ] || CASE WHEN NOT for_sale THEN [{{'field': 'sku', 'old': held_sku, 'new': coalesce(sku_to_give_way, held_sku)}}]
    ELSE [] END || CASE WHEN NOT for_sale THEN [] ELSE [
        {{'field': 'sku', 'old': held_sku, 'new': sku}},
        {{'field': 'regular_price', 'old': coalesce({price_text("held_regular_price")}, ''),
            'new': {price_text("regular_price")}}},
        {{'field': 'tax_class', 'old': held_tax_class,
            'new': CASE WHEN tax_class_is_known THEN tax_class ELSE held_tax_class END}},
        {{'field': 'global_unique_id', 'old': coalesce(global_unique_id, ''),
            'new': coalesce(CASE WHEN NOT gtin_is_taken THEN gtin END, global_unique_id, '')}},
        {{'field': '{PURCHASE_PRICE_META}', 'old': held_purchase_price, 'new': {price_text("purchase_price")}}},
        {{'field': 'cost_of_goods_sold', 'old': {price_text("cost_of_goods_sold")},
            'new': CASE WHEN has_cost_of_goods AND purchase_price IS NOT NULL THEN {price_text("purchase_price")}
                ELSE {price_text("cost_of_goods_sold")} END}},
        {{'field': 'attributes', 'old': CASE WHEN moved THEN list_transform(held_attributes, lambda x:
            {{'name': x.name, 'option': x.options[1]}})::JSON::VARCHAR END,
            'new': CASE WHEN moved THEN choices END}}
    ] || sale_fields END AS compared_fields
    FROM compared
)
SELECT
    sku AS key,
    CASE WHEN NOT for_sale AND (sku_to_give_way IS NULL OR status IN ('publish', 'future')) THEN 'withdraw'
        WHEN wanted_status <> status THEN 'restore' ELSE 'update' END AS action,
    kind, woo_id, CASE kind WHEN 'variation' THEN model_number END AS parent_key, parent_id,
    list_filter(compared_fields, lambda change: change.old IS DISTINCT FROM change.new) AS changes,
    CASE
        WHEN sku_to_give_way = '' THEN 'its code is another product''s in Solteq now'
        WHEN deleted THEN 'deleted in Solteq'
        WHEN NOT on_sale THEN 'inactive in Solteq'
        WHEN NOT for_sale THEN verdict_reason
        WHEN status = 'trash' THEN 'in the store''s bin, on sale in Solteq'
        WHEN wanted_status <> status THEN 'on sale in Solteq again'
        WHEN matched_by = 'GTIN' THEN 'found in the store by its GTIN'
        ELSE 'differs from Solteq'
    END AS reason
FROM fields
WHERE len(changes) > 0
"""

_SKIPPED = """
SELECT sku AS key, 'skip' AS action, 'simple' AS kind, woo_id, NULL AS parent_key, NULL::BIGINT AS parent_id,
    []::STRUCT(field VARCHAR, "old" VARCHAR, "new" VARCHAR)[] AS changes, reason
FROM items JOIN verdicts USING (sku_key) WHERE verdicts.held = 'skip'
"""

# One row a model with all that its parent's fields depend on. The attributes of variants that are withdrawn stay.
_PARENTS = """
SELECT
    models.model_key, models.parent_id, held.type, held.sku, held.status, held.tax_class, held.manage_stock,
    held.attributes AS held_attributes, held.global_unique_id, held.purchase_price, held.store_balances,
    held.lowest_price_30d,
    models.status_before,
    arg_min(items.model_number, items.sku_key) AS model_number,
    arg_min(items.tax_class, items.sku_key) FILTER (is_sold AND tax_class_is_known) AS wanted_tax_class,
    min(items.name) FILTER (is_sold) AS first_name, max(items.name) FILTER (is_sold) AS last_name,
    list({'sku_key': items.sku_key, 'attributes': items.attributes, 'held': mine.attributes}
        ORDER BY items.sku_key) FILTER (is_sold) AS variants,
    list(items.gtin) AS gtins,
    count(*) FILTER (is_sold) AS sold_count, count(*) FILTER (items.for_sale) AS for_sale_count,
    bool_and(items.deleted) AS deleted, bool_or(items.on_sale) AS is_active
FROM models
JOIN (
    SELECT *, on_sale AND (verdict IS NULL OR page = 'goes on' AND woo_id IS NOT NULL)
        AND kind = 'variation' AND NOT cannot_be_told_apart AS is_sold
    FROM items
) AS items ON items.model_key = models.model_key
LEFT JOIN held ON held.id = models.parent_id
LEFT JOIN held AS mine ON mine.id = items.woo_id
WHERE NOT models.is_also_code AND NOT models.is_undecided
GROUP BY ALL
ORDER BY models.model_key
"""

# ``sku``: the SKU that both sides agree on; NULL leaves what was agreed before.
_LINKS = """
SELECT items.sku_key AS key, woo_id, NULL::VARCHAR AS status_before,
    for_sale AND held.status NOT IN ('draft', 'private', 'trash') AS status_is_ours, items.id AS solteq_id,
    CASE WHEN held.own_sku = items.sku_key THEN held.own_sku
        WHEN replaced_by IS NOT NULL AND held.own_sku IS NULL THEN '' END AS sku
FROM items JOIN held ON held.id = items.woo_id
WHERE (verdict IS DISTINCT FROM 'skip' OR matched_by = 'link') AND claimants <= 1
    AND items.sku_key NOT IN (SELECT sku_key FROM verdicts WHERE problem = 'sku-taken')
UNION ALL
SELECT models.model_key, models.parent_id, NULL, FALSE, NULL,
    CASE WHEN held.own_sku = models.model_key THEN held.own_sku END
FROM models JOIN held ON held.id = models.parent_id
WHERE held.type = 'variable' AND NOT is_also_code AND NOT is_undecided
"""


def product_delta(
    connection: duckdb.DuckDBPyConnection,
    *,
    products: Relation,
    catalogue: Relation,
    links: Relation,
    campaigns: Relation,
    history: Relation,
    rules: CatalogueRules,
    pricing: PricingRules,
    now: datetime,
) -> ProductDelta:
    """What the store should hold at an instant, less what it holds.

    :param products: rows of ``snapshot.solteq_products``
    :param catalogue: rows of ``snapshot.woo_catalogue``
    :param links: rows of ``sync.links`` with kind ``product``
    :param campaigns: rows of ``snapshot.solteq_campaigns``
    :param history: rows of ``sync.price_history``
    :param now: in UTC, without a zone
    """
    with sql.steps(connection, __name__, products=products, catalogue=catalogue, links=links) as steps:
        price_products(
            connection, products=products, campaigns=campaigns, history=history, links=links, rules=pricing, now=now
        )
        if not pricing.campaigns_are_known:
            connection.execute(_SALES_LEFT_ALONE)
        tax_classes = pl.DataFrame(  # noqa: F841  DuckDB reads it by its name, as it does the parameters
            [(rate, slug, slug in rules.store_tax_classes) for rate, slug in rules.tax_classes.items()],
            schema={"vat_rate": pl.Decimal(6, 3), "slug": pl.String, "known": pl.Boolean},
            orient="row",
        )
        connection.execute(_UNSETTLED)
        match_products(steps)
        attribute_texts = _attribute_texts(connection, rules.attribute_separator)  # noqa: F841
        for step in _STEPS.values():
            connection.execute(step)
        settings = {
            "new_product_status": rules.new_product_status,
            "inactive_products": rules.inactive_products,
            "binned_products": rules.binned_products,
        }

        def frame(query: str) -> pl.DataFrame:
            used = {name: value for name, value in settings.items() if f"${name}" in query}
            return connection.sql(query, params=used or None).pl()

        models = frame(_PARENTS).to_dicts()
        choices = _choices(models)  # noqa: F841
        connection.execute("CREATE TEMP TABLE choices AS FROM choices")
        parents = _parent_changes(models, rules)
        created, updated, skipped = (frame(query).cast(CHANGES_SCHEMA) for query in (_CREATED, _UPDATED, _SKIPPED))
        delta = ProductDelta(
            changes=pl.concat([parents, created, updated, skipped.join(updated, on="key", how="anti")]),
            quarantine=frame(_QUARANTINE).unique(["key", "field"], maintain_order=True),
            links=frame(_LINKS),
            next_edge=next_edge(connection),
        )
        for table in ("unsettled", *_STEPS, "choices"):
            connection.execute(f"DROP TABLE {table}")
        forget_prices(connection)
        return delta


def _attribute_texts(connection: duckdb.DuckDBPyConnection, separator: str) -> pl.DataFrame:
    """Each name and option of the documents as it is sent, and under which keys WordPress knows it."""
    given = connection.execute(
        'SELECT DISTINCT unnest([a.name, a."option"]) FROM (SELECT unnest(attributes) AS a FROM documents)'
    ).fetchall()
    texts = [(each, attribute_text(each, separator)) for (each,) in given if each is not None]
    return pl.DataFrame(
        [(each, text, name_key(text), option_key(text)) for each, text in texts],
        schema={"given": pl.String, "text": pl.String, "name_key": pl.String, "option_key": pl.String},
        orient="row",
    )


def _choices(models: list[dict[str, Any]]) -> pl.DataFrame:
    """What each variation is sent of its attributes, as JSON, and whether the one in the store has other ones."""
    rows: list[tuple[str, str, bool]] = []
    for model in models:
        variants, held = model["variants"] or [], model["held_attributes"] or []
        attributes = merged_attributes(held, _pairs(model)) or held
        options = chosen_options(attributes, [each["attributes"] for each in variants])
        for variant, chosen in zip(variants, options, strict=True):
            has = variant["held"] or []
            differs = bool(chosen) and (len(has) != len(chosen) or not has_chosen(has, chosen))
            rows.append(
                (variant["sku_key"], simplejson.dumps(chosen, ensure_ascii=False, separators=(",", ":")), differs)
            )
    schema = {"sku_key": pl.String, "choices": pl.String, "differs": pl.Boolean}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _pairs(model: dict[str, Any]) -> list[Pair]:
    return [pair for variant in model["variants"] or [] for pair in variant["attributes"]]


def _parent_changes(models: list[dict[str, Any]], rules: CatalogueRules) -> pl.DataFrame:
    rows = [
        _created_parent(model, rules) if model["parent_id"] is None else _held_parent(model, rules) for model in models
    ]
    return pl.DataFrame([row for row in rows if row and row["changes"]], schema=CHANGES_SCHEMA)


def _created_parent(model: dict[str, Any], rules: CatalogueRules) -> dict[str, Any] | None:
    if not model["sold_count"]:
        return None
    first, last, tax_class = model["first_name"], model["last_name"], model["wanted_tax_class"]
    is_for_all = tax_class is not None or rules.new_product_status != "publish"
    new = {
        "name": common_name(first, last) if first else model["model_number"],
        "type": "variable",
        "status": rules.new_product_status if is_for_all else "draft",
        "sku": model["model_number"],
        "tax_class": tax_class,
        "attributes": _json(merged_attributes([], _pairs(model))),
    }
    reason = "new in Solteq" if tax_class is not None else "new in Solteq; without a VAT rate there"
    return _row(model, "create", reason, {field: (None, value) for field, value in new.items() if value is not None})


def _held_parent(model: dict[str, Any], rules: CatalogueRules) -> dict[str, Any] | None:
    status = _parent_status(model, rules)
    if model["status"] == "trash" and (not model["for_sale_count"] or rules.binned_products == "leave"):
        return None
    changes: dict[str, tuple[str | None, str | None]] = {"status": (model["status"], status)}
    if model["for_sale_count"]:
        changes["sku"] = (model["sku"], model["model_number"])
    attributes = merged_attributes(model["held_attributes"] or [], _pairs(model))
    if attributes is not None:
        changes["attributes"] = (_json(model["held_attributes"]), _json(attributes))
    converted = model["type"] != "variable"
    if converted:
        changes |= _left_to_variations(model)
    if not model["for_sale_count"]:
        action, reason = "withdraw", _why_withdrawn(model)
    elif converted:
        action, reason = "convert", "a second variant of the model is in Solteq: becomes a variable product"
    elif status != model["status"]:
        action, reason = "restore", "on sale in Solteq again"
    else:
        action, reason = "update", "differs from Solteq"
    return _row(model, action, reason, {field: pair for field, pair in changes.items() if pair[0] != pair[1]})


def _why_withdrawn(model: dict[str, Any]) -> str:
    if model["is_active"]:
        return "none of its variants may be sold online"
    return "deleted in Solteq" if model["deleted"] else "inactive in Solteq"


def _left_to_variations(model: dict[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    """What a simple product hands over when it becomes variable; its price WooCommerce drops by itself."""
    gtin = model["global_unique_id"] or ""
    return {
        "type": (model["type"], "variable"),
        "manage_stock": ("true" if model["manage_stock"] else "false", "false"),
        "global_unique_id": (gtin, "" if gtin in model["gtins"] else gtin),
        PURCHASE_PRICE_META: (model["purchase_price"], None),
        STORE_BALANCES_META: (model["store_balances"], None),
        LOWEST_PRICE_META: (model["lowest_price_30d"], None),
    }


def _parent_status(model: dict[str, Any], rules: CatalogueRules) -> str:
    status = model["status"]
    if not model["for_sale_count"]:
        return "draft" if rules.inactive_products == "draft" and status == "publish" else status
    if status == "trash":
        return rules.new_product_status
    if model["status_before"] is not None and status == "draft":
        return model["status_before"]
    return status


def _row(
    model: dict[str, Any], action: str, reason: str, changes: Mapping[str, tuple[str | None, str | None]]
) -> dict[str, Any]:
    return {
        "key": model["model_number"],
        "action": action,
        "kind": "variable",
        "woo_id": model["parent_id"],
        "parent_key": None,
        "parent_id": None,
        "changes": [{"field": field, "old": old, "new": new} for field, (old, new) in changes.items()],
        "reason": reason,
    }


def _json(value: object) -> str:
    return simplejson.dumps(value, ensure_ascii=False)
