"""Attributes and names of variable products; what the store's people added stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solteq_woo_assets.flows.products.attributes import attribute_text, name_key, option_key
from solteq_woo_assets.flows.products.variants import (
    Attribute,
    Pair,
    chosen_options,
    common_name,
    has_chosen,
    merged_attributes,
)


def pair(name: str, option: str) -> Pair:
    return Pair(name=name, option=option, name_key=name_key(name), option_key=option_key(option))


names = st.sampled_from(["Koko", "koko", "Väri", "vari", "Materiaali"])
options = st.sampled_from(["S", "M", "L", "s", "Musta", "Sinivihreä", "sinivihrea", "5 ‹ 6"])
unstable = st.sampled_from(["5 < 6", "a\\b", "50 %20"])  # as somebody typed them on the product in the store
pairs = st.lists(st.builds(pair, names, options), max_size=8)
attributes = st.lists(
    st.builds(
        lambda identifier, name, variation, values: Attribute(
            id=identifier, name=name, variation=variation, visible=False, options=values
        ),
        st.sampled_from([0, 0, 7]),
        names,
        st.booleans(),
        st.lists(options | unstable, unique_by=str.casefold),
    ),
    max_size=4,
    unique_by=lambda attribute: attribute["name"].casefold(),
)


@given(held=attributes, wanted=pairs)
def test_every_variant_can_be_chosen_and_nothing_of_the_stores_is_lost(
    held: list[Attribute], wanted: list[Pair]
) -> None:
    merged = merged_attributes(held, wanted) or held
    spelled = {(a["name"], o) for a in merged if a["variation"] for o in a["options"]}
    for (choice,), pair in zip(chosen_options(merged, [[pair] for pair in wanted]), wanted, strict=True):
        assert (choice["name"], choice["option"]) in spelled, "a shopper chooses among the product's options"
        assert "id" in choice or attribute_text(choice["option"]) == choice["option"], (
            "the variation would spell it else"
        )
        assert (name_key(choice["name"]), option_key(choice["option"])) == (pair["name_key"], pair["option_key"])
    for before, after in zip(held, merged, strict=False):
        assert after["name"] == before["name"]
        assert after["options"][: len(before["options"])] == before["options"]


@given(held=attributes, wanted=pairs)
def test_merging_twice_changes_nothing_more(held: list[Attribute], wanted: list[Pair]) -> None:
    merged = merged_attributes(held, wanted)
    if merged is not None:
        assert merged_attributes(merged, wanted) is None


def test_a_variation_has_letter_by_letter_what_it_is_sent_but_for_terms() -> None:
    held = [Attribute(id=0, name="Väri", variation=True, visible=True, options=["Musta"])]
    assert has_chosen(held, [{"name": "vari", "option": "Musta"}])
    assert not has_chosen(held, [{"name": "Väri", "option": "musta"}])
    assert has_chosen(held, [{"id": 7, "name": "Väri", "option": "musta"}])


@pytest.mark.parametrize(
    ("first", "last", "name"),
    [
        ("T-paita musta L", "T-paita musta S", "T-paita musta"),
        ("T-paita", "T-paita", "T-paita"),
        ("T-paita", "T-paita, iso", "T-paita"),
        ("Kenkä 42", "Kenkä 43", "Kenkä"),
        ("Abc", "Xyz", "Abc"),
    ],
)
def test_common_name_is_of_whole_words(first: str, last: str, name: str) -> None:
    assert common_name(first, last) == name
