"""Prices and balances changed by chance in the Solteq stand-in: something to look at, for a show."""

from decimal import Decimal
from random import Random

from solteq_woo_sandbox.solteq_documents import KEYS, Document, Documents, has_number, loads

_NUMBERS = {"products": "salesPrice", "balances": "freeBalance"}


def shuffle(documents: Documents, feed: str, count: int, chance: Random) -> list[Document]:
    """Changes a number in that many documents, or in all whose change would reach a shop; gives the changes."""
    name, places = _NUMBERS[feed], documents.places(feed)
    chance.shuffle(places)
    changes: list[Document] = []
    for place in places:
        if len(changes) == count:
            break
        document = loads(documents.at(feed, [place])[0].document)
        if not has_number(document, feed, name) or not document.get("active", True):
            continue
        if feed == "balances":
            new = _balance(Decimal(document[name]), chance)
        elif document[name] > 0:
            new = _price(Decimal(document[name]), chance)
        else:
            continue
        changes.append({key: document[key] for key in KEYS[feed]} | {name: new})
    documents.put(feed, changes)
    return changes


def _price(price: Decimal, chance: Random) -> Decimal:
    new = (price * chance.randint(80, 120) / 100).quantize(Decimal("0.1")).quantize(Decimal("0.01"))
    return new if new not in (price, 0) else price + Decimal("0.10")


def _balance(balance: Decimal, chance: Random) -> Decimal:
    return max(Decimal(0), balance + chance.choice((-3, -2, -1, 1, 2, 5))) if balance > 0 else balance + 12
