"""Seeds that broke a promise once."""

from pathlib import Path

FILE = Path(__file__).with_name("seeds.txt")
"""A seed a line, and behind it in words what broke."""


def mended() -> list[str]:
    """Those of ``seeds.txt``: each was mended, and every test run plays it."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]
