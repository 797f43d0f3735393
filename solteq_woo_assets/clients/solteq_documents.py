"""Solteq's documents, and the feeds they come from."""

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Annotated, Any, ClassVar, Generic, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StrictBool,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from solteq_woo_assets.clients.bounds import FIRST_YEAR, LONGEST_KEY, Key, bounded, in_calendar, words_of
from solteq_woo_assets.clients.json_reader import written
from solteq_woo_assets.errors import SolteqError

_THREE_DECIMALS = Decimal("0.001")
_FOUR_DECIMALS = Decimal("0.0001")
_LAST_CALENDAR_YEAR = 2999
_ALL = 100
_LONGEST_FIELD = 60
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_FULL_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY_NAMES = {name: day for day, full in zip(WEEKDAYS, _FULL_NAMES, strict=True) for name in (day.lower(), full)}
_END_OF_DAY = ("24:00", "24:00:00")


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


def _read(parse: Callable[[str], object], value: object) -> object:
    """The parsed text; ``None`` if it cannot be parsed."""
    try:
        return parse(value) if isinstance(value, str) else value
    except ValueError:
        return None


def _instant(value: object) -> datetime:
    instant = _read(datetime.fromisoformat, value)
    if not isinstance(instant, datetime) or instant.tzinfo is None:
        raise ValueError("must be a time in ISO 8601 with its zone, such as 2026-11-23T05:20:38Z")
    return in_calendar(instant).astimezone(UTC)


def _local_time(value: object) -> datetime | None:
    """Some systems write an open end as a year beyond the calendar."""
    if value is None:
        return None
    local = _read(datetime.fromisoformat, value)
    if not isinstance(local, datetime) or local.tzinfo is not None:
        raise ValueError("must be local time in ISO 8601 without a zone, such as 2026-11-27T00:00:00")
    return local.replace(microsecond=0) if FIRST_YEAR < local.year <= _LAST_CALENDAR_YEAR else None


def _value(value: object) -> object:
    """A size is a number in some catalogues."""
    return str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value


def _values(value: object) -> object:
    """Attributes that have a value."""
    if not isinstance(value, dict):
        return {} if value is None else value
    return {name: each for name, each in value.items() if each is not None}


def _days(value: object) -> object:
    """Weekdays as ``WEEKDAYS`` has them; all seven are no restriction."""
    if not isinstance(value, list):
        return [] if value is None else value
    named = {_DAY_NAMES.get(str(each).strip().lower()) for each in value}
    if None in named:
        raise ValueError("must be weekdays such as Mon, Tue")
    return [day for day in WEEKDAYS if day in named] if len(named) < len(WEEKDAYS) else []


def _time_of_day(value: object) -> time | None:
    if value is None:
        return None
    read = _read(time.fromisoformat, "00:00" if value in _END_OF_DAY else value)
    if not isinstance(read, time) or read.tzinfo is not None:
        raise ValueError("must be a local time of day, such as 11:00")
    return read.replace(microsecond=0)


def _or(default: object) -> BeforeValidator:
    """The meaning of null in a field."""
    return BeforeValidator(lambda value: default if value is None else value)


def _text_or(default: str) -> BeforeValidator:
    """The meaning of a null or blank text."""
    return BeforeValidator(
        lambda value: default if value is None or (isinstance(value, str) and not value.strip()) else value
    )


def _is_empty(value: object) -> bool:
    return value is None or value in ([], {}) or (isinstance(value, str) and not value.strip())


# Plain functions: with pydantic's own checks of digits beside them a page took three times as long.
Money = Annotated[Decimal, PlainValidator(_money)]
Percent = Annotated[Decimal, PlainValidator(_percent)]
Quantity = Annotated[Decimal, PlainValidator(_quantity)]
Instant = Annotated[datetime, PlainValidator(_instant)]
LocalTime = Annotated[datetime | None, PlainValidator(_local_time)]
TimeOfDay = Annotated[time | None, PlainValidator(_time_of_day)]
Texts = Annotated[list[str], _or([])]


