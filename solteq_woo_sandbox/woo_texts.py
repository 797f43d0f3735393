"""What WordPress makes of texts: which HTML it lets through, and how a title becomes a part of an address."""

import re
import unicodedata
from urllib.parse import quote

from .woo_fields import NO_ENTITY, unslashed, words

# Of what posts may hold, that which shops write; the rest falls out, too, but its text stays.
_TAGS = words(
    "a abbr address article aside audio b blockquote br button caption center cite code col colgroup dd del details "
    "div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd label li main mark nav ol p "
    "picture pre q s samp section small source span strike strong sub summary sup table tbody td tfoot th thead time "
    "tr tt u ul var video"
)
_ATTRIBUTES = words(
    "align alt aria-hidden aria-label cite class colspan controls datetime dir headers height href id lang name open "
    "poster preload rel rev role rowspan scope size src srcset start style target title type valign value width "
    "xml:lang"
)
_MARKUP = re.compile(r"<!--.*?(?:-->|$)|<[^>]*(?:>|$)|>", re.DOTALL)
_ELEMENT = re.compile(r"<\s*(/?)\s*([a-zA-Z0-9-]+)([^>]*)>?", re.DOTALL)
_ATTRIBUTE = re.compile(r"([-\w:]+)(?:\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s\"']+))?")
_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE", "đ": "d", "ł": "l", "€": "E"})
_DROPPED = "¡¿‹›«»‘’“”‚„‛‟•©®°…™´ˊˈ\u200b\u200c\u200d\u200e\u200f\ufeff\u00ad"
_HYPHENS = re.compile(r"[\u00a0\u2011\u2013\u2014/]")
_LONGEST = 200  # of a slug


def kses(value: str) -> str:
    """A text as ``wp_filter_post_kses`` leaves it: no tags but harmless ones, ``&`` escaped, backslashes gone.

    What stands between a less-than and a greater-than is a tag to it: ``5 < 6 ja 7 > 3`` becomes ``5  3``.
    """
    return _MARKUP.sub(_harmless, NO_ENTITY.sub("&amp;", unslashed(value)))


def _harmless(found: re.Match[str]) -> str:
    markup = found[0]
    if markup == ">":
        return "&gt;"
    element = _ELEMENT.fullmatch(markup)
    if element is None or element[2].lower() not in _TAGS:
        return ""
    closing, name, rest = element.groups()
    kept = [
        f" {each[1]}={each[2]}" if each[2] else f" {each[1]}"
        for each in _ATTRIBUTE.finditer(rest)
        if each[1].lower() in _ATTRIBUTES or each[1].lower().startswith("data-")
    ]
    return f"</{name}>" if closing else f"<{name}{''.join(kept)}{' /' if rest.rstrip().endswith('/') else ''}>"


def slugify(title: str) -> str:
    """A title as WordPress puts it into an address: ``Väri`` is ``vari``, what has no Latin letter is percent-coded."""
    plain = re.sub(r"<[^>]*>", "", title).translate(_LETTERS)
    plain = unicodedata.normalize("NFKD", plain)
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter)).lower()
    plain = re.sub(r"&.+?;", "", _HYPHENS.sub("-", plain))
    plain = "".join(letter for letter in plain if letter not in _DROPPED).replace("×", "x").replace(".", "-")
    coded = ""
    for letter in re.sub(r"[^a-z0-9 _\u0080-\U0010ffff-]", "", plain):
        part = letter if letter.isascii() else quote(letter).lower()
        if len(coded) + len(part) > _LONGEST:
            break
        coded += part
    return re.sub(r"[ -]+", "-", coded).strip("-")
