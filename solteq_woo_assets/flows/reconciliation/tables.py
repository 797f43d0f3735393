"""The table of reconciliations."""

from solteq_woo_assets.table import NOT_NULL, TEXT, TIME, Column, Table

RECONCILIATION = Table(
    "sync.reconciliation",
    "The differences at each reconciliation",
    {
        "reconciled_at": Column(TIME, "When it was", NOT_NULL),
        "run_id": Column(TEXT, "The run", NOT_NULL),
        "flow": Column(TEXT, "The flow that is to write it", NOT_NULL),
        "key": Column(TEXT, "Key of the write", NOT_NULL),
        "field": Column(TEXT, "Which field", NOT_NULL),
        "expected": Column(TEXT, "The value that should be there; empty for customers"),
        "held": Column(TEXT, "The value that is there; empty for customers"),
        "why": Column(TEXT, "missing, surplus, edited, changed, waiting, quarantined, unread", NOT_NULL),
        "reason": Column(TEXT, "Why, in words", NOT_NULL),
        "first_seen": Column(TIME, "The first of the unbroken reconciliations that saw the same difference", NOT_NULL),
    },
)

TABLES = (RECONCILIATION,)
