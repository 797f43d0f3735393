"""A database belongs to the two systems and the shop that it was made with.

Its snapshots, links and ledger hold for them alone. Solteq is known by the tenant in its access token, the store by the
address and the time zone in its index. A side that says neither is known by its address. It is asked when the settings
change, and once a day.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

import duckdb

from solteq_woo_assets.clients.solteq import SolteqClient
from solteq_woo_assets.clients.woo import WooClient
from solteq_woo_assets.engine.database import StateDatabase, utc_now
from solteq_woo_assets.errors import ForeignDatabaseError, WooError
from solteq_woo_assets.settings import Settings

ASKED_AGAIN = timedelta(days=1)
_CLOSED = (401, 403, 404)


@dataclass(frozen=True)
class Side:
    """One of the systems, or the shop.

    :param name: solteq, woo or shop
    :param title: in a sentence
    :param setting: that leads to it
    :param address: host and path; of the shop its name
    :param access: fingerprint of the address and the credentials' name
    :param ask: asks for its name of itself; ``None`` when it says none
    """

    name: str
    title: str
    setting: str
    address: str
    access: str
    ask: Callable[[], str | None] = lambda: None


@dataclass(frozen=True)
class Met:
    """A side as it was found now.

    :param known: the side before, in words; ``None`` when the database is new to it
    :param says: its name of itself
    """

    side: Side
    known: str | None
    says: str | None
    is_stranger: bool = False

    def words(self) -> str:
        """The stranger, and the side that the database was made with."""
        if self.side.name == "shop":
            return f"it was made for the shop {self.known}, and {self.side.setting} is now {self.side.address}"
        met = self.says or self.side.address
        return f"it was made with {self.side.title} {self.known}, and {self.side.setting} now leads to {met}"


def sides(settings: Settings, solteq: SolteqClient, woo: WooClient) -> list[Side]:
    """Both systems and the shop, as the settings say."""
    solteq_address, woo_address = address(settings.solteq_api_url), address(settings.woo_url)
    return [
        Side(
            "solteq",
            "Solteq",
            "SOLTEQ_API_URL",
            solteq_address,
            _fingerprint(solteq_address, settings.solteq_client_id),
            lambda: solteq.tenant(settings.solteq_feeds["products"].scope),
        ),
        Side(
            "woo",
            "the store",
            "WOO_URL",
            woo_address,
            _fingerprint(woo_address, settings.woo_consumer_key),
            lambda: _store_says(woo),
        ),
        Side("shop", "the shop", "SOLTEQ_WOO_SHOP", settings.shop, _fingerprint(settings.shop)),
    ]


def address(url: str) -> str:
    """Host and path of a web address, without what may change while it leads to the same place."""
    parts = urlsplit(url.strip().lower())
    return f"{parts.netloc.rpartition('@')[2].removeprefix('www.')}{parts.path.rstrip('/').removesuffix('/wp-json')}"


def _store_says(woo: WooClient) -> str | None:
    """The store's own address and time zone; ``None`` where its index is closed to visitors."""
    try:
        index = woo.probes.index()
    except WooError as error:
        if error.status not in _CLOSED:
            raise
        return None
    home, zone = index.get("home"), index.get("timezone_string") or f"UTC{index.get('gmt_offset', '')}"
    return f"{address(home)} ({zone})" if isinstance(home, str) and home else None


def _fingerprint(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


class Identity:
    """Whether the database belongs to these systems. Thread-safe.

    :param both: what ``sides`` gives
    """

    def __init__(self, database: StateDatabase, both: Sequence[Side]) -> None:
        self._database = database
        self._sides = both

    def check(self) -> None:
        """Refuse a side that the database does not know; a new database remembers the first ones.

        :raises ForeignDatabaseError: which database met whom, and what to do
        :raises IntegrationError: a side that has to be asked is away
        """
        met = self.meet()
        strangers = [each.words() for each in met if each.is_stranger]
        if strangers:
            raise ForeignDatabaseError(
                f"The database {self._database.path} belongs to others: {'; '.join(strangers)}. "
                "Nothing was read or sent. Set SOLTEQ_WOO_DATABASE to a new file, or run solteq-woo rebind, "
                "which says what it will forget."
            )
        if met:
            with self._database.transaction() as connection:
                for each in met:
                    remember(connection, each)

    def meet(self, *, ask_all: bool = False) -> list[Met]:
        """The sides that had to be asked who they are. Nothing is changed.

        :param ask_all: ask also those that were asked a short while ago
        """
        with self._database.transaction() as connection:
            rows = connection.execute("SELECT side, says, address, access, asked_at FROM sync.identity").fetchall()
        known = {row[0]: row[1:] for row in rows}
        met: list[Met] = []
        for side in self._sides:
            if side.name not in known:
                met.append(Met(side, None, side.ask()))
                continue
            said, at, access, asked_at = known[side.name]
            if access == side.access and asked_at > utc_now() - ASKED_AGAIN and not ask_all:
                continue
            says = side.ask()
            same = says == said if says and said else at == side.address
            met.append(Met(side, said or at, says or (said if same else None), is_stranger=not same))
        return met


def remember(connection: duckdb.DuckDBPyConnection, met: Met) -> None:
    """Let the database belong to this side."""
    side = met.side
    connection.execute(
        "INSERT OR REPLACE INTO sync.identity VALUES (?, ?, ?, ?, ?)",
        [side.name, met.says, side.address, side.access, utc_now()],
    )
