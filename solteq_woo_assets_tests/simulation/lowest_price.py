"""What each page showed as its price, and when; the lowest of the 30 days before a reduction (docs/campaigns.md)."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

_FIELDS = ("status", "regular_price", "sale_price", "date_on_sale_from_gmt", "date_on_sale_to_gmt")
_DAYS = timedelta(days=30)
_SKEW = timedelta(minutes=11)
_GAP = timedelta(hours=1)
"""A pause between two steps of a reduction that is none."""


class Shown(NamedTuple):
    """``since``: when. ``regular``: the price without a reduction; none while nobody saw the page."""

    since: datetime
    price: Decimal | None
    regular: Decimal | None

    @property
    def is_reduced(self) -> bool:
        return self.price is not None and self.regular is not None and self.price < self.regular


class PriceHistory:
    """The prices of all pages since the beginning."""

    def __init__(self) -> None:
        self._states: dict[int, list[tuple[datetime, tuple[Any, ...]]]] = defaultdict(list)

    def look(self, pages: Mapping[int, Mapping[str, Any]], now: datetime) -> None:
        """How they are now."""
        for identifier, page in pages.items():
            state = tuple(page[field] for field in _FIELDS)
            states = self._states[identifier]
            if not states or states[-1][1] != state:
                states.append((now, state))

    def lowest(self, page: int, now: datetime) -> set[Decimal] | None:
        """What may be told as the lowest price while the page shows a reduction: by each of its steps, as far as clocks
        differ. ``None`` without a reduction, empty without 30 days of history."""
        shown = list(self._shown(page, now))
        if not shown or not shown[-1].is_reduced:
            return None
        found: set[Decimal] = set()
        for number in _steps(shown, now):
            for shift in (-_SKEW, _SKEW):
                found |= _lowest_before(shown, number, shown[number].since - _DAYS + shift)
        return found

    def _shown(self, page: int, now: datetime) -> Iterator[Shown]:
        """The prices in a row, each with when it began."""
        states = self._states[page]
        for number, (since, (status, regular, sale, begins, ends)) in enumerate(states):
            until = states[number + 1][0] if number + 1 < len(states) else now
            if status != "publish" or not regular:
                yield Shown(since, None, None)
                continue
            edges = {since, *(datetime.fromisoformat(edge) for edge in (begins, ends) if edge and sale)}
            for edge in sorted(each for each in edges if since <= each <= until):
                runs = sale and (not begins or datetime.fromisoformat(begins) <= edge)
                runs = runs and (not ends or edge < datetime.fromisoformat(ends))
                yield Shown(edge, Decimal(sale if runs else regular), Decimal(regular))


def _steps(shown: list[Shown], now: datetime) -> Iterator[int]:
    """The numbers of the steps of the reduction that runs, the last one first."""
    paused = timedelta(0)
    for number in range(len(shown) - 1, -1, -1):
        if shown[number].is_reduced:
            paused = timedelta(0)
            yield number
        else:
            until = shown[number + 1].since if number + 1 < len(shown) else now
            paused += until - shown[number].since
            if paused > _GAP:
                return


def _lowest_before(shown: list[Shown], number: int, first: datetime) -> set[Decimal]:
    """The lowest price between an instant and a step; nothing when the history begins later."""
    if shown[0].since > first:
        return set()
    prices = [
        each.price
        for each, following in pairwise(shown[: number + 1])
        if each.price is not None and following.since > first
    ]
    return {min(prices)} if prices else set()
