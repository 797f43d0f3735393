"""What can happen in a world besides runs."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from solteq_woo_assets_tests.simulation.world import World


@dataclass(frozen=True)
class Action:
    """One kind of event.

    ``do``: does it, and tells in words what it did; ``None`` when there was nothing to do it to. ``weight``: how often
    it is drawn beside the others. ``within``: how likely it happens in the middle of a run. ``counted``: as what.
    """

    name: str
    who: str
    do: Callable[[World, Random], str | None]
    weight: float = 1.0
    within: float = 0.35
    counted: str = "events"
