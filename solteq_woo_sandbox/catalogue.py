"""The shop that the Solteq stand-in sells from: made up, the same for the same seed.

Documents are as on the wire, numbers as ``Decimal``. Brands and people are invented, GTINs lie in the range
that GS1 keeps for examples, e-mail addresses at example.com.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

Document = dict[str, Any]

FIRST_IMPORT = datetime(2026, 1, 5, 6, tzinfo=UTC)
WEB_STORE = "verkko"
STORES = {
    WEB_STORE: "Verkkokauppa",
    "helsinki": "Helsinki, Keskusta",
    "tampere": "Tampere, Koskikatu",
    "oulu": "Oulu, Tori",
}
"""The web store, which has a stock of its own, and three shops."""


class _Kind(NamedTuple):
    """A kind of goods that several brands make."""

    name: str
    group: str
    vat: str
    price: str
    sizes: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    unit: str = "kpl"


_CLOTHES = ("XS", "S", "M", "L", "XL")
_SOCKS = ("36–38", "39–41", "42–44", "45–47")
_BRIGHT = ("Punainen", "Sininen", "Keltainen")
_QUIET = ("Musta", "Harmaa", "Luonnonvalkoinen")

_KINDS = (
    _Kind("Villasukat", "Sukat", "25.5", "18.90", _SOCKS, _QUIET),
    _Kind("Kahvi, tumma paahto 500 g", "Kahvi ja tee", "13.5", "8.95"),
    _Kind("Vasara 450 g", "Työkalut", "25.5", "24.90"),
    _Kind("T-paita, raidallinen", "Vaatteet", "25.5", "39.00", _CLOTHES, _BRIGHT),
    _Kind("Muki 3 dl", "Kattaus", "25.5", "17.50", (), (*_BRIGHT, *_QUIET)),
    _Kind("Lakritsi 200 g", "Makeiset", "13.5", "3.45"),
    _Kind("Kynttilä, mehiläisvaha", "Sisustus", "25.5", "12.00"),
    _Kind("Irtokarkit", "Makeiset", "13.5", "14.90", unit="kg"),
    _Kind("Saunapipo", "Sauna", "25.5", "22.00", (), _QUIET),
    _Kind("Puukko, koivu", "Työkalut", "25.5", "64.00"),
    _Kind("Hunaja 350 g", "Ruoka", "13.5", "9.80"),
    _Kind("Löylykauha", "Sauna", "25.5", "29.50"),
    _Kind("Villapaita", "Vaatteet", "25.5", "129.00", _CLOTHES, _QUIET),
    _Kind("Kahvipavut irtomyynnistä", "Kahvi ja tee", "13.5", "27.60", unit="kg"),
    _Kind("Keittokirja", "Kirjat", "13.5", "34.90"),
    _Kind("Puutarhalehti", "Lehdet", "10", "11.90"),
    _Kind("Pannunalunen, kataja", "Kattaus", "25.5", "15.20"),
    _Kind("Kumisaappaat", "Jalkineet", "25.5", "59.90", ("37", "38", "39", "40", "41", "42", "43")),
    _Kind("Ruuvimeisselisarja 6 osaa", "Työkalut", "25.5", "32.00"),
    _Kind("Naulat irtomyynnistä", "Työkalut", "25.5", "6.20", unit="kg"),
    _Kind("Pellavapyyhe", "Sauna", "25.5", "27.00", (), _BRIGHT),
    _Kind("Ruisleipä, hapanjuuri", "Ruoka", "13.5", "4.20"),
    _Kind("Haudutettu tee 100 g", "Kahvi ja tee", "13.5", "7.40"),
    _Kind("Lapaset", "Asusteet", "25.5", "26.50", ("S", "M", "L"), _BRIGHT),
)
_BRANDS = (
    ("Lumikko", "Lumikon Kutomo Oy"),
    ("Rantakivi", "Rantakivi Tukku Oy"),
    ("Kuutamokukka", "Kuutamokukka Design Oy"),
    ("Havuharju", "Havuharjun Paja Oy"),
    ("Tuohela", "Rantakivi Tukku Oy"),
    ("Revonniemi", "Revonniemi Ab"),
)
_LITTLE_DISCOUNT = {"Kirjat": 5, "Lehdet": 0}


def wire_instant(moment: datetime) -> str:
    """A UTC instant as Solteq prints it: milliseconds and ``Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


