"""What the WooCommerce stand-in makes of values: WordPress's checks, and what PHP makes of them unchecked."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from .woo_auth import ApiError

Schema = Mapping[str, Any]
"""As much of JSON Schema as WordPress checks: type, enum, format, minimum, maximum, items, properties."""

_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}(:\d{2})?)?")
_PHP_MAX = 2**63 - 1
_OCTET = re.compile(r"%[a-f0-9]{2}", re.IGNORECASE)
NO_ENTITY = re.compile(r"&(?!(?:[A-Za-z][A-Za-z0-9]{1,30}|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});)")
_WRONG_TYPE = "{} is not of type {}."


def validate(params: Mapping[str, Any], schemas: Mapping[str, Schema]) -> None:
    """Refuse a single request as WordPress does; a batch never comes here.

    :raises ApiError: ``rest_missing_callback_param``, or ``rest_invalid_param``; every one named, in the order of
        the schema
    """
    missing = [name for name, schema in schemas.items() if schema.get("required") and params.get(name) is None]
    if missing:
        message = f"Missing parameter(s): {', '.join(missing)}"
        raise ApiError(400, "rest_missing_callback_param", message, params=missing)
    details = {}
    for name, schema in schemas.items():
        value = params.get(name)
        if value is not None and (wrong := _wrong(value, schema, name)):
            details[name] = dict(zip(("code", "message", "data"), wrong, strict=True))
    if details:
        messages = {name: detail["message"] for name, detail in details.items()}
        summary = f"Invalid parameter(s): {', '.join(details)}"
        raise ApiError(400, "rest_invalid_param", summary, params=messages, details=details)


def _wrong(value: Any, schema: Schema, name: str) -> tuple[str, str, Any] | None:
    kind = schema["type"]
    if not _TYPES[kind](value):
        return "rest_invalid_type", _WRONG_TYPE.format(name, kind), {"param": name}
    if "enum" in schema and value not in schema["enum"]:
        return "rest_not_in_enum", f"{name} is not one of {_listing(schema['enum'])}.", None
    if schema.get("format") == "date-time" and not _is_date(value):
        return "rest_invalid_date", "Invalid date.", None
    if schema.get("format") == "email" and not is_email(value):
        return "rest_invalid_email", "Invalid email address.", None
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and (float(value) < low or (high is not None and float(value) > high)):
        limits = f"between {low} (inclusive) and {high} (inclusive)"
        return ("rest_out_of_bounds", f"{name} must be {limits if high else f'greater than or equal to {low}'}", None)
    return _wrong_inside(value, schema, name)


def _wrong_inside(value: Any, schema: Schema, name: str) -> tuple[str, str, Any] | None:
    inside: Iterable[tuple[Any, Any]] = ()
    if "items" in schema:
        inside = enumerate(words(value))
    elif "properties" in schema and isinstance(value, dict):
        inside = value.items()
    for key, part in inside:
        part_schema = schema["items"] if "items" in schema else schema["properties"].get(key)
        needed = part is not None or not part_schema.get("null", True) if part_schema else False
        if needed and (wrong := _wrong(part, part_schema, f"{name}[{key}]")):
            return wrong
    return None


def _is_date(value: str) -> bool:
    return bool(_DATE_TIME.fullmatch(value)) and parse_time(value, UTC) is not None


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return bool(re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_boolean(value: Any) -> bool:
    return isinstance(value, bool) or value in (0, 1) or (isinstance(value, str) and value.lower() in _BOOLEANS)


_BOOLEANS = ("true", "false", "1", "0")
_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: _is_number(value) and float(value).is_integer(),
    "integer,null": lambda value: _is_number(value) and float(value).is_integer(),
    "number": _is_number,
    "boolean": _is_boolean,
    "array": lambda value: not isinstance(value, dict),  # WordPress takes a scalar for a comma-separated list
    "object": lambda value: isinstance(value, dict) or value in ("", []),
    "mixed": lambda value: True,
}


def _listing(values: Iterable[str]) -> str:
    *firsts, last = values
    return f"{', '.join(firsts)}, and {last}" if len(firsts) > 1 else " and ".join([*firsts, last])


def words(value: Any) -> list[Any]:
    """A list as WordPress reads one: a list, or text cut at commas and spaces."""
    if isinstance(value, list):
        return value
    return [word for word in re.split(r"[\s,]+", text(value)) if word]


def text(value: Any) -> str:
    """A value as PHP writes it into text: ``true`` is ``"1"``, ``false`` and ``null`` are empty."""
    if isinstance(value, bool) or value is None:
        return "1" if value else ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return value if isinstance(value, str) else "Array" if isinstance(value, list | dict) else str(value)


def escaped(value: str) -> str:
    """Text as HTML, what is escaped already as it is: WordPress's ``esc_html``."""
    plain = NO_ENTITY.sub("&amp;", value)
    for character, entity in (("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#039;")):
        plain = plain.replace(character, entity)
    return plain


