"""The judge: what must be true after quiet, by the contracts and by what people did.

It shares no code with the product and knows none of it: it reads both systems as their people do, and of the
integration's database only what is held back, and why.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from solteq_woo_assets_tests.simulation.persons import Persons
from solteq_woo_assets_tests.simulation.prices import Prices, is_number, rounded
from solteq_woo_assets_tests.simulation.store_books import (
    LINES,
    NOT_SOLD,
    UNTAXED,
    amount_of,
    by_rate,
    kept_of,
    left_of_lines,
    vat_kept,
)
from solteq_woo_assets_tests.simulation.witness import (
    Document,
    Witness,
    all_orders,
    all_pages,
    free_pieces,
    held_by,
    meta,
    moved_by,
    number,
    page_code,
)
from solteq_woo_assets_tests.simulation.world import FLOW_NAMES, World

_CENT = Decimal("0.01")
_SKEW = timedelta(minutes=11)
"""How far the integration's clock may be off, and how long a request takes."""
_AHEAD = timedelta(days=3)
"""How far ahead the store's window is compared with the calendar."""
_COMPARED = timedelta(days=6)
"""Orders of so long ago are compared each night."""


class Judge:
    """Watches a world from its beginning, and says in the end which promises were broken."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.seen = Witness(world)
        self.persons = Persons(world)

    def verdict(self) -> list[str]:
        """The promises that were not kept, in words."""
        self._read_notes()
        self.seen.look(None)
        held = self.world.query("SELECT flow, key, field, code, reason FROM sync.quarantine")
        return [
            *self._liveness(held),
            *self._books(held),
            *self.seen.broken,
            *self._shelf(held),
            *self._prices(held),
            *self.persons.verdict(held),
        ]

    def _read_notes(self) -> None:
        """What the integration itself says: its first day, and the rows that a guard rail stopped."""
        rows = self.world.query("SELECT position FROM sync.watermarks WHERE feed = 'sales.from'")
        self._first_day = rows[0]["position"].date() if rows else None
        self._stopped = {
            (delta, row["key"].casefold())
            for delta in ("balance_delta", "product_delta", "campaign_price_delta")
            for row in self.world.query(f"SELECT key FROM delta.{delta} WHERE action = 'stopped'")
        }
        self._orders = all_orders(self.world)

    def _liveness(self, held: Sequence[Document]) -> Iterator[str]:
        for name in FLOW_NAMES:
            if self.world.outcomes.get(name):
                yield f"liveness: {name} {self.world.outcomes[name]}"
        if not self.world.is_calm:
            yield "quiet: the last round of all flows still wrote"
        for row in held:
            if row["code"] in ("write-blocked", "write-fails"):
                yield f"liveness: {row['flow']} holds {row['key']} as {row['code']}, and nothing stops it any more"

    # Books

    def _books(self, held: Sequence[Document]) -> Iterator[str]:
        by_number = {str(order["number"]): identifier for identifier, order in self.seen.orders.items()}
        booked: dict[int, list[Document]] = defaultdict(list)
        keys = Counter(sale["externalId"] for sale in self.world.solteq.control("GET", "sales"))
        yield from (f"books: {key} is booked {times} times" for key, times in keys.items() if times > 1)
        for sale in self.world.solteq.control("GET", "sales"):
            if not sale["externalId"].startswith(f"woo:{self.world.settings.shop}:"):
                continue
            yield from (f"books: {sale['externalId']} {problem}" for problem in _invalid(sale, self.world))
            if sale["orderNumber"] not in by_number:
                yield f"books: {sale['externalId']} is of no order: {sale['orderNumber']}"
                continue
            identifier = by_number[sale["orderNumber"]]
            yield from (f"books: {sale['externalId']} {problem}" for problem in self._paid_otherwise(identifier, sale))
            booked[identifier].append(sale)
        for identifier, order in self.seen.orders.items():
            why = [row for row in held if row["flow"] == "sales" and row["key"] == f"order {identifier}"]
            problems = list(self._problems(identifier, order, booked[identifier]))
            if problems and not why:
                yield from (f"books: order {order['number']} ({order['status']}) {problem}" for problem in problems)
            if why and not problems and not self._may_be_held(order):
                yield f"books: order {order['number']} is held without need: {why[0]['code']} {why[0]['reason']}"
            yield from self._dates(identifier, booked[identifier])

    def _may_be_held(self, order: Document) -> bool:
        return self._is_gone(order) or self._is_old(order) or order["id"] in self.world.booked_elsewhere

    def _is_old(self, order: Document) -> bool:
        """Whether it was made before the first day, and so is booked only when it is paid later."""
        made = _local_day(order["date_created_gmt"], time(0), self.world)
        return self._first_day is None or made < self._first_day

    def _problems(self, identifier: int, order: Document, sales: Sequence[Document]) -> Iterator[str]:
        net = sum((number(sale["totals"]["gross"]) for sale in sales), Decimal(0))
        if self._is_old(order):
            self.world.end("an order from before the first day")
            return
        if identifier in self.world.booked_elsewhere:
            return
        if self._is_gone(order):
            sums = {Decimal(0), *(kept_of(each) for each in self.seen.was[identifier])}
            if net and net not in sums:
                yield f"is gone, and {net} of it is booked: none of {sorted(sums)}"
            is_recent = datetime.fromisoformat(order["date_created_gmt"]) > self.world.clock.now - _COMPARED
            if net and (is_recent or identifier in self._orders):
                yield f"is gone with {net} booked, and nobody is told"
            elif net:
                self.world.end("an order of long ago deleted for good")
            return
        if order["status"] in NOT_SOLD:
            if net:
                yield f"is not sold, and {net} of it is booked"
            return
        is_sale = order["status"] in self.world.settings.sale_statuses
        is_sale |= order["status"] == "refunded" and bool(order["date_paid_gmt"])
        if is_sale and not sales and (order["line_items"] or number(order["total"])):
            yield f"of {order['total']} is not booked"
        was_off = any(each["status"] in NOT_SOLD for each in self.seen.was[identifier])
        if sales and not (was_off and not is_sale and not net):
            yield from self._differences(order, sales)

    def _differences(self, order: Document, sales: Sequence[Document]) -> Iterator[str]:
        net = sum((number(sale["totals"]["gross"]) for sale in sales), Decimal(0))
        kept = kept_of(order)
        by_card = self._paid_by_card(order) if kept else Decimal(0)
        if net != kept + by_card:
            yield f"kept {kept + by_card}, and {net} is booked"
        if net != kept + by_card or by_card:
            return
        refunds = self._refunds(order)
        spread = [each for each in refunds if number(each["amount"]) and not any(each[kind] for kind in LINES)]
        mixed = any(amount_of(each) != number(each["amount"]) for each in refunds if each not in spread)
        booked_vat = by_rate((line["vatRate"], line["vatAmount"]) for sale in sales for line in sale["lines"])
        kept_vat = vat_kept(order, refunds, spread)
        mixed |= any(kept < 0 for kept in (kept_vat.pop(UNTAXED), *kept_vat.values()))  # refunded more than was sold
        mixed |= any(left < 0 for left in left_of_lines(order, refunds).values())
        mixed |= 0 in kept_vat and any(number(fee["total"]) < 0 for fee in order["fee_lines"])  # VAT does not tell that
        for rate in sorted(booked_vat.keys() | kept_vat.keys()):
            off = abs(booked_vat[rate] - kept_vat[rate])
            if off > _CENT * len(spread) and not mixed:
                yield f"kept VAT {kept_vat[rate]:.2f} at {rate:f} %, and {booked_vat[rate]} is booked"
        if not spread and not mixed:
            yield from self._pieces(order, refunds, sales)

    def _paid_otherwise(self, identifier: int, sale: Document) -> Iterator[str]:
        """Each payment is of the order's method, or of a fee that is a means of payment."""
        settings = self.world.settings
        methods = {each["payment_method"] for each in self.seen.was[identifier]}
        types = {settings.payment_types.get(method, "Other") for method in methods} | {*settings.payment_fees.values()}
        for payment in sale["payments"]:
            if payment["type"] not in types:
                yield f"is paid by {payment['type']}, and not by {', '.join(sorted(types))}"

    def _paid_by_card(self, order: Document) -> Decimal:
        """What fees that are means of payment took off the order's total."""
        names = {name.casefold() for name in self.world.settings.payment_fees}
        fees = [fee for fee in order["fee_lines"] if str(fee["name"]).casefold() in names]
        return -sum((number(fee["total"]) + number(fee["total_tax"]) for fee in fees), Decimal(0))

    def _pieces(self, order: Document, refunds: Sequence[Document], sales: Sequence[Document]) -> Iterator[str]:
        """Pieces by product; by their sum alone where a page has had several codes, or a booking knew none."""
        lines = [line for each in (order, *refunds) for line in each["line_items"]]
        steady = all(len(self.seen.codes_of[line["variation_id"] or line["product_id"]]) == 1 for line in lines)
        goods = [line for sale in sales for line in sale["lines"] if line["kind"] == "Product"]
        steady &= all(line.get("productCode") for line in goods)
        pieces: Counter[tuple[str, str]] = Counter()
        for line in lines:
            of_line = str(meta(line, "_refunded_item_id") or line["id"])
            pieces[of_line, page_code(line) if steady else ""] += int(number(line["quantity"]))
        kept: Counter[str] = Counter()
        for (_, code), left in pieces.items():
            kept[code] += max(0, left)  # the store takes back more pieces of a line than it sold
        booked: Counter[str] = Counter()
        for line in goods:
            booked[str(line.get("productCode") or "").casefold() if steady else ""] += int(number(line["quantity"]))
        for code in sorted(kept.keys() | booked.keys()):
            if kept[code] != booked[code]:
                yield f"kept {kept[code]} pieces of {code or 'all'}, and {booked[code]} are booked"

    def _refunds(self, order: Document) -> Sequence[Document]:
        if not order["refunds"]:
            return ()
        return sorted(
            self.world.woo.rest("GET", f"orders/{order['id']}/refunds?per_page=100"), key=lambda each: each["id"]
        )

    # Dates

    def _dates(self, identifier: int, sales: Sequence[Document]) -> Iterator[str]:
        came = {sale["externalId"]: self.seen.came[sale["externalId"]] for sale in sales}
        for sale in sales:
            key, day = sale["externalId"], date.fromisoformat(sale["businessDate"])
            is_later_version = key.count(":") > 3
            latest = _local_day(came[key] + _SKEW, min(self.seen.days_end), self.world)
            if day > latest:
                yield f"books: {key} carries {day}, and came on {latest}"
            if is_later_version:
                found = self._found_after(key, came)
                if found and day < _local_day(found - _SKEW, max(self.seen.days_end), self.world):
                    yield f"books: {key} carries {day}, before what it corrects was booked at {found:%d %H:%M}"
                continue
            days = {
                _local_day(instant, end, self.world)
                for instant in self._paid(identifier, sale)
                for end in self.seen.days_end
            }
            if days and day not in days:
                yield f"books: {key} carries {day}, and is of {', '.join(map(str, sorted(days)))}"

    def _paid(self, identifier: int, sale: Document) -> set[str]:
        """The instants by which a first sale or a refund may be dated."""
        if ":refund:" in sale["externalId"]:
            return {sale["paidAt"].rstrip("Z")}
        was = self.seen.was[identifier]
        names = ("date_paid_gmt", "date_completed_gmt", "date_created_gmt")
        return {next(each[name] for name in names if each[name]) for each in was}

    def _found_after(self, key: str, came: dict[str, datetime]) -> datetime | None:
        """When what a correction corrects was booked: version 2 and reversal 1 correct the first."""
        stem, kind, version = key.rsplit(":", 2)
        corrected = int(version) - (kind == "version")
        if ":order:" not in stem:
            return None
        return came.get(stem if corrected == 1 else f"{stem}:version:{corrected}")

    def _documents(self, feed: str) -> list[Document]:
        """What of a feed can be read at all."""
        return [each for each in self.world.solteq.control("GET", f"{feed}/all") if isinstance(each, dict)]

    # Shelf

    def _shelf(self, held: Sequence[Document]) -> Iterator[str]:
        """In the end what is for sale shows what is free, less the buffer and what orders hold that are not booked."""
        free, buffer = free_pieces(self.world), self.world.settings.stock_buffer
        products = self._documents("products")
        without = {page_code({"sku": each["code"]}) for each in products if each.get("productType") == "Service"}
        sold = {page_code({"sku": each.get("code")}) for each in products if _is_for_sale(each)}
        shown: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for page in all_pages(self.world).values():
            code = page_code(page)
            is_held = any(page_code({"sku": row["key"].partition("@")[0]}) == code for row in held)
            if (
                page["status"] != "publish"
                or code in without
                or not self.seen.is_steady(page)
                or is_held
                or self._is_stopped("balance_delta", page["sku"])
            ):
                continue
            for sale in self.seen.sales.values():
                shown[sale["orderNumber"], code] += moved_by(sale, code)
            sure, unsure = Decimal(0), Decimal(0)
            for order in self.seen.orders.values():
                if hold := held_by(order).get(page["id"]):
                    is_sure = not self._is_loose(order, held)
                    sure += max(Decimal(0), hold - shown[str(order["number"]), code]) if is_sure else 0
                    unsure += 0 if is_sure else max(Decimal(0), hold)
            least, most = (max(Decimal(0), free[code] - buffer - each) for each in (sure + unsure, sure))
            if code not in sold:
                least, most = Decimal(0), most if self.world.settings.inactive_products == "leave" else Decimal(0)
            if not least <= number(page["stock_quantity"]) <= most:
                yield f"shelf: {page['sku']} offers {page['stock_quantity']} in the end, and {most} are to be sold"

    def _is_loose(self, order: Document, held: Sequence[Document]) -> bool:
        """Whether the docs leave open what an order holds: before the first day, gone, or held back itself."""
        return self._is_old(order) or self._is_gone(order) or any(row["key"] == f"order {order['id']}" for row in held)

    def _is_gone(self, order: Document) -> bool:
        return order["id"] not in self._orders or order["status"] == "trash"

    # Prices

    def _prices(self, held: Sequence[Document]) -> Iterator[str]:
        """What shoppers pay now, and what the store will charge by itself while its window lasts."""
        prices, now = Prices(self.world), self.world.clock.now
        products = [each for each in self._documents("products") if each.get("code") and not each.get("deleted")]
        codes = Counter(page_code({"sku": each.get("code")}) for each in products)
        pages: dict[str, list[Document]] = defaultdict(list)
        for page in all_pages(self.world).values():
            pages[page_code(page)].append(page)
        names = {row["key"] for row in held if row["flow"] in ("products", "campaigns")}
        for product in products:
            code = page_code({"sku": product.get("code")})
            found = [page for page in pages[code] if page["type"] != "variable"]
            if (
                not product.get("code")
                or not _is_for_sale(product)
                or codes[code] > 1
                or {product.get("code"), product.get("id")} & names
            ):
                continue
            if not found:
                yield f"prices: {code} has no page, and nobody is told"
            elif len(found) == 1 and not prices.is_unclear(product):
                stopped = self._is_stopped("product_delta", code) or self._is_stopped("campaign_price_delta", code)
                if not stopped:
                    yield from _mispriced(product, found[0], prices, now)
                    yield from self._lowest(found[0], now)

    def _lowest(self, page: Document, now: datetime) -> Iterator[str]:
        """The lowest price of the 30 days before a reduction, by what the page has shown."""
        lowest, told = self.seen.shown.lowest(page["id"], now), meta(page, "_solteq_lowest_price_30d")
        if lowest is None or not self.seen.is_steady(page):
            return
        if not lowest:
            self.world.end("a reduction without 30 days of history")
        if told and number(told) not in lowest:
            yield f"prices: {page['sku']} tells {told} as its lowest price, and that was {sorted(lowest)}"
        if lowest and not told and not self.seen.losses:
            yield f"prices: {page['sku']} does not tell its lowest price, which was {sorted(lowest)}"

    def _is_stopped(self, delta: str, key: str) -> bool:
        """Whether a guard rail stopped the row of a delta."""
        return (delta, key.casefold()) in self._stopped


