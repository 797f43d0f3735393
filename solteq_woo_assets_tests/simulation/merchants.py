"""What merchants do with products in Solteq: prices, codes, families, what is sold and what is not."""

from random import Random

from solteq_woo_assets_tests.simulation.actions import Action, Deed, deed, to_one
from solteq_woo_assets_tests.simulation.back_office import (
    COLOURS,
    GROUPS,
    SIZES,
    SUPPLIERS,
    VAT_RATES,
    Document,
    a_balance,
    a_price,
    a_product,
    documents,
    is_broken,
    living,
    moved_price,
    next_number,
    put,
)
from solteq_woo_assets_tests.simulation.world import World
from solteq_woo_sandbox.catalogue import gtin

_RUBBISH = ('"roskaa"', "[]", "7", '{"id": 5}', '{"code": null, "salesPrice": 1}')


def _products(world: World) -> list[Document]:
    return documents(world, "products")


def _variants(world: World) -> list[Document]:
    return [each for each in _products(world) if each.get("modelNumber")]


def _change(world: World, random: Random, product: Document, **fields: object) -> Deed:
    late = put(world, random, "products", {"id": product["id"], **fields})
    told = ", ".join(f"{name} {product.get(name)} → {value}" for name, value in fields.items())
    return deed(f"{product['code']}: {told}{late}", product=product["id"], fields=fields)


@to_one(_products)
def set_price(world: World, random: Random, product: Document) -> Deed | None:
    return _change(world, random, product, salesPrice=moved_price(product["salesPrice"], random))


def set_all_prices(world: World, random: Random) -> Deed | None:
    """A new season: every price moves a little."""
    found, factor = _products(world), random.randint(90, 115)
    if not found:
        return None
    changes = [
        {"id": each["id"], "salesPrice": round(float(each["salesPrice"]) * factor / 100, 2)}
        for each in found
        if float(each["salesPrice"]) > 0
    ]
    late = put(world, random, "products", *changes)
    return deed(f"{len(changes)} prices × {factor} %{late}")


@to_one(_products)
def set_discounted_price(world: World, random: Random, product: Document) -> Deed | None:
    had = product.get("discountedPrice") is not None
    price = None if had and random.random() < 0.6 else round(float(product["salesPrice"]) * random.uniform(0.5, 1.1), 2)
    return _change(world, random, product, discountedPrice=price)


def lose_price(world: World, random: Random) -> Deed | None:
    """A product without a price may not be sold; sometimes it gets one back."""
    found = _products(world)
    without = [each for each in found if float(each["salesPrice"]) <= 0]
    if without and random.random() < 0.7:
        return _change(world, random, random.choice(without), salesPrice=a_price(random))
    return _change(world, random, random.choice(found), salesPrice=random.choice((0, -5))) if found else None


def set_data(world: World, random: Random) -> Deed | None:
    """Name, VAT rate, GTIN, purchase price, group, supplier, discount ceiling: one of them."""
    found = _products(world)
    if not found:
        return None
    product, number = random.choice(found), random.randint(1, 99)
    choices = {
        "name": f"Tuote {product['code']}, painos {number}",
        "vatRate": random.choice(VAT_RATES),
        "gtin": random.choice((None, gtin(1000 * number + len(str(product["id"]))))),
        "purchasePrice": random.choice((None, number / 8, number)),
        "productGroup": random.choice((None, *GROUPS)),
        "supplier": random.choice((None, *SUPPLIERS)),
        "maxDiscountPercent": random.choice((None, 0, 5, 30)),
    }
    name = random.choice([*choices])
    if name == "gtin" and choices[name] in {each.get("gtin") for each in found}:
        return None
    return _change(world, random, product, **{name: choices[name]})


def swap_gtins(world: World, random: Random) -> Deed | None:
    found = [each for each in _products(world) if each.get("gtin")]
    if len(found) < 2:
        return None
    one, other = random.sample(found, 2)
    changes = [{"id": one["id"], "gtin": other["gtin"]}, {"id": other["id"], "gtin": one["gtin"]}]
    late = put(world, random, "products", *changes)
    return deed(f"{one['code']} and {other['code']} swap their GTINs{late}")


