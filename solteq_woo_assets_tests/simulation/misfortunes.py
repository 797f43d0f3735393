"""What goes wrong: the wire, the other side, the machine, the clocks, the disk."""

import math
from datetime import UTC, datetime
from random import Random

from solteq_woo_assets_tests.simulation.actions import Action
from solteq_woo_assets_tests.simulation.back_office import documents
from solteq_woo_assets_tests.simulation.network import Mishap
from solteq_woo_assets_tests.simulation.store_front import LAST_NAMES
from solteq_woo_assets_tests.simulation.world import World

_SIDES = ("solteq", "woo")
_HTML = (("Content-Type", "text/html"),)
_BLOCKED = "<html><body>Request blocked</body></html>"
_ANSWERS = (
    (401, "unauthorized"),
    (403, "forbidden"),
    (409, "conflict"),
    (412, "precondition"),
    (413, "too large"),
    (429, "too many"),
    (500, "internal"),
    (502, "bad gateway"),
    (503, "away"),
)


def lose_answer(world: World, random: Random) -> str:
    side, when = random.choice(_SIDES), random.choice(("before", "after"))
    method = random.choice(("", "POST", "PUT", "GET"))
    world.network.mishaps.append(Mishap(side, method, lost=when, times=random.choice((1, 1, 1, 6))))
    return f"an answer of {side} to {method or 'anything'} will be lost {when} the work"


def answer_badly(world: World, random: Random) -> str:
    side, (status, word) = random.choice(_SIDES), random.choice(_ANSWERS)
    method, times = random.choice(("", "POST", "PUT", "GET")), random.choice((1, 1, 2, 6))
    mishap = Mishap(side, method, status=status, times=times)
    if random.random() < 0.3:
        mishap.headers, mishap.body = _HTML, f"<html><body>{word}</body></html>"
    if status == 429:
        mishap.headers += (("Retry-After", str(random.randint(1, 90))),)
    world.network.mishaps.append(mishap)
    return f"{side} will answer {status} to {method or 'anything'}, {times} times"


def answer_slowly(world: World, random: Random) -> str:
    side, seconds = random.choice(_SIDES), random.choice((5.0, 40.0, 90.0))
    world.network.mishaps.append(
        Mishap(side, random.choice(("", "POST")), seconds=seconds, times=random.choice((1, 5)))
    )
    return f"{side} will take {seconds:g} s"


def refuse_a_text(world: World, random: Random) -> str:
    """A firewall before one side lets a word pass in no write, for some hours."""
    side, text = random.choice(_SIDES), _a_text(world, random)
    world.network.mishaps.append(
        Mishap(
            side, content=text, status=403, headers=_HTML, body=_BLOCKED, times=math.inf, until=_later(world, random)
        )
    )
    return f"a firewall of {side} lets {text} pass no more"


def _a_text(world: World, random: Random) -> str:
    """What is found in writes: a product's name or code, a street, a person's name."""
    names = [str(each["name"]) for each in documents(world, "products")]
    return random.choice((*names, f"A{random.randint(0, 8)}", random.choice(LAST_NAMES), "Mallitie", "Paketointi"))


def refuse_big_bodies(world: World, random: Random) -> str:
    side, size = random.choice(_SIDES), random.choice((300, 900, 2000))
    world.network.mishaps.append(
        Mishap(side, longer_than=size, status=413, headers=_HTML, times=math.inf, until=_later(world, random))
    )
    return f"{side} takes no more than {size} bytes at once"


def limit_batches(world: World, random: Random) -> str:
    """The store's host takes fewer items at once, or as many as any."""
    limit = random.choice((1, 2, 3, 100))
    world.woo.control("PUT", "settings", {"batch_limit": limit})
    return f"the store takes {limit} items at once"


def be_slow(world: World, random: Random) -> str:
    """Every answer of a side takes long, for some hours; some take longer than anybody waits."""
    side, seconds = random.choice(_SIDES), random.choice((20.0, 40.0, 90.0))
    method = random.choice(("POST", "PUT")) if seconds > 60 else ""
    world.network.mishaps.append(Mishap(side, method, seconds=seconds, times=math.inf, until=_later(world, random)))
    return f"{side} takes {seconds:g} s for each {method or 'answer'}"


def _later(world: World, random: Random) -> float:
    """A time some hours from now."""
    return world.clock.seconds + 3600 * random.choice((0.2, 1, 3, 8))


def go_down(world: World, random: Random) -> str:
    side = random.choice(_SIDES)
    world.network.down[side] = _later(world, random)
    return f"{side} is down {_until(world.network.down[side])}"


def kill(world: World, random: Random) -> str:
    """Whose turn it is after so many requests and transactions, of this run or a later one."""
    world.dies_in = random.randint(1, 60)
    return f"somebody will be killed in {world.dies_in} steps"


def fill_disk(world: World, random: Random) -> str:
    world.disk_is_full_until = _later(world, random)
    return f"the disk is full {_until(world.disk_is_full_until)}"


def _until(seconds: float) -> str:
    return f"until {datetime.fromtimestamp(seconds, UTC):%d %H:%M}"


def back_up(world: World, _random: Random) -> str | None:
    return "the database is backed up" if world.back_up() else None


def restore(world: World, random: Random) -> str | None:
    if world.is_running or (when := world.restore(random)) is None:
        return None
    return f"the database of {when:%d %H:%M} is put back"


def lose_database(world: World, _random: Random) -> str | None:
    if world.is_running:
        return None
    world.lose()
    return "the database is lost"


def skew_clock(world: World, random: Random) -> str:
    side, seconds = random.choice(("ours", *_SIDES)), random.choice((-600, -240, -90, 0, 0, 90, 240, 600))
    world.clock.skew(side, seconds)
    return f"the clock of {side} is {seconds} s ahead"


def show_balances_late(world: World, random: Random) -> str:
    on = random.random() < 0.5
    world.solteq.control("PUT", "behaviour", {"late_balances": on})
    return f"balances come {'late' if on else 'at once'}"


def end(world: World) -> None:
    """Everything is well again; clocks stay as they are."""
    world.network.heal()
    world.disk_is_full_until, world.dies_in = 0.0, 0
    world.solteq.control("PUT", "behaviour", {"late_balances": False})
    world.woo.control("PUT", "settings", {"batch_limit": 100})
    world.tell("world", "quiet")


ACTIONS = (
    Action("lose answer", "wire", lose_answer, 3.0, 0.6, "faults"),
    Action("answer badly", "wire", answer_badly, 3.0, 0.6, "faults"),
    Action("answer slowly", "wire", answer_slowly, 1.0, 0.6, "faults"),
    Action("refuse a text", "wire", refuse_a_text, 1.0, 0.3, "faults"),
    Action("refuse big bodies", "wire", refuse_big_bodies, 0.6, 0.3, "faults"),
    Action("limit batches", "wire", limit_batches, 0.6, 0.3, "faults"),
    Action("be slow", "wire", be_slow, 0.5, 0.3, "faults"),
    Action("go down", "wire", go_down, 1.0, 0.3, "faults"),
    Action("fill disk", "machine", fill_disk, 0.7, 0.3, "faults"),
    Action("skew clock", "machine", skew_clock, 1.0, 0.3, "faults"),
    Action("late balances", "solteq", show_balances_late, 0.8, 0.2, "faults"),
    Action("kill", "machine", kill, 1.0, 0.5, "doomed"),
    Action("back up", "machine", back_up, 1.0, 0.0, "backups"),
    Action("restore", "machine", restore, 3.0, 0.0, "restores"),
    Action("lose database", "machine", lose_database, 1.0, 0.0, "restores"),
)
