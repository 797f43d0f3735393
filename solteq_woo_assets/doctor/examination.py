"""The whole examination, line by line."""

from collections.abc import Collection, Iterator
from contextlib import closing
from decimal import Decimal

from solteq_woo_assets.clients.connections import solteq_client, woo_client
from solteq_woo_assets.clients.http import Wire
from solteq_woo_assets.doctor.database import LOCK_SECONDS, examine_database
from solteq_woo_assets.doctor.findings import Finding, green, not_looked_at, of_error, red, yellow
from solteq_woo_assets.doctor.records import examine_records, nothing_read, vat_rates_in_use
from solteq_woo_assets.doctor.solteq import examine_solteq
from solteq_woo_assets.doctor.store import examine_store
from solteq_woo_assets.engine.database import Clock, StateDatabase, utc_now
from solteq_woo_assets.engine.identity import Identity, sides
from solteq_woo_assets.errors import ConfigurationError, IntegrationError, StateError
from solteq_woo_assets.flows.tables import state_database
from solteq_woo_assets.settings import Settings

_ONCE: Wire = {"attempts": 1, "read_seconds": 30.0, "most_clock_skew": None}
"""No retries: somebody is waiting, and passing trouble is worth a line. A wrong clock does not stop the doctor."""


def examine(settings: Settings, clock: Clock = utc_now) -> Iterator[Finding]:
    """Look at both systems, the settings and the database; each line as it is known. Nothing is changed anywhere.

    :param clock: this machine's
    """
    yield _mode(settings)
    database = state_database(settings.database, lock_seconds=LOCK_SECONDS)
    readable = yield from examine_database(database)
    yield from _alerts(settings)
    yield from _solteq(settings, clock)
    rates: Collection[Decimal] = list(settings.tax_classes)
    if readable:
        try:
            rates = vat_rates_in_use(database, settings)
        except StateError as error:
            readable = False
            yield of_error("records", error)
    yield from _store(settings, rates, clock)
    if not readable:
        yield from nothing_read()
        return
    yield _owners(settings, database)
    try:
        yield from examine_records(database, settings, clock())
    except StateError as error:
        yield of_error("records", error)


def _mode(settings: Settings) -> Finding:
    if settings.mode == "shadow":
        return yellow("mode", "shadow: deltas are made and nothing is sent", "To send: SOLTEQ_WOO_MODE=live.")
    return green("mode", "live: what the deltas say is sent")


def _alerts(settings: Settings) -> Iterator[Finding]:
    ways = []
    if settings.alert_email_to:
        ways.append(f"e-mail to {len(settings.alert_email_to)}")
    if settings.alert_webhook_url.get_secret_value():
        ways.append("a webhook")
    if ways:
        words = f"are set up: {' and '.join(ways)}; solteq-woo doctor --send-alert tries them"
        yield green("alerts", words)


def _owners(settings: Settings, database: StateDatabase) -> Finding:
    """Whether the database was made with these systems and this shop."""
    check, mend = "database owners", "Set SOLTEQ_WOO_DATABASE to a new file, or run solteq-woo rebind."
    try:
        with closing(solteq_client(settings, **_ONCE)) as solteq, closing(woo_client(settings, **_ONCE)) as woo:
            met = Identity(database, sides(settings, solteq, woo)).meet(ask_all=True)
    except IntegrationError:
        return not_looked_at(check, "a system does not answer, or a setting makes no sense")
    strangers = [each.words() for each in met if each.is_stranger]
    return red(check, "; ".join(strangers), mend) if strangers else green(check, "are the systems of the settings")


def _solteq(settings: Settings, clock: Clock) -> Iterator[Finding]:
    try:
        client = solteq_client(settings, **_ONCE)
    except ConfigurationError as error:
        yield of_error("solteq sign-in", error, "Mend the setting that it names.")
        yield not_looked_at("solteq products", "the settings make no sense", "the other feeds", "sales", "the clock")
        return
    with closing(client):
        yield from examine_solteq(settings, client, clock)


def _store(settings: Settings, rates: Collection[Decimal], clock: Clock) -> Iterator[Finding]:
    wire: Wire = {**_ONCE, "read_only": False}  # its probes change nothing, in shadow mode either
    try:
        client = woo_client(settings, **wire)
    except ConfigurationError as error:
        yield of_error("store", error, "Mend the setting that it names.")
        yield not_looked_at("store sign-in", "the settings make no sense", "everything else of the store")
        return
    with closing(client):
        yield from examine_store(settings, client, rates, clock)