# Codes


def change_code(world: World, random: Random) -> Deed | None:
    """A product gets a code that nobody had; its balances move along."""
    found = _products(world)
    if not found:
        return None
    product = random.choice(found)
    code = f"{str(product['code']).partition('~')[0]}~{random.randint(1, 99)}"
    if code in {each["code"] for each in found}:
        return None
    late = put(world, random, "products", {"id": product["id"], "code": code})
    _move_balances(world, {str(product["code"]): code})
    return deed(f"{product['code']} has the code {code}{late}", product=product["id"], fields={"code": code})


def swap_codes(world: World, random: Random) -> Deed | None:
    found = _products(world)
    if len(found) < 2:
        return None
    one, other = random.sample(found, 2)
    changes = [{"id": one["id"], "code": other["code"]}, {"id": other["id"], "code": one["code"]}]
    late = put(world, random, "products", *changes)
    _move_balances(world, {str(one["code"]): str(other["code"]), str(other["code"]): str(one["code"])})
    return deed(f"{one['code']} and {other['code']} swap their codes{late}")


def reuse_code(world: World, random: Random) -> Deed | None:
    """A product is deleted, and its code is another one's from then on."""
    found = _products(world)
    if not found:
        return None
    old, number = random.choice(found), next_number(world, "products")
    world.solteq.put("products", {"id": old["id"], "deleted": True})
    new = a_product(f"p-{number}", str(old["code"]), random, name=f"Uusi {old['code']}")
    late = put(world, random, "products", new)
    return deed(f"{old['code']} is {new['id']} now, was {old['id']}{late}", product=new["id"])


def _move_balances(world: World, codes: dict[str, str]) -> None:
    held = [each for each in documents(world, "balances") if each["productCode"] in codes]
    gone = [{"productCode": each["productCode"], "storeId": each["storeId"], "deleted": True} for each in held]
    moved = [
        a_balance(
            codes[each["productCode"]],
            str(each["storeId"]),
            float(each["freeBalance"]),
            reservedBalance=float(each["reservedBalance"]),
            unit=each["unit"],
        )
        for each in held
    ]
    world.solteq.put("balances", *gone)
    world.solteq.put("balances", *moved)


# Families


def join_family(world: World, random: Random) -> Deed | None:
    """A variant leaves its family for none, or a product joins one."""
    found = _products(world)
    if not found:
        return None
    product = random.choice(found)
    models = sorted({str(each["modelNumber"]) for each in found if each.get("modelNumber")})
    if product.get("modelNumber"):
        return _change(world, random, product, modelNumber=None, productType="Basic", attributes={})
    if not models:
        return None
    model = random.choice(models)
    attributes = _free_attributes(found, model, random)
    if attributes is None:
        return None
    return _change(world, random, product, modelNumber=model, productType="Variant", attributes=attributes)


@to_one(_variants)
def rename_family(world: World, random: Random, product: Document) -> Deed | None:
    model = product["modelNumber"]
    new = f"{str(model).partition('~')[0]}~{random.randint(1, 9)}"
    changes = [{"id": each["id"], "modelNumber": new} for each in _variants(world) if each["modelNumber"] == model]
    late = put(world, random, "products", *changes)
    return deed(f"the family {model} is {new}{late}")


@to_one(_variants)
def change_attributes(world: World, random: Random, product: Document) -> Deed | None:
    attributes = _free_attributes(_variants(world), str(product["modelNumber"]), random)
    return _change(world, random, product, attributes=attributes) if attributes else None


def _free_attributes(found: list[Document], model: str, random: Random) -> dict[str, str] | None:
    taken = [each.get("attributes") for each in found if each.get("modelNumber") == model]
    free = [
        attributes
        for colour in COLOURS
        for size in SIZES
        if (attributes := {"Väri": colour, "Koko": size}) not in taken
    ]
    return random.choice(free) if free else None


# What is sold


