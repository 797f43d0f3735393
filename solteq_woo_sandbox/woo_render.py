"""What the WooCommerce stand-in answers: products as documents, key by key as the real one has them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from .woo_fields import amount, php_number
from .woo_product_schema import TAX_CLASSES
from .woo_sales import is_on_sale, price_of
from .woo_store import Item, site_time
from .woo_texts import slugify

_UNCATEGORIZED = {"id": 15, "name": "Uncategorized", "slug": "uncategorized"}
_DATES = {"date_created": "", "date_created_gmt": "", "date_modified": "", "date_modified_gmt": ""}
_SALE = {
    "date_on_sale_from": None,
    "date_on_sale_from_gmt": None,
    "date_on_sale_to": None,
    "date_on_sale_to_gmt": None,
    "on_sale": False,
}
_DOWNLOAD = {"virtual": False, "downloadable": False, "downloads": [], "download_limit": -1, "download_expiry": -1}
_BACKORDERS = {"backorders": "no", "backorders_allowed": False, "backordered": False, "low_stock_amount": None}
_SIZE = {"weight": "", "dimensions": {"length": "", "width": "", "height": ""}}
_PRICES = {"price": "", "regular_price": "", "sale_price": ""} | _SALE

# A new product and a new variation, every key in the order of the real answers.
_PRODUCT: dict[str, Any] = {
    "id": 0,
    "name": "",
    "slug": "",
    "permalink": "",
    **_DATES,
    "type": "simple",
    "status": "publish",
    "featured": False,
    "catalog_visibility": "visible",
    "description": "",
    "short_description": "",
    "sku": "",
    **_PRICES,
    "purchasable": True,
    "total_sales": 0,
    **_DOWNLOAD,
    "external_url": "",
    "button_text": "",
    "tax_status": "taxable",
    "tax_class": "",
    "manage_stock": False,
    "stock_quantity": None,
    **_BACKORDERS,
    "sold_individually": False,
    **_SIZE,
    "shipping_required": True,
    "shipping_taxable": True,
    "shipping_class": "",
    "shipping_class_id": 0,
    "reviews_allowed": True,
    "average_rating": "0",
    "rating_count": 0,
    "upsell_ids": [],
    "cross_sell_ids": [],
    "parent_id": 0,
    "purchase_note": "",
    "categories": [_UNCATEGORIZED],
    "brands": [],
    "tags": [],
    "images": [],
    "attributes": [],
    "default_attributes": [],
    "variations": [],
    "grouped_products": [],
    "menu_order": 0,
    "price_html": "",
    "related_ids": [],
    "meta_data": [],
    "stock_status": "instock",
    "has_options": False,
    "post_password": "",
    "global_unique_id": "",
}
_VARIATION: dict[str, Any] = {
    "id": 0,
    "type": "variation",
    **_DATES,
    "description": "",
    "permalink": "",
    "sku": "",
    "global_unique_id": "",
    **_PRICES,
    "status": "publish",
    "purchasable": True,
    **_DOWNLOAD,
    "tax_status": "taxable",
    "tax_class": "parent",
    "manage_stock": False,
    "stock_quantity": None,
    "stock_status": "instock",
    **_BACKORDERS,
    **_SIZE,
    "shipping_class": "",
    "shipping_class_id": 0,
    "image": None,
    "attributes": [],
    "menu_order": 0,
    "meta_data": [],
    "name": "",
    "parent_id": 0,
}
_INNER = ("created", "modified", "sale_from", "sale_to", "cost", "cost_is_additive", "chosen", "desired_slug")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Site:
    """What a document depends on besides its product.

    :param base: scheme and host that the client used; WordPress has one configured, the stand-in any
    :param now: the instant that decides whether a sale runs
    """

    base: str
    now: str
    settings: dict[str, Any]

    @property
    def rest(self) -> str:
        """Where the API's own links begin."""
        return f"{self.base}/wp-json/wc/v3"


