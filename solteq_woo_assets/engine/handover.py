"""The order of writes that hand unique values on to each other, so that each finds its value free.

The other side keeps a value for one record at a time, and does writes one after the other. If A wants the value of B, B
goes first. In a circle one record gives its value up before its own write, and gets an intermediate value (contract,
73). If a record without a write holds the value, the other side refuses it; this module does nothing about that.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

UNIQUE: Mapping[str, Callable[[str], str]] = {
    "sku": lambda sku: sku.strip().lower(),
    "global_unique_id": str.strip,
    "email": lambda email: email.strip().lower(),
}
"""The fields whose values are unique, and how a value is compared."""

_MOVING = "moving-"
_NOWHERE = "@solteq-woo.invalid"
"""Nothing is ever delivered to .invalid (RFC 2606)."""


def intermediate(field_name: str, woo_id: int) -> str:
    """The value of a record between its old one and its new one.

    A variation without a SKU shows its parent's, and an account must have an address, so these are never empty.
    """
    match field_name:
        case "sku":
            return f"{_MOVING}{woo_id}"
        case "email":
            return f"{_MOVING}{woo_id}{_NOWHERE}"
    return ""


@dataclass(frozen=True)
class Claim:
    """A write, with the unique values that its record gives up and those that it wants, by field, as compared.

    :param place: what goes in one request: writes of other places never do
    :param is_new: a create: in a request it is done before all updates
    :param not_before: the first round that it may go in
    :param after: the position of the write that must have arrived before
    """

    place: Hashable
    gives: Mapping[str, str] = field(default_factory=dict)
    wants: Mapping[str, str] = field(default_factory=dict)
    is_new: bool = False
    not_before: int = 0
    after: int | None = None


@dataclass(frozen=True)
class Step:
    """A write in its turn.

    :param claim: its position
    :param round: it goes when all writes of the rounds before have been answered
    :param releases: what others give up right before it: their positions, with the fields
    :param holders: the positions of those whose values it wants
    :param is_bound: whether it hands something on, or takes it: those of one round and place go together, in order
    """

    claim: int
    round: int
    releases: Mapping[int, Sequence[str]]
    holders: Sequence[int]
    is_bound: bool


def values(changes: Iterable[Mapping[str, object]]) -> tuple[dict[str, str], dict[str, str]]:
    """The unique values that a row of a delta gives up, and those that it wants."""
    gives: dict[str, str] = {}
    wants: dict[str, str] = {}
    for change in changes:
        name = str(change["field"])
        if compared := UNIQUE.get(name):
            old, new = (compared(str(change[side] or "")) for side in ("old", "new"))
            if old != new:
                gives |= {name: old} if old else {}
                wants |= {name: new} if new else {}
    return gives, wants


def set_free(rows: Sequence[Iterable[Mapping[str, object]]], resting: Iterable[int]) -> set[int]:
    """Refused writes that are worth another try, since a due write gives up the value that they want.

    :param rows: the changes of each row
    :param resting: positions of the rows that were refused and have not changed since
    """
    resting = set(resting)
    claims = [values(changes) for changes in rows]
    wanting: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for position in resting:
        for each in claims[position][1].items():
            wanting[each].append(position)
    free: set[int] = set()
    due = [position for position in range(len(rows)) if position not in resting]
    while due:
        for each in claims[due.pop()][0].items():
            found = [position for position in wanting[each] if position not in free]
            free.update(found)
            due += found
    return free


def plan(claims: Sequence[Claim], most: int) -> list[Step]:
    """Every write once, in the order in which they go.

    :param most: the items that a request takes, of those that are bound to go together
    """
    planner = _Planner(claims, most)
    for position in range(len(claims)):
        planner.visit(position)
    return planner.steps


class _Planner:
    """Places each write after those that it waits for."""

    def __init__(self, claims: Sequence[Claim], most: int) -> None:
        self._claims = claims
        self._most = most
        self._holders = {each: n for n, claim in enumerate(claims) for each in claim.gives.items()}
        wanted = {each for claim in claims for each in claim.wants.items()}
        self._is_bound = [
            bool(self._waits_for(n)) or not wanted.isdisjoint(claim.gives.items()) for n, claim in enumerate(claims)
        ]
        self._rounds: dict[int, int] = {}
        self._under_way: set[int] = set()
        self._sizes: Counter[tuple[int, Hashable]] = Counter()
        self.steps: list[Step] = []

    def _waits_for(self, position: int) -> list[tuple[int, str]]:
        """The claims that hold the values that it wants, with the fields."""
        wants = self._claims[position].wants.items()
        found = [(self._holders.get(each), each[0]) for each in wants]
        return [(holder, name) for holder, name in found if holder is not None and holder != position]

    def visit(self, first: int) -> None:
        """Place a write after all that it waits for. Without recursion: a chain may have thousands."""
        if first in self._rounds:
            return
        self._under_way.add(first)
        stack = [(first, self._first(first))]
        while stack:
            position, others = stack[-1]
            if (other := next((each for each in others if self._can_go_first(each)), None)) is not None:
                self._under_way.add(other)
                stack.append((other, self._first(other)))
            else:
                stack.pop()
                self._under_way.remove(position)
                self._place(position)

    def _first(self, position: int) -> Iterator[int]:
        after = self._claims[position].after
        yield from [] if after is None else [after]
        yield from (holder for holder, _ in self._waits_for(position))

    def _can_go_first(self, position: int) -> bool:
        after = self._claims[position].after
        return position not in self._rounds and not self._under_way.intersection({position, after})

    def _place(self, position: int) -> None:
        claim = self._claims[position]
        holders = self._waits_for(position)
        releases: defaultdict[int, list[str]] = defaultdict(list)
        number = claim.not_before if claim.after is None else max(claim.not_before, self._rounds[claim.after] + 1)
        for holder, name in holders:
            if holder not in self._rounds:
                releases[holder].append(name)
                continue
            together = self._claims[holder].place == claim.place and not claim.is_new
            number = max(number, self._rounds[holder] + (0 if together else 1))
        if self._is_bound[position]:
            size = 1 + len(releases)
            while self._sizes[number, claim.place] + size > max(self._most, size):
                number += 1
            self._sizes[number, claim.place] += size
        self._rounds[position] = number
        distinct = list(dict.fromkeys(holder for holder, _ in holders))
        self.steps.append(Step(position, number, dict(releases), distinct, self._is_bound[position]))
