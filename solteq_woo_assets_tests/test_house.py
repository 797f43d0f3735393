"""The house: which room may use which, so that each can be understood and tested without those above it."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "solteq_woo_assets"

FOUNDATION = {"errors", "settings"}
MAY_IMPORT = {
    "__init__": set(),
    "__main__": {"cli"},
    "errors": set(),
    "settings": {"errors", "settings_checks"},
    "settings_checks": {"errors"},
    "rules": {"rules"},
    "clients": {"clients"} | FOUNDATION,
    "sync": {"sync", "rules", "clients"} | FOUNDATION,
    "assets": {"assets", "sync", "rules", "clients"} | FOUNDATION,
    "automation": {"automation", "assets", "sync", "rules", "clients"} | FOUNDATION,
    "definitions": {"automation", "assets", "sync", "rules", "clients"} | FOUNDATION,
    "doctor": {"doctor", "sync", "rules", "clients"} | FOUNDATION,
    "sandbox": {"sandbox"} | FOUNDATION,
    "cli": {"cli", "doctor", "definitions", "automation", "assets", "sync", "rules", "clients", "sandbox"} | FOUNDATION,
}
IO = {"requests", "os", "socket", "time", "random", "sqlite3", "subprocess", "pathlib", "dagster"}

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


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    """automation → assets → sync, rules, clients → settings; the sandbox is for the command line and the tests."""
    ours = {name.split(".")[1] for name in imported(path) if name.startswith("solteq_woo_assets.")}
    assert ours <= MAY_IMPORT[room(path)]


@pytest.mark.parametrize("path", [path for path in FILES if room(path) == "rules"], ids=lambda path: path.name)
def test_rules_do_no_input_or_output(path: Path) -> None:
    """What is on sale at an instant depends on the instant that is given, and on nothing else."""
    impure = imported(path) - {"os.path.commonprefix"}
    assert {name.split(".")[0] for name in impure} & IO == set()
    assert "now(" not in path.read_text(encoding="utf-8")
