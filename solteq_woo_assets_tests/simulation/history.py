"""A history: events planned from a seed, played in a world, and judged after quiet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from solteq_woo_assets_tests.simulation import misfortunes, people_of_solteq, people_of_store
from solteq_woo_assets_tests.simulation.actions import Action, Deed
from solteq_woo_assets_tests.simulation.judge import Judge
from solteq_woo_assets_tests.simulation.scheduler import Process
from solteq_woo_assets_tests.simulation.world import FLOW_NAMES, World

ACTIONS: dict[str, Action] = {
    action.name: action for module in (people_of_store, people_of_solteq, misfortunes) for action in module.ACTIONS
}
RUN = "run"
EVENTS, RUNS = 110, 20
"""Events in all, and how many of them are runs, of one to three flows each: 34 in the mean."""
_MOST_ROUNDS = 6
"""Runs of all flows after the last misfortune, until nothing is left to do."""


@dataclass(frozen=True)
class Event:
    """Something that happens. ``kind``: an action's name, or ``run``. ``step``: within the run before it, at that step.

    ``number`` says which chance it has: it stays the same when other events are left out.
    """

    number: int
    kind: str
    step: int | None = None


@dataclass
class History:
    """What came of a seed. ``broken``: promises that were not kept, in words; empty when all were."""

    seed: str
    events: Sequence[Event]
    story: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


def plan(seed: str) -> list[Event]:
    """The events of a seed; about every third one that follows a run happens within it."""
    random = Random(f"{seed} plan")
    kinds = [RUN] * RUNS + random.choices(list(ACTIONS), [each.weight for each in ACTIONS.values()], k=EVENTS - RUNS)
    random.shuffle(kinds)
    events: list[Event] = []
    for number, kind in enumerate(kinds):
        is_within = kind != RUN and number > 0 and random.random() < ACTIONS[kind].within
        events.append(Event(number, kind, random.randint(1, 60) if is_within else None))
    return events


def play(seed: str, events: Sequence[Event] | None = None, tell: Callable[[str], None] | None = None) -> History:
    """Play a seed's events, or these of them.

    :param tell: hears each line of the story as it happens
    """
    history = History(seed, plan(seed) if events is None else events)
    with TemporaryDirectory(dir=_memory(), prefix="history-") as folder:
        world = World(seed, Path(folder) / "shop")
        world.folder.mkdir()
        with world.existing():
            judge = Judge(world)
            _play(world, history.events)
            _quiet(world)
            history.broken = judge.verdict()
    history.story, history.counts = world.story, world.counts
    if tell:
        for line in [*history.story, *(f"BROKEN: {each}" for each in history.broken)]:
            tell(line)
    return history


def _memory() -> str | None:
    """A folder in memory, where the system has one: nothing here has to outlive a power cut."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108


def _play(world: World, events: Sequence[Event]) -> None:
    people_of_solteq.open_shop(world, Random(f"{world.seed} shop"))
    people_of_store.open_shop(world, Random(f"{world.seed} store"))
    _begin(world, Random(f"{world.seed} begin"))
    left = list(events)
    while left:
        event = left.pop(0)
        _pass_time(world, Random(f"{world.seed} {event.number} time"))
        if event.kind != RUN:
            _act(world, event)
            continue
        within: list[Event] = []
        while left and left[0].step is not None:
            within.append(left.pop(0))
        _run(world, event, within)
        for late in within:  # the run was over before
            _act(world, late)


def _begin(world: World, random: Random) -> None:
    """Most shops are in step before anything happens; in the others nothing was ever run."""
    if random.random() < 0.95:
        for flow in FLOW_NAMES:
            world.run(random, flow)
        people_of_store.open_doors(world)


def _pass_time(world: World, random: Random) -> None:
    minutes = random.choice((0.1, 0.5, 1, 2, 5, 10, 30, 90, 300))
    world.clock.advance(60 * minutes * random.uniform(0.5, 1.5))


def _act(world: World, event: Event) -> None:
    random = Random(f"{world.seed} {event.number}")
    action = ACTIONS[event.kind]
    done = action.do(world, random)
    if done is None:
        return
    world.count(action.counted)
    if isinstance(done, Deed):
        world.tell(action.who, done.what, kind=event.kind, **done.facts)
    else:
        world.tell(action.who, done, kind=event.kind)


def _run(world: World, event: Event, within: list[Event]) -> None:
    random = Random(f"{world.seed} {event.number}")
    flows = random.sample(FLOW_NAMES, random.choice((1, 1, 1, 2, 2, 3)))
    occasion = random.choice(("sensor",) * 7 + ("schedule", "reconcile", "retry"))

    def at_step(process: Process, _what: str, number: int) -> None:
        for due in [each for each in within if each.step is not None and each.step <= number]:
            within.remove(due)
            world.running = process
            _act(world, due)
            world.running = None
            if world.dying is process:
                world.dying = None
                world.scheduler.kill(process)

    world.run(random, *flows, occasion=occasion, at_step=at_step)


def _quiet(world: World) -> None:
    """No more misfortune. Sensors run until nothing is left to do; then a night passes, with its full comparison."""
    misfortunes.end(world)
    random = Random(f"{world.seed} quiet")
    _settle(world, random)
    world.clock.advance(12 * 3600)
    for flow in FLOW_NAMES:
        world.run(random, flow, occasion="reconcile")
    _settle(world, random)


def _settle(world: World, random: Random) -> None:
    """Ask the sensors of all flows until nobody writes and all went well."""
    for _ in range(_MOST_ROUNDS):
        world.clock.advance(900)
        before = world.writes
        for flow in FLOW_NAMES:
            world.run(random, flow)
        world.is_calm = world.writes == before and not any(world.outcomes.values())
        if world.is_calm:
            return
