"""Whether the store takes writes, found out by writes that do nothing (``clients/woo_probes.py`` says why they do not).

A refusal in WordPress's own words has a code. A refusal without one comes from a firewall, a security plugin or the web
server in front of it, which often let reads pass and stop PUT and POST.
"""

from collections.abc import Iterator

from solteq_woo_assets.clients.woo import WooClient
from solteq_woo_assets.clients.woo_probes import USUAL_BATCH
from solteq_woo_assets.doctor.findings import Finding, green, not_looked_at, of_error, red, refusal_of, yellow
from solteq_woo_assets.errors import RemoteError, WooError
from solteq_woo_assets.settings import Settings

_REFUSALS = (401, 403)
_KEY_PAGE = "WooCommerce > Settings > Advanced > REST API"
_LET_THROUGH = (
    "Something in front of WordPress stops it, a firewall, a security plugin or the web server: "
    "let POST and PUT under /wp-json/wc/v3 through for this machine's address."
)


def examine_writes(settings: Settings, woo: WooClient) -> Iterator[Finding]:
    """POST, which every delivery uses, PUT, the key's permission, and how much a batch may hold."""
    problem = refusal_of(woo.probes.posts_nothing)
    if problem and not problem.code:
        yield _blocked("store POST", problem)
        yield _put(woo)
        yield not_looked_at("store write permission", "POST does not get through", "store batches")
        return
    yield green("store POST", "gets through")
    yield _put(woo)
    if problem:
        yield _not_permitted(problem, is_shadow=settings.mode == "shadow")
        yield not_looked_at("store batches", "nothing may be written")
        return
    yield green("store write permission", "the key may write products")
    yield _batches(woo)


def _put(woo: WooClient) -> Finding:
    """Never red: we send nothing to the store by PUT."""
    error = refusal_of(woo.probes.puts_nothing)
    if error is None or error.code:
        return green("store PUT", "gets through")
    blocked = _blocked("store PUT", error)
    words = f"{blocked.words} (this integration itself writes to the store by POST alone)"
    return yellow("store PUT", words, blocked.mend)


def _blocked(check: str, error: RemoteError) -> Finding:
    words = str(error).removesuffix(error.mend).strip()
    if error.status is None:
        return red(check, words, error.mend or _LET_THROUGH)
    return red(check, words, _LET_THROUGH)


def _not_permitted(error: RemoteError, *, is_shadow: bool) -> Finding:
    """The same key has just read, so a refusal is about writing."""
    check = "store write permission"
    if error.status not in _REFUSALS:
        return of_error(check, error)
    if error.code == "woocommerce_rest_authentication_error":
        words, mend = "the key may only read", f"Give it Read/Write permission ({_KEY_PAGE})."
    else:
        words = f"the key's user may not edit products ({error.code})"
        mend = f"Let the key belong to a shop manager or an administrator ({_KEY_PAGE})."
    if is_shadow:
        return yellow(check, f"{words}; in shadow mode nothing is sent", f"Before going live: {mend}")
    return red(check, words, mend)


def _batches(woo: WooClient) -> Finding:
    check = "store batches"
    try:
        limit = woo.probes.batch_limit()
    except WooError as error:
        words = str(error).removesuffix(error.mend).strip()
        return yellow(check, f"how many items one may hold is not known: {words}")
    if limit is None or limit >= USUAL_BATCH:
        return green(check, f"may hold {limit or f'more than {USUAL_BATCH}'} items")
    return yellow(
        check,
        f"may hold {limit} items, not {USUAL_BATCH}: deliveries are cut smaller by themselves, and take longer",
        "If it is slow, raise the limit in the store (filter woocommerce_rest_batch_items_limit).",
    )
