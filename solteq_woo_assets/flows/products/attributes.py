"""Names and options of attributes: how they are sent, and which of them are the same to WooCommerce.

WooCommerce keeps an option in one way on a product and in another on its variations (contract, 71), and a shopper can
choose a variation only by an option that both spell alike. So what it would split, cut or escape is not sent.
"""

import html
import re
import unicodedata
from functools import lru_cache

_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_ENTITY = re.compile(r"&(?:\w+|#\d+|#[xX][0-9a-fA-F]+);")
_OCTET = re.compile(r"%(?=[0-9a-fA-F]{2})")
_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE", "đ": "d", "ł": "l", "€": "E"})
_IGNORED = re.compile("[¡¿‹›«»‘’“”‚„‛‟•©®°…™´ˊˈ\u200b-\u200f\ufeff\u00ad]")
_BETWEEN_WORDS = re.compile("[ ./\u2011\u2013\u2014-]+")
_NO_SLUG = re.compile("[^a-z0-9_\u0080-\U0010ffff-]")
_CACHED = 65_536


@lru_cache(_CACHED)
def attribute_text(given: str, separator: str = "/") -> str:
    """A name or an option as it is sent; sending what came back changes nothing.

    :param separator: stands for ``|``, at which a product splits its options, and for a backslash, which variations
        cut. A less-than sign, which variations escape, becomes a single quotation mark that looks like it. A percent
        sign and two hexadecimal digits, which variations drop, get a blank between them.
    """
    text = given
    while (plain := _without_markup(text)) != text:
        text = plain
    text = text.replace("|", separator).replace("\\", separator).replace("<", "‹")
    return " ".join(_OCTET.sub("% ", text).split())


def _without_markup(text: str) -> str:
    return _ENTITY.sub(lambda found: html.unescape(found[0]), _TAG.sub("", text))


@lru_cache(_CACHED)
def name_key(name: str) -> str:
    """Names with the same key are one attribute to WordPress (``sanitize_title``); without a key it is none."""
    plain = _BETWEEN_WORDS.sub("-", _IGNORED.sub("", _folded(attribute_text(name)))).replace("×", "x")
    return re.sub("-+", "-", _NO_SLUG.sub("", plain)).strip("-")


@lru_cache(_CACHED)
def option_key(option: str) -> str:
    """Options with the same key are one, as terms are to WordPress: without regard to case and accents."""
    return _folded(attribute_text(option))


def _folded(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).casefold()
