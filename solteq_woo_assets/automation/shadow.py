"""Shadow mode: everything runs up to the deltas, and nothing is sent."""

from collections.abc import Collection, Iterable

import dagster as dg

from solteq_woo_assets.engine.ledger import SENT_ACTIONS
from solteq_woo_assets.engine.shop import Shop
from solteq_woo_assets.engine.steps import count_rows


def without_deliveries(
    assets: Iterable[dg.AssetsDefinition | dg.AssetSpec], deliveries: Collection[str]
) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The assets; the lineage names the deliveries, but nothing can run them."""
    kept: list[dg.AssetsDefinition | dg.AssetSpec] = []
    for asset in assets:
        specs = [asset] if isinstance(asset, dg.AssetSpec) else list(asset.specs)
        if specs[0].key.to_user_string() in deliveries:
            kept += [
                spec.replace_attributes(description=f"Nothing is sent in shadow mode. {spec.description}")
                for spec in specs
            ]
        else:
            kept.append(asset)
    return kept


def would_send(delta: str) -> dg.AssetChecksDefinition:
    """A check of a delta that counts the writes that would have gone."""

    @dg.asset_check(asset=delta, name="would_send")
    def check(shop: dg.ResourceParam[Shop]) -> dg.AssetCheckResult:
        """How many writes would have gone if this were not shadow mode: none while the other connector does the same.

        It passes when there are none. Prices, balances or customers that differ for a while only, because one of the
        two was quicker, come and go.
        """
        with shop.database.transaction() as connection:
            writes = count_rows(
                connection,
                f"SELECT count(*) FROM delta.{delta} WHERE list_contains($sent, action)",
                {"sent": list(SENT_ACTIONS)},
            )
        return dg.AssetCheckResult(
            passed=writes == 0, severity=dg.AssetCheckSeverity.WARN, metadata={"would_send": writes}
        )

    return check
