"""People on both sides: what each side has of them, who edited what, and whose edit survived (docs/customers.md)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from solteq_woo_assets_tests.simulation.witness import Document, Request, everything, meta
from solteq_woo_assets_tests.simulation.world import World

_KINDS = {"Billing": "billing", "Delivery": "shipping"}
_PARTS = {"street": "address_1", "street2": "address_2", "postalCode": "postcode", "city": "city", "country": "country"}
_NAMES = ("firstName", "lastName", "email", "phone", "companyName", "taxCode")
_NEVER_CLEARED = ("email", "companyName", "taxCode")
_COUNTRIES = {"suomi": "FI"}
"""The names by which clerks call countries. The store counts VAT by codes, so it has to have these."""
_OF_FIELDS = ("country-unknown", "email-invalid", "phone-unreadable", "tax-code-invalid", "write-refused")
"""What holds one field (docs/customers.md). Anything else holds the person whole, who may be linked with nobody."""
Fields = Mapping[str, str]
Pair = tuple[int, str]


def of_solteq(customer: Document) -> Fields:
    """What Solteq has of somebody, spelled as it is compared."""
    fields = {name: customer.get(name) for name in _NAMES}
    for kind in _KINDS:
        first = next((each for each in customer.get("addresses") or () if each["type"] == kind), {})
        fields |= {f"{kind}.{name}": first.get(name) for name in _PARTS}
        country = str(first.get("country") or "")
        fields[f"{kind}.country"] = _COUNTRIES.get(country.casefold(), country)
    return _plain(fields)


def of_store(account: Document, tax_code: str) -> Fields:
    """The same of an account."""
    billing = account["billing"]
    fields = {"firstName": account["first_name"], "lastName": account["last_name"], "email": account["email"]}
    fields |= {"phone": billing["phone"], "companyName": billing["company"], "taxCode": meta(account, tax_code)}
    for kind, part in _KINDS.items():
        fields |= {f"{kind}.{name}": account[part].get(there) for name, there in _PARTS.items()}
    return _plain(fields)


def _plain(fields: Mapping[str, Any]) -> Fields:
    """Values that are one to both sides have one spelling: a number has its country's code."""
    plain = {name: " ".join(str(value or "").split()) for name, value in fields.items()}
    phone = plain["phone"].replace(" ", "")
    if phone.startswith("0"):  # everybody lives in Finland
        phone = f"+358{phone[1:]}"
    return plain | {"email": plain["email"].casefold(), "phone": phone}


def _bare(name: str) -> str:
    """A field's name without what tells the spellings of both sides apart."""
    return name.replace("_", "").replace(".", "").casefold()


_FIELDS = {_bare(name) for name in (*_NAMES, *(f"{kind}.{part}" for kind in _KINDS for part in _PARTS))}


def _of_rows(held: Sequence[Document]) -> tuple[set[str], dict[str, set[str]]]:
    """Who is held whole, and which fields alone of whom; by id."""
    whole: set[str] = set()
    fields: dict[str, set[str]] = defaultdict(set)
    for row in held:
        if not row["flow"].startswith("customers"):
            continue
        if row["code"] in _OF_FIELDS and _bare(row["field"]) in _FIELDS:
            fields[row["key"]].add(_bare(row["field"]))
        else:
            whole.add(row["key"])
    return whole, fields


