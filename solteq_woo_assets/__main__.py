"""``python -m solteq_woo_assets``."""

from solteq_woo_assets.cli import main

main()
