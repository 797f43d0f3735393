"""The catalogue of problems and the rules that name them."""

import re
from typing import get_args

import pytest

from solteq_woo_assets.engine.flow import Direction
from solteq_woo_assets.engine.problems import PROBLEMS, Problem
from solteq_woo_assets_tests.test_house import PACKAGE

BEFORE = r"""(?:\b(?:code|problem)["']?(?:: (?:str = )?|=)|CODE = |else |THEN |ELSE |, |^ +)"""
NAMED = re.compile(BEFORE + r"""["']([a-z]+(?:-[a-z0-9]+)+)["']""", re.MULTILINE)
PLACES = [
    path for room in ("flows", "engine") for path in (PACKAGE / room).rglob("*") if path.suffix in (".py", ".sql")
]


def test_every_problem_that_is_named_is_in_the_catalogue_and_the_other_way_round() -> None:
    """A row with a code of no page could not be looked up, and a page of no row would mislead."""
    sources = {path: path.read_text(encoding="utf-8") for path in PLACES if path.name != "problems.py"}
    named = {code for source in sources.values() for code in NAMED.findall(source)} - {
        *("utf-8", "auto-draft", "checkout-draft"),
        *get_args(Direction),
    }
    assert named == set(PROBLEMS)


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=lambda problem: problem.code)
def test_a_problem_says_what_it_means_and_what_to_do(problem: Problem) -> None:
    """The mend goes on in a sentence ("To mend: …"), the others stand alone."""
    assert problem.meaning.endswith(".")
    assert problem.mend[0].islower()
    assert not problem.mend.endswith(".")
    assert not problem.title.endswith(".")
