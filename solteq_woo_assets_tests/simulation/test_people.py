"""What people do, without any run of a flow: each action does something, and a seed says what."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from solteq_woo_assets_tests.simulation import operators, people_of_solteq, people_of_store
from solteq_woo_assets_tests.simulation.actions import Action, Deed
from solteq_woo_assets_tests.simulation.network import SOLTEQ_URL, call
from solteq_woo_assets_tests.simulation.store_front import pages
from solteq_woo_assets_tests.simulation.world import World

_NUMBERS = {
    "products": ("salesPrice", "purchasePrice", "discountedPrice", "vatRate"),
    "balances": ("freeBalance", "reservedBalance"),
    "campaigns": ("value", "priority"),
}
ACTIONS = [*people_of_solteq.ACTIONS, *people_of_store.ACTIONS]


@contextmanager
def opened(seed: str, folder: Path) -> Iterator[World]:
    """A shop in which people have been for a while, with pages such as the integration makes."""
    world = World(seed, folder / seed)
    with world.clock.running():
        people_of_solteq.open_shop(world, Random(f"{seed} shop"))
        people_of_store.open_shop(world, Random(f"{seed} store"))
        _fill(world)
        yield world


def _fill(world: World) -> None:
    held = {page["sku"] for page in pages(world)}
    for number in range(6):
        page = {"sku": f"A{number}", "regular_price": "20", "status": "publish" if number else "draft"}
        if page["sku"] not in held:
            world.woo.rest("POST", "products", page | {"manage_stock": True, "stock_quantity": 9})
    options = ["S", "M"]
    attributes = [{"name": "Koko", "options": options, "variation": True}]
    body = {"sku": "M1", "type": "variable", "status": "publish", "attributes": attributes}
    family = world.woo.rest("POST", "products", body)
    for option in options:
        chosen = {"sku": f"M1-{option}", "regular_price": "30", "attributes": [{"name": "Koko", "option": option}]}
        path = f"products/{family['id']}/variations"
        world.woo.rest("POST", path, chosen | {"manage_stock": True, "stock_quantity": 5})


def lived(world: World, rounds: int) -> Counter[str]:
    """Everybody does each thing, in an order of chance; how often it did something."""
    done: Counter[str] = Counter()
    for turn in range(rounds):
        random = Random(f"{world.seed} {turn}")
        for action in random.sample(ACTIONS, len(ACTIONS)):
            world.clock.advance(random.uniform(1, 3000))
            told = action.do(world, random)
            if told is not None:
                done[action.name] += 1
                world.tell(action.who, told.what if isinstance(told, Deed) else told)
    return done


def test_each_action_does_something(tmp_path: Path) -> None:
    done: Counter[str] = Counter()
    for seed in ("1", "2", "3", "4"):
        with opened(seed, tmp_path) as world:
            done += lived(world, 5)
    assert {action.name for action in ACTIONS} - set(done) == set()


def test_what_people_store_in_solteq_can_be_read_but_for_what_they_break(tmp_path: Path) -> None:
    """Numbers are numbers: a text that looks like one would be held back."""
    with opened("5", tmp_path) as world:
        lived(world, 4)
        for feed, names in _NUMBERS.items():
            answer = call(world.network.apps["solteq"], "GET", f"{SOLTEQ_URL}/_sandbox/{feed}/all", {})
            found = [each for each in answer.json() if isinstance(each, dict) and "modifiedAt" in each]
            texts = [each[name] for each in found for name in names if isinstance(each.get(name), str)]
            assert set(texts) <= {"kaksi euroa"}


def test_the_same_seed_makes_the_same_happenings(tmp_path: Path) -> None:
    stories = []
    for folder in ("once", "again"):
        with opened("7", tmp_path / folder) as world:
            lived(world, 2)
            stories.append(world.story)
    assert stories[0] == stories[1]
    assert len(stories[0]) > len(ACTIONS)


def test_no_two_actions_have_one_name() -> None:
    names = [action.name for action in (*ACTIONS, *operators.ACTIONS)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("action", [*ACTIONS, *operators.ACTIONS], ids=lambda action: action.name)
def test_an_action_has_nothing_to_do_in_an_empty_world(action: Action, tmp_path: Path) -> None:
    """Nobody needs what others made: ``None``, or something done, but no error."""
    world = World("0", tmp_path)
    with world.clock.running():
        action.do(world, Random(0))
