"""What the WooCommerce stand-in tells of the store itself: index, settings, taxes, status."""

from datetime import UTC, datetime
from typing import Any

from .woo_auth import ApiError
from .woo_fields import words
from .woo_render import METHODS, Site, links
from .woo_store import SITE_ZONE

_NAMESPACES = words(
    "oembed/1.0 wc/v3 wc/v1 wc/pos/v1/catalog jetpack/v4 wc-admin wc-analytics wc/store wc/store/v1 wc/private wc/v2 "
    "wc-admin-email wc-telemetry wccom-site/v3 wp-abilities/v1 wp/v2 wp-site-health/v1 wp-block-editor/v1"
)

_CURRENCY = (
    "This controls what currency prices are listed at in the catalog and which currency gateways will take payments in."
)
_WITH_TAX = (
    'This option is important as it will affect how you input prices. If you select "Yes", enter prices '
    "including your base location's tax rate, the baseline for tax calculations. "
    "Changing this option will not update existing products."
)

# What each is, in the words of WooCommerce.
_SETTINGS: dict[tuple[str, str], dict[str, Any]] = {
    ("general", "woocommerce_currency"): {
        "label": "Currency",
        "description": _CURRENCY,
        "type": "select",
        "default": "USD",
        "tip": _CURRENCY,
    },
    ("general", "woocommerce_default_country"): {
        "label": "Country / State",
        "description": "The country and state or province, if any, in which your business is located.",
        "type": "select",
        "default": "US:CA",
        "tip": "The country and state or province, if any, in which your business is located.",
    },
    ("general", "woocommerce_calc_taxes"): {
        "label": "Enable taxes",
        "description": "Enable tax rates and calculations",
        "type": "checkbox",
        "default": "no",
        "tip": "Rates will be configurable and taxes will be calculated during checkout.",
    },
    ("tax", "woocommerce_prices_include_tax"): {
        "label": "Prices entered with tax",
        "description": "",
        "type": "radio",
        "default": "no",
        "options": {
            "yes": "Yes, I will enter prices inclusive of tax",
            "no": "No, I will enter prices exclusive of tax",
        },
        "tip": _WITH_TAX,
    },
    ("products", "woocommerce_manage_stock"): {
        "label": "Manage stock",
        "description": "Enable stock management",
        "type": "checkbox",
        "default": "yes",
    },
}
_RATES = (
    (1, "25.5000", "ALV 25,5 %", "standard"),
    (2, "13.5000", "ALV 13,5 %", "reduced-rate"),
    (3, "0.0000", "ALV 0 %", "zero-rate"),
)
_CLASSES = (("standard", "Standard rate"), ("reduced-rate", "Reduced rate"), ("zero-rate", "Zero rate"))


def index(site: Site) -> dict[str, Any]:
    """The page that anyone may read; as much of it as the recordings hold."""
    offset = datetime.fromisoformat(site.now).replace(tzinfo=UTC).astimezone(SITE_ZONE).utcoffset()
    hours = offset.total_seconds() / 3600 if offset else 0.0
    return {
        "name": "Woo Test Store",
        "url": site.base,
        "home": site.base,
        "gmt_offset": int(hours) if hours.is_integer() else hours,
        "timezone_string": SITE_ZONE.key,
        "namespaces": _NAMESPACES,
    }


def setting(site: Site, group: str, name: str) -> dict[str, Any]:
    """One of the few settings that a client of a catalogue asks for."""
    values = {
        "woocommerce_currency": site.settings["currency"],
        "woocommerce_default_country": "FI",
        "woocommerce_calc_taxes": "yes" if site.settings["calc_taxes"] else "no",
        "woocommerce_prices_include_tax": "yes" if site.settings["prices_include_tax"] else "no",
        "woocommerce_manage_stock": "yes" if site.settings["manage_stock"] else "no",
    }
    if (group, name) not in _SETTINGS:
        raise ApiError(404, "rest_setting_setting_invalid", "Invalid setting.")
    own = links(f"{site.rest}/settings/{group}", name, METHODS[:4])
    return {"id": name, **_SETTINGS[group, name], "value": values[name], "group_id": group, "_links": own}


def _all_rates(settings: dict[str, Any]) -> list[tuple[int, str, str, str]]:
    """Those that every store has, then the further ones; a shopkeeper may have added one of the former late."""
    added = settings["tax_classes"]
    first = [rate for rate in _RATES if rate[3] not in added]
    further = [
        (number, f"{rate}.0000", f"ALV {rate} %", slug)
        for number, (slug, rate) in enumerate(added.items(), start=len(first) + 1)
    ]
    return [*first, *further]


def rates_by_class(settings: dict[str, Any]) -> list[tuple[int, str, str, str]]:
    """Id, percent, name and class of every rate, the class as a product names it: the standard one is empty."""
    return [
        (number, rate, name, "" if slug == "standard" else slug) for number, rate, name, slug in _all_rates(settings)
    ]


def tax_rates(site: Site) -> list[dict[str, Any]]:
    """Finland's."""
    return [
        {
            "id": identifier,
            "country": "FI",
            "state": "",
            "postcode": "",
            "city": "",
            "rate": rate,
            "name": name,
            "priority": 1,
            "compound": False,
            "shipping": True,
            "order": 0,
            "class": tax_class,
            "postcodes": [],
            "cities": [],
            "_links": links(f"{site.rest}/taxes", identifier),
        }
        for identifier, rate, name, tax_class in _all_rates(site.settings)
    ]


def tax_classes(site: Site) -> list[dict[str, Any]]:
    """The classes a product can name; the standard one reads back as empty there."""
    above = {"collection": [{"href": f"{site.rest}/taxes/classes"}]}
    known = dict(_CLASSES)
    further = {slug: f"Reduced rate {rate} %" for slug, rate in site.settings["tax_classes"].items()}
    return [{"slug": slug, "name": name, "_links": above} for slug, name in (known | further | known).items()]


def system_status(site: Site) -> dict[str, Any]:
    """The store's versions; as much as the recordings hold."""
    return {
        "environment": {"version": "10.5.0", "wp_version": "6.9.1", "php_version": "8.2.36", "home_url": site.base},
        "settings": {
            "api_enabled": False,
            "force_ssl": False,
            "currency": site.settings["currency"],
            "taxonomies": {name: name for name in ("external", "grouped", "simple", "variable")},
        },
    }
