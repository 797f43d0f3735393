"""WooCommerce's products and variations: as they are read, and as they are written."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from typing import Annotated, Any, Generic, Literal, Protocol, Self, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    field_serializer,
    model_validator,
)

from solteq_woo_assets.clients.bounds import Id, OptionalId, StoreTime, id_or_zero, number_or_none, store_time

META_PREFIX = "_solteq_"
BATCH_ITEMS = 100
"""As many items as WooCommerce takes in one batch."""

STORE_PRODUCT_FIELDS = (
    "id,parent_id,type,status,name,sku,global_unique_id,regular_price,sale_price,date_on_sale_from_gmt,"
    "date_on_sale_to_gmt,tax_class,manage_stock,stock_quantity,stock_status,attributes,meta_data,"
    "cost_of_goods_sold,date_modified_gmt"
)
"""Fields to ask for when reading; on a batch they would hide the errors."""


def _sale_time(value: object) -> datetime | None:
    """A value that is no time counts as none, and the delta puts it right. A time before all calendars is long past."""
    try:
        return store_time(value)
    except ValueError:
        return datetime(1970, 1, 1) if isinstance(value, str) and re.match("[01][0-9]{3}-", value) else None  # noqa: DTZ001


def _pieces(value: object) -> int | None:
    """Fractions come from plugins, and are rounded down, as ours are. A value that is no number counts as none."""
    number = number_or_none(value)
    return None if number is None else int(number.to_integral_value(ROUND_FLOOR))


def _listed(value: object) -> object:
    """PHP writes a list with gaps as an object, and an empty one as either."""
    return list(value.values()) if isinstance(value, dict) else value


def _or_empty(value: object) -> object:
    """Plugins leave fields out, and put numbers where text is due."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return str(value)
    return "" if value is None else value


# A price field is free text in the store; a text that is no number counts as no price.
Price = Annotated[Decimal | None, PlainValidator(number_or_none)]
SaleEdge = Annotated[datetime | None, PlainValidator(_sale_time)]
Text = Annotated[str, BeforeValidator(_or_empty)]


def _option_texts(value: object) -> list[str]:
    """Plugins put numbers in lists of options, or a single option where a list is due."""
    options = value if isinstance(value, list) else [value]
    return [str(option) for option in options if isinstance(option, str | int | Decimal)]


def sku_key(sku: str | None) -> str:
    """As the store compares SKUs (contract, 9)."""
    return (sku or "").strip().lower()


class StoreAttribute(BaseModel):
    """It tells variants apart, or describes a product. A variation has one option; ``id`` 0 is the product's own."""

    model_config = ConfigDict(frozen=True)

    id: Annotated[int, PlainValidator(id_or_zero)] = 0
    name: Text = ""
    variation: Annotated[bool, BeforeValidator(bool)] = True
    visible: Annotated[bool, BeforeValidator(bool)] = True
    options: Annotated[list[str], BeforeValidator(_option_texts)] = Field(
        default=[], validation_alias=AliasChoices("option", "options")
    )


class StoreProduct(BaseModel):
    """A product, or a variation (type ``variation``), as the store holds it. Times are naive UTC.

    :param regular_price: ``None`` where the store has none, or none that is a number
    :param manage_stock: ``False`` also where a variation leaves it to its parent
    :param meta: our own keys only
    :param has_cost_of_goods: whether the store has that feature on
    """

    model_config = ConfigDict(frozen=True)

    id: Id
    parent_id: OptionalId = 0
    type: str
    status: str
    name: Text = ""
    sku: Text = ""
    global_unique_id: Text = ""
    regular_price: Price = None
    sale_price: Price = None
    date_on_sale_from_gmt: SaleEdge = None
    date_on_sale_to_gmt: SaleEdge = None
    tax_class: Text = ""
    manage_stock: Annotated[bool, BeforeValidator(lambda value: value is True)] = False
    stock_quantity: Annotated[int | None, PlainValidator(_pieces)] = None
    stock_status: str | None = None
    attributes: Annotated[list[StoreAttribute], BeforeValidator(_listed)] = []
    meta: dict[str, str] = {}
    cost_of_goods_sold: Decimal | None = None
    has_cost_of_goods: bool = False
    date_modified_gmt: StoreTime

    @classmethod
    def from_wire(cls, raw: Any, parent_id: int | None = None) -> Self:
        """From the store's JSON.

        :param parent_id: of a variation read by its parent; old releases do not say it of their own accord
        :raises pydantic.ValidationError:
        """
        raw = raw if isinstance(raw, dict) else {}
        fields = {name: raw[name] for name in cls.model_fields.keys() & raw.keys()}
        fields["meta"] = _meta(raw.get("meta_data"))
        fields["has_cost_of_goods"] = "cost_of_goods_sold" in raw
        fields["cost_of_goods_sold"] = _cost(raw.get("cost_of_goods_sold"))
        if parent_id is not None:
            fields = {"parent_id": parent_id, "type": "variation"} | fields
        return cls.model_validate(fields)


def _meta(meta_data: object) -> dict[str, str]:
    items = [item for item in meta_data if isinstance(item, dict)] if isinstance(meta_data, list) else []
    return {
        str(item["key"]): str(item["value"])
        for item in items
        if str(item.get("key")).startswith(META_PREFIX) and isinstance(item.get("value"), str | int | Decimal)
    }


