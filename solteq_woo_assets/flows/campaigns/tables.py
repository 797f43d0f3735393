"""Tables of campaigns: what Solteq has, the prices to come, and the prices that were."""

from solteq_woo_assets.flow import CHANGES
from solteq_woo_assets.table import COUNT, FLAG, HOUR, MONEY, NOT_NULL, TEXT, TEXTS, TIME, Column, Table

SOLTEQ_CAMPAIGNS = Table(
    "snapshot.solteq_campaigns",
    "The newest version of each campaign document, deleted ones too",
    {
        "id": Column(TEXT, "Solteq's id"),
        "name": Column(TEXT, "Name"),
        "type": Column(TEXT, "Simple, or a kind that sets no price in the store"),
        "level": Column(TEXT, "What the targets are: Product, ProductGroup or Supplier"),
        "targets": Column(TEXTS, "What is cheaper"),
        "discount_type": Column(TEXT, "How the value is meant: Percentage, Amount or FixedPrice"),
        "value": Column(MONEY, "How much"),
        "valid_from": Column(TIME, "Local to the shop; NULL is open"),
        "valid_to": Column(TIME, "Local to the shop, exclusive; NULL is open"),
        "valid_days": Column(TEXTS, "Mon … Sun; empty or NULL is every day"),
        "valid_hours_from": Column(HOUR, "Local; NULL is the whole day"),
        "valid_hours_to": Column(
            HOUR, "Local, exclusive, midnight is the end of the day; before valid_hours_from it is on the next day"
        ),
        "store_ids": Column(TEXTS, "The stores where it holds; empty is all"),
        "customer_groups": Column(TEXTS, "Whom it is for; empty is everybody"),
        "customers": Column(TEXTS, "Whom it is for; empty is everybody"),
        "priority": Column(COUNT, "The higher one wins, where SOLTEQ_WOO_CAMPAIGN_CHOICE says so"),
        "unknown_fields": Column(TEXTS, "Names of fields that say something which we do not know"),
        "active": Column(FLAG, "Holds", NOT_NULL),
        "deleted": Column(FLAG, "Gone from Solteq", NOT_NULL),
        "modified_at": Column(TIME, "When Solteq changed it", NOT_NULL),
    },
    key=("id",),
)
CAMPAIGN_PRICE_DELTA = Table(
    "delta.campaign_price_delta",
    "What has to be written of campaign prices",
    {
        **CHANGES,
        "old_price": Column(MONEY, "What a shopper pays now"),
        "new_price": Column(MONEY, "What a shopper will pay, from valid_from or at once"),
        "valid_from": Column(TIME, "When the sale begins; NULL is open"),
        "valid_to": Column(TIME, "When the sale ends, exclusive; NULL is open"),
        "campaign": Column(TEXT, "The campaign that sets the price"),
        "beaten": Column(TEXTS, "What else would have, with its price"),
    },
)
PRICE_HISTORY = Table(
    "sync.price_history",
    "Every public price and when it held; what has valid_from to come is planned",
    {
        "sku": Column(TEXT, "Lower case, trimmed", NOT_NULL),
        "price": Column(MONEY, "What a shopper pays", NOT_NULL),
        "regular_price": Column(MONEY, "What it is without a sale", NOT_NULL),
        "valid_from": Column(TIME, "When it began", NOT_NULL),
        "valid_to": Column(TIME, "When it ended, exclusive; NULL while nothing else is planned"),
    },
)

TABLES = (SOLTEQ_CAMPAIGNS, CAMPAIGN_PRICE_DELTA, PRICE_HISTORY)