class Document(BaseModel):
    """The base of the feeds' documents. Built from the wire's names or from its own.

    A field with a default may be missing or null (contract, Required).
    """

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    keys: ClassVar[tuple[str, ...]]
    """The wire's names of the identity, for messages about a document that cannot be read."""
    is_personal: ClassVar[bool] = False
    """Whether it is about a person: then only a fingerprint is kept of one that cannot be read."""

    deleted: Annotated[StrictBool, _or(False)] = False
    modified_at: Instant

    @property
    def tombstone(self) -> "Tombstone | None":
        """For a deleted document that says little more; its last full version is still good for the rest."""
        return None

    @classmethod
    def key_of(cls, raw: object) -> str | None:
        """The identity of a raw document, if it can be read."""
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
    name: str | None = None
    description: str | None = None
    gtin: str | None = None
    product_type: Annotated[str, _text_or("Basic")] = "Basic"
    vat_rate: Percent | None = None
    product_group: str | None = None
    categories: Texts = []
    supplier: str | None = None
    sales_price: Money
    purchase_price: Money | None = None
    discounted_price: Money | None = None
    attributes: Annotated[dict[str, Annotated[str, BeforeValidator(_value)]], BeforeValidator(_values)] = {}
    max_discount_percent: Percent | None = None
    active: Annotated[StrictBool, _or(True)] = True

    @property
    def tombstone(self) -> "Tombstone | None":
        """Without its model number its variable product would not be withdrawn with it."""
        says_no_more = self.model_fields_set <= {"id", "code", "sales_price", "active", "deleted", "modified_at"}
        return Tombstone((self.id,), self.modified_at) if self.deleted and says_no_more else None

    @classmethod
    def key_of(cls, raw: object) -> str | None:
        """The id, or else the code."""
        code = raw.get("code") if isinstance(raw, dict) else None
        return super().key_of(raw) or (code if isinstance(code, str) and code else None)


class ValidHours(BaseModel):
    """Hours of the day, local to the shop; ``to`` is exclusive, and midnight is the end of the day.

    Hours that end before they begin go on over midnight.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    start: TimeOfDay = Field(default=None, alias="from")
    end: TimeOfDay = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.start == self.end and self.start not in (None, time(0)):
            raise ValueError("must not end when it begins")
        return self


class CampaignDocument(Document):
    """A discount for a period. Times are local to the shop, without a zone, in whole seconds.

    ``value`` is a percentage, an amount off or a price, by ``discount_type``. A campaign of another type than Simple
    may lack both.

    :param valid_from: inclusive; ``None`` is since ever
    :param valid_to: exclusive; ``None`` is without an end
    :param valid_days: of ``WEEKDAYS``; empty is every day
    :param customers: with names in it, as with ``customer_groups``, the campaign is not public
    """

    model_config = ConfigDict(extra="allow")

    keys = ("id",)

    id: Key
    name: str | None = None
    type: Annotated[str, _text_or("Simple")] = "Simple"
    level: str
    targets: list[str]
    discount_type: str | None = None
    value: Money | None = None
    valid_from: LocalTime = None
    valid_to: LocalTime = None
    valid_days: Annotated[list[str], BeforeValidator(_days)] = []
    valid_hours: ValidHours | None = None
    store_ids: Texts = []
    customer_groups: Texts = []
    customers: Texts = []
    priority: Annotated[int, Field(strict=True, ge=-(2**31), lt=2**31), _or(0)] = 0
    active: Annotated[StrictBool, _or(True)] = True

    @property
    def valid_hours_from(self) -> time | None:
        """``None`` where the hours are no restriction."""
        return self._hours[0]

    @property
    def valid_hours_to(self) -> time | None:
        """Midnight is the end of the day; ``None`` where the hours are no restriction."""
        return self._hours[1]

    @property
    def _hours(self) -> tuple[time, time] | tuple[None, None]:
        hours = self.valid_hours or ValidHours()
        start, end = hours.start or time(0), hours.end or time(0)
        return (None, None) if start == end else (start, end)

    @property
    def unknown_fields(self) -> list[str]:
        """Names of fields that the contract does not have and that say something: each may be a restriction."""
        hours = self.valid_hours.model_extra if self.valid_hours else None
        fields = {**(self.model_extra or {}), **{f"validHours.{name}": each for name, each in (hours or {}).items()}}
        return sorted(name[:_LONGEST_FIELD] for name, each in fields.items() if not _is_empty(each))


class BalanceDocument(Document):
    """A product's stock in one store. Balances are rounded to four decimals: they may come out of floats."""

    keys = ("productCode", "storeId")

    product_code: Key
    store_id: Key
    store_name: str | None = None
    free_balance: Quantity
    reserved_balance: Annotated[Quantity, _or(Decimal(0))] = Decimal(0)
    unit: str | None = None


