"""What can happen in a world besides runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from solteq_woo_assets_tests.simulation.world import World

T = TypeVar("T")


@dataclass(frozen=True)
class Deed:
    """What somebody did, in words and as facts for the judge.

    The facts have these names, where they apply: ``order``, ``refund``, ``page``, ``account`` (the store's ids),
    ``product``, ``customer``, ``campaign`` (Solteq's), ``fields`` (what was set, by name: whoever owns them may set
    them anew), ``kind`` (what was done to it, in a word).
    """

    what: str
    facts: Mapping[str, Any]


def deed(what: str, **facts: Any) -> Deed:
    """Words with facts."""
    return Deed(what, facts)


def to_one(
    find: Callable[[World], Sequence[T]],
) -> Callable[[Callable[[World, Random, T], Deed | None]], Callable[[World, Random], Deed | None]]:
    """Something that is done to one of those that are found, or not at all without any."""

    def of(do: Callable[[World, Random, T], Deed | None]) -> Callable[[World, Random], Deed | None]:
        def action(world: World, random: Random) -> Deed | None:
            found = find(world)
            return do(world, random, random.choice(found)) if found else None

        return action

    return of


@dataclass(frozen=True)
class Action:
    """One kind of event.

    ``do``: does it, and tells in words what it did, with facts or without; ``None`` when there was nothing to do it to.
    ``weight``: how often it is drawn beside the others of its kind. ``within``: how likely it happens in the middle of
    a run. ``counted``: as what: which kind it is of.
    """

    name: str
    who: str
    do: Callable[[World, Random], Deed | str | None]
    weight: float = 1.0
    within: float = 0.35
    counted: str = "events"