_FIRST = wire_instant(FIRST_IMPORT)


def product(code: str, **fields: Any) -> Document:
    """One unremarkable product that fulfils the contract; ``fields`` replace or add to its own."""
    return {
        "id": f"product-{code}",
        "modelNumber": None,
        "code": code,
        "name": f"Tuote {code}",
        "gtin": None,
        "productType": "Basic",
        "vatRate": Decimal("25.5"),
        "productGroup": "Muut",
        "categories": ["Muut"],
        "supplier": "Rantakivi Tukku Oy",
        "salesPrice": Decimal("10.00"),
        "purchasePrice": None,
        "discountedPrice": None,
        "attributes": {},
        "active": True,
        "deleted": False,
        "modifiedAt": _FIRST,
    } | fields


def balance(code: str, store: str = WEB_STORE, **fields: Any) -> Document:
    """One store's balance of a product: 10 pieces, none reserved; ``fields`` replace or add to its own."""
    return {
        "productCode": code,
        "storeId": store,
        "storeName": STORES.get(store, store),
        "freeBalance": Decimal(10),
        "reservedBalance": Decimal(0),
        "unit": "kpl",
        "deleted": False,
        "modifiedAt": _FIRST,
    } | fields


def products(seed: int, count: int = 400) -> list[Document]:
    """A shop's whole range, the odd ones first (services, gift card, inactive, without a price …).

    A longer list begins with the shorter one.
    """
    chance = random.Random(seed)  # noqa: S311
    documents = _odd_products()
    for index in range(count):
        if len(documents) >= count:
            break
        documents += _family(index, chance)
    return documents[:count]


def balances(seed: int, count: int = 400) -> list[Document]:
    """The balances of ``products(seed, count)``: most goods in most stores, some at zero, a few below."""
    chance = random.Random(seed)  # noqa: S311
    units = {kind.name: kind.unit for kind in _KINDS}
    documents: list[Document] = []
    for each in products(seed, count):
        if each["productType"] not in ("Basic", "Variant"):
            continue
        unit = next((unit for name, unit in units.items() if name in each["name"]), "kpl")
        for store in STORES:
            if chance.random() < 0.9:
                free, reserved = _quantities(chance, unit)
                documents.append(
                    balance(
                        each["code"],
                        store,
                        freeBalance=free,
                        reservedBalance=reserved,
                        unit=unit,
                        modifiedAt=_modified(chance),
                    )
                )
    return documents


def customers(seed: int, count: int = 24) -> list[Document]:
    """Private customers and a few companies. Surnames are words for "example", so that nobody is meant."""
    chance = random.Random(seed)  # noqa: S311
    return [_customer(number, chance) for number in range(1, count + 1)]


def campaigns(seed: int) -> list[Document]:
    """A campaign of each level and discount type, and some that must not reach the web store's prices."""
    chance = random.Random(seed)  # noqa: S311
    basic = [each["code"] for each in products(seed) if each["productType"] == "Basic" and each["active"]]
    chosen = chance.sample(basic, 6)
    listed = [
        _campaign(1, "Kahviviikot", level="ProductGroup", targets=["Kahvi ja tee"], value=Decimal(15)),
        _campaign(2, "Lumikon päivät", level="Supplier", targets=["Lumikon Kutomo Oy"], value=Decimal("12.5")),
        _campaign(
            3, "Kuukauden löydöt", targets=chosen[:4], discountType="FixedPrice", value=Decimal("5.00"), priority=10
        ),
        _campaign(4, "Kaksi euroa pois", targets=chosen[4:], discountType="Amount", value=Decimal("2.00")),
        _campaign(
            5,
            "Joulukampanja 2025",
            level="ProductGroup",
            targets=["Sauna"],
            value=Decimal(20),
            validFrom="2025-12-01T00:00:00",
            validTo="2025-12-27T00:00:00",
        ),
        _campaign(6, "Kanta-asiakkaille", targets=chosen[:2], value=Decimal(30), customerGroups=["Kanta-asiakkaat"]),
        _campaign(7, "Oulun toripäivät", targets=chosen[:1], value=Decimal(50), storeIds=["oulu"]),
        _campaign(8, "Osta 3, maksa 2", type="BuyXGetY", targets=chosen[:3], value=Decimal(100)),
        _campaign(
            9,
            "Musta viikonloppu 2026",
            level="ProductGroup",
            targets=["Kahvi ja tee", "Sauna"],
            value=Decimal(25),
            validFrom="2026-11-27T00:00:00",
            validTo="2026-11-30T00:00:00",
        ),
    ]
    return [each | {"modifiedAt": _modified(chance)} for each in listed]


