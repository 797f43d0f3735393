"""Pictures in the metadata, where one says more than numbers. The library is loaded when one is drawn."""

import base64
import io
from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import polars as pl

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINES = 5
"""More products than this make a picture that nobody can read."""
AHEAD = timedelta(days=60)


def price_timeline(segments: pl.DataFrame, now: datetime) -> dg.MarkdownMetadataValue:
    """What a shopper will pay in the coming 60 days, of the first products; regular prices are dotted.

    :param segments: code, opens, closes, price, regular_price, as ``flows/campaigns/explanation.py`` has them
    :param now: naive UTC
    """
    figure, axes = _canvas("EUR")
    end = now + AHEAD
    for number, (code, rows) in enumerate(segments.group_by("code", maintain_order=True)):
        if number == LINES:
            break
        times: list[datetime] = [now]
        regular = rows["regular_price"][0]
        prices: list[float] = [regular]
        for row in rows.to_dicts():
            times.append(max(row["opens"], now))
            prices.append(row["price"])
            if row["closes"] and row["closes"] < end:
                times.append(row["closes"])
                prices.append(regular)
        steps = ([*times, end], [*prices, prices[-1]])
        axes.step(*steps, where="post", label=str(code[0]), color=f"C{number}")  # type: ignore[arg-type]
        axes.axhline(regular, linestyle=":", linewidth=0.8, color=f"C{number}")
    axes.set_xlim(now, end)  # type: ignore[arg-type]  # matplotlib takes dates
    return _markdown(figure, "Prices of the coming 60 days")


def sales_per_day(
    in_store: Mapping[date, Mapping[str, float]], in_solteq: Mapping[date, Mapping[str, float]], days: Collection[date]
) -> dg.MarkdownMetadataValue:
    """Net of refunds, what the store sold and what Solteq has booked of it, day by day.

    :param in_store: with gross and refunds, as ``flows/sales/books.py`` has them
    :param in_solteq: with gross
    """
    figure, axes = _canvas("EUR a day")
    ordered = sorted(days)
    sold = [in_store.get(day, {}).get("gross", 0.0) - in_store.get(day, {}).get("refunds", 0.0) for day in ordered]
    booked = [in_solteq.get(day, {}).get("gross", 0.0) for day in ordered]
    axes.bar(ordered, sold, width=0.8, color="C7", label="the store")  # type: ignore[arg-type]
    axes.bar(ordered, booked, width=0.4, color="C0", label="booked in Solteq")  # type: ignore[arg-type]
    return _markdown(figure, "Sales of the last days")


def _canvas(unit: str) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure  # noqa: PLC0415  it takes half a second

    figure = Figure(figsize=(8, 3), dpi=90, layout="constrained")
    axes = figure.subplots()
    axes.set_ylabel(unit)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize="small")
    figure.autofmt_xdate()
    return figure, axes


def _markdown(figure: "Figure", title: str) -> dg.MarkdownMetadataValue:
    figure.legend(loc="outside upper center", ncols=LINES, fontsize="small", frameon=False)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return dg.MarkdownMetadataValue(f"![{title}](data:image/png;base64,{base64.b64encode(drawn.getvalue()).decode()})")
