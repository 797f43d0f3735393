"""The engine's own tables."""

from solteq_woo_assets.flow import CHANGES
from solteq_woo_assets.table import COUNT, FLAG, INODE, NOT_NULL, TEXT, TEXTS, TIME, Column, Table

FLOW = Column(TEXT, "The flow, or of customers its direction", NOT_NULL)
CONTENT = Column(TEXT, "Fingerprint of the changes: another write of the same key is judged anew", NOT_NULL)

VERSION = Table("sync.version", "One row", {"version": Column(COUNT, "Version of the tables")})
WATERMARKS = Table(
    "sync.watermarks",
    "Where the next incremental read of a feed begins",
    {
        "feed": Column(TEXT, "The snapshot's table, or another name"),
        "position": Column(TIME, "Read from here, inclusive", NOT_NULL),
        "newest": Column(TIME, "The newest modification seen"),
        "full_read_at": Column(TIME, "When everything was last read"),
        "read_at": Column(TIME, "When the last complete read ended"),
        "read_at_there": Column(TIME, "When it began, by the other side's clock"),
        "made_for": Column(TEXT, "The settings that decided what was read; NULL: those of today"),
    },
    key=("feed",),
)
DELIVERIES = Table(
    "sync.deliveries",
    "The ledger: a row before each write leaves, settled after",
    {
        "delivery_id": Column(TEXT, "Made up for each write"),
        "run_id": Column(TEXT, "The run that sent it", NOT_NULL),
        "flow": FLOW,
        **{name: CHANGES[name] for name in ("key", "action", "kind", "woo_id", "changes")},
        "state": Column(TEXT, "pending, delivered, refused, retry, waiting, unsent, interrupted, superseded", NOT_NULL),
        "error": Column(TEXT, "The other side's words against it"),
        "created_at": Column(TIME, "When it was entered", NOT_NULL),
        "settled_at": Column(TIME, "When its end was known"),
    },
    key=("delivery_id",),
)
LEASES = Table(
    "sync.leases",
    "The run that a flow is in; a row without a lock on its file is of a crashed run",
    {
        "flow": FLOW,
        "run_id": Column(TEXT, "The run", NOT_NULL),
        "pid": Column(COUNT, "Its process", NOT_NULL),
        "since": Column(TIME, "When it took the lease", NOT_NULL),
        "file": Column(INODE, "Inode of the file that it has locked; another one is there when that was deleted"),
        "process": Column(TEXT, "When the process began: numbers are given again"),
    },
    key=("flow",),
)
QUARANTINE = Table(
    "sync.quarantine",
    "Records that are held back, and why",
    {
        "flow": FLOW,
        "stage": Column(TEXT, "feed, delta or delivery: where it was stopped"),
        "key": Column(TEXT, "The name of the record"),
        "field": Column(TEXT, "Which of its fields"),
        "reason": Column(TEXT, "What is wrong with it", NOT_NULL),
        "mend": Column(TEXT, "What to do about it", NOT_NULL),
        "raw": Column(
            TEXT,
            "The JSON of a document that could not be read, of a customer its hash; of refused changes their hash",
        ),
        "first_seen": Column(TIME, "Since when it is held", NOT_NULL),
        "last_seen": Column(TIME, "When it was last found so", NOT_NULL),
        "code": Column(TEXT, "Code in the catalogue of problems (engine/problems.py)"),
        "dismissed_at": Column(TIME, "When somebody saw it and let it be, until it changes"),
    },
    key=("flow", "stage", "key", "field"),
)
COMPARISONS = Table(
    "sync.comparisons",
    "When a flow last made its delta",
    {
        "flow": FLOW,
        "computed_at": Column(TIME, "When that was", NOT_NULL),
        "next_edge": Column(TIME, "When the next sale begins or ends; prices only"),
        "is_outdated": Column(FLAG, "Something new was read since then", "DEFAULT FALSE"),
    },
    key=("flow",),
)
FAILURES = Table(
    "sync.failures",
    "Writes at which the other side failed though it took others (engine/failures.py)",
    {
        "flow": FLOW,
        "key": Column(TEXT, "Key of the write"),
        "content": CONTENT,
        "runs": Column(COUNT, "In how many it failed; 0: the other side failed at whatever was sent", NOT_NULL),
        "since": Column(TIME, "When it first failed", NOT_NULL),
        "next_at": Column(TIME, "Not sent again before", NOT_NULL),
    },
    key=("flow", "key"),
)
STOPPED = Table(
    "sync.stopped",
    "Rows that guard rails stopped, and those that somebody let pass (engine/stopped.py)",
    {
        "rail": Column(TEXT, "Name of the guard rail"),
        "flow": FLOW,
        "key": Column(TEXT, "Key of the write"),
        "content": CONTENT,
        "since": Column(TIME, "When it was stopped"),
        "let_pass_at": Column(TIME, "NULL: it is stopped"),
        "delivery_ids": Column(TEXTS, "Deliveries of what was let pass", "NOT NULL DEFAULT []"),
        "used_at": Column(TIME, "When it was delivered, changed, or was due no more; NULL: it may go"),
    },
    key=("rail", "flow", "key", "since"),
)
ALERTS = Table(
    "sync.alerts",
    "Present problems and the messages about them: a row for each cause and channel",
    {
        "cause": Column(TEXT, "run:JOB or check:ASSET:CHECK"),
        "channel": Column(TEXT, "email or webhook"),
        "words": Column(TEXT, "Words of the last failure", NOT_NULL),
        "run_id": Column(TEXT, "The run of the last failure", NOT_NULL),
        "since": Column(TIME, "When it began to fail", NOT_NULL),
        "told_at": Column(TIME, "When its failing was last told; NULL: never"),
        "told_run_id": Column(TEXT, "The run that was told of then; NULL: nobody believes that it is failing"),
        "over_at": Column(TIME, "When it was over; NULL: it is not"),
    },
    key=("cause", "channel"),
)
IDENTITY = Table(
    "sync.identity",
    "The two systems and the shop that this database was made with (engine/identity.py)",
    {
        "side": Column(TEXT, "solteq, woo or shop"),
        "says": Column(TEXT, "Its own name of itself; NULL when it says none"),
        "address": Column(TEXT, "Host and path; of the shop its name", NOT_NULL),
        "access": Column(TEXT, "Fingerprint of the address and the credentials' name that it was met with", NOT_NULL),
        "asked_at": Column(TIME, "When it was last asked who it is", NOT_NULL),
    },
    key=("side",),
)
REWRITE_DUE = Table(
    "sync.rewrite_due",
    "A row: what was erased is out of the tables, and still in the bytes of the file",
    {"since": Column(TIME, "When it was erased", NOT_NULL)},
)

TABLES = (
    *(VERSION, WATERMARKS, DELIVERIES, LEASES, QUARANTINE, COMPARISONS, FAILURES, STOPPED, ALERTS, IDENTITY),
    REWRITE_DUE,
)
