"""The store: whether it can be reached, whether the key opens it, and whether it is set up as our prices need it."""

from collections.abc import Collection, Iterator
from decimal import Decimal

from solteq_woo_assets.clients.woo import WooClient
from solteq_woo_assets.clients.woo_documents import StoreFacts
from solteq_woo_assets.doctor import taxes
from solteq_woo_assets.doctor.clocks import clock as clock_finding
from solteq_woo_assets.doctor.clocks import time_zone
from solteq_woo_assets.doctor.findings import Finding, green, not_looked_at, of_error, red, refusal_of
from solteq_woo_assets.doctor.writes import examine_writes
from solteq_woo_assets.engine.database import Clock
from solteq_woo_assets.errors import WooError
from solteq_woo_assets.settings import Settings

_NOT_FOUND = 404
_CLOSED = (401, 403)
_SET_UP = ("store currency", "store prices", "store stock", "store taxes", "VAT rates")
_WRITES = ("store POST", "store PUT", "store write permission", "store batches")


def examine_store(
    settings: Settings, woo: WooClient, vat_rates: Collection[Decimal], clock: Clock
) -> Iterator[Finding]:
    """From the outside in. A problem is said once, and lines that depend on it are not looked at.

    :param vat_rates: those in use
    """
    try:
        index = woo.probes.index()
    except WooError as error:
        yield _outside(error)
        if woo.remote_time is not None:
            yield clock_finding("store clock", "the store", woo.remote_time, clock())
        yield not_looked_at("store sign-in", "the store's API did not answer", "store time zone", *_SET_UP, *_WRITES)
        return
    has_woo = "wc/v3" in (index.get("namespaces") or [])
    problem = (
        refusal_of(woo.probes.signs_in) if has_woo else None
    )  # it tells the clock, too: no cache keeps such an answer
    now = clock()
    yield green("store", "its API answers")
    yield green("store permalinks", "are pretty: the API is under /wp-json")
    yield clock_finding("store clock", "the store", woo.remote_time, now)
    yield time_zone("store time zone", index, settings.timezone, now)
    if not has_woo:
        yield red("store sign-in", "WordPress answers, without WooCommerce", "Turn on the plugin WooCommerce.")
        yield not_looked_at(_SET_UP[0], "WooCommerce is off", *_SET_UP[1:], *_WRITES)
        return
    if problem:
        yield of_error("store sign-in", problem)
        yield not_looked_at(_SET_UP[0], "the key does not open the store", *_SET_UP[1:], *_WRITES)
        return
    yield green("store sign-in", "the key opens the store")
    yield from _set_up(settings, woo, vat_rates)
    yield from examine_writes(settings, woo)


def _outside(error: WooError) -> Finding:
    if error.status == _NOT_FOUND and not error.code:
        return red(
            "store permalinks",
            "the server answers, and has nothing under /wp-json",
            "Choose any permalinks but Plain (WordPress > Settings > Permalinks). Otherwise check WOO_URL.",
        )
    if error.code and error.status in _CLOSED:
        return red(
            "store",
            f"the API's first page is closed to visitors ({error.code})",
            "Open /wp-json/ to them in the plugin that closes it: the store tells its time zone there.",
        )
    return of_error("store", error)


def _set_up(settings: Settings, woo: WooClient, vat_rates: Collection[Decimal]) -> Iterator[Finding]:
    try:
        facts = woo.store_facts()
        country = woo.probes.setting("general/woocommerce_default_country").partition(":")[0]
        taxed = woo.probes.setting("general/woocommerce_calc_taxes") == "yes"
        rates = woo.probes.tax_rates()
    except WooError as error:
        yield of_error(_SET_UP[0], error)
        yield not_looked_at(_SET_UP[1], "the store's settings cannot be read", *_SET_UP[2:])
        return
    yield from set_up(facts, taxed=taxed)
    yield from _staff_roles(settings, woo)
    for rate in sorted(vat_rates, reverse=True):
        yield taxes.vat_rate(rate, settings.tax_classes, facts.tax_classes, rates, country)


def _staff_roles(settings: Settings, woo: WooClient) -> Iterator[Finding]:
    """A role of the setting that the store does not have keeps nobody out."""
    try:
        unknown = [role for role in settings.staff_roles if woo.customers.in_role(role) is None]
    except WooError as error:
        yield of_error("store staff roles", error)
        return
    if unknown:
        mend = "Write them in SOLTEQ_WOO_STAFF_ROLES as the store names them, such as shop_manager."
        yield red("store staff roles", f"the store has no role {', '.join(unknown)}", mend)
    elif settings.staff_roles:
        yield green("store staff roles", "the store has each of them")


def set_up(facts: StoreFacts, *, taxed: bool) -> Iterator[Finding]:
    """Settings of the store that would make every price or every quantity wrong."""
    settings = "WooCommerce > Settings"
    inclusive = f'Choose "Yes, I will enter prices inclusive of tax" in {settings} > Tax.'
    untaxed = "are not calculated: web sales would be booked without VAT"
    for check, is_right, right, wrong, mend in (
        ("store currency", facts.currency == "EUR", "is EUR, as Solteq's",
            f"is {facts.currency}, Solteq's prices are EUR", f"Change it in {settings} > General."),
        ("store prices", facts.prices_include_tax, "are with VAT, as Solteq's",
            "are taken without VAT, Solteq's include it", inclusive),
        ("store stock", facts.manage_stock, "is managed by the store",
            "is not managed", f"Turn it on in {settings} > Products > Inventory."),
        ("store taxes", taxed, "are calculated", untaxed, f"Turn on taxes in {settings} > General."),
    ):  # fmt: skip
        yield green(check, right) if is_right else red(check, wrong, mend)
