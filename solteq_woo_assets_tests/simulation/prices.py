"""What a product costs at an instant, by Solteq's documents alone (docs/campaigns.md)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from solteq_woo_assets_tests.simulation.witness import Document, number
from solteq_woo_assets_tests.simulation.world import World

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_KNOWN = (
    *("id", "name", "type", "level", "targets", "discountType", "value", "validFrom", "validTo", "validDays"),
    *("validHours", "storeIds", "customerGroups", "priority", "active", "deleted", "modifiedAt"),
)

Offer = tuple[Document, datetime | None, datetime | None]
"""A campaign with its beginning and its end."""


def rounded(amount: Decimal) -> Decimal:
    """To the cent, half up."""
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


class Prices:
    """The prices of a world's web store."""

    def __init__(self, world: World) -> None:
        self._settings = world.settings
        self._zone = ZoneInfo(str(world.settings.timezone))
        read = world.solteq.control("GET", "campaigns/all")
        documents: list[Document] = [each for each in read if isinstance(each, dict) and "targets" in each]
        self._offers: dict[str, Sequence[Offer]] = {}
        self._campaigns = [each for each in documents if self._counts(each)]
        self._unreadable = [each for each in documents if not is_number(each.get("value")) and not each.get("deleted")]

    def _counts(self, campaign: Document) -> bool:
        """Whether it sets a public price that the store can express."""
        harmless = {*_KNOWN, *self._settings.harmless_campaign_fields}
        restricted = any(value not in (None, "", [], {}) for name, value in campaign.items() if name not in harmless)
        stores = campaign.get("storeIds") or []
        return not (
            restricted
            or campaign.get("deleted")
            or campaign.get("active") is False
            or campaign.get("type") not in (None, "Simple")
            or campaign.get("customerGroups")
            or (stores and self._settings.web_store not in stores)
            or not is_number(campaign.get("value"))
            or number(campaign["value"]) <= 0
            or (campaign.get("discountType") == "Percentage" and number(campaign["value"]) > 100)
        )

    def at(self, product: Document, instant: datetime) -> Decimal:
        """What a shopper pays at an instant, naive UTC."""
        price = number(product["salesPrice"])
        running = [each[0] for each in self._of(product) if self._runs(each, instant)]
        offers = [(number(each.get("priority")), reduced) for each in running for reduced in _off(each, price)]
        if is_number(product.get("discountedPrice")):
            offers.append((Decimal(0), number(product["discountedPrice"])))
        ceiling = product.get("maxDiscountPercent")
        least = Decimal(0) if ceiling is None else price * (1 - number(ceiling) / 100)
        regular = rounded(price)
        capped = [(rank, rounded(max(offer, least))) for rank, offer in offers]
        reduced = [(rank, offer) for rank, offer in capped if 0 < offer < regular]
        by_priority = self._settings.campaign_choice == "priority"
        first = max((rank for rank, _ in reduced), default=Decimal(0)) if by_priority else None
        return min((offer for rank, offer in reduced if first in (None, rank)), default=regular)

    def _is_for(self, campaign: Document, product: Document) -> bool:
        names = {
            "Product": (product.get("code"), product.get("modelNumber")),
            "ProductGroup": (product.get("productGroup"),),
            "Supplier": (product.get("supplier"),),
        }.get(str(campaign.get("level")), ())
        targets = {_plain(each) for each in campaign.get("targets") or ()}
        return any(name and _plain(name) in targets for name in names)

    def _of(self, product: Document) -> Sequence[Offer]:
        if (found := self._offers.get(product["id"])) is None:
            chosen = [each for each in self._campaigns if self._is_for(each, product)]
            found = [
                (each, self._instant(each.get("validFrom")), self._instant(each.get("validTo"))) for each in chosen
            ]
            self._offers[product["id"]] = found
        return found

    def _runs(self, offer: Offer, instant: datetime) -> bool:
        campaign, begins, ends = offer
        if (begins and instant < begins) or (ends and instant >= ends):
            return False
        return self._clock_allows(campaign, instant.replace(tzinfo=UTC).astimezone(self._zone))

    def _instant(self, wall: object) -> datetime | None:
        """The instant of a time on the wall; one that a clock change skips is the change itself."""
        if not wall:
            return None
        local = datetime.fromisoformat(str(wall)).replace(tzinfo=self._zone)
        there = local.astimezone(UTC)
        if there.astimezone(self._zone).replace(tzinfo=None) != local.replace(tzinfo=None):
            there = there.replace(minute=0, second=0, microsecond=0)
        return there.replace(tzinfo=None)

    def _clock_allows(self, campaign: Document, local: datetime) -> bool:
        if not campaign.get("validHours") and not campaign.get("validDays"):
            return True
        hours: Mapping[str, Any] = campaign.get("validHours") or {}
        begins, ends = hours.get("from") or "00:00", hours.get("to") or "24:00"
        ends = "24:00" if ends == "00:00" else ends
        clock, day = f"{local:%H:%M}", local
        if begins < ends:
            is_time = begins <= clock < ends
        else:
            is_time = clock >= begins or clock < ends
            day = local if clock >= begins else local - timedelta(days=1)
        days = campaign.get("validDays") or _DAYS
        return is_time and _DAYS[day.weekday()] in days

    def samples(self, first: datetime, last: datetime) -> Iterator[datetime]:
        """Instants between two at which prices are looked at: in the middle of each half hour."""
        instant = first.replace(minute=15, second=0, microsecond=0)
        while (instant := instant + timedelta(minutes=30)) < last:
            yield instant

    def is_settled(self, product: Document, instant: datetime, skew: timedelta) -> bool:
        """Whether it has one price as far as clocks may differ."""
        return len({self.at(product, instant + shift) for shift in (-skew, timedelta(0), skew)}) == 1

    def is_unclear(self, product: Document) -> bool:
        """Whether a campaign that cannot be read is one of its own; the docs leave open what holds then."""
        return any(self._is_for(each, product) for each in self._unreadable)


def _off(campaign: Document, price: Decimal) -> Sequence[Decimal]:
    value = number(campaign["value"])
    kinds = {"Percentage": price * (1 - value / 100), "Amount": price - value, "FixedPrice": value}
    kind = str(campaign.get("discountType"))
    return [kinds[kind]] if kind in kinds else []


def _plain(name: object) -> str:
    return str(name).strip().casefold()


def is_number(value: object) -> bool:
    """Whether a document's value is a number."""
    return (
        not isinstance(value, bool)
        and isinstance(value, int | str)
        and str(value).lstrip("-").replace(".", "", 1).isdigit()
    )
