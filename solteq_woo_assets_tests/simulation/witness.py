"""What the judge saw while the world turned: each order as it was, each booking as it came, what the shelf offered."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time
from decimal import ROUND_FLOOR, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from solteq_woo_assets_tests.simulation.lowest_price import PriceHistory
from solteq_woo_assets_tests.simulation.world import World

Document = Mapping[str, Any]
Request = tuple[str, str, str, str]


def number(value: object) -> Decimal:
    """A number of a document; nothing, and what is none, is 0."""
    try:
        return Decimal(str(value or 0))
    except ArithmeticError:
        return Decimal(0)


def page_code(page: Document) -> str:
    """The code that a page claims by its SKU, as WooCommerce compares them."""
    return str(page.get("sku") or "").strip().casefold()


def all_pages(world: World) -> dict[int, Document]:
    """The store's products and variations by their ids; those in the bin are left out."""
    rows = [*everything(world, "products?status=any"), *everything(world, "variations?status=any")]
    return {row["id"]: row for row in rows}


def all_orders(world: World) -> dict[int, Document]:
    """The store's orders by their ids, those in the bin too."""
    return {
        row["id"]: row for row in [*everything(world, "orders?status=any"), *everything(world, "orders?status=trash")]
    }


def everything(world: World, path: str) -> Iterator[Document]:
    """All rows of a list of the store, page by page."""
    page, rows = 1, [{}] * 100
    while len(rows) == 100:
        rows = world.woo.rest("GET", f"{path}&per_page=100&page={page}")
        yield from rows
        page += 1


def meta(thing: Document, key: str) -> Any:
    """The value of a meta key, ``None`` without one."""
    return next((each["value"] for each in thing.get("meta_data") or () if each["key"] == key), None)


