"""What goes wrong: the wire, the other side, the machine, the clocks, the disk."""

from random import Random

from solteq_woo_assets_tests.simulation.actions import Action
from solteq_woo_assets_tests.simulation.network import Mishap
from solteq_woo_assets_tests.simulation.world import World

_SIDES = ("solteq", "woo")
_HTML = (("Content-Type", "text/html"),)
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


def go_down(world: World, random: Random) -> str:
    side = random.choice(_SIDES)
    world.network.down.symmetric_difference_update({side})
    return f"{side} is {'down' if side in world.network.down else 'up again'}"


def kill(world: World, _random: Random) -> str | None:
    if world.running is None:
        return None
    process = world.running
    world.tell("machine", f"kills {process.name}")
    world.count("kills")
    world.dying = process
    return None


def fill_disk(world: World, _random: Random) -> str:
    world.disk_is_full = not world.disk_is_full
    return "the disk is full" if world.disk_is_full else "the disk has room again"


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
    world.disk_is_full = False
    world.solteq.control("PUT", "behaviour", {"late_balances": False})
    world.tell("world", "quiet")


ACTIONS = (
    Action("lose answer", "wire", lose_answer, 2.0, 0.6, "faults"),
    Action("answer badly", "wire", answer_badly, 2.0, 0.6, "faults"),
    Action("answer slowly", "wire", answer_slowly, 0.7, 0.6, "faults"),
    Action("go down", "wire", go_down, 0.7, 0.3, "faults"),
    Action("kill", "machine", kill, 2.0, 1.0, "kills"),
    Action("fill disk", "machine", fill_disk, 0.4, 0.3, "faults"),
    Action("back up", "machine", back_up, 0.7, 0.0),
    Action("restore", "machine", restore, 0.6, 0.0, "restores"),
    Action("lose database", "machine", lose_database, 0.2, 0.0, "restores"),
    Action("skew clock", "machine", skew_clock, 0.7, 0.3, "faults"),
    Action("late balances", "solteq", show_balances_late, 0.5, 0.2, "faults"),
)