D = TypeVar("D", bound=Document)


@dataclass(frozen=True)
class Feed(Generic[D]):
    """A source of documents of one kind.

    :param path: below the API's address: ``<service>/v1-ext/<rest>``
    :param scope: what a token must be allowed for
    """

    name: str
    path: str
    scope: str
    document: type[D]


@dataclass(frozen=True)
class InvalidDocument:
    """A document that breaks the contract.

    :param key: its identity, if that can be read
    :param field: the first wrong field, by its name on the wire
    :param raw: the document as JSON, of a person its SHA-256
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

    :param keys: its identity, in the order of the document's ``keys``
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


def documents_of(body: Any, path: str) -> tuple[list[Any], str | None]:
    """The documents of a page, and the token of the next one.

    :raises SolteqError: it is no page
    """
    documents = body.get("documents") if isinstance(body, dict) else None
    token = body.get("continuationToken") if isinstance(body, dict) else None
    if not isinstance(documents, list) or not isinstance(token, str | None):
        raise SolteqError(
            f"Solteq: GET {path}: the answer is no page: it lacks a list of documents or has an odd continuation "
            "token. Check the path (setting SOLTEQ_WOO_SOLTEQ_FEEDS)."
        )
    return documents, token


def validated(document: type[D], raw: list[Any]) -> FeedPage[D]:
    """The documents of a page, and those that break the contract."""
    # All at once is faster; one by one only where something is wrong.
    try:
        return _page_of(_list_of(document).validate_python(raw))
    except ValidationError:
        pass
    page = FeedPage[D]([], [])
    for each in raw:
        try:
            read = _page_of([document.model_validate(each)])
            page.documents.extend(read.documents)
            page.tombstones.extend(read.tombstones)
        except ValidationError as error:
            if tombstone := _tombstone(document, each):
                page.tombstones.append(tombstone)
            else:
                page.invalid.append(_invalid(document, each, error))
    return page


def _page_of(documents: list[D]) -> FeedPage[D]:
    tombstones = [tombstone for each in documents if each.deleted and (tombstone := each.tombstone)]
    if not tombstones:
        return FeedPage(documents, [])
    return FeedPage([each for each in documents if each.tombstone is None], [], tombstones)


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
    text = _storable(written(raw))
    return InvalidDocument(
        key=_storable(key)[:LONGEST_KEY] if key else None,
        field=_storable(".".join(str(part) for part in first["loc"]))[:LONGEST_KEY] or "(all)",
        reason=words_of(first["msg"]) + more,
        raw=hashlib.sha256(text.encode()).hexdigest() if document.is_personal else text,
        modified_at=_version(raw),
    )


def _storable(text: str) -> str:
    """Half of a surrogate pair is valid in JSON and in nothing that stores text: back to its escape."""
    return text.encode("utf-8", "backslashreplace").decode()