class Witness:
    """Looks after each event and each write, and remembers.

    ``orders``: each order as it was seen last, and ``was``: all that it was before. ``gone``: deleted for good.
    ``sales``: Solteq's documents, and ``came``: when. ``broken``: promises that must hold at every instant and did not.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.broken: list[str] = []
        self.orders: dict[int, Document] = {}
        self.was: dict[int, list[Document]] = defaultdict(list)
        self.sales: dict[str, Document] = {}
        self.came: dict[str, datetime] = {}
        self.pages: dict[int, Document] = {}
        self.codes_of: dict[int, set[str]] = defaultdict(set)
        self.pages_of: dict[str, set[int]] = defaultdict(set)
        self.shown = PriceHistory()
        self.days_end: set[time] = set()
        self.losses = 0
        self._free: dict[str, Decimal] = {}
        self._held: dict[int, Decimal] = {}
        self._late: set[str] = set()
        self._were_late: set[str] = set()
        self._nameless: set[int] = set()
        self._present: set[int] = set()
        self._unread: set[int] = set()
        self._never_read: set[int] = set()
        self._step = 0
        self._fell: dict[str, dict[int, int]] = {"order": {}, "till": {}}
        self._read_at: dict[tuple[str, str], int] = {}
        self._knows_sales = False
        self._first_day = world.clock.now
        self._sales_asked_in = -1
        world.watching.append(self.look)

    @property
    def gone(self) -> set[int]:
        """Orders that the store has no more, not even in its bin."""
        return set(self.orders) - self._present

    def look(self, request: Request | None) -> None:
        """After an event, or after a request of the integration."""
        self._step += 1
        self.days_end.add(self.world.settings.end_of_business_day)
        self._note_losses()
        if request is not None and request[1] == "GET":
            self._note_reading(request)
        if request is not None and (request[1] == "GET" or "/connect/" in request[2]):
            return
        self._look_at_orders(by_people=request is None)
        self._look_at_solteq(by_people=request is None)
        self._look_at_pages(request)
        self.world.count("shelf instants")

    # What was read by whom

    def _note_losses(self) -> None:
        if (losses := self.world.counts.get("restores", 0)) != self.losses:
            self.losses = losses
            self._knows_sales, self._sales_asked_in = False, -1
        runs = self.world.counts.get("runs", 0)
        if -1 < self._sales_asked_in < runs and self.world.outcomes.get("sales") is None:
            self._knows_sales = True

    def _note_reading(self, request: Request) -> None:
        who, _, target, what = request
        if what != "200":
            return
        if "/v3/orders?" in target:
            self._read_at[who, "order"] = self._step
            self._unread -= self._unread if "line_items" in target else set()
            if who.startswith("sales") and self._sales_asked_in < 0:
                self._sales_asked_in = self.world.counts.get("runs", 0)
                zone = ZoneInfo(str(self.world.settings.timezone))
                local = self.world.clock.now.replace(tzinfo=UTC).astimezone(zone)
                midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
                self._first_day = midnight.astimezone(UTC).replace(tzinfo=None)
        if "/balances?" in target and "continuationToken" not in target:
            self._read_at[who, "till"] = self._read_at["", "till"] = self._step
            if "modifiedSince" not in target and not self._late:
                self._were_late.clear()  # what the feed showed too late for its times is found by reading it whole

    # What there is

    def _look_at_orders(self, *, by_people: bool) -> None:
        now = all_orders(self.world)
        self._present = set(now)
        held: dict[int, Decimal] = defaultdict(Decimal)
        for identifier, order in now.items():
            if identifier not in self.orders:
                self._unread.add(identifier)
            if self.orders.get(identifier) != order:
                self.was[identifier].append(order)
                self.orders[identifier] = order
        for _ in self._unread - now.keys() - self._never_read:
            self.world.end("an order deleted before it was read")
        self._never_read |= self._unread - now.keys()
        for identifier in self.orders.keys() - self._never_read:
            if identifier in self.world.booked_elsewhere:
                self._nameless |= set(held_by(self.orders[identifier]))
            for page, pieces in held_by(self.orders[identifier]).items():
                held[page] += pieces
        if by_people:
            self._note_falls("order", {page: held[page] - self._held.get(page, Decimal(0)) for page in held})
        self._held = held

    def _look_at_solteq(self, *, by_people: bool) -> None:
        is_late = self.world.solteq.control("PUT", "behaviour", {})["late_balances"]
        for sale in self.world.solteq.control("GET", "sales"):
            if sale["externalId"] not in self.sales:
                self.sales[sale["externalId"]] = sale
                self.came[sale["externalId"]] = self.world.clock.now
                if is_late:
                    self._late.add(sale["externalId"])
                    self._were_late.add(sale["externalId"])
                if any(line["kind"] == "Product" and not line.get("productCode") for line in sale["lines"]):
                    self._nameless |= self._pages_in(sale["orderNumber"])
        if not is_late:
            self._late.clear()
        free = free_pieces(self.world)
        if by_people:
            lost = {code: self._free.get(code, Decimal(0)) - pieces for code, pieces in free.items()}
            self._note_falls("till", {page: lost.get(page_code(row), Decimal(0)) for page, row in self.pages.items()})
        self._free = free

    def _pages_in(self, order_number: str) -> set[int]:
        return {page for each in self.orders.values() if each["number"] == order_number for page in held_by(each)}

    def _note_falls(self, why: str, fell: Mapping[int, Decimal]) -> None:
        for page, pieces in fell.items():
            if pieces > 0:
                self._fell[why][page] = self._step

    # The shelf

    def nobodys(self, page: Document) -> Decimal:
        """The pieces of a page that exist, and are nobody's, by Solteq's balance, the orders and the bookings."""
        code = page_code(page)
        shown = sum((moved_by(sale, code) for key, sale in self.sales.items() if key not in self._late), Decimal(0))
        return self._free[code] - self._held.get(page["id"], Decimal(0)) + shown

    def is_steady(self, page: Document) -> bool:
        """Whether page and code were always one another's, in each booking too, and it has a stock of its own."""
        code = page_code(page)
        one_another = self.codes_of[page["id"]] == {code} and self.pages_of[code] == {page["id"]}
        return one_another and page["manage_stock"] is True and code in self._free and page["id"] not in self._nameless

    def _look_at_pages(self, request: Request | None) -> None:
        before, self.pages = self.pages, all_pages(self.world)
        self.shown.look(self.pages, self.world.clock.now)
        for identifier, page in self.pages.items():
            code = page_code(page)
            self.codes_of[identifier].add(code)
            self.pages_of[code].add(identifier)
            earlier = before.get(identifier, {}).get("stock_quantity")
            if request and "/products" in request[2] and page["stock_quantity"] != earlier and self.is_steady(page):
                self._judge_offer(page, request)

    def _judge_offer(self, page: Document, request: Request) -> None:
        """What a write offers must be there, unless somebody took it after it was asked for."""
        offered = number(page["stock_quantity"])
        there = self.nobodys(page)
        if offered <= max(Decimal(0), there - self.world.settings.stock_buffer):
            return
        who = request[0]
        asked = {"order": self._read_at.get((who, "order"), 0)}
        asked["till"] = self._read_at.get((who, "till"), self._read_at.get(("", "till"), 0))
        is_old = any(
            datetime.fromisoformat(order["date_created_gmt"]) < self._first_day and held_by(order).get(page["id"])
            for order in self.orders.values()
        )
        if (
            is_old
            or any(self._fell[why].get(page["id"], 0) > asked[why] for why in asked)
            or not self._knows_sales
            or any(moved_by(self.sales[key], page_code(page)) for key in self._were_late)
        ):
            self.world.end("more offered than there was for a moment")
            return
        now = f"{self.world.clock.now:%d %H:%M:%S}"
        self.broken.append(f"shelf: at {now} {who} offers {offered} of {page['sku']}, and {there} are nobody's")


def held_by(order: Document) -> dict[int, Decimal]:
    """The pieces that the store took from each page for an order."""
    held: dict[int, Decimal] = defaultdict(Decimal)
    for line in order.get("line_items") or ():
        held[line["variation_id"] or line["product_id"]] += number(meta(line, "_reduced_stock"))
    return held


def moved_by(sale: Document, code: str) -> Decimal:
    """The pieces of a code that a document takes from Solteq's balance; negative where it puts them back."""
    return sum(
        (
            number(line["quantity"])
            for line in sale["lines"]
            if str(line.get("productCode") or "").strip().casefold() == code and line.get("restock") is not False
        ),
        Decimal(0),
    )


def free_pieces(world: World) -> dict[str, Decimal]:
    """Whole pieces that Solteq has free in the stores that are sold online, by code."""
    free: dict[str, Decimal] = defaultdict(Decimal)
    stores = set(world.settings.stock_stores)
    for balance in world.solteq.control("GET", "balances/all"):
        if isinstance(balance, dict) and "freeBalance" in balance and (not stores or balance["storeId"] in stores):
            code = str(balance.get("productCode")).strip().casefold()
            free[code] += Decimal(0) if balance.get("deleted") else number(balance["freeBalance"])
    return {code: pieces.to_integral_value(ROUND_FLOOR) for code, pieces in free.items()}