def _cost(cost: object) -> Decimal | None:
    values = cost.get("values") if isinstance(cost, dict) else None
    first = values[0] if isinstance(values, list) and values else None
    return number_or_none(first.get("defined_value")) if isinstance(first, dict) else None


def _iso_time(value: str) -> str:
    datetime.fromisoformat(value or "2000-01-01")
    return value


def _plain(value: str) -> str:
    # WordPress would take these out without a word, and the SKU would then be looked for in vain.
    if value != value.strip() or re.search(r"[<>\x00-\x1f]|\s\s|%[0-9A-Fa-f]{2}", value):
        raise ValueError("no outer or double spaces, no < or >, no control characters, no %20 and the like")
    return value


PriceText = Annotated[str, Field(pattern=r"^[0-9]{1,10}\.[0-9]{2}$")]
SaleTime = Annotated[
    str, Field(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})?$"), AfterValidator(_iso_time)
]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class AttributeWrite(_Strict):
    """A variable product's attribute has ``options``, a variation's has ``option``."""

    id: int | None = Field(default=None, ge=0)
    name: str | None = None
    position: int | None = Field(default=None, ge=0)
    visible: bool | None = None
    variation: bool | None = None
    options: list[str] | None = None
    option: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.name and not self.id:
            raise ValueError("an attribute needs a name, or the id of one of the store's")
        if (self.options is None) == (self.option is None):
            raise ValueError("an attribute has either options or an option")
        return self


class MetaWrite(_Strict):
    """A meta value of our own; ``None`` removes it."""

    key: str = Field(pattern=rf"^{META_PREFIX}[a-z0-9_]+$")
    value: str | None


class ProductWrite(_Strict):
    """The only fields that are ever sent to the store, in forms that it does not mangle.

    WooCommerce does not validate the items of a batch: it makes 15 of ``"1,5"``, 0 of ``"abc"``, 2 of 2.9 and a draft
    of an unknown status. Only fields that are set are sent.
    """

    id: int | None = Field(default=None, gt=0)
    name: str = Field(default="", min_length=1)
    type: Literal["simple", "variable"] = "simple"
    status: Literal["draft", "pending", "private", "publish"] = "draft"
    sku: Annotated[str, AfterValidator(_plain)] = ""
    regular_price: PriceText = ""
    sale_price: Literal[""] | PriceText = ""
    date_on_sale_from_gmt: SaleTime = ""
    date_on_sale_to_gmt: SaleTime = ""
    tax_class: str = Field(default="", pattern=r"^[a-z0-9%_-]*$")
    global_unique_id: str = Field(default="", pattern=r"^[0-9]*$")
    manage_stock: bool = False
    stock_quantity: int = Field(default=0, ge=0, lt=2**31)
    attributes: list[AttributeWrite] = []
    meta_data: list[MetaWrite] = []
    cost_of_goods_sold: Decimal = Field(default=Decimal(0), ge=0, max_digits=18, decimal_places=4)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.regular_price and self.sale_price and Decimal(self.sale_price) >= Decimal(self.regular_price):
            raise ValueError("sale_price must be below regular_price: the store would drop it")
        if {"stock_quantity", "manage_stock"} <= self.model_fields_set and not self.manage_stock:
            raise ValueError("stock_quantity needs manage_stock: the store would drop it")
        if self.id is None and "sku" in self.model_fields_set and not self.sku:
            raise ValueError("sku is empty: only what is in the store already may give its own away")
        return self

    @field_serializer("cost_of_goods_sold")
    def _as_values(self, cost: Decimal) -> dict[str, Any]:
        return {"values": [{"defined_value": cost}]}

    def to_wire(self) -> dict[str, Any]:
        """As WooCommerce takes it."""
        return self.model_dump(exclude_unset=True)


class Write(Protocol):
    """An item of a batch; without an id it creates."""

    @property
    def id(self) -> int | None: ...
    def to_wire(self) -> dict[str, Any]: ...


W = TypeVar("W", bound=Write)


@dataclass(frozen=True)
class Batch(Generic[W]):
    """Up to 100 writes that go together. The store makes what is new first; updates are done in order, and one id may
    stand among them more than once (contract, 73).

    :raises ValueError: too many, or an id too many or missing
    """

    creates: Sequence[W] = ()
    updates: Sequence[W] = ()

    def __post_init__(self) -> None:
        if len(self) > BATCH_ITEMS:
            raise ValueError(f"a batch of {len(self)} items: WooCommerce takes {BATCH_ITEMS}")
        if any(write.id is not None for write in self.creates):
            raise ValueError("what is created has no id yet")
        if any(write.id is None for write in self.updates):
            raise ValueError("each update needs an id")

    def __len__(self) -> int:
        return len(self.creates) + len(self.updates)


@dataclass(frozen=True)
class ProductBatch(Batch[ProductWrite]):
    """A batch of products, or of the variations of one.

    :param parent_id: of the variations; ``None`` for products
    :raises ValueError: also where a variation has what only a product has
    """

    parent_id: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.parent_id is not None:
            for write in (*self.creates, *self.updates):
                if misplaced := write.model_fields_set & {"name", "type"}:
                    raise ValueError(f"a variation has no {' and no '.join(sorted(misplaced))} of its own")


@dataclass(frozen=True)
class StoreFacts:
    """Settings of the store.

    :param timezone: a TZ database name, or an offset such as ``+02:00``
    :param tax_classes: slugs; the standard class is ``standard``
    """

    currency: str
    prices_include_tax: bool
    manage_stock: bool
    timezone: str
    tax_classes: list[str]
