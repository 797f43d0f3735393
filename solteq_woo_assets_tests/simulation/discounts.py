"""What merchants do with campaigns: levels, kinds of discount, windows, weekdays and hours, priorities, stores."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from solteq_woo_assets_tests.simulation.actions import Action, Deed, deed, to_one
from solteq_woo_assets_tests.simulation.back_office import GROUPS, SUPPLIERS, Document, documents, next_number, put
from solteq_woo_assets_tests.simulation.world import World

_ZONE = ZoneInfo("Europe/Helsinki")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_AWAY = (-10080, -1440, -60, -5, 0, 5, 30, 120, 720, 2880)
"""How many minutes from now a window may begin or end."""


def _campaigns(world: World) -> list[Document]:
    return documents(world, "campaigns")


def begin(world: World, random: Random) -> Deed:
    """A campaign of any level; sometimes one that cannot be the web's price."""
    number = next_number(world, "campaigns")
    campaign = {
        "id": f"k-{number}",
        "name": f"Kampanja {number}",
        "type": "Simple",
        **_target(world, random),
        **_discount(random),
        **_window(world, random),
        **_hours(random),
        "storeIds": random.choice(([], [], [], ["1"], ["2"])),
        "customerGroups": ["Kanta-asiakkaat"] if random.random() < 0.1 else [],
        "priority": random.choice((0, 0, 1, 5)),
        "active": random.random() < 0.95,
        "deleted": False,
    }
    if random.random() < 0.1:
        campaign |= random.choice(({"type": "BuyXGetY"}, {"onlyWithApp": True}))
    late = put(world, random, "campaigns", campaign)
    return deed(f"new campaign {_words(campaign)}{late}", campaign=campaign["id"], fields=campaign)


def _words(campaign: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in campaign.items() if value not in (None, [], False))


def _target(world: World, random: Random) -> dict[str, Any]:
    level = random.choice(("Product", "Product", "ProductGroup", "Supplier"))
    codes = [str(each["code"]) for each in documents(world, "products")]
    names: Sequence[str] = {"Product": codes, "ProductGroup": GROUPS, "Supplier": SUPPLIERS}[level]
    return {"level": level, "targets": random.sample(names, min(len(names), random.choice((1, 1, 2))))}


def _discount(random: Random) -> dict[str, Any]:
    kind = random.choice(("Percentage", "Percentage", "Amount", "FixedPrice"))
    value = {"Percentage": random.choice((5, 12.5, 20, 33, 60)), "Amount": random.choice((0.5, 2, 4.95))}
    return {"discountType": kind, "value": value.get(kind, random.randint(600, 3000) / 100)}


def _window(world: World, random: Random) -> dict[str, str | None]:
    """When it holds; either end may be open, and the window may be over or yet to come."""
    first, last = sorted(random.sample(_AWAY, 2))
    return {
        "validFrom": None if random.random() < 0.4 else _local(world, first, random),
        "validTo": None if random.random() < 0.4 else _local(world, last, random),
    }


def _local(world: World, minutes: int, random: Random) -> str:
    """The shop's wall clock, on the minute, or at midnight."""
    moment = world.clock.now.replace(tzinfo=UTC) + timedelta(minutes=minutes)
    local = moment.astimezone(_ZONE).replace(tzinfo=None, second=0, microsecond=0)
    if random.random() < 0.2:
        local = datetime(local.year, local.month, local.day)  # noqa: DTZ001
    return local.isoformat()


def _hours(random: Random) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if random.random() < 0.15:
        fields["validDays"] = sorted(random.sample(_DAYS, random.randint(1, 4)), key=_DAYS.index)
    if random.random() < 0.15:
        fields["validHours"] = random.choice(({"from": "11:00", "to": "13:00"}, {"from": "02:30", "to": "09:00"}))
    return fields


@to_one(_campaigns)
def change(world: World, random: Random, campaign: Document) -> Deed | None:
    """Value, window, target, priority, stores, hours, or whether it is in use."""
    fields = random.choice(
        (
            _discount(random),
            _window(world, random),
            _target(world, random),
            {"priority": random.randint(0, 9)},
            {"storeIds": random.choice(([], ["1"], ["2"], ["1", "2"]))},
            {"validDays": None, "validHours": None} | _hours(random),
            {"active": not campaign.get("active", True)},
        )
    )
    late = put(world, random, "campaigns", {"id": campaign["id"], **fields})
    told = ", ".join(f"{name} {campaign.get(name)} → {value}" for name, value in fields.items())
    return deed(f"campaign {campaign['id']}: {told}{late}", campaign=campaign["id"], fields=fields)


@to_one(_campaigns)
def end(world: World, random: Random, campaign: Document) -> Deed | None:
    """Now, rather than when it was to end."""
    fields = {"validTo": _local(world, 0, random)}
    late = put(world, random, "campaigns", {"id": campaign["id"], **fields})
    return deed(f"campaign {campaign['id']} ends {fields['validTo']}{late}", campaign=campaign["id"], fields=fields)


@to_one(_campaigns)
def delete(world: World, random: Random, campaign: Document) -> Deed | None:
    late = put(world, random, "campaigns", {"id": campaign["id"], "deleted": True})
    return deed(f"campaign {campaign['id']} is deleted{late}", campaign=campaign["id"], fields={"deleted": True})


ACTIONS = (
    Action("begin campaign", "merchant", begin, 2.5, 0.3),
    Action("change campaign", "merchant", change, 2.0, 0.4),
    Action("end campaign", "merchant", end, 0.6),
    Action("delete campaign", "merchant", delete, 0.6),
)
