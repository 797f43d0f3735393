"""Days and hours of a campaign as windows, beside a look at the clock every quarter of an hour."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solteq_woo_assets.flows.campaigns.windows import WEEKDAYS, clipped, first_and_last_day, weekly_windows
from solteq_woo_assets_tests.flows.campaigns.test_calendar import is_allowed

HELSINKI = ZoneInfo("Europe/Helsinki")
QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
CHANGES = {  # a Monday before a clock change: by an hour, by half an hour, at midnight
    "Europe/Helsinki": [date(2026, 3, 23), date(2026, 10, 19), date(2026, 6, 1)],
    "Australia/Lord_Howe": [date(2026, 3, 30), date(2026, 9, 28)],
    "America/Sao_Paulo": [date(2018, 10, 29), date(2019, 2, 11)],
}
quarters = st.integers(0, 95).map(lambda number: time(number // 4, number % 4 * 15))


@given(
    days=st.sets(st.sampled_from(WEEKDAYS)),
    hours=st.tuples(quarters, quarters).filter(lambda pair: pair[0] != pair[1] or pair == (time(), time())),
    place=st.sampled_from([(zone, monday) for zone, mondays in CHANGES.items() for monday in mondays]),
)
def test_a_window_runs_when_the_clock_on_the_wall_says_so(
    days: set[str], hours: tuple[time, time], place: tuple[str, date]
) -> None:
    name, monday = place
    zone = ZoneInfo(name)
    # West of Greenwich it is still Sunday, and a window that began on Saturday may run.
    windows = weekly_windows(sorted(days), *hours, zone, since=monday - 2 * DAY, until=monday + 9 * DAY)
    assert all(begins < ends for begins, ends in windows)
    assert all(earlier[1] < later[0] for earlier, later in pairwise(windows))
    instant = datetime.combine(monday, time())
    while instant < datetime.combine(monday + 8 * DAY, time()):
        local = instant.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
        runs = any(begins <= instant < ends for begins, ends in windows)
        assert runs == is_allowed(sorted(days), hours, local), instant
        instant += QUARTER


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}")


@pytest.mark.parametrize(
    ("hours", "monday", "windows", "why"),
    [
        ((time(11), time(13)), "11-23", [("11-29T09:00", "11-29T11:00")], "winter"),
        (
            (time(22), time(2)),
            "11-23",
            [("11-29T20:00", "11-30T00:00")],
            "over midnight, of the day on which it begins",
        ),
        ((time(), time()), "11-23", [("11-28T22:00", "11-29T22:00")], "the whole day"),
        ((time(2, 30), time(3, 30)), "03-23", [("03-29T00:30", "03-29T01:00")], "half of it is skipped"),
        ((time(3), time(4)), "03-23", [], "all of it is skipped"),
        ((time(2), time(5)), "10-19", [("10-24T23:00", "10-25T03:00")], "an hour longer"),
        ((time(3), time(3, 30)), "10-19", [("10-25T00:00", "10-25T00:30"), ("10-25T01:00", "10-25T01:30")], "twice"),
    ],
)
def test_a_sunday_at_home(hours: tuple[time, time], monday: str, windows: list[tuple[str, str]], why: str) -> None:
    since = date.fromisoformat(f"2026-{monday}")
    found = weekly_windows(["Sun"], *hours, HELSINKI, since=since, until=since + 7 * DAY)
    assert found == [(utc(begins), utc(ends)) for begins, ends in windows], why


def test_windows_are_cut_by_the_time_of_the_campaign() -> None:
    windows = [(utc("11-23T09:00"), utc("11-23T11:00")), (utc("11-24T09:00"), utc("11-24T11:00"))]
    assert clipped(windows, utc("11-23T10:00"), utc("11-24T09:00")) == [(utc("11-23T10:00"), utc("11-23T11:00"))]


@pytest.mark.parametrize("valid_from", [None, "2026-11-25", "2027-03-03"])
@pytest.mark.parametrize("valid_to", [None, "2026-11-25", "2026-12-24"])
def test_some_weeks_are_made_from_a_monday_that_does_not_move_with_each_look(
    valid_from: str | None, valid_to: str | None
) -> None:
    begins, ends = (datetime.fromisoformat(edge) if edge else None for edge in (valid_from, valid_to))
    monday = datetime(2026, 11, 30)  # noqa: DTZ001
    week = [first_and_last_day(begins, ends, monday + number * DAY, 14 * DAY) for number in range(7)]
    assert len(set(week)) == 1
    first, last = week[0]
    assert (first.weekday(), last.weekday()) == (6, 0)
    assert last >= max(begins or monday, min(monday, ends or monday)).date() + 14 * DAY
