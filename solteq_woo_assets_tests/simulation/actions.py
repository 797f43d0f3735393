"""What can happen in a world besides runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from solteq_woo_assets_tests.simulation.world import World


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
