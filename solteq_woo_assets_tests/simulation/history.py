"""A history: events planned from a seed, played in a world, and judged after quiet."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from solteq_woo_assets_tests.simulation import alarms, misfortunes, operators, people_of_solteq, people_of_store
from solteq_woo_assets_tests.simulation.actions import Action, Deed
from solteq_woo_assets_tests.simulation.judge import Judge
from solteq_woo_assets_tests.simulation.scheduler import Process
from solteq_woo_assets_tests.simulation.through_dagster import Launcher
from solteq_woo_assets_tests.simulation.world import AUTUMN, FLOW_NAMES, SPRING, World

ACTIONS: dict[str, Action] = {
    action.name: action
    for module in (people_of_store, people_of_solteq, operators, misfortunes)
    for action in module.ACTIONS
}
RUN = "run"
WEEKS = "weeks"
_RUNS = (1,) * 9 + (2,) * 8 + (3,) * 3
"""How many flows each run event is of: 34 in all."""
_PLANNED: Mapping[str, Sequence[int]] = {
    "events": (64,),
    "faults": range(12, 19),
    "doomed": (2, 3, 4),
    "backups": (1, 2),
    "restores": (0, 0, 1, 1, 1, 2),
}
"""How many of each kind of event there may be."""
_TRIES = 12
"""How often somebody looks for something to do."""
_MOST_ROUNDS = 6
"""Runs of all flows after the last misfortune, until nothing is left to do."""


@dataclass(frozen=True)
class Event:
    """Something that happens. ``kind``: an action's name, ``weeks``, or ``run``, which is of so many ``flows``.
    ``step``: within the run before it, at that step.

    ``number`` says which chance it has: it stays the same when other events are left out.
    """

    number: int
    kind: str
    step: int | None = None
    flows: int = 0


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
    planned = [(RUN, flows) for flows in _RUNS]
    for counted, numbers in _PLANNED.items():
        planned += [(kind, 0) for kind in _drawn(random, counted, random.choice(numbers))]
    planned += [(WEEKS, 0)] * random.choice((0, 0, 0, 0, 1))
    random.shuffle(planned)
    events: list[Event] = []
    for number, (kind, flows) in enumerate(planned):
        is_within = kind in ACTIONS and number > 0 and random.random() < ACTIONS[kind].within
        events.append(Event(number, kind, random.randint(1, 60) if is_within else None, flows))
    return events


def _drawn(random: Random, counted: str, number: int) -> list[str]:
    """Names of actions that are counted as this."""
    found = [each for each in ACTIONS.values() if each.counted == counted]
    return random.choices([each.name for each in found], [each.weight for each in found], k=number)


def play(
    seed: str,
    events: Sequence[Event] | None = None,
    tell: Callable[[str], None] | None = None,
    launcher: Launcher | None = None,
) -> History:
    """Play a seed's events, or these of them.

    :param tell: hears each line of the story as it happens
    :param launcher: launches the runs through Dagster
    """
    history = History(seed, plan(seed) if events is None else events)
    with TemporaryDirectory(dir=_memory(), prefix="history-") as folder:
        world = World(seed, Path(folder) / "shop", _start_of(seed), launcher)
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


def _start_of(seed: str) -> datetime:
    """The first day of a history: most have a day of 23 or of 25 hours."""
    chance = Random(f"{seed} start")
    return chance.choice((SPRING, SPRING, AUTUMN, AUTUMN, SPRING + timedelta(days=chance.randint(3, 200))))


def _memory() -> str | None:
    """A folder in memory, where the system has one: nothing here has to outlive a power cut."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108


def _play(world: World, events: Sequence[Event]) -> None:
    people_of_solteq.open_shop(world, Random(f"{world.seed} shop"))
    people_of_store.open_shop(world, Random(f"{world.seed} store"))
    operators.settle_in(world, Random(f"{world.seed} settings"))
    _begin(world, Random(f"{world.seed} begin"))
    left = list(events)
    while left:
        event = left.pop(0)
        _pass_time(world, Random(f"{world.seed} {event.number} time"))
        if event.kind == WEEKS:
            _weeks(world, Random(f"{world.seed} {event.number}"))
            continue
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


def _weeks(world: World, random: Random) -> None:
    """Nobody does anything for more than a month: prices have 30 days of history then."""
    for _ in range(4):
        world.clock.advance(86400 * random.uniform(7.6, 9))
        world.tell("calendar", "weeks pass")
        for flow in FLOW_NAMES:
            world.run(random, flow)


def _act(world: World, event: Event) -> None:
    """Do it; who finds nothing to do it to does something else of the sort."""
    random = Random(f"{world.seed} {event.number}")
    action = ACTIONS[event.kind]
    for _ in range(_TRIES):
        if (done := action.do(world, random)) is not None:
            break
        action = ACTIONS[_drawn(random, action.counted, 1)[0]]
    else:
        return
    world.count(action.counted)
    world.count(f"did {action.name}")
    if isinstance(done, Deed):
        world.tell(action.who, done.what, kind=action.name, **done.facts)
    else:
        world.tell(action.who, done, kind=action.name)


def _run(world: World, event: Event, within: list[Event]) -> None:
    random = Random(f"{world.seed} {event.number}")
    flows = random.sample(FLOW_NAMES, event.flows)
    occasion = random.choice(("sensor",) * 7 + ("schedule", "reconcile", "retry"))
    if flows == ["sales"] and random.random() < 0.2:
        occasion = "backfill"
    if random.random() < 0.3 and (stopped := world.stopped):
        flows, occasion = stopped, "let pass"

    def at_step(_process: Process, _what: str, number: int) -> None:
        for due in [each for each in within if each.step is not None and each.step <= number]:
            within.remove(due)
            _act(world, due)

    world.run(random, *flows, occasion=occasion, at_step=at_step)


def _quiet(world: World) -> None:
    """No more misfortune. Sensors run until nothing is left to do, and what rails stopped is let pass; then a night
    passes, with its full comparison."""
    misfortunes.end(world)
    random = Random(f"{world.seed} quiet")
    _settle(world, random)
    if stopped := world.stopped:
        world.run(random, *stopped, occasion="let pass")
    world.clock.advance(12 * 3600)
    for flow in FLOW_NAMES:
        world.run(random, flow, occasion="reconcile")
    alarms.reconcile(world)
    _settle(world, random)
    alarms.tell(world)


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
