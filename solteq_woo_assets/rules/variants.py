"""Variable products: their attributes and name. Pure functions on one product at a time."""

from collections.abc import Sequence
from os.path import commonprefix
from typing import Any, TypedDict

MIN_COMMON_NAME = 4
"""Shorter common beginnings of the variants' names say nothing."""


class Attribute(TypedDict):
    """A product attribute as WooCommerce has it; ``id`` is 0 for one that only this product has."""

    id: int
    name: str
    variation: bool
    visible: bool
    options: list[str]


def common_name(first: str, last: str) -> str:
    """The name of a variable product: what the names of its variants begin with, by whole words.

    :param first: the first of the variants' names in alphabetical order
    :param last: the last of them; what these two share, all share
    """
    prefix = commonprefix([first, last])
    if prefix not in (first, last) or (len(last) > len(prefix) and last[len(prefix)] not in " ,-/("):
        prefix = prefix.rpartition(" ")[0]
    prefix = prefix.rstrip(" ,-/(")
    return prefix if len(prefix) >= MIN_COMMON_NAME else first


def merged_attributes(held: Sequence[Attribute], pairs: Sequence[dict[str, str]]) -> list[dict[str, Any]] | None:
    """The attributes of a variable product, so that each variant can be chosen; ``None`` when nothing is missing.

    WooCommerce replaces the list as a whole, so what the store's people added stays in it, in their order: other
    attributes, further options, whether it is visible. Names and options are compared without regard to case.

    :param held: what the product has in the store
    :param pairs: ``{"name": …, "option": …}`` of every variant, in the order in which they are to be shown
    """
    merged = [{**attribute, "options": list(attribute["options"] or [])} for attribute in held]
    by_name = {attribute["name"].casefold(): attribute for attribute in merged}
    changed = False
    for pair in pairs:
        attribute = by_name.get(pair["name"].casefold())
        if attribute is None:
            attribute = {"id": 0, "name": pair["name"], "variation": True, "visible": True, "options": []}
            merged.append(attribute)
            by_name[pair["name"].casefold()] = attribute
            changed = True
        if not attribute["variation"]:
            attribute["variation"] = changed = True
        if pair["option"].casefold() not in {option.casefold() for option in attribute["options"]}:
            attribute["options"].append(pair["option"])
            changed = True
    return merged if changed else None
