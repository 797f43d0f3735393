"""SQL that is kept in files, and the steps of a comparison that run it.

A flow keeps its queries in the folder ``sql`` beside its ``rules.py``, one statement a file. The file has the name of
what the query gives. A query reads inputs, and tables that earlier steps made, by their names::

    with sql.steps(connection, __name__, balances=balances, products=products) as steps:
        steps.table("newest", stock_stores=stores)  # sql/newest.sql becomes the temporary table newest
        steps.add(strangers=frame)                  # one more input
        return steps.frame("changes")               # sql/changes.sql as a frame

Parameters are ``$name`` in the query. At the end of the block the tables and the inputs are gone.

Expressions of many queries are macros. ``engine/macros.sql`` has those of all, ``flows/macros.sql`` has those of the
flows: each connection of their database knows them. A flow may have a ``macros.sql`` of its own, which may read its
tables: :func:`steps` defines those. A test with a connection of its own calls :func:`define_macros`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import Any

import duckdb
import polars as pl

Input = duckdb.DuckDBPyRelation | pl.DataFrame


@cache
def query(package: str, name: str) -> str:
    """The text of ``sql/<name>.sql`` in a package."""
    return files(package).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


@cache
def _macros(package: str) -> str:
    file = files(package).joinpath("macros.sql")
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def define_macros(connection: duckdb.DuckDBPyConnection, *packages: str) -> None:
    """Define the macros of each package that has a ``macros.sql``: a macro takes 0.2 ms."""
    for package in packages:
        connection.execute(_macros(package))


def _package_of(module: str) -> str:
    return module.rpartition(".")[0]


class Steps:
    """The inputs and temporary tables of a comparison. Its queries know the macros of the engine; see :func:`steps`.

    It is a block: at its end they are gone. After an error nothing is cleaned: the transaction has failed, and
    its connection goes with it.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, module: str) -> None:
        self.connection = connection
        self._package = _package_of(module)
        self._tables: list[str] = []
        self._inputs: list[str] = []

    def add(self, **inputs: Input) -> None:
        """Let queries read these relations and frames by their names."""
        for name, rows in inputs.items():
            self.connection.register(name, rows)
            self._inputs.append(name)

    def view(self, name: str, /) -> None:
        """Let queries read what a query gives, each time anew."""
        self.add(**{name: self.connection.sql(query(self._package, name))})

    def table(self, name: str, of: str = "", /, **parameters: object) -> None:
        """Make the temporary table that a query gives.

        :param of: the query, where it has another name than the table
        """
        self.connection.execute(f"CREATE TEMP TABLE {name} AS {query(self._package, of or name)}", parameters)
        self._tables.append(name)

    def insert(self, name: str, /, **parameters: object) -> int:
        """Add to a temporary table what its query gives now; how many rows that are."""
        return self.connection.execute(f"INSERT INTO {name} {query(self._package, name)}", parameters).fetchall()[0][0]

    def run(self, name: str, /, **parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement that changes tables; what it returns."""
        return self.connection.execute(query(self._package, name), parameters).fetchall()

    def frame(self, name: str, /, **parameters: object) -> pl.DataFrame:
        """The rows that a query gives."""
        return self.relation(name, **parameters).pl()

    def relation(self, name: str, /, **parameters: object) -> duckdb.DuckDBPyRelation:
        """What a query gives, to be read within the block."""
        return self.connection.sql(query(self._package, name), params=parameters)

    def beside(self, module: str) -> "Steps":
        """The same steps with the queries beside another module: what they make stays until the end of the block."""
        other = Steps(self.connection, module)
        other._tables, other._inputs = self._tables, self._inputs
        if other._package != self._package:
            define_macros(self.connection, other._package)
        return other

    def __enter__(self) -> "Steps":
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error:
            return
        for name in reversed(self._tables):
            self.connection.execute(f"DROP TABLE {name}")
        for name in reversed(self._inputs):
            self.connection.unregister(name)


@contextmanager
def reading(connection: duckdb.DuckDBPyConnection, **inputs: Input) -> Iterator[None]:
    """Let the statements of the block read these relations and frames by their names."""
    for name, rows in inputs.items():
        connection.register(name, rows)
    yield
    for name in inputs:
        connection.unregister(name)


def steps(connection: duckdb.DuckDBPyConnection, module: str, **inputs: Input) -> Steps:
    """Run the queries beside a module, which gives its ``__name__``. At the end nothing of it is left.

    A block inside another one reads the inputs of the outer one and registers none of the same name.
    """
    define_macros(connection, _package_of(module))
    made = Steps(connection, module)
    made.add(**inputs)
    return made
