"""No test of this folder waits between tries, or is measured."""

from collections.abc import Iterator

import pytest
import stamina
from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """As many tries as asked for, without the pauses between them."""
    with stamina.set_testing(True, attempts=10, cap=True):
        yield
