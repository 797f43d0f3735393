"""Days and hours of a campaign as windows: when the clock on the shop's wall shows a time that they allow.

A window belongs to the day on which it begins; one that ends before it begins goes on over midnight. Instants are UTC
without a zone, windows begin at their first instant and end before their last.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
AHEAD = timedelta(days=14)
"""So far ahead windows are made at least. Every week has the same, so that a sale to come is among them."""

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_SECOND = timedelta(seconds=1)

Window = tuple[datetime, datetime]


def instant_of(local: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which the shop's clock shows this time or a later one, in UTC without a zone.

    So a time that a clock change repeats is the first of the two, and one that it skips is the change itself; and of
    two local times the later is never the earlier instant.
    """
    first = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == local:
        return first.replace(tzinfo=None)
    before, after = local.replace(tzinfo=zone, fold=1).astimezone(UTC), first  # around the change
    while after - before > _SECOND:
        middle = before + (after - before) // 2
        if middle.astimezone(zone).replace(tzinfo=None) >= local:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0, tzinfo=None)


def weekly_windows(
    days: Sequence[str], start: time, end: time, zone: ZoneInfo, *, since: date, until: date
) -> list[Window]:
    """The windows of these days and hours that begin on local days from ``since`` to before ``until``.

    :param days: of ``WEEKDAYS``; empty is every day
    :param end: exclusive; midnight is the end of the day
    """
    spans = _offsets(since, until + 2 * _DAY, zone)
    windows: list[Window] = []
    for opens, closes in _local_windows(days, start, end, since, until):
        for begins, ends, offset in spans:
            window = max(opens - offset, begins), min(closes - offset, ends)
            if window[0] < window[1]:
                windows.append(window)
    return _joined(windows)


def first_and_last_day(
    valid_from: datetime | None, valid_to: datetime | None, local_now: datetime, ahead: timedelta
) -> tuple[date, date]:
    """The days whose windows are to be made, of a campaign that is valid for this time.

    They begin on a Monday: a sale that goes on for longer ends with them, and its end must not move with each look.
    Some weeks of the past are in them, which tells a campaign that is never valid from one that is over.
    """
    now = min(local_now, valid_to or local_now)
    first = max(valid_from or datetime.min, now - 3 * _WEEK)  # noqa: DTZ901  local
    last = max(valid_from or datetime.min, now) + ahead + _WEEK  # noqa: DTZ901
    return _monday(first) - _DAY, _monday(last)


def clipped(windows: Sequence[Window], starts: datetime, ends: datetime) -> list[Window]:
    """The parts of windows that are within this time."""
    parts = ((max(window[0], starts), min(window[1], ends)) for window in windows)
    return [part for part in parts if part[0] < part[1]]


def _monday(local: datetime) -> date:
    return local.date() - timedelta(days=local.weekday())


def _local_windows(days: Sequence[str], start: time, end: time, since: date, until: date) -> Iterator[Window]:
    """On the shop's clock. At a clock change it may show them twice, or never."""
    for number in range((until - since).days):
        day = since + timedelta(days=number)
        if not days or WEEKDAYS[day.weekday()] in days:
            last = day if start < end else day + _DAY
            yield datetime.combine(day, start), datetime.combine(last, end)


def _offsets(since: date, until: date, zone: ZoneInfo) -> list[tuple[datetime, datetime, timedelta]]:
    """From when to when the shop's clock is ahead of UTC by how much, from a day before to a day after these."""
    now, last = (datetime.combine(day, time()) for day in (since - _DAY, until + _DAY))
    spans = []
    begins, offset = now, _offset(now, zone)
    while now < last:
        now += _DAY
        if (following := _offset(now, zone)) != offset:
            change = _change(now - _DAY, now, zone)
            spans.append((begins, change, offset))
            begins, offset = change, following
    return [*spans, (begins, last, offset)]


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first instant with the offset of ``after``."""
    offset = _offset(after, zone)
    while after - before > _SECOND:
        middle = (before + (after - before) // 2).replace(microsecond=0)
        if _offset(middle, zone) == offset:
            after = middle
        else:
            before = middle
    return after


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    return instant.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) - instant


def _joined(windows: Sequence[Window]) -> list[Window]:
    """One window where one ends as the next begins."""
    joined: list[Window] = []
    for window in sorted(windows):
        if joined and window[0] <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], window[1])
        else:
            joined.append(window)
    return joined
