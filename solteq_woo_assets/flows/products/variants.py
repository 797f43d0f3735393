"""Variable products: their attributes and name. Pure functions on one product at a time."""

from collections.abc import Mapping, Sequence
from os.path import commonprefix
from typing import Any, TypedDict

from solteq_woo_assets.flows.products.attributes import attribute_text, name_key, option_key

MIN_COMMON_NAME = 4
"""Shorter common beginnings of the variants' names are not used."""


class Attribute(TypedDict):
    """A product attribute as WooCommerce has it; ``id`` is 0 for one that only this product has."""

    id: int
    name: str
    variation: bool
    visible: bool
    options: list[str]


class Pair(TypedDict):
    """An attribute of a variant: as it is sent, and its keys."""

    name: str
    option: str
    name_key: str
    option_key: str


def common_name(first: str, last: str) -> str:
    """The name of a variable product: the common beginning of its variants' names, by whole words.

    :param first: the first of the variants' names in alphabetical order
    :param last: the last of them; what these two share, all share
    """
    prefix = commonprefix([first, last])
    if prefix not in (first, last) or (len(last) > len(prefix) and last[len(prefix)] not in " ,-/("):
        prefix = prefix.rpartition(" ")[0]
    prefix = prefix.rstrip(" ,-/(")
    return prefix if len(prefix) >= MIN_COMMON_NAME else first


def merged_attributes(held: Sequence[Attribute], pairs: Sequence[Pair]) -> list[Attribute] | None:
    """The attributes of a variable product, so that each variant can be chosen; ``None`` when nothing is missing.

    WooCommerce replaces the list as a whole, so what the store's people added stays in it, in their order: other
    attributes, further options, whether it is visible.

    :param held: what the product has in the store
    :param pairs: of every variant, in the order in which they are to be shown
    """
    merged: list[Attribute] = [{**attribute, "options": list(attribute["options"] or [])} for attribute in held]
    known = _by_key(merged)
    changed = False
    for pair in pairs:
        if pair["name_key"] not in known:
            attribute = Attribute(id=0, name=pair["name"], variation=True, visible=True, options=[])
            merged.append(attribute)
            known[pair["name_key"]] = attribute, {}
        attribute, options = known[pair["name_key"]]
        if not attribute["variation"]:
            attribute["variation"] = changed = True
        if pair["option_key"] not in options:
            attribute["options"].append(pair["option"])
            options[pair["option_key"]] = pair["option"]
            changed = True
    return merged if changed else None


def chosen_options(attributes: Sequence[Attribute], variants: Sequence[Sequence[Pair]]) -> list[list[dict[str, Any]]]:
    """The attributes that each variation is sent, with names and options as its product spells them.

    An attribute of the whole store goes by its id, one of the product alone by its name.
    """
    known = _by_key(attributes)
    return [[_choice(*known[pair["name_key"]], pair) for pair in pairs] for pairs in variants]


def has_chosen(held: Sequence[Mapping[str, Any]], chosen: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a variation has the options that it is sent, letter by letter; the store spells terms its own way.

    :param held: its attributes in the store
    """
    there = {(name_key(each["name"]), option) for each in held for option in each["options"]}
    alike = {(name, option_key(option)) for name, option in there}
    return all(
        (name, each["option"]) in there or ("id" in each and (name, option_key(each["option"])) in alike)
        for each in chosen
        for name in [name_key(each["name"])]
    )


def _choice(attribute: Attribute, options: Mapping[str, str], pair: Pair) -> dict[str, Any]:
    by_id = {"id": attribute["id"]} if attribute["id"] else {}
    return {**by_id, "name": attribute["name"], "option": options[pair["option_key"]]}


def _by_key(attributes: Sequence[Attribute]) -> dict[str, tuple[Attribute, dict[str, str]]]:
    """Attributes by their keys, each with those of its options that a variation can have, by theirs.

    Of two with one key, the one that variations are chosen by counts.
    """
    known: dict[str, tuple[Attribute, dict[str, str]]] = {}
    for attribute in sorted(attributes, key=lambda attribute: not attribute["variation"]):
        options: dict[str, str] = {}
        for option in attribute["options"] or []:
            if attribute["id"] or option == attribute_text(option):
                options.setdefault(option_key(option), option)
        known.setdefault(name_key(attribute["name"]), (attribute, options))
    return known