def unslashed(value: str) -> str:
    """Text as PHP's ``stripslashes`` leaves it: a backslash goes, what it stands before stays."""
    return re.sub(r"\\(.?)", r"\1", value, flags=re.DOTALL)


def line(value: Any) -> str:
    """Text as WooCommerce cleans it: no tags, no percent-coded octets, single spaces, trimmed."""
    plain = text(value)
    if "<" in plain:
        # One that nothing closes is escaped with what follows it, and one before a blank begins no tag.
        plain = re.sub(r"<[^<>]*(?=<|$)", lambda found: escaped(found[0]), plain)
        plain = re.sub(r"<(?!\s)[^>]*>", "", plain)
    while found := _OCTET.search(plain):
        plain = plain.replace(found[0], "")
    return " ".join(plain.split())


_MAILBOX, _LABEL = r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~.-]", r"[a-zA-Z0-9-]"
_ADDRESS = re.compile(rf"{_MAILBOX}+@(?!-){_LABEL}+(?<!-)(\.(?!-){_LABEL}+(?<!-))+")


def is_email(value: str) -> bool:
    """Whether it is an e-mail address to WordPress: in ASCII alone, with a dot in its domain."""
    return len(value) > 5 and _ADDRESS.fullmatch(value) is not None


def sanitize_email(value: str) -> str:
    """WordPress's: what may not be in an address falls out of it, and what is then none is empty."""
    mailbox, at, domain = value.partition("@")
    mailbox = "".join(re.findall(_MAILBOX, mailbox))
    labels = [each.strip(" \t\n\r\0\x0b-") for each in re.sub(r"\.{2,}", "", domain).split(".")]
    kept = [plain for label in labels if (plain := "".join(re.findall(_LABEL, label)))]
    return f"{mailbox}@{'.'.join(kept)}" if len(value) > 5 and at and mailbox and len(kept) > 1 else ""


def integer(value: Any) -> int:
    """PHP's ``intval``: ``"abc"`` is 0, ``"12 pcs"`` is 12, 2.9 is 2."""
    if isinstance(value, str):
        found = re.match(r"\s*([+-]?\d+)", value)
        value = int(found[1]) if found else 0
    whole = int(value) if isinstance(value, int | float) else int(bool(value))
    return max(-_PHP_MAX, min(_PHP_MAX, whole))


def integers(value: Any) -> list[int]:
    """A list of ids, each once, as ``wp_parse_id_list`` reads it."""
    return list(dict.fromkeys(abs(integer(word)) for word in words(value)))


def boolean(value: Any) -> bool:
    """WooCommerce's ``wc_string_to_bool``: only these few are true."""
    return value is True or value == 1 or (isinstance(value, str) and value.lower() in ("yes", "true", "1"))


def decimal(value: Any, *, comma: bool = False) -> str:
    """A price as WooCommerce cleans it: all that is no digit falls out, and every decimal point but the last.

    :param comma: the store's decimal separator is a comma; elsewhere ``"1,5"`` becomes ``"15"``
    """
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    plain = line(value)
    if comma:
        plain = plain.replace(",", ".")
    if re.fullmatch(r"\d+(\.\d+)?", plain):
        return plain
    return re.sub(r"[^0-9.-]", "", re.sub(r"\.(?![^.]+$)", "", plain))


def amount(value: str) -> float:
    """A price to compare and count with; what is no number counts as nothing."""
    try:
        return float(value)
    except ValueError:
        return 0.0


def php_number(value: float) -> int | float:
    """A number as PHP writes it into JSON: a whole one has no decimals."""
    return int(value) if float(value).is_integer() else value


def parse_time(value: Any, zone: ZoneInfo | Any) -> str | None:
    """An instant as GMT without a zone, as WordPress writes it; ``None`` if it is no time.

    :param zone: what the value is taken for when it does not say
    """
    try:
        moment = datetime.fromisoformat(text(value).strip().upper())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
