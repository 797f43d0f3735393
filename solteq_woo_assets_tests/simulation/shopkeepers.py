"""What the store's people do with products and accounts: texts, pictures, prices and stock by hand, the bin, roles."""

from random import Random

from solteq_woo_assets_tests.simulation.actions import Action, Deed, deed, to_one
from solteq_woo_assets_tests.simulation.shoppers import edit_account
from solteq_woo_assets_tests.simulation.store_front import (
    STAFF_ROLES,
    Document,
    accounts,
    pages,
    path_of,
    sellable_pages,
)
from solteq_woo_assets_tests.simulation.world import World

_TEXTS = ("Käsintehty", "Pohjoisen valossa", "Uutta tässä kuussa", "Lempeä & lämmin")


Goods = tuple[str, Document]
"""Where a product or variation is written, and what it is."""


def _goods(world: World) -> list[Goods]:
    return [(path_of(page, parent), page) for parent, page in sellable_pages(world)]


def _counted(world: World) -> list[Goods]:
    return [each for each in _goods(world) if each[1]["manage_stock"] is True]


def _shown(world: World) -> list[Document]:
    return pages(world, "publish")


def _binned(world: World) -> list[Document]:
    return pages(world, "trash")


def publish(world: World, random: Random) -> Deed | None:
    """What waits as a draft is shown."""
    drafts = pages(world, "draft")
    if not drafts:
        return None
    shown = drafts if random.random() < 0.7 else [random.choice(drafts)]
    for page in shown:
        world.woo.rest("PUT", f"products/{page['id']}", {"status": "publish"})
    return deed(f"published: {', '.join(page['sku'] or str(page['id']) for page in shown)}")


@to_one(pages)
def write_texts(world: World, random: Random, page: Document) -> Deed | None:
    """Name, description, pictures: what is the store's own, and never Solteq's."""
    number = random.randint(1, 99)
    fields = {
        "name": f"{random.choice(_TEXTS)} {number}",
        "description": f"<p>{random.choice(_TEXTS)}, erä {number}.</p>",
        "short_description": f"{random.choice(_TEXTS)} {number}",
        "images": [{"id": 7000 + number, "src": f"https://store.test/kuva-{number}.jpg", "name": "", "alt": ""}],
    }
    chosen = {name: fields[name] for name in random.sample([*fields], random.randint(1, 3))}
    world.woo.control("PATCH", f"products/{page['id']}", chosen)
    return deed(f"page {page['id']} ({page['sku']}): {', '.join(chosen)}", page=page["id"], fields=chosen)


@to_one(_goods)
def set_price(world: World, random: Random, goods: Goods) -> Deed | None:
    path, page = goods
    price = f"{random.randint(1000, 4000) / 100:.2f}"
    fields = {"regular_price": price}
    if random.random() < 0.4:
        fields |= {"sale_price": f"{float(price) * 0.7:.2f}"}
    world.woo.rest("PUT", path, fields)
    return deed(f"page {page['id']} ({page['sku']}) costs {' or '.join(fields.values())}", page=page["id"])


@to_one(_counted)
def set_stock(world: World, random: Random, goods: Goods) -> Deed | None:
    path, page = goods
    pieces = random.randint(0, 15)
    world.woo.rest("PUT", path, {"stock_quantity": pieces})
    return deed(f"page {page['id']} ({page['sku']}) has {pieces}, had {page['stock_quantity']}", page=page["id"])


@to_one(_counted)
def stop_counting(world: World, _random: Random, goods: Goods) -> Deed | None:
    """Its stock is no longer managed: it would sell without end."""
    path, page = goods
    world.woo.rest("PUT", path, {"manage_stock": False})
    return deed(f"the stock of page {page['id']} ({page['sku']}) is not managed", page=page["id"])


@to_one(_goods)
def set_sku(world: World, random: Random, goods: Goods) -> Deed | None:
    path, page = goods
    sku = random.choice((f"{page['sku']}-x", f"oma-{random.randint(1, 99)}", ""))
    made = world.woo.rest("PUT", path, {"sku": sku}, may_fail=True)
    return deed(f"page {page['id']}: SKU {page['sku']} → {made.get('sku', made.get('message'))}", page=page["id"])