def add_product(world: World, random: Random) -> Deed | None:
    """A new product, sometimes a variant of a family, sometimes one that is not for the web."""
    found, number = _products(world), next_number(world, "products")
    code, models = f"N{number}", sorted({str(each["modelNumber"]) for each in found if each.get("modelNumber")})
    fields: dict[str, object] = {}
    if models and random.random() < 0.4:
        model = random.choice(models)
        attributes = _free_attributes(found, model, random)
        if attributes is None:
            return None
        fields = {"modelNumber": model, "productType": "Variant", "attributes": attributes}
    elif random.random() < 0.2:
        fields = {"productType": random.choice(("Service", "GiftCard", "Custom", "Deposit"))}
    product = a_product(f"p-{number}", code, random, **fields)
    late = put(world, random, "products", product)
    if fields.get("productType") in (None, "Variant"):
        world.solteq.put("balances", a_balance(code, "1", random.randint(0, 12)))
    return deed(f"new: {code}, {product['productType']} of {product['modelNumber']}{late}", product=product["id"])


def switch(world: World, random: Random) -> Deed | None:
    """A product is no longer active, or is again."""
    found = _products(world)
    if not found:
        return None
    off = [each for each in found if not each.get("active", True)]
    product = random.choice(off if off and random.random() < 0.6 else found)
    return _change(world, random, product, active=not product.get("active", True))


@to_one(_products)
def delete(world: World, random: Random, product: Document) -> Deed | None:
    return _change(world, random, product, deleted=True)


def undelete(world: World, random: Random) -> Deed | None:
    """Unless another product has its code by now."""
    codes = {each["code"] for each in _products(world)}
    gone = [
        each
        for each in world.solteq.control("GET", "products/all")
        if isinstance(each, dict) and each.get("deleted") and each.get("code") not in codes
    ]
    return _change(world, random, random.choice(gone), deleted=False) if gone else None


def break_document(world: World, random: Random) -> Deed | None:
    """A document that cannot be read; or one that could not is mended."""
    feed, field = random.choice((("products", "salesPrice"), ("campaigns", "value")))
    broken = [each for each in living(world, feed) if is_broken(each)]
    if broken:
        mended = random.choice(broken)
        world.solteq.put(feed, {"id": mended["id"], field: random.randint(5, 40)})
        return deed(f"{mended['id']} can be read again", product=mended["id"])
    found = documents(world, feed)
    if not found:
        return None
    spoiled, bad = random.choice(found), random.choice(("kaksi euroa", None, [1], {"amount": 3}))
    world.solteq.put(feed, {"id": spoiled["id"], field: bad})
    return deed(f"{spoiled['id']} has {bad} as its {field}", product=spoiled["id"])


def store_rubbish(world: World, random: Random) -> Deed:
    """What is no document at all; nobody finds it again."""
    feed, raw = random.choice(("products", "balances", "campaigns", "customers")), random.choice(_RUBBISH)
    world.solteq.control("PUT", feed, {"documents": [{"raw": raw}]})
    return deed(f"{raw} among the {feed}")


ACTIONS = (
    Action("set price", "merchant", set_price, 2.0, 0.4),
    Action("set all prices", "merchant", set_all_prices, 0.3),
    Action("set discounted price", "merchant", set_discounted_price, 1.0),
    Action("lose price", "merchant", lose_price, 0.4),
    Action("set data", "merchant", set_data, 1.5),
    Action("swap GTINs", "merchant", swap_gtins, 0.3),
    Action("change code", "merchant", change_code, 0.5),
    Action("swap codes", "merchant", swap_codes, 0.5),
    Action("reuse code", "merchant", reuse_code, 0.4),
    Action("join family", "merchant", join_family, 0.3),
    Action("rename family", "merchant", rename_family, 0.2),
    Action("change attributes", "merchant", change_attributes, 0.4),
    Action("add product", "merchant", add_product, 1.0),
    Action("switch", "merchant", switch, 0.8),
    Action("delete product", "merchant", delete, 0.3),
    Action("undelete product", "merchant", undelete, 0.4),
    Action("break document", "merchant", break_document, 0.3),
    Action("store rubbish", "merchant", store_rubbish, 0.1),
)
