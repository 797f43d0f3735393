"""The house: which room may use which, so that each can be understood and tested without those above it."""

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "solteq_woo_assets"
SANDBOX = Path(__file__).parents[1] / "solteq_woo_sandbox"

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
    "cli": {"cli", "doctor", "definitions", "automation", "assets", "sync", "rules", "clients"} | FOUNDATION,
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
    """automation → assets → sync, rules, clients → settings."""
    ours = {name.split(".")[1] for name in imported(path) if name.startswith("solteq_woo_assets.")}
    assert ours <= MAY_IMPORT[room(path)]


@pytest.mark.parametrize("path", sorted(SANDBOX.rglob("*.py")), ids=lambda path: path.name)
def test_the_sandbox_stands_alone(path: Path) -> None:
    """A stand-in that shared code with the product would share its mistakes."""
    assert [name for name in imported(path) if name.startswith("solteq_woo_assets")] == []


def test_the_product_loads_without_the_sandbox() -> None:
    """A wheel without the extra: only a function of the command line may import the sandbox."""
    program = """
        import importlib, pkgutil, sys
        sys.modules["solteq_woo_sandbox"] = None
        import solteq_woo_assets
        for module in pkgutil.walk_packages(solteq_woo_assets.__path__, "solteq_woo_assets."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=60)  # noqa: S603
    asking = {room(path) for path in FILES if any(name.startswith("solteq_woo_sandbox") for name in imported(path))}
    assert asking == {"cli"}


@pytest.mark.parametrize("path", [path for path in FILES if room(path) == "rules"], ids=lambda path: path.name)
def test_rules_do_no_input_or_output(path: Path) -> None:
    """What is on sale at an instant depends on the instant that is given, and on nothing else."""
    impure = imported(path) - {"os.path.commonprefix"}
    assert {name.split(".")[0] for name in impure} & IO == set()
    assert "now(" not in path.read_text(encoding="utf-8")
