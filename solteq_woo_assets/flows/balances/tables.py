"""Tables of stock balances."""

from solteq_woo_assets.flow import CHANGES
from solteq_woo_assets.table import FLAG, MONEY, NOT_NULL, TEXT, TIME, Column, Table

SOLTEQ_BALANCES = Table(
    "snapshot.solteq_balances",
    "The newest balance of each product and store, deleted ones too",
    {
        "product_code": Column(TEXT, "The product's code"),
        "store_id": Column(TEXT, "Solteq's id of the store"),
        "store_name": Column(TEXT, "Name of the store"),
        "free_balance": Column(MONEY, "Pieces that can be sold"),
        "reserved_balance": Column(MONEY, "Pieces that are kept for somebody"),
        "unit": Column(TEXT, "The unit, such as pcs"),
        "deleted": Column(FLAG, "Gone from Solteq", NOT_NULL),
        "modified_at": Column(TIME, "When Solteq changed it", NOT_NULL),
    },
    key=("product_code", "store_id"),
)
BALANCE_DELTA = Table("delta.balance_delta", "Writes of stock to come", CHANGES)

TABLES = (SOLTEQ_BALANCES, BALANCE_DELTA)
