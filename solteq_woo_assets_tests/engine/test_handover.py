"""Values handed on: each write finds its value free; protects from swaps that are refused for ever."""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solteq_woo_assets.engine.handover import Claim, Step, intermediate, plan, set_free, values

FIELDS = ("sku", "gtin")


@dataclass
class OtherSide:
    """Keeps each value for one record, and refuses a write as a whole."""

    held: dict[int, dict[str, str]]
    owners: dict[tuple[str, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.owners = {each: record for record, held in self.held.items() for each in held.items()}

    def write(self, record: int, wanted: dict[str, str]) -> bool:
        if any(self.owners.get(each, record) != record for each in wanted.items()):
            return False
        held = self.held.setdefault(record, {})
        for name, value in wanted.items():
            if name in held:
                del self.owners[name, held[name]]
            held[name] = value
            self.owners[name, value] = record
        return True


@dataclass
class Case:
    """What the records hold and want, and where they go."""

    held: dict[int, dict[str, str]]
    wanted: list[dict[str, str]]
    claims: list[Claim]

    def ends(self, record: int) -> dict[str, str]:
        return {**self.held.get(record, {}), **self.wanted[record]}


def requests(claims: Sequence[Claim], steps: Sequence[Step], most: int, order: random.Random) -> Iterator[list[Step]]:
    """The steps as they leave: round by round, what is bound together, the rest in any order."""
    rounds: defaultdict[int, defaultdict[tuple[object, int], list[Step]]] = defaultdict(lambda: defaultdict(list))
    for step in steps:
        alone = 0 if step.is_bound else step.claim + 1
        rounds[step.round][claims[step.claim].place, alone].append(step)
    for number in sorted(rounds):
        lots = list(rounds[number].values())
        order.shuffle(lots)
        for lot in lots:
            items = sum(1 + len(step.releases) for step in lot)
            assert items <= most or len(lot) == 1, "it does not fit into a request"
            yield lot


def run(case: Case, steps: Sequence[Step], most: int, order: random.Random) -> tuple[OtherSide, set[int], set[int]]:
    """Send all of it, and give those that were refused their values back; who was refused, and who was released."""
    other_side = OtherSide({record: dict(held) for record, held in case.held.items()})
    refused: set[int] = set()
    released: defaultdict[int, set[str]] = defaultdict(set)

    def release(step: Step) -> None:
        for record, names in step.releases.items():
            assert other_side.write(record, {name: f"moving {name} {record}" for name in names})
            released[record].update(names)

    def write(step: Step) -> None:
        if not other_side.write(step.claim, case.wanted[step.claim]):
            refused.add(step.claim)

    def is_here(step: Step, place: object) -> bool:
        return all(case.claims[record].place == place for record in step.releases)

    def stays_moving(record: int, name: str) -> bool:
        owner = other_side.owners.get((name, case.held[record][name]))
        return owner is not None and case.wanted[owner].get(name) == case.held[record][name]

    for lot in requests(case.claims, steps, most, order):
        place = case.claims[lot[0].claim].place
        for step in lot:
            if case.claims[step.claim].is_new or not is_here(step, place):
                release(step)
        for step in sorted(lot, key=lambda step: not case.claims[step.claim].is_new):
            if not case.claims[step.claim].is_new and is_here(step, place):
                release(step)
            write(step)
    for record in refused.intersection(released):
        for name in released[record]:
            new = {name: case.wanted[record].get(name, case.held[record][name])}
            is_back = other_side.write(record, new) or other_side.write(record, {name: case.held[record][name]})
            # Its own new value is an outsider's, and its old one has gone to whom it belongs to by now.
            assert is_back or (case.wanted[record].get(name, "").startswith("theirs") and stays_moving(record, name))
    return other_side, refused, set(released)


@st.composite
def cases(draw: st.DrawFn, *, with_outsiders: bool) -> Case:
    """Products and variations whose values go round: permuted, handed on, given to new records."""
    size = draw(st.integers(1, 12))
    parents = draw(st.lists(st.none() | st.integers(0, size - 1), min_size=size, max_size=size))
    parents = [None if p is None or p == n or parents[p] is not None else p for n, p in enumerate(parents)]
    new = [(parents[n] is not None and draw(st.booleans())) or draw(st.integers(0, 4)) == 0 for n in range(size)]
    held: dict[int, dict[str, str]] = {n: {} for n in range(size) if not new[n]}
    wanted: list[dict[str, str]] = [{} for _ in range(size)]
    for name in FIELDS:
        for record, holding in held.items():
            holding[name] = f"{name}{record}"
        pool = [*(f"{name}{record}" for record in held), *(f"new {name}{n}" for n in range(size))]
        for record, value in enumerate(draw(st.permutations(pool))[:size]):
            if draw(st.booleans()) or new[record]:
                wanted[record][name] = value
        moved = {n: w[name] for n, w in enumerate(wanted) if name in w}
        staying = {held[n][name]: n for n in held if n not in moved}
        for record in list(moved):  # what somebody keeps is nobody's to want
            if wanted[record][name] in staying and staying[wanted[record][name]] != record:
                wanted[record][name] = f"new {name} for {record}"
    if with_outsiders:
        for record in draw(st.sets(st.integers(0, size - 1), max_size=2)):
            wanted[record]["gtin"] = f"theirs {record}"
    claims = [
        Claim(
            place=(None if parents[n] is None else parents[n]),
            gives={k: v for k, v in held.get(n, {}).items() if wanted[n].get(k, v) != v},
            wants={k: v for k, v in wanted[n].items() if held.get(n, {}).get(k) != v},
            is_new=new[n],
            not_before=0 if parents[n] is None else 1,
            after=parents[n],
        )
        for n in range(size)
    ]
    return Case(held, wanted, claims)


@given(cases(with_outsiders=False), st.sampled_from([1, 2, 3, 100]), st.randoms(use_true_random=False))
def test_whatever_is_handed_on_passes_and_nobody_keeps_an_intermediate_value(
    case: Case, most: int, order: random.Random
) -> None:
    steps = plan(case.claims, most)
    assert sorted(step.claim for step in steps) == list(range(len(case.claims)))
    other_side, refused, _ = run(case, steps, most, order)
    assert refused == set()
    assert other_side.held == {n: case.ends(n) for n in range(len(case.claims)) if n in case.held or case.wanted[n]}


@given(cases(with_outsiders=True), st.sampled_from([2, 100]), st.randoms(use_true_random=False))
def test_what_an_outsider_holds_costs_those_who_wait_for_it_and_nobody_else(
    case: Case, most: int, order: random.Random
) -> None:
    theirs = {w["gtin"]: n for n, w in enumerate(case.wanted) if w.get("gtin", "").startswith("theirs")}
    case.held |= {1000 + n: {"gtin": value} for value, n in theirs.items()}
    other_side, refused, _ = run(case, plan(case.claims, most), most, order)
    givers = {each: n for n, claim in enumerate(case.claims) for each in claim.gives.items()}
    suffering = set(theirs.values())
    while (
        more := {
            n for n, claim in enumerate(case.claims) if {givers.get(each) for each in claim.wants.items()} & suffering
        }
        - suffering
    ):
        suffering |= more
    assert set(theirs.values()) <= refused <= suffering
    for record in range(len(case.claims)):
        if record not in refused:
            assert other_side.held.get(record, {}) == case.ends(record)
    moving = {
        n for n, holding in other_side.held.items() if any(value.startswith("moving") for value in holding.values())
    }
    assert moving <= set(theirs.values())


@pytest.mark.parametrize("size", [2, 3, 7, 250])
@pytest.mark.parametrize("most", [1, 100])
def test_a_circle_of_any_length_needs_one_intermediate_value(size: int, most: int) -> None:
    """WordPress mails people about each change of their address."""
    claims = [Claim("accounts", {"email": str(n)}, {"email": str((n + 1) % size)}) for n in range(size)]
    steps = plan(claims, most)
    assert sum(len(step.releases) for step in steps) == 1
    assert len({step.round for step in steps}) <= -(-(size + 1) // most) + 1


def test_a_chain_of_thousands_goes_in_order_without_any_intermediate_value() -> None:
    claims = [Claim("products", {"sku": str(n)}, {"sku": str(n + 1)}) for n in range(20_000)]
    steps = plan(claims, 100)
    assert [step.claim for step in steps] == list(range(19_999, -1, -1))
    assert not any(step.releases for step in steps)
    assert [step.round for step in steps[::100]] == list(range(200))


def test_what_hands_nothing_on_stays_in_the_order_and_the_round_that_it_has() -> None:
    claims = [Claim("products"), Claim("products", wants={"sku": "a"}), Claim("a", not_before=1, after=0)]
    steps = plan(claims, 100)
    assert [(step.claim, step.round, step.is_bound) for step in steps] == [(0, 0, False), (1, 0, False), (2, 1, False)]


def test_a_new_record_takes_what_another_gives_up_one_request_later() -> None:
    """In a request the store makes what is new first."""
    claims = [Claim("products", wants={"sku": "a"}, is_new=True), Claim("products", {"sku": "a"}, {"sku": "b"})]
    assert [(step.claim, step.round) for step in plan(claims, 100)] == [(1, 0), (0, 1)]


def change(field_name: str, old: str | None, new: str | None) -> dict[str, str | None]:
    return {"field": field_name, "old": old, "new": new}


def test_values_are_compared_as_the_store_compares_them() -> None:
    changes = [
        change("sku", " A1", "B1 "),
        change("email", "Aino@Example.com", "aino@example.com"),
        change("global_unique_id", "0640", "640"),
        change("name", "x", "y"),
    ]
    assert values(changes) == ({"sku": "a1", "global_unique_id": "0640"}, {"sku": "b1", "global_unique_id": "640"})
    assert values([change("sku", "A1", ""), change("email", None, "b")]) == ({"sku": "a1"}, {"email": "b"})


def test_a_refused_write_is_worth_another_try_when_its_value_is_given_up() -> None:
    rows = [
        [change("email", "a", "b")],
        [change("email", "b", "c")],
        [change("email", "c", "a")],
        [change("email", "x", "y")],
    ]
    assert set_free(rows, [0, 1, 3]) == {0, 1}
    assert set_free(rows, [0, 1, 2, 3]) == set()
    assert set_free(rows, []) == set()


def test_an_intermediate_value_is_one_that_nothing_is_delivered_to() -> None:
    assert intermediate("email", 7) == "moving-7@solteq-woo.invalid"
    assert intermediate("sku", 7) == "moving-7"
    assert intermediate("global_unique_id", 7) == ""
