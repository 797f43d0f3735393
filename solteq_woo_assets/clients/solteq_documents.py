"""Solteq's documents, and the feeds they come from."""

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StrictBool,
    TypeAdapter,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from solteq_woo_assets.clients.bounds import FIRST_YEAR, LONGEST_KEY, Key, bounded, in_calendar, words_of
from solteq_woo_assets.clients.json_reader import written

_THREE_DECIMALS = Decimal("0.001")
_FOUR_DECIMALS = Decimal("0.0001")
_LAST_CALENDAR_YEAR = 2999
_ALL = 100


def _number(value: object) -> Decimal:
    # A float has lost the exact value already, and text is not what the contract says.
    number = Decimal(value) if type(value) is int else value
    if not isinstance(number, Decimal):
        raise ValueError("must be a JSON number")
    return bounded(number)


def _money(value: object) -> Decimal:
    number = _number(value)
    if number != number.quantize(_FOUR_DECIMALS):
        raise ValueError("must have at most 4 decimals")
    return number


def _percent(value: object) -> Decimal:
    number = _number(value)
    if not 0 <= number <= _ALL:
        raise ValueError("must be a percentage from 0 to 100")
    return number.quantize(_THREE_DECIMALS, ROUND_HALF_UP)


def _quantity(value: object) -> Decimal:
    return _number(value).quantize(_FOUR_DECIMALS, ROUND_HALF_UP)


def _instant(value: object) -> datetime:
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        instant = None
    if not isinstance(instant, datetime) or instant.tzinfo is None:
        raise ValueError("must be a time in ISO 8601 with its zone, such as 2026-11-23T05:20:38Z")
    return in_calendar(instant).astimezone(UTC)


def _local_time(value: object) -> datetime | None:
    """Years that no calendar reaches are how some systems write an open end."""
    if value is None:
        return None
    try:
        local = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        local = None
    if not isinstance(local, datetime) or local.tzinfo is not None:
        raise ValueError("must be local time in ISO 8601 without a zone, such as 2026-11-27T00:00:00")
    return local.replace(microsecond=0) if FIRST_YEAR < local.year <= _LAST_CALENDAR_YEAR else None


def _value(value: object) -> object:
    """A size is a number in some catalogues."""
    return str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value


# Plain functions: with pydantic's own checks of digits beside them a page took three times as long.
Money = Annotated[Decimal, PlainValidator(_money)]
Percent = Annotated[Decimal, PlainValidator(_percent)]
Quantity = Annotated[Decimal, PlainValidator(_quantity)]
Instant = Annotated[datetime, PlainValidator(_instant)]
LocalTime = Annotated[datetime | None, PlainValidator(_local_time)]


class Document(BaseModel):
    """What the feeds' documents share. Built from the wire's names or from its own."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    keys: ClassVar[tuple[str, ...]]
    """The wire's names of what identifies a document, for messages about one that cannot be read."""

    deleted: StrictBool
    modified_at: Instant

    @classmethod
    def key_of(cls, raw: object) -> str | None:
        """What identifies a raw document, as far as it can be told."""
        if not isinstance(raw, dict):
            return None
        parts = [part for name in cls.keys if isinstance(part := raw.get(name), str) and part]
        return "@".join(parts) if len(parts) == len(cls.keys) else None


class ProductDocument(Document):
    """A product. ``sales_price``, ``discounted_price`` and ``purchase_price`` include VAT."""

    keys = ("id",)

    id: Key
    model_number: str | None = None
    code: str
    name: str
    description: str | None = None
    gtin: str | None = None
    product_type: str
    vat_rate: Percent
    product_group: str | None = None
    categories: list[str]
    supplier: str | None = None
    sales_price: Money
    purchase_price: Money | None = None
    discounted_price: Money | None = None
    attributes: dict[str, Annotated[str, BeforeValidator(_value)]]
    max_discount_percent: Percent | None = None
    active: StrictBool

    @classmethod
    def key_of(cls, raw: object) -> str | None:
        """The id, or else the code."""
        code = raw.get("code") if isinstance(raw, dict) else None
        return super().key_of(raw) or (code if isinstance(code, str) and code else None)


