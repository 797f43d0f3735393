"""Solteq's customers over HTTP: what is read, written, looked up and refused, and what is never shown."""

import json
import logging
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import simplejson
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from solteq_woo_assets.clients.solteq import SolteqClient
from solteq_woo_assets.clients.solteq_customers import CustomerDocument, Gone, Refused, Stale, Taken
from solteq_woo_assets.clients.solteq_documents import validated
from solteq_woo_assets.errors import OutcomeUnknownError, SolteqError
from solteq_woo_assets.flows.customers.frames import customer_document as written_document
from solteq_woo_assets.flows.customers.frames import customer_frame
from solteq_woo_assets_tests.clients.feeds import CUSTOMERS
from solteq_woo_assets_tests.clients.wire import Answer, json_answer, serving
from solteq_woo_assets_tests.conftest import customer_document, without
from solteq_woo_assets_tests.servers import running
from solteq_woo_sandbox import solteq as sandbox

AINO = "aino.esimerkki@example.com"
AINO_DOCUMENT: Mapping[str, Any] = {
    "type": "Private",
    "firstName": "Aino",
    "email": AINO,
    "identifiers": [{"type": "ExternalID", "value": "woo:shop:customer:7"}],
}
TOKEN = json_answer({"access_token": "t-1", "expires_in": 600})
PATH = sandbox.FEEDS["customers"][0]


def client(url: str, **options: Any) -> SolteqClient:
    return SolteqClient(url, url, sandbox.CLIENT_ID, SecretStr(sandbox.CLIENT_SECRET), **options)


