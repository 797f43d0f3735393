"""Prices have one writer: products and campaigns both write them, and one lease keeps their runs apart.

A run takes it before it compares, and holds it until its writes have arrived, so that no older comparison is sent after
a newer one. Both flows still read side by side. A delivery of products gives way between two lots to a run of campaigns
that waits: the edge of a campaign is kept to the minute while a first sync takes an hour.
"""

import dagster as dg

from solteq_woo_assets.engine.ledger import SENT_ACTIONS
from solteq_woo_assets.engine.shop import Shop
from solteq_woo_assets.engine.steps import count_rows
from solteq_woo_assets.errors import StateError

PRICES = "prices"
"""The lease."""

# Of a product that is yet to be made, nobody has written a price; it is made with the newest.
_OLDER = """
SELECT count(*) FROM delta.{delta} AS due JOIN sync.comparisons AS made ON made.flow = $flow
WHERE list_contains($sent, due.action) AND list_has_any(list_transform(due.changes, lambda c: c.field), $fields)
    AND CASE WHEN due.woo_id IS NULL
        THEN EXISTS (FROM sync.comparisons AS other WHERE other.flow = $other AND other.computed_at > made.computed_at)
        ELSE EXISTS (FROM sync.deliveries AS written WHERE written.flow = $other AND written.woo_id = due.woo_id
            AND written.state = 'delivered' AND written.created_at >= made.computed_at
            AND list_has_any(list_transform(written.changes, lambda c: c.field), $fields))
    END
"""


def refuse_older(_context: dg.AssetExecutionContext, shop: Shop, *, flow: str, delta: str, other: str) -> None:
    """Refuse to send a delta that was made before the other flow wrote prices of its products.

    Such a delta was made in an earlier run, to be looked at.

    :param other: the flow that writes prices, too
    :raises StateError: it is to be made again
    """
    given = {"flow": flow, "other": other, "sent": list(SENT_ACTIONS), "fields": ["regular_price", "sale_price"]}
    with shop.database.transaction() as connection:
        older = count_rows(connection, _OLDER.format(delta=delta), given)
    if older:
        raise StateError(
            f"{older} prices of {delta} are older than what {other} wrote since. Nothing is sent. Materialize {delta} "
            f"again, or run {flow}_to_woo."
        )