class CampaignDocument(Document):
    """A discount for a period. Times are local to the shop, without a zone, in whole seconds.

    ``value`` is a percentage, an amount off or a price, by ``discount_type``. What a campaign of another type than
    Simple means, ``type`` alone says: of those, ``discount_type`` and ``value`` may be left out.

    :param valid_from: inclusive; ``None`` is since ever
    :param valid_to: exclusive; ``None`` is without an end
    :param customers: with names in it, as with ``customer_groups``, the campaign is not public
    """

    keys = ("id",)

    id: Key
    name: str
    type: str
    level: str
    targets: list[str]
    discount_type: str | None = None
    value: Money | None = None
    valid_from: LocalTime = None
    valid_to: LocalTime = None
    store_ids: list[str]
    customer_groups: list[str]
    customers: list[str] = []
    priority: Annotated[int, Field(strict=True, ge=-(2**31), lt=2**31)]
    active: StrictBool


class BalanceDocument(Document):
    """A product's stock in one store. Balances are rounded to four decimals: they may come out of floats."""

    keys = ("productCode", "storeId")

    product_code: Key
    store_id: Key
    store_name: str
    free_balance: Quantity
    reserved_balance: Quantity
    unit: str


D = TypeVar("D", bound=Document)


@dataclass(frozen=True)
class Feed(Generic[D]):
    """Where a kind of document is read.

    :param path: below the API's address: ``<service>/v1-ext/<rest>``
    :param scope: what a token must be allowed for
    """

    name: str
    path: str
    scope: str
    document: type[D]


PRODUCTS = Feed("products", "catalog/v1-ext/products", "catalog-api", ProductDocument)
BALANCES = Feed("balances", "stock/v1-ext/balances", "stock-api", BalanceDocument)
CAMPAIGNS = Feed("campaigns", "discount/v1-ext/campaigns", "discount-api", CampaignDocument)


@dataclass(frozen=True)
class InvalidDocument:
    """A document that breaks the contract.

    :param key: what identifies it, if that can be read
    :param field: the first wrong field, by its name on the wire
    :param raw: the document as JSON; never shown, since it may hold personal data
    :param modified_at: its version, if that can be read
    """

    key: str | None
    field: str
    reason: str
    raw: str = dataclasses.field(repr=False)
    modified_at: datetime | None = None


@dataclass(frozen=True)
class Tombstone:
    """A deleted document that says little more than that; its last full version is still good for the rest.

    :param keys: what identifies it, in the order of the document's ``keys``
    """

    keys: tuple[str, ...]
    modified_at: datetime


@dataclass(frozen=True)
class FeedPage(Generic[D]):
    """Documents in the order of arrival, those that cannot be read, and bare tombstones."""

    documents: list[D]
    invalid: list[InvalidDocument]
    tombstones: list[Tombstone] = dataclasses.field(default_factory=list)


@cache
def _list_of(document: type[D]) -> TypeAdapter[list[D]]:
    return TypeAdapter(list[document])  # pyright: ignore[reportInvalidTypeForm] - made at run time


def validated(document: type[D], raw: list[Any]) -> FeedPage[D]:
    """The documents of a page, and those that break the contract."""
    # All at once is faster; one by one only where something is wrong.
    try:
        return FeedPage(_list_of(document).validate_python(raw), [])
    except ValidationError:
        pass
    page = FeedPage[D]([], [])
    for each in raw:
        try:
            page.documents.append(document.model_validate(each))
        except ValidationError as error:
            if tombstone := _tombstone(document, each):
                page.tombstones.append(tombstone)
            else:
                page.invalid.append(_invalid(document, each, error))
    return page


def _tombstone(document: type[Document], raw: Any) -> Tombstone | None:
    """A deletion must not fail for want of a price: the product would stay on sale."""
    version = _version(raw)
    if version is None or raw.get("deleted") is not True:
        return None
    keys = tuple(key for name in document.keys if isinstance(key := raw.get(name), str) and key)
    return Tombstone(keys, version) if len(keys) == len(document.keys) else None


def _version(raw: Any) -> datetime | None:
    try:
        return _instant(raw["modifiedAt"])
    except (TypeError, KeyError, ValueError):
        return None


def _invalid(document: type[Document], raw: Any, error: ValidationError) -> InvalidDocument:
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    key = document.key_of(raw)
    return InvalidDocument(
        key=_storable(key)[:LONGEST_KEY] if key else None,
        field=_storable(".".join(str(part) for part in first["loc"]))[:LONGEST_KEY] or "(all)",
        reason=words_of(first["msg"]) + more,
        raw=_storable(written(raw)),
        modified_at=_version(raw),
    )


def _storable(text: str) -> str:
    """Half of a surrogate pair is valid in JSON and in nothing that stores text: back to its escape."""
    return text.encode("utf-8", "backslashreplace").decode()
