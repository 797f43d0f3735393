"""What clerks do with customers in Solteq: made, edited, merged, deleted, addresses swapped."""

from random import Random
from typing import Any

from solteq_woo_assets_tests.simulation.actions import Action, Deed, deed, to_one
from solteq_woo_assets_tests.simulation.back_office import Document, documents, next_number, put
from solteq_woo_assets_tests.simulation.store_front import a_person, a_phone, accounts, an_address
from solteq_woo_assets_tests.simulation.world import World


def a_customer(number: int, random: Random, **fields: Any) -> dict[str, Any]:
    """Somebody as clerks enter them; one in five is a company."""
    person, is_company = a_person(random), random.random() < 0.2
    return {
        "id": f"c-{number}",
        "customerNumber": str(5000 + number),
        "type": "Company" if is_company else "Private",
        "firstName": person["first_name"],
        "lastName": person["last_name"],
        "companyName": f"Esimerkkiyritys {number} Oy" if is_company else None,
        "taxCode": f"FI{number:08}" if is_company else None,
        "email": person["email"],
        "phone": a_phone(random),
        "addresses": [an_entry(random, "Billing")],
        "customerGroups": [],
        "identifiers": [{"type": "CustomerCard", "value": f"70{number}"}],
        "marketingPermission": {"email": True, "mobile": False},
        "deleted": False,
        **fields,
    }


def an_entry(random: Random, kind: str) -> dict[str, str]:
    """An address in Solteq's words."""
    there = an_address(random)
    return {
        "type": kind,
        "street": there["address_1"],
        "postalCode": there["postcode"],
        "city": there["city"],
        "country": there["country"],
    }


def _customers(world: World) -> list[Document]:
    return documents(world, "customers")


def _emails(world: World) -> set[str]:
    return {str(each["email"]).lower() for each in documents(world, "customers") if each.get("email")}


def _change(world: World, random: Random, customer: Document, **fields: Any) -> Deed:
    late = put(world, random, "customers", {"id": customer["id"], **fields})
    told = ", ".join(f"{name} {customer.get(name)} → {value}" for name, value in fields.items())
    return deed(f"customer {customer['id']}: {told}{late}", customer=customer["id"], fields=fields)


def make(world: World, random: Random) -> Deed | None:
    """Somebody new, or somebody who has an account in the store."""
    fields: dict[str, Any] = {}
    known = accounts(world)
    if known and random.random() < 0.4:
        account = random.choice(known)
        fields = {"email": account["email"], "firstName": account["first_name"], "lastName": account["last_name"]}
    customer = a_customer(next_number(world, "customers"), random, **fields)
    if str(customer["email"]).lower() in _emails(world):
        return None
    late = put(world, random, "customers", customer)
    told = f"customer {customer['id']}: {customer['email']}{late}"
    return deed(told, customer=customer["id"], fields=customer)


@to_one(_customers)
def edit(world: World, random: Random, customer: Document) -> Deed | None:
    """One thing of somebody changes."""
    addresses = [each for each in customer.get("addresses") or [] if each["type"] != "Billing"]
    fields = random.choice(
        (
            {"phone": a_phone(random)},
            {"addresses": [an_entry(random, "Billing"), *addresses]},
            {"addresses": [*(customer.get("addresses") or []), an_entry(random, "Delivery")]},
            {"lastName": a_person(random)["last_name"]},
            {"email": a_person(random)["email"]},
            {"phone": None},
            {"customerGroups": ["Kanta-asiakkaat"]},
        )
    )
    if fields.get("email") in _emails(world):
        return None
    return _change(world, random, customer, **fields)


def swap_emails(world: World, random: Random) -> Deed | None:
    found = [each for each in documents(world, "customers") if each.get("email")]
    if len(found) < 2:
        return None
    one, other = random.sample(found, 2)
    changes = [{"id": one["id"], "email": other["email"]}, {"id": other["id"], "email": one["email"]}]
    late = put(world, random, "customers", *changes)
    return deed(f"customers {one['id']} and {other['id']} swap their addresses{late}")


def hand_email_on(world: World, random: Random) -> Deed | None:
    """One person's address becomes another's; the first has none, or a new one."""
    found = [each for each in documents(world, "customers") if each.get("email")]
    if len(found) < 2:
        return None
    one, other = random.sample(found, 2)
    new = random.choice((None, a_person(random)["email"]))
    if new in _emails(world):
        return None
    late = put(world, random, "customers", {"id": one["id"], "email": new}, {"id": other["id"], "email": one["email"]})
    return deed(f"customer {other['id']} has the address of {one['id']}, who has {new}{late}")


def merge(world: World, random: Random) -> Deed | None:
    """Two entries of one person become one: the other is deleted, and what it had goes over."""
    found = documents(world, "customers")
    if len(found) < 2:
        return None
    kept, gone = random.sample(found, 2)
    world.solteq.put("customers", {"id": gone["id"], "deleted": True})
    fields: dict[str, Any] = {name: kept.get(name) or gone.get(name) for name in ("email", "phone")}
    if random.random() < 0.5:
        fields["identifiers"] = [*(kept.get("identifiers") or []), *(gone.get("identifiers") or [])]
    late = put(world, random, "customers", {"id": kept["id"], **fields})
    return deed(f"customer {gone['id']} is merged into {kept['id']}{late}", customer=kept["id"], fields=fields)


@to_one(_customers)
def delete(world: World, random: Random, customer: Document) -> Deed | None:
    return _change(world, random, customer, deleted=True)


def undelete(world: World, random: Random) -> Deed | None:
    """One that was deleted by mistake is put back, unless somebody has the address by now."""
    emails = _emails(world)
    gone = [
        each
        for each in world.solteq.control("GET", "customers/all")
        if isinstance(each, dict) and each.get("deleted") and str(each.get("email")).lower() not in emails
    ]
    return _change(world, random, random.choice(gone), deleted=False) if gone else None


ACTIONS = (
    Action("make customer", "clerk", make, 1.2),
    Action("edit customer in Solteq", "clerk", edit, 2.5, 0.45),
    Action("swap e-mail addresses", "clerk", swap_emails, 0.4),
    Action("hand an e-mail address on", "clerk", hand_email_on, 0.3),
    Action("merge customers", "clerk", merge, 0.3),
    Action("delete customer", "clerk", delete, 0.4),
    Action("undelete customer", "clerk", undelete, 0.4),
)