def bulk_products(count: int) -> Iterator[Document]:
    """``count`` plain products for benchmarks, codes ``B0000000`` upwards; a hundred thousand in a second."""
    plain = product("")
    for index in range(count):
        cents, group = 100 + index * 37 % 20_000, f"Ryhmä {index % 50}"
        yield plain | {
            "id": f"bulk-{index}",
            "code": f"B{index:07}",
            "name": f"Tuote {index}",
            "gtin": gtin(index + 500_000_000),
            "productGroup": group,
            "categories": [group],
            "supplier": f"Toimittaja {index % 20} Oy",
            "salesPrice": Decimal(cents).scaleb(-2),
            "purchasePrice": Decimal(cents * 53).scaleb(-4),
        }


def bulk_balances(count: int, per_product: int = 1) -> Iterator[Document]:
    """``count`` balances for ``bulk_products``, in the first ``per_product`` of :data:`STORES` each."""
    plain = [balance("", store) for store in [*STORES][:per_product]]
    for index in range(count):
        yield plain[index % len(plain)] | {
            "productCode": f"B{index // len(plain):07}",
            "freeBalance": index * 7 % 90,
            "reservedBalance": index % 3,
        }


def gtin(number: int) -> str:
    """A GTIN-13 from the range that GS1 keeps for examples (952), so that no real article is meant."""
    twelve = f"952{number % 10**9:09}"
    total = sum(map(int, twelve[::2])) + 3 * sum(map(int, twelve[1::2]))
    return f"{twelve}{-total % 10}"


def _odd_products() -> list[Document]:
    service = {"productType": "Service", "productGroup": "Palvelut", "categories": ["Palvelut"], "supplier": None}
    return [
        product("900001", name="Lahjapaketointi", salesPrice=Decimal("4.90"), **service),
        product("900002", name="Veitsenteroitus", salesPrice=Decimal("12.00"), **service),
        product("900010", name="Lahjakortti 50 €", productType="GiftCard", vatRate=0, salesPrice=Decimal("50.00")),
        product("900020", name="Pantti, korillinen", productType="Deposit", vatRate=0, salesPrice=Decimal("2.20")),
        product("900030", name="Nimikyltti kaiverruksella", productType="Custom", salesPrice=Decimal("39.90")),
        product("900040", name="Poistunut kahvipannu", active=False, salesPrice=Decimal("45.00")),
        product("900041", name="Poistunut tuikkukippo", active=False, salesPrice=Decimal("9.90")),
        product("900042", name="Poistettu talvihattu", deleted=True, active=False, salesPrice=Decimal("30.00")),
        product("900050", name="Hinnaton uutuus", salesPrice=Decimal("0.00")),
        product("900051", name="Väärin hinnoiteltu tarjotin", salesPrice=Decimal("-12.50")),
    ]


