"""Temporary tables, and frames that are registered for a query."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import duckdb

P = ParamSpec("P")
R = TypeVar("R")
Connection = duckdb.DuckDBPyConnection


def leaves_nothing(function: Callable[Concatenate[Connection, P], R]) -> Callable[Concatenate[Connection, P], R]:
    """Drop the temporary tables and the registered frames that a function made, when it returns."""

    @wraps(function)
    def run(connection: Connection, *args: P.args, **kwargs: P.kwargs) -> R:
        before = names(connection)
        found = function(connection, *args, **kwargs)
        for kind, name in sorted(names(connection) - before, reverse=True):  # views before what they show
            connection.execute(f'DROP {kind} "{name}"')
        return found

    return run


def names(connection: Connection) -> set[tuple[str, str]]:
    """What there is of it: kind and name."""
    return set(
        connection.execute(
            "SELECT 'TABLE', table_name FROM duckdb_tables() WHERE temporary "
            "UNION ALL SELECT 'VIEW', view_name FROM duckdb_views() WHERE temporary AND NOT internal"
        ).fetchall()
    )
