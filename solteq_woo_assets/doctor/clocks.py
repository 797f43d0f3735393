"""Whether the clocks agree, and the time zones."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from solteq_woo_assets.doctor.findings import Finding, green, red, yellow

NOTICED = timedelta(seconds=30)
"""More than answers take, and less than the minute of overlap with which the store is read."""
TOO_MUCH = timedelta(minutes=5)
"""The overlap with which Solteq is read. WooCommerce refuses signatures that are 15 minutes off."""


def clock(check: str, whose: str, theirs: datetime | None, ours: datetime) -> Finding:
    """How far the other side's clock is from ours; both naive UTC."""
    if theirs is None:
        return yellow(check, f"{whose} does not say what time it is (no Date header)")
    ahead = theirs - ours
    if abs(ahead) <= NOTICED:
        return green(check, "agrees with this machine's")
    words = f"is {_length(abs(ahead))} {'ahead of' if ahead > timedelta(0) else 'behind'} this machine's"
    mend = "Let both machines get their time from the network (timedatectl set-ntp true)."
    return red(check, words, mend) if abs(ahead) > TOO_MUCH else yellow(check, words, mend)


def _length(time: timedelta) -> str:
    seconds = round(time.total_seconds())
    return f"{seconds} s" if seconds < 600 else f"{seconds // 60} min"  # noqa: PLR2004


def time_zone(check: str, index: Mapping[str, Any], zone: str, now: datetime) -> Finding:
    """Whether the store keeps the same time as we take the shop to.

    :param index: the store's; ``timezone_string`` is empty where somebody chose an offset, such as UTC+2
    :param now: naive UTC
    """
    said, ours = str(index.get("timezone_string") or ""), ZoneInfo(zone)
    mend = f"Choose {zone} in WordPress > Settings > General > Timezone, or mend SOLTEQ_WOO_TIMEZONE."
    summer = [datetime(now.year, month, 1, tzinfo=UTC) for month in (1, 7)]
    if said:
        try:
            same = all(at.astimezone(ZoneInfo(said)).utcoffset() == at.astimezone(ours).utcoffset() for at in summer)
        except (KeyError, ValueError, OSError):
            same = False
        if same:
            return green(check, f"is {said}")
        return yellow(check, f"is {said}, SOLTEQ_WOO_TIMEZONE is {zone}: times and days differ", mend)
    try:
        offset = timedelta(hours=float(index.get("gmt_offset") or 0))
    except (TypeError, ValueError, OverflowError):
        return yellow(check, "the store does not say its time zone", mend)
    words = f"is the offset UTC{offset.total_seconds() / 3600:+g}"
    if offset != now.replace(tzinfo=UTC).astimezone(ours).utcoffset():
        return yellow(check, f"{words}, SOLTEQ_WOO_TIMEZONE is {zone}: times and days differ", mend)
    if len({at.astimezone(ours).utcoffset() for at in summer}) > 1:
        return yellow(check, f"{words}: right today, an hour off when the clocks change", mend)
    return green(check, words)