def _family(index: int, chance: random.Random) -> list[Document]:
    """A brand's goods of one kind: one product, or a variant product with all its variants."""
    # Six brands and 24 kinds share divisors: the shift lets each pair come once before any comes twice.
    kind = _KINDS[index % len(_KINDS)]
    round_ = index // len(_KINDS)
    brand, supplier = _BRANDS[(index + round_) % len(_BRANDS)]
    series = round_ // len(_BRANDS)
    name = f"{brand} {kind.name}" + (f", sarja {series + 1}" if series else "")
    model = f"{brand[:3].upper()}{1000 + index}"
    base = _price(Decimal(kind.price) * chance.randint(80, 140) / 100)
    documents: list[Document] = []
    for size in kind.sizes or (None,):
        for colour in kind.colours or (None,):
            attributes = {key: value for key, value in (("Koko", size), ("Väri", colour)) if value}
            code = f"{model}-{len(documents) + 1:02}" if attributes else str(100_000 + index)
            price = base + 5 if size in ("XL", "45–47") else base
            documents.append(
                product(
                    code,
                    modelNumber=model if attributes else None,
                    name=name,
                    description=f"{name}: {kind.group.lower()}, valmistaja {brand}.",
                    gtin=gtin(index * 100 + len(documents)) if chance.random() < 0.9 else None,
                    productType="Variant" if attributes else "Basic",
                    vatRate=Decimal(kind.vat),
                    productGroup=kind.group,
                    categories=[kind.group, brand],
                    supplier=supplier,
                    salesPrice=price,
                    purchasePrice=_purchase_price(price, chance),
                    discountedPrice=_price(price * 8 / 10) if chance.random() < 0.08 else None,
                    attributes=attributes,
                    maxDiscountPercent=_LITTLE_DISCOUNT.get(kind.group),
                    modifiedAt=_modified(chance),
                )
            )
    return documents


def _price(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.1")).quantize(Decimal("0.01"))


def _purchase_price(price: Decimal, chance: random.Random) -> Decimal | None:
    share = price * chance.randint(35, 60) / 100
    decimals = chance.choice((None, "0.01", "0.01", "0.0001"))
    if decimals is None:
        return None
    # A supplier's price per thousand has decimals that are not zeroes.
    return (share + Decimal("0.0037")).quantize(Decimal(decimals))


def _quantities(chance: random.Random, unit: str) -> tuple[Decimal, Decimal]:
    fate = chance.random()
    if fate < 0.10:
        free = Decimal(0)
    elif fate < 0.13:
        free = Decimal(chance.randint(-4, -1))
    elif unit == "kg":
        free = Decimal(chance.randint(50, 40_000)).scaleb(-3)
    else:
        free = Decimal(chance.randint(1, 60))
    return free, Decimal(chance.randint(1, 5) if chance.random() < 0.15 else 0)


def _modified(chance: random.Random) -> str:
    """Most documents share the instant of the first import, the rest were edited in the month after."""
    edited = timedelta(milliseconds=chance.randint(1, 30 * 86_400_000)) if chance.random() < 0.3 else timedelta()
    return wire_instant(FIRST_IMPORT + edited)


def _customer(number: int, chance: random.Random) -> Document:
    first = chance.choice(("Aino", "Eero", "Helmi", "Onni", "Siiri", "Väinö"))
    last = chance.choice(("Esimerkki", "Mallinen", "Näyte", "Kokeilu"))
    company = number % 6 == 0
    street = f"{chance.choice(('Esimerkkikatu', 'Mallitie', 'Kokeilupolku'))} {number}"
    postal_code, city = chance.choice((("00999", "Helsinki"), ("33999", "Tampere"), ("90999", "Oulu")))
    return {
        "id": f"customer-{number}",
        "customerNumber": str(5000 + number),
        "type": "Company" if company else "Private",
        "firstName": first,
        "lastName": last,
        "companyName": f"Esimerkkiyritys {number} Oy" if company else None,
        "taxCode": f"FI{number:08}" if company else None,
        "email": f"asiakas{number}@example.com" if number % 8 else None,
        "phone": f"+35840000{number:04}",
        "addresses": [{"type": "Billing", "street": street, "postalCode": postal_code, "city": city, "country": "FI"}],
        "customerGroups": ["Kanta-asiakkaat"] if chance.random() < 0.4 else [],
        "identifiers": [{"type": "CustomerCard", "value": f"{7000000 + number}"}],
        "marketingPermission": {"email": chance.random() < 0.5, "mobile": chance.random() < 0.2},
        "deleted": False,
        "modifiedAt": _modified(chance),
    }


def _campaign(number: int, name: str, **fields: Any) -> Document:
    return {
        "id": f"campaign-{number}",
        "name": name,
        "type": "Simple",
        "level": "Product",
        "targets": [],
        "discountType": "Percentage",
        "value": Decimal(10),
        "validFrom": "2026-01-01T00:00:00",
        "validTo": None,
        "storeIds": [],
        "customerGroups": [],
        "priority": 0,
        "active": True,
        "deleted": False,
    } | fields
