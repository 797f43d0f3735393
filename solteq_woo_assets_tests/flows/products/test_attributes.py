"""Names and options of attributes: what is sent is alike on products and variations, and what is one is one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solteq_woo_assets.flows.products.attributes import attribute_text, name_key, option_key
from solteq_woo_assets_tests.flows.conftest import Sides, rows
from solteq_woo_assets_tests.sandbox.woo_recordings import ABSENT, RECORDINGS, steps_of
from solteq_woo_sandbox.woo_fields import line, unslashed
from solteq_woo_sandbox.woo_texts import slugify

words = st.text(
    st.sampled_from("aäÄAåøßb1 /-.|<>\\&;%20\"':(×😀中\u00a0\t") | st.characters(codec="utf-8"), max_size=12
)
parts = st.lists(words | st.sampled_from(["&amp;", "&lt;", "&amp;lt;", "<b>", "</b>", "%2f", "%%2020"]), max_size=4)
texts = parts.map("".join)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("Musta|Valkoinen", "Musta/Valkoinen"),
        ("3\\4 tuumaa", "3/4 tuumaa"),
        ("< 5 kg", "‹ 5 kg"),
        ("5 < 6 ja 7 > 3", "5 ‹ 6 ja 7 > 3"),
        ("<b>Musta</b>", "Musta"),
        ("5 &amp; 6", "5 & 6"),
        ("&amp;lt; 5", "‹ 5"),
        ("50 %20", "50 % 20"),
        ("80%cashmere", "80% cashmere"),
        (" S \t M ", "S M"),
        ('"7"', '"7"'),
        ("😀", "😀"),
    ],
)
def test_what_the_store_would_split_cut_or_escape_is_not_sent(given: str, sent: str) -> None:
    assert attribute_text(given) == sent


@given(texts)
def test_products_and_variations_keep_what_is_sent(given: str) -> None:
    sent = attribute_text(given)
    assert attribute_text(sent) == sent
    on_a_variation = line(unslashed(sent))
    assert on_a_variation == sent
    assert "|" not in sent


@given(texts, texts)
def test_names_are_one_when_they_are_one_to_wordpress(one: str, other: str) -> None:
    one, other = attribute_text(one), attribute_text(other)
    assert (name_key(one) == name_key(other)) == (slugify(one) == slugify(other))
    assert (name_key(one) == "") == (slugify(one) == "")


@pytest.mark.parametrize(
    ("one", "other"), [("Väri", "vari"), ("Koko: (cm)", "koko cm"), ("Musta|Valko", "musta/valko")]
)
def test_names_that_are_one(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Sinivihreä", "SINIVIHREA", True),
        ("5 &amp; 6", "5 & 6", True),
        (" S  M", "S M", True),
        ("42", "42+", False),
        ("1/2", "1-2", False),
    ],
)
def test_options_are_one_but_for_case_accents_entities_and_blanks(one: str, other: str, *, same: bool) -> None:
    assert (option_key(one) == option_key(other)) is same


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason=ABSENT)
def test_the_real_store_kept_what_is_sent_and_these_are_not_sent_as_they_are() -> None:
    """Of every product and variation that was made in the recording."""
    changed: set[str] = set()
    for step in steps_of("attributes"):
        asked = step["request"]["json"] or {}
        if step["request"]["method"] != "POST" or "attributes" not in asked:
            continue
        kept = {option for each in step["response"]["body"]["attributes"] for option in options_of(each)}
        for option in options_of(asked["attributes"][-1]):  # of two spellings of one name the last counts
            if attribute_text(option) == option.strip():
                assert option.strip() in kept
            else:
                changed.add(option)
    assert changed == {"Musta|Valkoinen", "< 5 kg", "3\\4 tuumaa"}


def options_of(attribute: dict[str, Any]) -> list[str]:
    return attribute.get("options") or [attribute["option"]]


NASTY = ("Musta|Valkoinen", "5 < 6", "a\\b", "50 %20", "5 &amp; 6", "<b>L</b>", '"7"', "😀", "10 ")


@pytest.mark.parametrize("option", NASTY)
def test_a_family_that_agrees_is_left_alone_whatever_its_options(sides: Sides, option: str) -> None:
    """Today's cause: an option that the store spelled another way was added to the product in each run."""
    sent = attribute_text(option)
    koko = {"id": 0, "name": "Väri", "variation": True, "visible": True}
    sides.product("M-1", model_number="M", attributes=[{"name": "vari", "option": option}])
    sides.product("M-2", model_number="M", attributes=[{"name": "Väri", "option": "muu"}])
    sides.held(10, "M", type="variable", regular_price=None, attributes=[{**koko, "options": ["Muu", sent]}])
    sides.held(11, "M-1", type="variation", parent_id=10, tax_class="parent", attributes=[{**koko, "options": [sent]}])
    sides.held(12, "M-2", type="variation", parent_id=10, tax_class="parent", attributes=[{**koko, "options": ["Muu"]}])
    assert sides.product_delta().changes.is_empty()


def test_a_variation_that_could_not_be_chosen_is_spelled_as_its_product(sides: Sides) -> None:
    """WooCommerce compares them letter by letter: SINIVIHREÄ was shown nowhere."""
    vari = {"id": 0, "name": "Väri", "variation": True, "visible": True}
    for code, color in (("M-1", "SINIVIHREÄ"), ("M-2", "Musta")):
        sides.product(code, model_number="M", attributes=[{"name": "Väri", "option": color}])
    sides.held(10, "M", type="variable", regular_price=None, attributes=[{**vari, "options": ["Sinivihreä", "Musta"]}])
    for woo_id, code, color in ((11, "M-1", "SINIVIHREÄ"), (12, "M-2", "Musta")):
        held = [{**vari, "options": [color]}]
        sides.held(woo_id, code, type="variation", parent_id=10, tax_class="parent", attributes=held)
    changes = {key: row["changes"] for key, row in rows(sides.product_delta().changes).items()}
    assert changes == {
        "M-1": {"attributes": ('[{"name":"Väri","option":"SINIVIHREÄ"}]', '[{"name":"Väri","option":"Sinivihreä"}]')}
    }


def test_variants_that_only_accents_tell_apart_are_not_told_apart(sides: Sides) -> None:
    for code, color in (("M-1", "Sinivihreä"), ("M-2", "sinivihrea"), ("M-3", "Musta")):
        sides.product(code, model_number="M", attributes=[{"name": "Väri", "option": color}])
    delta = sides.product_delta()
    assert delta.held.select("key", "code").rows() == [
        ("M-1", "variant-indistinguishable"),
        ("M-2", "variant-indistinguishable"),
    ]
