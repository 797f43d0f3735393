"""The faults that are put back: each patch is of the present code, and a copy of the product with it is what is run.

That the simulation finds them is not asked here: ``make faults`` does, in hours.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from solteq_woo_assets_tests.simulation.faults import PATCHES, Found, copy_package, names, put_back, surroundings


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the product."""
    folder = tmp_path_factory.mktemp("fault")
    copy_package(folder)
    return folder


@pytest.mark.parametrize("fault", names())
def test_a_patch_is_of_the_present_code(fault: str, product: Path) -> None:
    """One that does not apply any more is to be made anew: docs/simulation.md says how."""
    sentence, blank, diff = (PATCHES / f"{fault}.patch").read_text().split("\n", 2)
    assert sentence.endswith(".")
    assert not blank
    assert diff.startswith("diff --git a/solteq_woo_assets/")
    assert put_back(fault, product, "--check") == ""


def test_the_product_with_the_fault_is_what_is_played(tmp_path: Path) -> None:
    copy_package(tmp_path)
    assert put_back("stock-of-the-bin", tmp_path) == ""
    where = (
        "import solteq_woo_assets, solteq_woo_assets_tests as tests; print(solteq_woo_assets.__file__, tests.__file__)"
    )
    told = subprocess.run(
        [sys.executable, "-c", where],
        cwd=tmp_path,
        env=surroundings(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    product, tests = map(Path, told.stdout.split())
    assert product.is_relative_to(tmp_path)
    assert not tests.is_relative_to(tmp_path)
    query = product.parent / "flows/products/sql/updated.sql"
    assert "FALSE AS comes_back_empty" in query.read_text()


def test_a_row_of_the_table() -> None:
    assert Found("clock", 7, 7, "5006", ["books: order 3\n…"]).row() == "| clock | 7 | books: order 3 |"
    assert Found("clock", None, 40).row() == "| clock | not in 40 |  |"
