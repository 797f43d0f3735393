"""The project's figures: ``python -m benchmarks [NAME…]`` or ``make bench``. No pass or fail.

Each figure stands beside its aim and beside what it is compared with, which is measured in the same run, in turns.
"""