def product_document(
    item: Item, site: Site, family: list[Item], parent: Item | None = None, *, edit: bool = False
) -> dict[str, Any]:
    """A product, or a variation found by its SKU among the products.

    :param family: its variations
    :param parent: of a variation
    :param edit: as the answer to a write shows it; a read shows a little less
    """
    out = _PRODUCT | item
    for name in _INNER:
        out.pop(name, None)
    _put_dates(out, item)
    variable = item["type"] == "variable"
    if parent:
        out |= _as_product(item, parent, edit)
    if variable:
        _sum_up(out, family, site)
    else:
        _price(out, item, site)
    out["purchasable"] = out["price"] != ""
    out["backorders_allowed"] = out["backorders"] != "no"
    out["backordered"] = out["stock_status"] == "onbackorder"
    out["shipping_required"] = not out["virtual"] and item["type"] != "external"
    out["shipping_taxable"] = out["shipping_required"] and out["tax_status"] in ("taxable", "shipping")
    out["has_options"] = variable
    out["variations"] = [child["id"] for child in family if child["status"] in ("publish", "private")]
    out["price_html"] = _price_html(out, family, site)
    out["permalink"] = _permalink(item, site) if not parent else _variation_permalink(item, parent, site)
    if edit:
        slug = item.get("desired_slug") or item.get("slug") or slugify(item.get("name", ""))
        out |= {"permalink_template": f"{site.base}/product/%pagename%/", "generated_slug": slug}
    else:
        out["average_rating"] = f"{float(out['average_rating']):.2f}"
    _put_cost(out, item, site, parent)
    up = f"{site.rest}/products/{item['parent_id']}" if item.get("parent_id") else ""
    out["_links"] = links(f"{site.rest}/products", item["id"], up=up)
    return out


def variation_document(
    item: Item, site: Site, parent: Item, *, edit: bool = False, gone: bool = False
) -> dict[str, Any]:
    """A variation on its own routes; arguments as for :func:`product_document`.

    :param gone: it is already deleted
    """
    out = _VARIATION | item
    for name in _INNER:
        out.pop(name, None)
    out.pop("slug", None)
    _put_dates(out, item)
    _inherit(out, item, parent, edit)
    _price(out, item, site)
    out["purchasable"] = out["price"] != ""
    out["backorders_allowed"] = out["backorders"] != "no"
    out["backordered"] = out["stock_status"] == "onbackorder"
    out["permalink"] = _variation_permalink(item, parent, site)
    out["attributes"] = chosen_options(item, parent)
    out["name"] = ", ".join(attribute["option"] for attribute in out["attributes"])
    _put_cost(out, item, site, parent)
    above = f"{site.rest}/products/{item['parent_id']}"
    out["_links"] = links(f"{above}/variations", item["id"], () if gone else METHODS, above)
    return out


def _put_dates(out: dict[str, Any], item: Item) -> None:
    for name, key in (("date_created", "created"), ("date_modified", "modified")):
        out[name], out[f"{name}_gmt"] = site_time(item[key]), item[key]
    for name, key in (("date_on_sale_from", "sale_from"), ("date_on_sale_to", "sale_to")):
        if instant := item.get(key):
            out[name], out[f"{name}_gmt"] = site_time(instant), instant


def links(collection: str, identifier: object, allow: Iterable[str] = METHODS, up: str = "") -> dict[str, Any]:
    """Where a thing is.

    :param allow: what may be done with it; of what is gone WordPress does not say it any more
    :param up: what it belongs to
    """
    own: dict[str, Any] = {"href": f"{collection}/{identifier}"}
    if methods := list(allow):
        own["targetHints"] = {"allow": methods}
    found = {"self": [own], "collection": [{"href": collection}]}
    return found | {"up": [{"href": up}]} if up else found


def _price(out: dict[str, Any], item: Item, site: Site) -> None:
    out["on_sale"], out["price"] = is_on_sale(item, site.now), price_of(item)


def _sold(family: list[Item]) -> list[Item]:
    """The variations that count for their parent."""
    return [item for item in family if item["status"] == "publish" and item.get("regular_price", "") != ""]


def _sum_up(out: dict[str, Any], family: list[Item], site: Site) -> None:
    sold = _sold(family)
    out["price"] = min((price_of(item) for item in sold), key=amount, default="")
    out["on_sale"] = any(is_on_sale(item, site.now) for item in sold)
    if not out["manage_stock"]:
        states = {item.get("stock_status", "instock") for item in family if item["status"] == "publish"}
        out["stock_status"] = next((s for s in ("instock", "onbackorder") if s in states), "outofstock")


def chosen_options(item: Item, parent: Item) -> list[dict[str, Any]]:
    """The options of a variation, for those attributes that its parent still varies by."""
    chosen = item.get("chosen", {})
    varied = ((slugify(a["name"]), a["name"]) for a in parent.get("attributes", ()) if a["variation"])
    return [{"id": 0, "name": name, "slug": key, "option": chosen[key]} for key, name in varied if chosen.get(key)]


def _inherit(out: dict[str, Any], item: Item, parent: Item, edit: bool) -> None:
    if not edit and out["tax_class"] == "parent":
        out["tax_class"] = parent.get("tax_class", "")
    out["tax_status"] = parent.get("tax_status", "taxable")
    if not item.get("manage_stock") and parent.get("manage_stock"):
        out["manage_stock"] = "parent"
        out["stock_quantity"] = parent.get("stock_quantity")
        out["stock_status"] = parent.get("stock_status", "instock")
        out["backorders"] = parent.get("backorders", "no")


