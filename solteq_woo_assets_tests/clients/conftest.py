"""No test of this folder waits between tries."""

from collections.abc import Iterator

import pytest
import stamina


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """As many tries as asked for, without the pauses between them."""
    with stamina.set_testing(True, attempts=10, cap=True):
        yield
