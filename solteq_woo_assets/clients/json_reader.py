"""Answers in JSON. A value that cannot be read spoils its own record and no other."""

import re
from decimal import Decimal, InvalidOperation
from typing import Any

import simplejson

_DEEPEST = 64
"""Lists and objects within each other; a document of either system has five."""
_SHOWN = 40


class NoValue:
    """Stands for a value that cannot be read, such as a number of 5,000 digits. No field takes it."""

    def __init__(self, text: str) -> None:
        self._text = text[:_SHOWN]

    def __repr__(self) -> str:
        return f"(cannot be read: {self._text})"


def read_json(content: bytes) -> Any:
    """The value of an answer. Numbers with a fraction or an exponent are :class:`~decimal.Decimal`.

    :raises ValueError: it is no JSON
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = _STRING.sub(_without_odd_bytes, content.decode("utf-8-sig", "surrogateescape"))
    text = _whole_characters(text)
    try:
        return simplejson.loads(text, use_decimal=True)
    except (ValueError, ArithmeticError, RecursionError):
        # Once more, value by value: slower, and rarely needed.
        return _LENIENT.decode(_flattened(text))


def written(value: object) -> str:
    """A raw document as JSON, for those who look into the quarantine."""
    try:
        return simplejson.dumps(value, use_decimal=True, ensure_ascii=False, default=repr)
    except RecursionError:
        return repr(NoValue("nested too deeply"))


def _integer(text: str) -> int | NoValue:
    try:
        return int(text)
    except ValueError:  # Python reads 4,300 digits at most
        return NoValue(text)


def _decimal(text: str) -> Decimal | NoValue:
    try:
        return Decimal(text)
    except InvalidOperation:
        return NoValue(text)


_LENIENT = simplejson.JSONDecoder(strict=False, parse_int=_integer, parse_float=_decimal, parse_constant=NoValue)

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?', re.DOTALL)
_ODD_BYTE = re.compile("[\udc80-\udcff]")


def _without_odd_bytes(string: re.Match[str]) -> str:
    """A text with bytes that are no UTF-8 is no value: to guess its letters would write them into the other system."""
    if not _ODD_BYTE.search(string[0]):
        return string[0]
    return _ODD_BYTE.sub("\ufffd", string[0]) if string[1] else "NaN"


_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


def _flattened(text: str) -> str:
    """The text, with no value where lists are nested deeper than Python can follow."""
    parts: list[str] = []
    depth = kept = 0
    for token in _TOKEN.finditer(text):
        if token[0] in ("[", "{"):
            depth += 1
            if depth == _DEEPEST:
                parts.append(text[kept : token.start()])
        elif token[0] in ("]", "}"):
            if depth == _DEEPEST:
                parts.append("NaN")
                kept = token.end()
            depth -= 1
    return "".join([*parts, text[kept:]]) if depth == 0 else text[:0]


_ESCAPED_HALVES = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\\\|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)


def _whole_characters(text: str) -> str:
    """JSON can escape half a character (a cut emoji), which no database stores: it becomes the sign for unreadable."""
    if "\\ud" not in text and "\\uD" not in text:
        return text
    return _ESCAPED_HALVES.sub(lambda found: "\\ufffd" if len(found[0]) == len("\\ud800") else found[0], text)