class Persons:
    """Watches the people of a world; ``broken``: edits that nobody opposed and that were lost."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.broken: list[str] = []
        self._customers: dict[str, Document] = {}
        self._pairs: dict[Pair, tuple[Fields, Fields]] = {}
        self._edits: dict[tuple[Pair, str], dict[str, tuple[str, int]]] = defaultdict(dict)
        self._agreed: dict[tuple[Pair, str], int] = {}
        self._hired: set[int] = set()
        self._step = 0
        self._read_at: dict[str, int] = {}
        world.watching.append(self.look)

    def look(self, request: Request | None) -> None:
        """After an event, or after a request of the integration."""
        self._step += 1
        if request is not None and request[1] == "GET" and "/v3/customers" in request[2]:
            self._read_at[request[0]] = self._step
        if request is not None and (request[1] == "GET" or "customers" not in request[2]):
            return
        before, self._pairs = self._pairs, self._linked()
        for pair, sides in self._pairs.items():
            if pair not in before:
                self._forget(pair)
            elif request is None:
                self._note_edits(pair, before[pair], sides)
            if request is not None and before.get(pair) != sides:
                self._note_agreement(pair, sides, request[0])

    def _linked(self) -> dict[Pair, tuple[Fields, Fields]]:
        last = self.world.happenings[-1] if self.world.happenings else None
        if last and "roles" in (last.facts.get("fields") or ()):
            self._hired.add(last.facts["account"])
        read = self.world.solteq.control("GET", "customers/all")
        now: dict[str, Document] = {
            each["id"]: each for each in read if isinstance(each, dict) and isinstance(each.get("id"), str)
        }
        self._customers = now
        made = {
            each["value"]: customer
            for customer in now.values()
            for each in customer.get("identifiers") or ()
            if each["type"] == "ExternalID" and not customer.get("deleted")
        }
        pairs = {}
        for account in everything(self.world, "customers?role=all"):
            external = f"woo:{self.world.settings.shop}:customer:{account['id']}"
            customer = made.get(external) or now.get(str(meta(account, "solteq_customer_id")))
            if customer and not customer.get("deleted") and account["id"] not in self._hired:
                tax_code = self.world.settings.tax_code_meta
                pairs[account["id"], customer["id"]] = (of_solteq(customer), of_store(account, tax_code))
        return pairs

    def _forget(self, pair: Pair) -> None:
        for key in [key for key in self._agreed if key[0] == pair]:
            del self._agreed[key]
        for key in [key for key in self._edits if key[0] == pair]:
            del self._edits[key]

    def _note_edits(self, pair: Pair, before: tuple[Fields, Fields], now: tuple[Fields, Fields]) -> None:
        for place, side in enumerate(("Solteq", "the store")):
            for name, value in now[place].items():
                if value != before[place][name]:
                    self._edits[pair, name][side] = (value, self._step)

    def _note_agreement(self, pair: Pair, sides: tuple[Fields, Fields], who: str) -> None:
        """Both have the same now: by the only edit since they last had, if it was but one."""
        restores = self.world.counts.get("restores", 0)
        for name, value in sides[0].items():
            if value != sides[1][name]:
                continue
            edits = self._edits.pop((pair, name), {})
            if len(edits) == 1 and self._agreed.get((pair, name)) == restores:
                ((side, (wanted, step)),) = edits.items()
                was_late = side == "the store" and step > self._read_at.get(who, 0)
                is_kept = name in _NEVER_CLEARED and not wanted
                if value != wanted and was_late:
                    self.world.count("people gaps")
                elif value != wanted and not is_kept:
                    self.broken.append(
                        f"people: {name} of {pair[1]}, account {pair[0]}, was set to {wanted!r} in {side} alone,"
                        f" and {who} made it {value!r}"
                    )
            self._agreed[pair, name] = restores

    def verdict(self, held: Sequence[Document]) -> Iterator[str]:
        """What is not right in the end."""
        yield from self.broken
        whole, fields = _of_rows(held)
        pairs = {pair: sides for pair, sides in self._linked().items() if whole.isdisjoint(str(each) for each in pair)}
        for (account, customer), (there, here) in pairs.items():
            for name in there:
                is_kept = name in _NEVER_CLEARED and not (there[name] and here[name])
                is_held = _bare(name) in fields[customer] | fields[str(account)]
                if there[name] != here[name] and not is_kept and not is_held:
                    yield f"people: {name} of {customer} is {there[name]!r}, of account {account} {here[name]!r}"
        yield from self._twice(pairs)

    def _twice(self, pairs: Iterable[Pair]) -> Iterator[str]:
        linked: dict[str, list[int]] = defaultdict(list)
        for account, customer in pairs:
            linked[customer].append(account)
        yield from (f"people: {name} has the accounts {ids}" for name, ids in linked.items() if len(ids) > 1)
        known: dict[str, list[str]] = defaultdict(list)
        for name, customer in self._customers.items():
            for each in customer.get("identifiers") or ():
                if each["type"] == "ExternalID" and not customer.get("deleted") and name not in self._of_people():
                    known[each["value"]].append(name)
        yield from (f"people: {value} is in Solteq as {ids}" for value, ids in known.items() if len(ids) > 1)

    def _of_people(self) -> set[str]:
        """The customers that people made or merged."""
        return {str(each.facts.get("customer")) for each in self.world.happenings} | {
            name for name in self._customers if name.startswith("c-")
        }
