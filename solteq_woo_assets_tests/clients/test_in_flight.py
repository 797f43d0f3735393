from hypothesis import given
from hypothesis import strategies as st

from solteq_woo_assets.clients.in_flight import GOOD_RUN, NOISE_SECONDS, InFlightLimit

SECONDS = st.floats(0, 120, allow_nan=False)
ANSWERS = st.lists(st.one_of(st.none(), st.tuples(st.sampled_from("ab"), SECONDS)), max_size=200)


def feed(limit: InFlightLimit, *seconds: float, kind: str = "batch") -> int:
    for each in seconds:
        limit.answered(kind, each)
    return limit.limit


@given(most=st.integers(-3, 20), answers=ANSWERS)
def test_it_stays_between_one_and_the_most(most: int, answers: list[tuple[str, float] | None]) -> None:
    limit = InFlightLimit(most)
    for answer in answers:
        before = limit.limit
        if answer is None:
            limit.troubled()
            assert limit.limit == max(1, before // 2)
        else:
            limit.answered(*answer)
            assert limit.limit <= before + 1
        assert 1 <= limit.limit <= max(1, most)


@given(most=st.integers(1, 16), troubles=st.integers(0, 10))
def test_good_answers_bring_it_back_one_at_a_time(most: int, troubles: int) -> None:
    limit = InFlightLimit(most)
    for _ in range(troubles):
        limit.troubled()
    start = limit.limit
    assert feed(limit, *[1.0] * (GOOD_RUN - 1)) == start
    assert feed(limit, 1.0) == min(most, start + 1)
    assert feed(limit, *[1.0] * (GOOD_RUN * most)) == most


@given(base=st.floats(0.5, 30), factors=st.lists(st.floats(1, 1.99), max_size=300))
def test_times_that_less_than_double_are_no_rise(base: float, factors: list[float]) -> None:
    limit = InFlightLimit(4)
    assert feed(limit, *[base * factor for factor in factors]) == 4


@given(base=st.floats(0.5, 30), factor=st.floats(4, 100))
def test_times_that_stay_far_above_the_best_lower_it(base: float, factor: float) -> None:
    limit = InFlightLimit(4)
    feed(limit, *[base] * 5)
    assert feed(limit, base * factor, base * factor) < 4


@given(st.lists(st.floats(0, NOISE_SECONDS), max_size=200))
def test_the_noise_of_quick_answers_is_no_rise(seconds: list[float]) -> None:
    assert feed(InFlightLimit(4), *seconds) == 4


def test_one_slow_answer_among_many_does_not_halve_it_twice() -> None:
    limit = InFlightLimit(8)
    feed(limit, *[1.0] * 5)
    feed(limit, 10.0)
    assert limit.limit == 4
    assert feed(limit, 1.0, 1.0) == 4


def test_kinds_do_not_mix() -> None:
    limit = InFlightLimit(4)
    for _ in range(50):
        limit.answered("one item", 0.1)
        limit.answered("a hundred items", 4.8)
    assert limit.limit == 4


def test_a_store_that_is_slower_for_good_is_not_held_to_its_best_for_ever() -> None:
    limit = InFlightLimit(2)
    feed(limit, *[1.0] * 5)
    feed(limit, *[3.0] * 10)
    assert limit.limit == 1
    assert feed(limit, *[3.0] * 100) == 2
