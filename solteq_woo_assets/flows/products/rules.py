"""The product delta: the difference between Solteq's products and the store's catalogue.

These are set operations over up to a million rows, so they are SQL, in the folder ``sql``. Each step makes a temporary
table that the next ones read:

``unsettled``   the codes that do not plainly agree with the store already; only these go on
``matches``     which store product each of them is, with what ``matching.py`` makes on the way
``codes``       one row a product code: its prices, tax class and GTIN
``faults``      the codes that cannot be sold online by themselves, and why
``verdicts``    the same, with those whose SKU another product has in the store
``families``    the variable products of the store whose variations are all of one model in Solteq
``models``      which model numbers are variable products, and which store product is their parent
``items``       what each code becomes: a simple product, or a variation of which parent
``gtins_kept``  the codes whose GTIN another store product keeps
``choices``     what each variation is sent of its attributes, and whether it has others

There is no clock and no I/O.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import duckdb
import polars as pl
import simplejson

from solteq_woo_assets.engine import sql
from solteq_woo_assets.flow import CHANGES_SCHEMA, Comparison
from solteq_woo_assets.flows.campaigns.pricing import LOWEST_PRICE_META, PricingRules, next_edge, price_products
from solteq_woo_assets.flows.products.attributes import attribute_text, name_key, option_key
from solteq_woo_assets.flows.products.links import link
from solteq_woo_assets.flows.products.matching import match_products
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
) -> Comparison:
    """The difference of an instant. The effect links codes with the store's products.

    :param products: rows of ``snapshot.solteq_products``
    :param catalogue: rows of ``snapshot.woo_catalogue``
    :param links: rows of ``sync.links`` with kind ``product``
    :param campaigns: rows of ``snapshot.solteq_campaigns``
    :param history: rows of ``sync.price_history``
    :param now: in UTC, without a zone
    """
    inputs = {"products": products, "campaigns": campaigns, "catalogue": catalogue, "history": history, "links": links}
    with sql.steps(connection, __name__, **inputs) as steps:
        price_products(steps, pricing, now)
        if not pricing.campaigns_are_known:
            steps.run("sales_left_alone")
        steps.add(tax_classes=_tax_classes(rules))
        steps.table("unsettled")
        match_products(steps)
        steps.add(attribute_texts=_attribute_texts(steps.frame("attribute_words")["word"], rules.attribute_separator))
        for step in ("codes", "faults", "verdicts", "families", "models", "items", "gtins_kept"):
            steps.table(step)
        steps.run("gtins_given_away")
        models = steps.frame("parents").to_dicts()
        steps.add(choices=_choices(models))
        changes = _changes(steps, models, rules)
        held = steps.frame("quarantine", binned_products=rules.binned_products)
        return Comparison(
            changes=changes,
            held=held.unique(["key", "field"], maintain_order=True),
            effects=(partial(link, rows=steps.frame("links_to_keep")),),
            next_edge=next_edge(steps),
        )


def _changes(steps: sql.Steps, models: list[dict[str, Any]], rules: CatalogueRules) -> pl.DataFrame:
    """The writes to come, parents first."""
    status, binned = rules.new_product_status, rules.binned_products
    created = steps.frame("created", new_product_status=status, binned_products=binned)
    updated = steps.frame(
        "updated", new_product_status=status, binned_products=binned, inactive_products=rules.inactive_products
    )
    skipped = steps.frame("skipped").join(updated, on="key", how="anti")
    others = (frame.cast(CHANGES_SCHEMA) for frame in (created, updated, skipped))
    return pl.concat([_parent_changes(models, rules), *others])


def _tax_classes(rules: CatalogueRules) -> pl.DataFrame:
    return pl.DataFrame(
        [(rate, slug, slug in rules.store_tax_classes) for rate, slug in rules.tax_classes.items()],
        schema={"vat_rate": pl.Decimal(6, 3), "slug": pl.String, "known": pl.Boolean},
        orient="row",
    )


def _attribute_texts(words: pl.Series, separator: str) -> pl.DataFrame:
    """Each name and option of the documents as it is sent, and under which keys WordPress knows it."""
    texts = [(each, attribute_text(each, separator)) for each in words.drop_nulls()]
    return pl.DataFrame(
        [(each, text, name_key(text), option_key(text)) for each, text in texts],
        schema={"given": pl.String, "text": pl.String, "name_key": pl.String, "option_key": pl.String},
        orient="row",
    )


def _choices(models: list[dict[str, Any]]) -> pl.DataFrame:
    """The attributes that each variation is sent, as JSON, and whether the one in the store has others."""
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
    """The fields that a simple product loses when it becomes variable. WooCommerce drops its price by itself."""
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
