"""The benchmarks still run; what they measure is no test."""

import pytest

from benchmarks import delta


@pytest.mark.slow
def test_the_delta_benchmark_finds_the_changes_that_it_made() -> None:
    figures = delta.run(products=2_000, repetitions=1)
    assert [figure.unit for figure in figures] == ["s", "s", "MiB", "MiB"]
    assert all(figure.value > 0 for figure in figures)
