"""Solteq: whether it can be reached, whether the credentials hold, and whether each feed opens with its scope.

Nothing is written. Whether customers and sales may be written shows at the first of them: no request tells without
writing one (contract, Writes).
"""

from collections.abc import Callable, Iterator
from datetime import UTC
from functools import partial

from solteq_woo_assets.clients.solteq import SolteqClient
from solteq_woo_assets.clients.solteq_customers import CustomerDocument
from solteq_woo_assets.clients.solteq_documents import BalanceDocument, CampaignDocument, Feed, ProductDocument
from solteq_woo_assets.doctor.clocks import clock as clock_finding
from solteq_woo_assets.doctor.findings import Finding, green, not_looked_at, of_error, refusal_of
from solteq_woo_assets.engine.database import Clock
from solteq_woo_assets.settings import Settings

_FEEDS = {
    "products": ProductDocument,
    "balances": BalanceDocument,
    "campaigns": CampaignDocument,
    "customers": CustomerDocument,
}


def examine_solteq(settings: Settings, solteq: SolteqClient, clock: Clock) -> Iterator[Finding]:
    """A line about signing in, one for each feed, one for sales, one about the clock."""
    doors = _doors(settings, solteq, clock)
    names = [f"solteq {name}" for name in doors]
    for place, (name, (scope, read)) in enumerate(zip(names, doors.values(), strict=True)):
        rest = names[place:]
        not_signed_in = refusal_of(partial(solteq.sign_in, scope))
        if not_signed_in and not_signed_in.code != "invalid_scope":
            yield of_error("solteq sign-in", not_signed_in)
            yield not_looked_at(rest[0], "there is no access token", *rest[1:])
            break
        if place == 0:
            yield green("solteq sign-in", "the credentials hold")
        problem = not_signed_in or refusal_of(read)
        yield of_error(name, problem) if problem else green(name, f"opens with the scope {scope}")
        if problem and problem.status is None:
            if rest[1:]:
                yield not_looked_at(rest[1], "Solteq's API did not answer", *rest[2:])
            break
    if solteq.remote_time is None:
        yield not_looked_at("solteq clock", "Solteq did not answer")
    else:
        yield clock_finding("solteq clock", "Solteq", solteq.remote_time, clock())


def _doors(settings: Settings, solteq: SolteqClient, clock: Clock) -> dict[str, tuple[str, Callable[[], object]]]:
    """By name: the scope, and a small read that needs it. A feed is asked for changes from this moment on."""
    now = clock().replace(tzinfo=UTC)
    doors: dict[str, tuple[str, Callable[[], object]]] = {}
    for name, document in _FEEDS.items():
        feed = Feed(name, *settings.solteq_feeds[name], document)
        doors[name] = (feed.scope, partial(solteq.newest_page, feed, modified_since=now, page_size=1))
    nobodys = f"woo:{settings.shop}:order:0"
    doors["sales"] = (settings.solteq_feeds["sales"].scope, partial(solteq.sales.find, nobodys))
    return doors