def _local_day(instant: datetime | str, end: time, world: World) -> date:
    """The shop's business day of an instant."""
    moment = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    local = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(str(world.settings.timezone))).replace(tzinfo=None)
    return (local - timedelta(hours=end.hour, minutes=end.minute)).date()


def _invalid(sale: Document, world: World) -> Iterator[str]:
    """What the contract does not allow in a document."""
    lines, totals, sign = sale["lines"], sale["totals"], -1 if sale["type"] == "Refund" else 1
    gross = number(totals["gross"])
    for name, of_line in (("gross", "total"), ("vat", "vatAmount"), ("discount", "discount")):
        if (summed := sum((number(line[of_line]) for line in lines), Decimal(0))) != number(totals[name]):
            yield f"says {name} {totals[name]}, and its lines {summed}"
    if (paid := sum((number(each["amount"]) for each in sale["payments"]), Decimal(0))) != gross:
        yield f"says gross {gross}, and its payments {paid}"
    if number(totals["net"]) + number(totals["vat"]) != gross:
        yield f"says net {totals['net']} and VAT {totals['vat']} of gross {gross}"
    if any(number(line["quantity"]) * sign <= 0 for line in lines) or gross * sign < 0:
        yield "has the wrong sign"
    if len({line["lineId"] for line in lines}) < len(lines):
        yield "has a line twice"
    for line in lines:
        worth = number(line["total"]) * number(line["vatRate"]) / (100 + number(line["vatRate"]))
        if abs(worth - number(line["vatAmount"])) > 3 * _CENT:
            yield f"says VAT {line['vatAmount']} of {line['total']} at {line['vatRate']} %"
    if sale["storeId"] != world.settings.web_store or sale["currency"] != "EUR" or not sale["pricesIncludeVat"]:
        yield f"is of {sale['storeId']} in {sale['currency']}"