def variation_name(item: Item, parent: Item) -> str:
    """A variation's name where its product's is not beside it."""
    options = ", ".join(attribute["option"] for attribute in chosen_options(item, parent))
    return f"{parent['name']} - {options}" if options else parent["name"]


def _as_product(item: Item, parent: Item, edit: bool) -> dict[str, Any]:
    name = variation_name(item, parent)
    out = {"tax_class": item.get("tax_class", "parent"), "backorders": item.get("backorders", "no")}
    out |= {"manage_stock": item.get("manage_stock", False), "stock_quantity": item.get("stock_quantity")}
    out |= {"stock_status": item.get("stock_status", "instock")}
    _inherit(out, item, parent, edit)
    out |= {"name": name, "slug": slugify(name), "attributes": chosen_options(item, parent), "categories": []}
    return out | {"catalog_visibility": parent.get("catalog_visibility", "visible")}


def _put_cost(out: dict[str, Any], item: Item, site: Site, parent: Item | None) -> None:
    if not site.settings["cost_of_goods_sold"]:
        return
    own, above = (None if each is None else php_number(each) for each in (item.get("cost"), (parent or {}).get("cost")))
    additive = item.get("cost_is_additive", False)
    total = php_number((own or 0) + (above or 0)) if additive or own is None else own
    values = [{"defined_value": own, "effective_value": own or 0}]
    out["cost_of_goods_sold"] = {"values": values, "total_value": total}
    if parent:
        out["cost_of_goods_sold"]["defined_value_is_additive"] = additive


def _permalink(item: Item, site: Site) -> str:
    if item["status"] in ("publish", "private"):
        return f"{site.base}/product/{item['slug']}/"
    return f"{site.base}/?post_type=product&p={item['id']}"


def _variation_permalink(item: Item, parent: Item, site: Site) -> str:
    query = "&".join(f"attribute_{a['slug']}={quote_plus(a['option'])}" for a in chosen_options(item, parent))
    address = _permalink(parent, site)
    return f"{address}{'&' if '?' in address else '?'}{query}" if query else address


def _money(price: str, out: dict[str, Any], site: Site, hidden: str = "") -> tuple[str, str]:
    """A price as the shop window shows it: as markup, and bare."""
    shown = max(amount(price), 0.0)
    within, wanted = site.settings["prices_include_tax"], site.settings["shown_with_tax"]
    if within != wanted and out["tax_status"] == "taxable":
        factor = 1 + TAX_CLASSES.get(out["tax_class"], TAX_CLASSES[""]) / 100
        shown = shown / factor if within else shown * factor
    written, bare = f"{shown + 1e-9:,.2f}", "&euro;"
    symbol = f'<span class="woocommerce-Price-currencySymbol">{bare}</span>'
    if site.settings["decimal_comma"]:
        written = written.translate({ord(","): " ", ord("."): ","})
        symbol, bare = f"{written}&nbsp;{symbol}", f"{written}&nbsp;{bare}"
    else:
        symbol, bare = f"{symbol}{written}", f"{bare}{written}"
    return f'<span class="woocommerce-Price-amount amount"{hidden}><bdi>{symbol}</bdi></span>', bare


def _spoken(words: str) -> str:
    return f'<span class="screen-reader-text">{words}</span>'


def _price_html(out: dict[str, Any], family: list[Item], site: Site) -> str:
    if out["price"] == "":
        return ""
    regular = out["regular_price"]
    if out["type"] == "variable":
        sold = _sold(family)
        prices = sorted((price_of(item) for item in sold), key=amount)
        regulars = sorted((item["regular_price"] for item in sold), key=amount)
        if amount(prices[0]) != amount(prices[-1]):
            aria = ' aria-hidden="true"'
            (low, low_bare), (high, high_bare) = (_money(p, out, site, aria) for p in (prices[0], prices[-1]))
            spoken = _spoken(f"Price range: {low_bare} through {high_bare}")
            return f'{low} <span aria-hidden="true">&ndash;</span> {high}{spoken}'
        if amount(regulars[0]) != amount(regulars[-1]):
            return _money(out["price"], out, site)[0]
        regular = regulars[-1]
    now, now_bare = _money(out["price"], out, site)
    if not out["on_sale"]:
        return now
    was, was_bare = _money(regular, out, site)
    return (
        f'<del aria-hidden="true">{was}</del> {_spoken(f"Original price was: {was_bare}.")}'
        f'<ins aria-hidden="true">{now}</ins>{_spoken(f"Current price is: {now_bare}.")}'
    )