@to_one(_goods)
def set_tax_class(world: World, random: Random, goods: Goods) -> Deed | None:
    path, page = goods
    tax_class = random.choice(("", "reduced-rate", "zero-rate"))
    world.woo.rest("PUT", path, {"tax_class": tax_class})
    return deed(f"page {page['id']} ({page['sku']}) has the tax class '{tax_class}'", page=page["id"])


@to_one(_shown)
def hide(world: World, random: Random, page: Document) -> Deed | None:
    """A page of which somebody makes a draft again."""
    world.woo.rest("PUT", f"products/{page['id']}", {"status": random.choice(("draft", "private"))})
    return deed(f"page {page['id']} ({page['sku']}) is hidden", page=page["id"])


@to_one(pages)
def bin_page(world: World, _random: Random, page: Document) -> Deed | None:
    world.woo.rest("DELETE", f"products/{page['id']}")
    return deed(f"page {page['id']} ({page['sku']}) is in the bin", page=page["id"])


@to_one(_binned)
def restore_page(world: World, _random: Random, page: Document) -> Deed | None:
    world.woo.rest("PUT", f"products/{page['id']}", {"status": "publish"})
    return deed(f"page {page['id']} ({page['sku']}) is back from the bin", page=page["id"])


@to_one(_goods)
def delete_page(world: World, _random: Random, goods: Goods) -> Deed | None:
    path, page = goods
    world.woo.rest("DELETE", f"{path}?force=true")
    return deed(f"page {page['id']} ({page['sku']}) is deleted for good", page=page["id"])


def make_page(world: World, random: Random) -> Deed | None:
    """A product of the store's own, that Solteq does not know."""
    number = random.randint(1, 20)
    fields = {"name": f"Kaupan oma {number}", "sku": f"OMA-{number}", "regular_price": "12.00", "status": "publish"}
    made = world.woo.rest("POST", "products", fields, may_fail=True)
    if "id" not in made:
        return None
    return deed(f"page {made['id']}: the store's own {made['sku']}", page=made["id"], fields=fields)


# Accounts


@to_one(accounts)
def delete_account(world: World, _random: Random, account: Document) -> Deed | None:
    world.woo.rest("DELETE", f"customers/{account['id']}?force=true")
    return deed(f"account {account['id']} ({account['email']}) is deleted", account=account["id"])


@to_one(accounts)
def hire(world: World, random: Random, account: Document) -> Deed | None:
    """Somebody with an account gets a role of staff, shown or behind the one of a customer."""
    role = random.choice(STAFF_ROLES)
    roles = random.choice(([role], ["customer", role]))
    world.woo.control("PATCH", f"customers/{account['id']}", {"roles": roles})
    return deed(f"account {account['id']} is {' and '.join(roles)}", account=account["id"], fields={"roles": roles})


def dismiss(world: World, random: Random) -> Deed | None:
    found = {each["id"] for role in STAFF_ROLES for each in accounts(world, role)}
    if not found:
        return None
    chosen = random.choice(sorted(found))
    world.woo.control("PATCH", f"customers/{chosen}", {"roles": ["customer"]})
    return deed(f"account {chosen} is a customer again", account=chosen, fields={"roles": ["customer"]})


ACTIONS = (
    Action("publish", "shopkeeper", publish, 0.8),
    Action("write texts", "shopkeeper", write_texts, 1.5),
    Action("set price by hand", "shopkeeper", set_price, 0.8),
    Action("set stock by hand", "shopkeeper", set_stock, 0.8),
    Action("stop counting", "shopkeeper", stop_counting, 0.2),
    Action("set SKU by hand", "shopkeeper", set_sku, 0.4),
    Action("set tax class by hand", "shopkeeper", set_tax_class, 0.3),
    Action("hide", "shopkeeper", hide, 0.3),
    Action("bin page", "shopkeeper", bin_page, 0.4),
    Action("restore page", "shopkeeper", restore_page, 0.4),
    Action("delete page", "shopkeeper", delete_page, 0.3),
    Action("make page", "shopkeeper", make_page, 0.3),
    Action("edit customer", "shopkeeper", edit_account, 1.0),
    Action("delete account", "shopkeeper", delete_account, 0.3),
    Action("hire", "shopkeeper", hire, 0.4),
    Action("dismiss", "shopkeeper", dismiss, 0.5),
)