def _is_for_sale(product: Document) -> bool:
    """Whether it is sold online: active, of a type that the web has, with a price."""
    is_web = product.get("productType") in (None, "Basic", "Variant", "Service")
    return (
        is_web
        and not product.get("deleted")
        and product.get("active") is not False
        and is_number(product.get("salesPrice"))
        and number(product["salesPrice"]) > 0
    )


def _mispriced(product: Document, page: Document, prices: Prices, now: datetime) -> Iterator[str]:
    regular, code = rounded(number(product["salesPrice"])), product["code"]
    if number(page["regular_price"]) != regular:
        yield f"prices: {code} has the regular price {page['regular_price']}, and costs {regular}"
    if prices.is_settled(product, now, _SKEW) and number(page["price"]) != prices.at(product, now):
        yield f"prices: {code} is sold at {page['price']}, and costs {prices.at(product, now)} now"
    begins, ends = (page[f"date_on_sale_{name}_gmt"] for name in ("from", "to"))
    last = min(datetime.fromisoformat(ends) if ends else now + _AHEAD, now + _AHEAD)
    for instant in prices.samples(now, last):
        runs = page["sale_price"] and (not begins or datetime.fromisoformat(begins) <= instant)
        shown = number(page["sale_price"] if runs else page["regular_price"])
        if prices.is_settled(product, instant, _SKEW) and shown != prices.at(product, instant):
            yield f"prices: {code} will be {shown} at {instant:%d %H:%M}, and costs {prices.at(product, instant)} then"
            return
