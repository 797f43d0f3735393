"""The house: which room may use which, so that each can be understood and tested without those above it."""

import ast
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "solteq_woo_assets"
SANDBOX = Path(__file__).parents[1] / "solteq_woo_sandbox"

FOUNDATION = {"errors", "settings", "table"}
FLOW = {"flow"} | FOUNDATION
MAY_IMPORT = {
    "__init__": set(),
    "__main__": {"cli"},
    "errors": set(),
    "settings": {"errors", "settings_checks"},
    "settings_checks": {"errors"},
    "table": set(),
    "flow": {"table"},
    "clients": {"clients"} | FOUNDATION,
    "engine": {"engine", "clients"} | FLOW,
    "flows": {"flows", "engine", "clients"} | FLOW,
    "automation": {"automation", "flows", "engine", "clients"} | FLOW,
    "definitions": {"automation", "flows", "engine", "clients"} | FLOW,
    "doctor": {"doctor", "flows", "engine", "clients"} | FLOW,
    "cli": {"cli", "doctor", "definitions", "automation", "flows", "engine", "clients"} | FLOW,
}
RULES = ("rules.py", "adoption.py", "explanation.py")
"""Where a flow's rules begin. What they import is pure, too."""
IO = {"requests", "os", "socket", "time", "random", "sqlite3", "subprocess", "pathlib", "dagster"}

LINES_OF_A_FILE, LINES_OF_A_FUNCTION = 450, 45

FILES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    """The folder of the package, or the file in its first floor."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Full names of what a file imports, wherever in the file."""
    names: set[str] = set()
    package = path.relative_to(PACKAGE.parent).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) + 1 - node.level]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def ours(path: Path) -> set[tuple[str, ...]]:
    """What a file imports of the package, without the package's name."""
    return {tuple(name.split(".")[1:]) for name in imported(path) if name.startswith("solteq_woo_assets.")}


def modules(path: Path) -> set[Path]:
    """The files that a file imports of the package."""
    found = set()
    for names in ours(path):
        for parts in (names, names[:-1]):
            file = PACKAGE.joinpath(*parts).with_suffix(".py")
            found |= {file} if file.is_file() else set()
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    """automation, doctor, cli → flows → engine → clients → settings."""
    rooms = {names[0] for names in ours(path)}
    assert rooms <= MAY_IMPORT[room(path)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_are_short(path: Path) -> None:
    """What does not fit on two screens is read by nobody."""
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= LINES_OF_A_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < LINES_OF_A_FUNCTION, node.name


@pytest.mark.parametrize("path", sorted(SANDBOX.rglob("*.py")), ids=lambda path: path.name)
def test_the_sandbox_stands_alone(path: Path) -> None:
    """A stand-in that shared code with the product would share its mistakes."""
    assert not ours(path)


def test_the_product_loads_without_the_sandbox() -> None:
    """The sandbox is an extra: only a function of the command line may import it."""
    program = """
        import importlib, pkgutil, sys
        sys.modules["solteq_woo_sandbox"] = None
        import solteq_woo_assets
        for module in pkgutil.walk_packages(solteq_woo_assets.__path__, "solteq_woo_assets."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=60)
    asking = {room(path) for path in FILES if any(name.startswith("solteq_woo_sandbox") for name in imported(path))}
    assert asking == {"cli"}


def pure() -> set[Path]:
    """The rules and all that they stand on."""
    reached: set[Path] = set()
    ahead = {path for path in FILES if path.name in RULES and room(path) == "flows"}
    while ahead:
        reached |= ahead
        ahead = {found for path in ahead for found in modules(path)} - reached
    return reached


@pytest.mark.parametrize("path", sorted(pure()), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_rules_do_no_input_or_output(path: Path) -> None:
    """What is on sale at an instant depends on the instant that is given, and on nothing else."""
    impure = imported(path) - {"os.path.commonprefix"}
    assert {name.split(".")[0] for name in impure} & IO == set()
    assert "now(" not in path.read_text(encoding="utf-8")


def test_what_is_private_in_dagster_is_imported_in_one_file() -> None:
    """Another release may move it, and then one file changes."""
    private = {path.name for path in FILES if any(name.startswith("dagster._") for name in imported(path))}
    assert private == {"dagster_internals.py"}


def test_the_database_is_opened_with_the_tables_of_all_flows() -> None:
    """Without them an upgrade would leave theirs as they were."""
    opening = {path for path in FILES if re.search(r"\bStateDatabase\(", path.read_text(encoding="utf-8"))}
    assert opening == {PACKAGE / "engine" / "database.py", PACKAGE / "flows" / "tables.py"}
