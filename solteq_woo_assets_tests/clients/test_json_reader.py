"""Answers in JSON: a value that nothing can hold spoils its own record, and what is no JSON is none."""

from decimal import Decimal
from typing import Any

import pytest

from solteq_woo_assets.clients.json_reader import NoValue, read_json, written

NINES = "9" * 5_000
DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    "value", ["1e99999999999999999999", NINES, f"-{NINES}", "NaN", "-Infinity", f'{{"x": {DEEP}}}']
)
def test_one_value_spoils_its_own_record(value: str) -> None:
    before, spoilt, after = read_json(f'[{{"price": 1.10}}, {{"price": {value}}}, {{"price": 2, "x": "[["}}]'.encode())
    assert (before, after) == ({"price": Decimal("1.10")}, {"price": 2, "x": "[["})
    assert not isinstance(spoilt["price"], int | Decimal | str)
    assert len(written(spoilt)) < 300


def test_a_text_with_bytes_that_are_no_utf_8_is_no_value() -> None:
    """Its letters are not guessed: they would be written into the other system."""
    spoilt, sound = read_json('[{"name": "Kahvip\xe4", "v\xe4ri": 1, "id": 7}, {"id": 8}]'.encode("latin-1"))
    assert isinstance(spoilt["name"], NoValue)
    assert (spoilt["id"], sound) == (7, {"id": 8})
    assert read_json('{"name": "Kahvipä"}'.encode()) == {"name": "Kahvipä"}


def test_a_control_character_in_a_text_is_kept() -> None:
    assert read_json(b'{"name": "a\x00b"}') == {"name": "a\0b"}


@pytest.mark.parametrize("content", [b"", b"<html>", b'{"id": 1', b"\xff\xfe", b"[" * 100_000, b"[1]]", b'"' * 3])
def test_what_is_no_json_is_none(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"line 1"):
        read_json(content)


def test_what_is_nested_too_deeply_is_written_in_words() -> None:
    nested: Any = []
    for _ in range(10_000):
        nested = [nested]
    assert written(nested) == "(cannot be read: nested too deeply)"
