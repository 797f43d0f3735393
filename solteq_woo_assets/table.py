"""The declaration of a table. Its DDL, the schemas of frames, its key and its texts in the UI come from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl
from polars.datatypes import DataType, DataTypeClass

TEXT, FLAG, DAY, HOUR = pl.String(), pl.Boolean(), pl.Date(), pl.Time()
TIME = pl.Datetime("us")
"""UTC without a zone, where the column does not say otherwise."""
ID, COUNT, INODE = pl.Int64(), pl.Int32(), pl.UInt64()
MONEY = pl.Decimal(18, 4)
"""Quantities are of this type, too."""
PERCENT = pl.Decimal(6, 3)
TEXTS = pl.List(TEXT)

_SQL = {TEXT: "VARCHAR", FLAG: "BOOLEAN", DAY: "DATE", HOUR: "TIME", TIME: "TIMESTAMP"}
_SQL |= {ID: "BIGINT", COUNT: "INTEGER", INODE: "UBIGINT"}

NOT_NULL = "NOT NULL"


def sql_type(kind: DataType | DataTypeClass) -> str:
    """The type as DuckDB writes it."""
    if isinstance(kind, pl.List):
        return f"{sql_type(kind.inner)}[]"
    if isinstance(kind, pl.Struct):
        fields = [f'"{each.name}" {sql_type(each.dtype)}' for each in kind.fields]
        return f"STRUCT({', '.join(fields)})"
    if isinstance(kind, pl.Decimal):
        return f"DECIMAL({kind.precision},{kind.scale})"
    return next(sql for known, sql in _SQL.items() if known == kind)


class Column(NamedTuple):
    """A column: its type, what it means, and what SQL says after the type."""

    type: DataType
    meaning: str
    constraint: str = ""


@dataclass(frozen=True, eq=False)
class Table:
    """A table of the database. As text it is its name.

    ``name``: with its schema: ``snapshot`` has what each side has, ``delta`` the writes to come, ``sync`` the
    integration's own memory. ``key``: of two rows with the same one the newer one stays.
    """

    name: str
    meaning: str
    columns: Mapping[str, Column]
    key: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name

    @property
    def schema(self) -> pl.Schema:
        """The schema of a frame with all columns."""
        return self.schema_without()

    def schema_without(self, *names: str) -> pl.Schema:
        return pl.Schema({name: column.type for name, column in self.columns.items() if name not in names})

    @property
    def ddl(self) -> str:
        columns = [
            f'"{name}" {sql_type(each.type)} {"PRIMARY KEY" if self.key == (name,) else ""} {each.constraint}'
            for name, each in self.columns.items()
        ]
        key = [f"PRIMARY KEY ({', '.join(self.key)})"] if len(self.key) > 1 else []
        return f"CREATE TABLE {self.name} ({', '.join(columns + key)});"
