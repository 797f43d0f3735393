"""Which refunds put their pieces back on the shelf, by what WooCommerce remembers of the order's lines.

A line remembers the pieces that refunds put back (``_restock_refunded_items``), of all refunds together. A refund
itself does not say it (contract, 36, 37, 43).
"""

from collections.abc import Mapping
from decimal import Decimal
from itertools import chain, combinations

from solteq_woo_assets.flows.sales.orders import PRODUCT, Order

_ZERO = Decimal(0)
_SEARCHED = 12  # of so many refunds of one line, all combinations are looked at: 4,096
Told = Mapping[tuple[int, str], tuple[bool, Decimal]]
"""What documents said of a refund and a line: whether its pieces went back, and how many."""


def restocked(order: Order, told: Told) -> dict[tuple[int, str], bool]:
    """Whether the pieces of each refund went back, by refund and line. Nothing of lines whose stock is not managed.

    What was told of a refund counts. Of the others, those that add up to the pieces that went back otherwise did;
    where none do, the oldest ones that fit.
    """
    found: dict[tuple[int, str], bool] = {key: went_back for key, (went_back, _) in told.items()}
    for line in order.lines:
        if line.kind != PRODUCT or line.restocked is None or not (line.restocked or line.reduced_stock):
            continue
        key = str(line.id)
        pieces = _pieces(order, line.id)
        unsaid = {refund_id: count for refund_id, count in pieces.items() if (refund_id, key) not in told}
        said = [
            pieces.get(refund_id, count)
            for (refund_id, line_id), (went_back, count) in told.items()
            if line_id == key and went_back
        ]
        chosen = _adding_up(unsaid, line.restocked - sum(said, _ZERO))
        found |= {(refund_id, key): refund_id in chosen for refund_id in unsaid}
    return found


def _pieces(order: Order, line_id: int) -> dict[int, Decimal]:
    """Pieces of the line that each refund took back, the oldest refund first."""
    counts = {
        refund.id: sum((-line.quantity for line in refund.lines if line.refunded_line == line_id), _ZERO)
        for refund in sorted(order.refunds, key=lambda refund: refund.id)
    }
    return {refund_id: count for refund_id, count in counts.items() if count > 0}


def _adding_up(pieces: Mapping[int, Decimal], total: Decimal) -> set[int]:
    if len(pieces) <= _SEARCHED:
        for some in chain.from_iterable(combinations(pieces, size) for size in range(len(pieces) + 1)):
            if sum((pieces[refund_id] for refund_id in some), _ZERO) == total:
                return set(some)
    chosen: set[int] = set()
    for refund_id, count in pieces.items():
        if count <= total:
            chosen.add(refund_id)
            total -= count
    return chosen