class Sandbox:
    """The stand-in, empty, and a client of it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = client(url)
        self.customers = self.client.customers

    def control(self, method: str, path: str, body: object = None) -> Any:
        answer = requests.request(method, f"{self.url}/_sandbox/{path}", json=body, timeout=10)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def fault(self, **fault: Any) -> None:
        self.control("POST", "faults", fault)

    def put(self, **document: Any) -> None:
        self.control("PUT", "customers", {"documents": [{"type": "Private", "deleted": False, **document}]})

    def writes(self) -> list[str]:
        """The methods of the requests to customers that were no reads."""
        asked = self.control("GET", "requests")
        return [each["method"] for each in asked if PATH in each["path"] and each["method"] != "GET"]

    def made(self, **fields: Any) -> CustomerDocument:
        made = self.customers.create({**AINO_DOCUMENT, **fields})
        assert isinstance(made, CustomerDocument)
        self.control("DELETE", "requests")
        return made

    def replaced(self, held: CustomerDocument, **fields: Any) -> CustomerDocument | Taken | Stale | Gone | Refused:
        document = simplejson.loads(held.raw, use_decimal=True)
        return self.customers.replace(held.id, document | fields, document["modifiedAt"])


@pytest.fixture
def solteq(tmp_path: Path) -> Iterator[Sandbox]:
    with running(sandbox.create_app(tmp_path / "solteq.sqlite", seed=0)) as url:
        served = Sandbox(url)
        yield served
        served.client.close()


class TestWrites:
    def test_a_customer_is_made_found_and_replaced(self, solteq: Sandbox) -> None:
        made = solteq.made()
        assert solteq.customers.by_external_id("woo:shop:customer:7") == made
        assert solteq.customers.by_email(f" {AINO.upper()}") == made
        assert solteq.customers.by_email("nobody@example.com") is None
        changed = solteq.replaced(made, firstName="Eero")
        assert isinstance(changed, CustomerDocument)
        assert (changed.first_name, changed.modified_at > made.modified_at) == ("Eero", True)

    @pytest.mark.parametrize("field", ["email", "identifiers"])
    def test_who_has_it_already_is_named(self, solteq: Sandbox, field: str) -> None:
        solteq.put(id="C-1", **{field: AINO_DOCUMENT[field]})
        other = {"email": "x@example.com"} if field == "identifiers" else {"identifiers": []}
        assert solteq.customers.create({**AINO_DOCUMENT, **other}) == Taken("C-1")

    @pytest.mark.parametrize(
        ("fields", "path"),
        [
            ({"type": "Company", "companyName": "Oy"}, "taxCode"),
            ({"type": "Company", "taxCode": "FI04904840"}, "companyName"),
            ({"type": "Somebody"}, "type"),
            ({"email": "kurpitsa"}, "email"),
        ],
    )
    def test_a_refusal_names_the_field_and_no_value(self, solteq: Sandbox, fields: Any, path: str) -> None:
        refused = solteq.customers.create({**AINO_DOCUMENT, **fields})
        assert isinstance(refused, Refused)
        assert refused.reason.startswith(f"{path}: ")
        assert "kurpitsa" not in refused.reason

    def test_unchanged_is_unchanged_but_for_its_version(self, solteq: Sandbox) -> None:
        exact = {"points": simplejson.loads("12.3400", use_decimal=True), "tiers": [None, {"ä": "€ 😀"}]}
        solteq.put(id="C-1", raw_={"x": 1}, email=None, addresses=[{"type": "Summer", "floor": 3}])
        solteq.put(id="C-2", email="x@example.com")
        held = solteq.made(loyalty=exact, raw="their own field")
        again = solteq.replaced(held)
        assert isinstance(again, CustomerDocument)
        before, after = (simplejson.loads(each.raw, use_decimal=True) for each in (held, again))
        assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} == {"modifiedAt"}
        assert (after["raw"], str(after["loyalty"]["points"])) == ("their own field", "12.3400")
        (first,) = [each for page in solteq.client.read(CUSTOMERS) for each in page.documents if each.id == "C-1"][:1]
        assert simplejson.loads(first.raw)["raw_"] == {"x": 1}
        assert isinstance(solteq.replaced(first), CustomerDocument)

    def test_another_ones_e_mail_is_taken(self, solteq: Sandbox) -> None:
        solteq.put(id="C-1", email=AINO.upper())
        eero = solteq.made(email="eero@example.com")
        assert solteq.replaced(eero, email=AINO) == Taken("C-1")

    def test_the_version_that_was_read_is_the_one_replaced(self, solteq: Sandbox) -> None:
        held = solteq.made()
        assert isinstance(solteq.replaced(held, phone="1"), CustomerDocument)
        assert isinstance(solteq.replaced(held), Stale)
        now = solteq.customers.by_email(AINO)
        assert now is not None
        assert now.phone == "1"

    def test_a_deleted_one_is_gone(self, solteq: Sandbox) -> None:
        held = solteq.made()
        solteq.put(id=held.id, deleted=True)
        assert isinstance(solteq.replaced(held), Gone)
        assert isinstance(solteq.customers.replace("a/b ?", AINO_DOCUMENT, "x"), Gone)
        assert solteq.customers.by_email(AINO) is None

    @pytest.mark.parametrize("method", ["POST", "PUT"])
    @pytest.mark.parametrize("fault", [{"drop": "before"}, {"drop": "after"}, {"status": 503}, {"status": 500}])
    def test_without_an_answer_nobody_knows_and_nothing_is_repeated(
        self, solteq: Sandbox, method: str, fault: dict[str, Any]
    ) -> None:
        held = solteq.made(email="eero@example.com", identifiers=[]) if method == "PUT" else None
        solteq.fault(method=method, path=PATH, **fault)
        with pytest.raises(OutcomeUnknownError) as caught:
            solteq.replaced(held, email=AINO) if held else solteq.customers.create(AINO_DOCUMENT)
        assert "esimerkki" not in str(caught.value)
        assert solteq.writes() == [method]
        assert (solteq.customers.by_email(AINO) is not None) == (fault.get("drop") == "after")

    def test_an_answer_that_comes_too_late_is_none(self, solteq: Sandbox) -> None:
        hurried = client(solteq.url, read_seconds=0.2)
        solteq.fault(method="POST", path=PATH, delay_seconds=1)
        with pytest.raises(OutcomeUnknownError, match="no answer within"):
            hurried.customers.create(AINO_DOCUMENT)
        assert solteq.writes() == ["POST"]
        hurried.close()

    def test_too_many_requests_are_repeated(self, solteq: Sandbox) -> None:
        held = solteq.made()
        solteq.fault(method="PUT", path=PATH, status=429, headers={"Retry-After": "0"}, times=2)
        assert isinstance(solteq.replaced(held), CustomerDocument)
        assert solteq.writes() == ["PUT"] * 3

    def test_a_revoked_token_is_renewed_once(self, solteq: Sandbox) -> None:
        held = solteq.made()
        solteq.control("POST", "tokens/revoke")
        assert isinstance(solteq.replaced(held), CustomerDocument)
        assert solteq.writes() == ["PUT", "PUT"]
        solteq.fault(method="PUT", path=PATH, status=401, times=None)
        with pytest.raises(SolteqError) as caught:
            solteq.replaced(held)
        assert (caught.value.status, solteq.writes()) == (401, ["PUT"] * 4)

    def test_no_answer_that_is_a_customer_is_an_unknown_outcome(self) -> None:
        with serving(TOKEN, json_answer({"email": AINO}, 201)) as wire, pytest.raises(OutcomeUnknownError) as caught:
            client(wire.url).customers.create(AINO_DOCUMENT)
        assert AINO not in "".join(traceback.format_exception(caught.value))

    @pytest.mark.parametrize("status", [400, 403, 409])
    def test_other_errors_are_the_systems(self, status: int) -> None:
        with serving(TOKEN, json_answer({"error": "other"}, status)) as wire, pytest.raises(SolteqError) as caught:
            client(wire.url).customers.create(AINO_DOCUMENT)
        assert caught.value.status == status

    def test_if_match_is_what_solteq_wrote(self) -> None:
        stored = {**AINO_DOCUMENT, "id": "C-1", "deleted": False, "modifiedAt": "2026-01-05T06:00:00.1230000Z"}
        with serving(TOKEN, json_answer(stored)) as wire:
            client(wire.url).customers.replace("C-1", stored, stored["modifiedAt"])
        assert wire.asked[-1].headers["if-match"] == "2026-01-05T06:00:00.1230000Z"
        assert (wire.asked[-1].method, json.loads(wire.asked[-1].body)) == ("PUT", stored)


class TestLookUps:
    @pytest.mark.parametrize("value", ["", "  "])
    def test_nothing_finds_nobody_and_is_not_asked(self, solteq: Sandbox, value: str) -> None:
        solteq.made()
        before = solteq.client.requests_made
        assert solteq.customers.by_email(value) is solteq.customers.by_external_id(value) is None
        assert solteq.client.requests_made == before

    def test_a_solteq_that_gives_its_feed_is_not_believed(self) -> None:
        stranger = {"type": "Private", "id": "C-9", "deleted": False, "modifiedAt": "2026-01-05T06:00:00Z"}
        with serving(TOKEN, json_answer({"documents": [stranger], "continuationToken": None})) as wire:
            customers = client(wire.url).customers
            for ask in (lambda: customers.by_email(AINO), lambda: customers.by_external_id("woo:shop:customer:7")):
                with pytest.raises(SolteqError, match="who were not asked for") as caught:
                    ask()
                assert AINO not in str(caught.value)

    def test_a_deleted_one_is_not_found(self) -> None:
        gone = {**AINO_DOCUMENT, "id": "C-1", "deleted": True, "modifiedAt": "2026-01-05T06:00:00Z"}
        with serving(TOKEN, json_answer({"documents": [gone], "continuationToken": None})) as wire:
            assert client(wire.url).customers.by_email(AINO) is None

    @pytest.mark.parametrize("email", ["o'brien+shop@example.com", "a&b=c#d@example.com", "ääkkönen@example.com"])
    def test_any_address_can_be_asked_for(self, solteq: Sandbox, email: str) -> None:
        held = solteq.made(email=email)
        assert solteq.customers.by_email(email) == held


class TestPrivacy:
    @pytest.mark.parametrize(
        "message",
        [
            "'Aino' is too long",
            "'O'Aino' is no name, nor is 'Aino'",
            'must not be "Aino "The" Aino"',
            "“Aino” is not allowed",
            "»Aino» ei kelpaa",
            "'Aino is cut o",
            f"{AINO} is taken",
            f"see /customers?email={AINO.replace('@', '%40')}",
        ],
    )
    def test_a_refusal_shows_no_value(self, message: str) -> None:
        refused = Refused.from_details([{"path": "firstName", "message": message}])
        assert refused.reason.startswith("firstName: ")
        assert not any(word in refused.reason.lower() for word in ("aino", "esimerkki"))

    def test_a_refusal_keeps_what_solteq_says(self) -> None:
        details = [{"path": "taxCode", "message": "isn't in international form"}, 5, {"path": "type", "message": "?"}]
        assert Refused.from_details(details).reason == "taxCode: isn't in international form; type: ?"
        assert Refused.from_details(None).reason == "it does not say why"

    @pytest.mark.parametrize(
        "answer", [Answer(drop=True), json_answer({"error": f"{AINO} is bad", "message": AINO}, 403)]
    )
    def test_no_address_is_in_an_error_or_a_log(self, caplog: pytest.LogCaptureFixture, answer: Answer) -> None:
        with caplog.at_level(logging.DEBUG), serving(TOKEN, answer) as wire:
            customers = client(wire.url).customers
            asks: list[Callable[[], object]] = [
                lambda: customers.by_email(AINO),
                lambda: customers.create(AINO_DOCUMENT),
                lambda: customers.replace("C-1", AINO_DOCUMENT, "2026-01-05T06:00:00Z"),
            ]
            for ask in asks:
                with pytest.raises((SolteqError, OutcomeUnknownError)) as caught:
                    ask()
                assert "esimerkki" not in "".join(traceback.format_exception(caught.value))
        assert "esimerkki" not in caplog.text

    def test_no_value_is_in_a_picture(self) -> None:
        held = CustomerDocument.model_validate({**customer_document(1), "modifiedAt": "2026-01-05T06:00:00Z"})
        assert not any(word in repr(held) for word in ("Aino", "aino1@", "40123", "Mallitie"))

    def test_what_is_missing_is_not_what_is_null(self) -> None:
        wire = {"id": "1", "type": "Private", "email": None, "deleted": False, "modifiedAt": "2026-01-01T00:00:00Z"}
        document = CustomerDocument.model_validate(wire)
        assert {"email", "phone"} & document.model_fields_set == {"email"}

    def test_an_unreadable_document_shows_no_value(self) -> None:
        wrong = {"id": "C-1", "type": ["Aino"], "email": {"x": AINO}, "deleted": False, "modifiedAt": "Aino"}
        with pytest.raises(ValidationError) as caught:
            CustomerDocument.model_validate(wrong)
        (invalid,) = validated(CustomerDocument, [wrong]).invalid
        assert (invalid.key, AINO in invalid.raw, len(invalid.raw)) == ("C-1", False, 64), "a fingerprint alone"
        assert not any("aino" in text.lower() for text in (str(caught.value), repr(invalid), invalid.reason))

    def test_a_bare_tombstone_takes_the_place_of_what_was_personal(self) -> None:
        page = validated(CustomerDocument, [{"id": "C-1", "deleted": True, "modifiedAt": "2026-01-05T06:00:00Z"}])
        assert (page.invalid, page.tombstones) == ([], [])
        (row,) = customer_frame(page.documents).to_dicts()
        assert (row["id"], row["deleted"], row["email"], row["document"]) == ("C-1", True, None, None)

    @given(taken=st.sets(st.sampled_from(sorted(customer_document(1).keys() - {"id"}))), null=st.booleans())
    def test_all_but_the_id_and_the_version_may_be_missing_or_null(self, taken: set[str], null: bool) -> None:
        document = without(customer_document(1) | {"modifiedAt": "2026-01-05T06:00:00Z"}, taken, null=null)
        page = validated(CustomerDocument, [document])
        assert page.invalid == []
        (row,) = customer_frame(page.documents).to_dicts()
        assert (row["id"], row["type"], row["deleted"]) == ("C-1", "Private", False)

    @pytest.mark.parametrize(
        ("fields", "wanted"),
        [
            ({}, "Private"),
            ({"type": None}, "Private"),
            ({"companyName": "Esimerkki Oy", "taxCode": "FI04904840"}, "Company"),
            ({"companyName": "Esimerkki Oy"}, "Private"),
            ({"taxCode": "FI04904840"}, "Private"),
            ({"type": "Private", "companyName": "Esimerkki Oy"}, "Private"),
        ],
    )
    def test_who_does_not_say_so_is_a_company_by_its_name_and_tax_code_and_is_written_as_one(
        self, fields: dict[str, Any], wanted: str
    ) -> None:
        (read,) = validated(CustomerDocument, [{"id": "C-1", "modifiedAt": "2026-01-05T06:00:00Z", **fields}]).documents
        assert read.type == wanted
        assert written_document(read.raw, [])["type"] == wanted

    def test_an_address_and_an_identifier_without_a_type_are_carried_along(self) -> None:
        document = {
            "id": "C-1",
            "modifiedAt": "2026-01-05T06:00:00Z",
            "addresses": [{"street": "Mallitie 1"}, {"type": "Billing", "city": "Oulu"}],
            "identifiers": [{"value": "7"}, {"type": "ExternalID", "value": None}],
        }
        page = validated(CustomerDocument, [document])
        (row,) = customer_frame(page.documents).to_dicts()
        assert (row["billing_street"], row["billing_city"], row["external_ids"]) == ("", "Oulu", [])
        written = written_document(
            row["document"], [{"field": "external_id", "old": None, "new": "woo:shop:customer:1"}]
        )
        assert written["addresses"] == document["addresses"]
        assert written["identifiers"][:2] == document["identifiers"]
