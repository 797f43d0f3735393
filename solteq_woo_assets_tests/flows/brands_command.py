"""The command line where the toy flow is one more in the list, with its two settings."""

from solteq_woo_assets import settings
from solteq_woo_assets.flows import all as registry
from solteq_woo_assets_tests.flows.brands import BRANDS, BrandSettings

if __name__ == "__main__":
    settings.Settings = BrandSettings  # type: ignore[misc]
    registry.FLOWS = (*registry.FLOWS, BRANDS)
    from solteq_woo_assets.cli import main

    main()
