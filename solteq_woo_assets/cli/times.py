"""Times as people write and read them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import click

from solteq_woo_assets.engine.database import utc_now
from solteq_woo_assets.flows.campaigns.pricing import instant_of
from solteq_woo_assets.settings import Settings

FIRST_YEAR, LAST_YEAR = 1971, 2999  # beyond, zones and the database disagree or overflow


def instant(text: str | None, settings: Settings) -> datetime:
    """Local time, unless it says its zone, in UTC without a zone."""
    if text is None:
        return utc_now()
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter("write the time as 2026-11-27T00:00", param_hint="--at") from None
    if not FIRST_YEAR <= time.year <= LAST_YEAR:
        raise click.BadParameter(f"choose a year from {FIRST_YEAR} to {LAST_YEAR}", param_hint="--at")
    if time.tzinfo is not None:
        return time.astimezone(UTC).replace(tzinfo=None)
    return instant_of(time, ZoneInfo(settings.timezone))


def local(instant: datetime, settings: Settings) -> str:
    local = instant.replace(tzinfo=UTC).astimezone(ZoneInfo(settings.timezone))
    return f"{local:%-d.%-m.%Y %H:%M} {settings.timezone}"
