"""Attributes and names of variable products; what the store's people added stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solteq_woo_assets.rules.variants import Attribute, common_name, merged_attributes

names = st.sampled_from(["Koko", "koko", "Väri", "Materiaali"])
options = st.sampled_from(["S", "M", "L", "s", "Musta"])
pairs = st.lists(st.builds(lambda name, option: {"name": name, "option": option}, names, options), max_size=8)
attributes = st.lists(
    st.builds(
        lambda name, variation, values: Attribute(id=0, name=name, variation=variation, visible=False, options=values),
        names,
        st.booleans(),
        st.lists(options, unique_by=str.casefold),
    ),
    max_size=4,
    unique_by=lambda attribute: attribute["name"].casefold(),
)


@given(held=attributes, wanted=pairs)
def test_every_variant_can_be_chosen_and_nothing_of_the_stores_is_lost(
    held: list[Attribute], wanted: list[dict[str, str]]
) -> None:
    merged = merged_attributes(held, wanted) or held
    choices = {(a["name"].casefold(), o.casefold()) for a in merged if a["variation"] for o in a["options"]}
    assert {(pair["name"].casefold(), pair["option"].casefold()) for pair in wanted} <= choices
    for before, after in zip(held, merged, strict=False):
        assert after["name"] == before["name"]
        assert after["options"][: len(before["options"])] == before["options"]


@given(held=attributes, wanted=pairs)
def test_merging_twice_changes_nothing_more(held: list[Attribute], wanted: list[dict[str, str]]) -> None:
    merged = merged_attributes(held, wanted)
    if merged is not None:
        assert merged_attributes([Attribute(**attribute) for attribute in merged], wanted) is None


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
