import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import quote_plus

import pytest
import requests
import simplejson
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from pydantic.alias_generators import to_snake

from solteq_woo_assets.clients import solteq as module
from solteq_woo_assets.clients.solteq import SolteqClient
from solteq_woo_assets.clients.solteq_access import TokenCache
from solteq_woo_assets.clients.solteq_documents import Feed, FeedPage, ProductDocument, validated
from solteq_woo_assets.errors import ConfigurationError, SolteqError
from solteq_woo_assets.flows.balances.source import FEED as BALANCE_FEED
from solteq_woo_assets.flows.campaigns.source import FEED as CAMPAIGN_FEED
from solteq_woo_assets.flows.products.frames import product_frame
from solteq_woo_assets_tests.clients.feeds import BALANCES, CAMPAIGNS, PRODUCTS
from solteq_woo_assets_tests.clients.wire import Answer, Wire, json_answer, serving
from solteq_woo_assets_tests.conftest import campaign_document, without
from solteq_woo_assets_tests.servers import running
from solteq_woo_sandbox.solteq import CLIENT_ID, CLIENT_SECRET, create_app

SECRET = "do-not+show/this"
START = datetime(2026, 1, 1, tzinfo=UTC)
NAIVE = START.replace(tzinfo=None)
MODIFIED = "2026-11-23T05:20:38Z"
TOKEN = json_answer({"access_token": "t-1", "expires_in": 3600, "token_type": "Bearer"})


def product(**changes: Any) -> dict[str, Any]:
    """A sound product document as the wire has it."""
    return {
        "id": "p-1",
        "modelNumber": "M",
        "code": "A-1",
        "name": "Villasukat",
        "productType": "Variant",
        "vatRate": Decimal("25.5"),
        "categories": ["sukat"],
        "salesPrice": Decimal("19.90"),
        "purchasePrice": Decimal("8.1234"),
        "attributes": {"Koko": "M"},
        "active": True,
        "deleted": False,
        "modifiedAt": "2026-11-23T05:20:38.123Z",
        "someday": {"a": 1},
    } | changes


def balance(**changes: Any) -> dict[str, Any]:
    """A sound balance document as the wire has it."""
    return {
        "productCode": "A-1",
        "storeId": "1",
        "storeName": "Kamppi",
        "freeBalance": Decimal("2.9"),
        "reservedBalance": 0,
        "unit": "kg",
        "deleted": False,
        "modifiedAt": "2026-11-23T05:20:38Z",
    } | changes


def campaign(**changes: Any) -> dict[str, Any]:
    """A sound campaign document as the wire has it, with all that there is."""
    return {
        **campaign_document("c", "A", modifiedAt=MODIFIED),
        "validFrom": "2026-11-27T00:00:00",
        "validTo": "2026-12-01T00:00:00",
        "validDays": ["Mon"],
        "validHours": {"from": "11:00", "to": "13:00"},
        "storeIds": ["verkko"],
        "customerGroups": ["Kanta-asiakkaat"],
        "customers": ["C-1"],
        "priority": 7,
    } | changes


REQUIRED = {
    "products": {"id", "code", "salesPrice", "modifiedAt"},
    "balances": {"productCode", "storeId", "freeBalance", "modifiedAt"},
    "campaigns": {"id", "level", "targets", "modifiedAt"},
}
MEANINGS = {
    "active": True,
    "deleted": False,
    "reserved_balance": Decimal("0.0000"),
    "product_type": "Basic",
    "type": "Simple",
    "priority": 0,
    **{name: [] for name in ("categories", "attributes", "valid_days", "store_ids", "customer_groups", "customers")},
}
"""What a column says of a field that is missing or null, where it says anything."""
COLUMNS = {"validHours": ["valid_hours_from", "valid_hours_to"]}


def page(*documents: Any, token: str | None = None) -> Answer:
    """A feed's answer."""
    body = simplejson.dumps({"documents": documents, "continuationToken": token}, use_decimal=True)
    return Answer(body=body)


def client(wire: Wire, **options: Any) -> SolteqClient:
    told: dict[str, Any] = {"attempts": 2, **options}
    return SolteqClient(wire.url, wire.url, "me", SecretStr(SECRET), **told)


class TestDocuments:
    def test_a_product_is_read(self) -> None:
        (read,) = validated(ProductDocument, [product()]).documents
        assert read.model_dump() == {
            "id": "p-1",
            "model_number": "M",
            "code": "A-1",
            "name": "Villasukat",
            "description": None,
            "gtin": None,
            "product_type": "Variant",
            "vat_rate": Decimal("25.5"),
            "product_group": None,
            "categories": ["sukat"],
            "supplier": None,
            "sales_price": Decimal("19.90"),
            "purchase_price": Decimal("8.1234"),
            "discounted_price": None,
            "attributes": {"Koko": "M"},
            "max_discount_percent": None,
            "active": True,
            "deleted": False,
            "modified_at": datetime(2026, 11, 23, 5, 20, 38, 123000, UTC),
        }

    def test_a_balance_is_read(self) -> None:
        (read,) = validated(BALANCES.document, [balance(freeBalance=Decimal("2.8999999999999995"))]).documents
        assert (read.product_code, read.store_id, read.unit) == ("A-1", "1", "kg")
        assert (read.free_balance, read.reserved_balance) == (Decimal("2.9000"), 0)

    def test_a_campaign_is_read(self) -> None:
        document = campaign_document("c", "A", value=Decimal("12.5"), validFrom="2026-11-27", modifiedAt=MODIFIED)
        (read,) = validated(CAMPAIGNS.document, [document]).documents
        assert (read.value, read.targets, read.customers) == (Decimal("12.5"), ["A"], [])
        assert (read.valid_from, read.valid_to) == (datetime(2026, 11, 27), None)  # noqa: DTZ001  local

    @pytest.mark.parametrize(
        ("time", "read_as"),
        [
            (None, None),
            ("2026-11-27T08:30:15.999", datetime(2026, 11, 27, 8, 30, 15)),  # noqa: DTZ001
            ("0001-01-01T00:00:00", None),
            ("9999-12-31T23:59:59", None),
        ],
    )
    def test_a_campaigns_times_are_local_and_years_out_of_the_calendar_are_open(
        self, time: str | None, read_as: datetime | None
    ) -> None:
        document = campaign_document("c", "A", validFrom=time, validTo=time, modifiedAt=MODIFIED)
        (read,) = validated(CAMPAIGNS.document, [document]).documents
        assert (read.valid_from, read.valid_to) == (read_as, read_as)

    @pytest.mark.parametrize(
        ("field", "value"),
        [("validFrom", "2026-11-27T00:00:00Z"), ("validTo", "soon"), ("value", "10"), ("priority", 1.5), ("id", "")],
    )
    def test_a_wrong_campaign_is_set_aside(self, field: str, value: Any) -> None:
        document = campaign_document("c", "A", modifiedAt=MODIFIED) | {field: value}
        (invalid,) = validated(CAMPAIGNS.document, [document]).invalid
        assert invalid.field == field

    def test_a_campaign_that_is_no_single_price_needs_no_discount(self) -> None:
        document = campaign_document("c", "A", type="BuyXGetY", modifiedAt=MODIFIED)
        del document["discountType"], document["value"]
        (read,) = validated(CAMPAIGNS.document, [document]).documents
        assert read.value is None

    @given(st.decimals(-(10**10) + 1, 10**10 - 1, places=4))
    def test_money_travels_exactly(self, amount: Decimal) -> None:
        wire = simplejson.dumps(product(salesPrice=amount), use_decimal=True)
        (read,) = validated(ProductDocument, [simplejson.loads(wire, use_decimal=True)]).documents
        assert read.sales_price == amount

    @given(st.integers(-(10**10) + 1, 10**10 - 1))
    def test_whole_amounts_are_money(self, amount: int) -> None:
        (read,) = validated(ProductDocument, [product(salesPrice=amount)]).documents
        assert read.sales_price == amount
        assert isinstance(read.sales_price, Decimal)

    @pytest.mark.parametrize(
        ("field", "value", "reason"),
        [
            ("salesPrice", 19.9, "must be a JSON number"),
            ("salesPrice", "19.90", "must be a JSON number"),
            ("salesPrice", True, "must be a JSON number"),
            ("salesPrice", None, "must be a JSON number"),
            ("salesPrice", Decimal("1.00001"), "must have at most 4 decimals"),
            ("salesPrice", Decimal(10**10), "must have at most 10 digits before the decimal point"),
            ("salesPrice", 10**400, "must have at most 10 digits before the decimal point"),
            ("salesPrice", Decimal("1e9999999"), "must have at most 10 digits before the decimal point"),
            ("purchasePrice", "x", "must be a JSON number"),
            ("code", None, "Input should be a valid string"),
            ("code", 12, "Input should be a valid string"),
            ("active", "yes", "Input should be a valid boolean"),
            ("deleted", 0, "Input should be a valid boolean"),
            ("attributes", ["Koko"], "Input should be a valid dictionary"),
            ("attributes.Koko", {"Koko": {}}, "Input should be a valid string"),
            ("modifiedAt", 1700000000, "must be a time in ISO 8601 with its zone, such as 2026-11-23T05:20:38Z"),
            (
                "modifiedAt",
                "2026-11-23T05:20:38",
                "must be a time in ISO 8601 with its zone, such as 2026-11-23T05:20:38Z",
            ),
            ("modifiedAt", "soon", "must be a time in ISO 8601 with its zone, such as 2026-11-23T05:20:38Z"),
        ],
    )
    def test_a_wrong_document_is_set_aside(self, field: str, value: Any, reason: str) -> None:
        wrong = product(id="p-2", **{field.partition(".")[0]: value})
        read = validated(ProductDocument, [product(), wrong, product(id="p-3")])
        assert [each.id for each in read.documents] == ["p-1", "p-3"]
        (invalid,) = read.invalid
        assert (invalid.key, invalid.field, invalid.reason) == ("p-2", field, reason)
        assert invalid.raw == simplejson.dumps(wrong, use_decimal=True)

    @pytest.mark.parametrize("field", sorted(REQUIRED["products"]))
    def test_what_is_required_of_a_product_is_named(self, field: str) -> None:
        (invalid,) = validated(ProductDocument, [without(product(), {field})]).invalid
        assert (invalid.field, invalid.reason) == (field, "Field required")
        assert invalid.key == ("A-1" if field == "id" else "p-1")

    @pytest.mark.parametrize("field", sorted(REQUIRED["balances"]))
    def test_what_is_required_of_a_balance_is_named(self, field: str) -> None:
        (invalid,) = validated(BALANCES.document, [without(balance(), {field})]).invalid
        assert (invalid.field, invalid.reason) == (field, "Field required")
        assert invalid.key == (None if field in ("productCode", "storeId") else "A-1@1")

    @pytest.mark.parametrize("field", sorted(REQUIRED["campaigns"]))
    def test_what_is_required_of_a_campaign_is_named(self, field: str) -> None:
        (invalid,) = validated(CAMPAIGNS.document, [without(campaign(), {field})]).invalid
        assert (invalid.field, invalid.reason) == (field, "Field required")

    @given(st.data(), st.sampled_from(sorted(REQUIRED)), st.booleans())
    def test_all_else_may_be_missing_or_null(self, data: st.DataObject, name: str, null: bool) -> None:
        """Any part of it, and then it means what the contract says."""
        feed, whole, frame = {
            "products": (PRODUCTS, product(), product_frame),
            "balances": (BALANCES, balance(), BALANCE_FEED.frame),
            "campaigns": (CAMPAIGNS, campaign(), CAMPAIGN_FEED.frame),
        }[name]
        taken = data.draw(st.sets(st.sampled_from(sorted(whole.keys() - REQUIRED[name] - {"someday"}))))
        page = validated(feed.document, [without(whole, taken, null=null)])
        assert page.invalid == []
        (row,) = frame(page.documents).to_dicts()
        (full,) = frame(validated(feed.document, [whole]).documents).to_dicts()
        columns = {ours: MEANINGS.get(ours) for field in taken for ours in COLUMNS.get(field, [to_snake(field)])}
        assert row == full | {column: meaning for column, meaning in columns.items() if column in row}

    def test_an_attribute_without_a_value_is_none(self) -> None:
        (read,) = validated(ProductDocument, [product(attributes={"Koko": "M", "Väri": None})]).documents
        assert read.attributes == {"Koko": "M"}

    def test_a_blank_type_is_none(self) -> None:
        assert validated(ProductDocument, [product(productType=" ")]).documents[0].product_type == "Basic"
        assert validated(CAMPAIGNS.document, [campaign(type="")]).documents[0].type == "Simple"

    @pytest.mark.parametrize("more", [{}, {"name": "Villasukat"}])
    def test_a_deleted_product_that_says_no_more_leaves_the_rest_as_it_was(self, more: dict[str, str]) -> None:
        """Its model number, without which the variable product would stay on sale."""
        bare = {name: product()[name] for name in REQUIRED["products"]} | {"deleted": True}
        page = validated(ProductDocument, [bare | more])
        assert (len(page.documents), [stone.keys for stone in page.tombstones]) == (
            (1, []) if more else (0, [("p-1",)])
        )

    @pytest.mark.parametrize(
        ("days", "read_as"),
        [
            ([], []),
            (["Tue", "Mon"], ["Mon", "Tue"]),
            (["monday", "MON ", "Sun"], ["Mon", "Sun"]),
            (["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], []),
        ],
    )
    def test_days_are_weekdays_and_all_seven_are_no_restriction(self, days: list[str], read_as: list[str]) -> None:
        assert validated(CAMPAIGNS.document, [campaign(validDays=days)]).documents[0].valid_days == read_as

    @pytest.mark.parametrize(
        ("hours", "read_as"),
        [
            ({"from": "11:00", "to": "13:00"}, (time(11), time(13))),
            ({"from": "11:00:30", "to": "24:00"}, (time(11, 0, 30), time(0))),
            ({"from": "22:00", "to": "02:00"}, (time(22), time(2))),
            ({"from": "22:00"}, (time(22), time(0))),
            ({"from": None, "to": "13:00"}, (time(0), time(13))),
            ({"from": "00:00", "to": "24:00"}, (None, None)),
            ({"from": "00:00", "to": "00:00"}, (None, None)),
            ({}, (None, None)),
        ],
    )
    def test_hours_are_of_the_shops_clock(self, hours: Any, read_as: tuple[time | None, time | None]) -> None:
        (read,) = validated(CAMPAIGNS.document, [campaign(validHours=hours)]).documents
        assert (read.valid_hours_from, read.valid_hours_to) == read_as

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"validDays": "Mon"}, "validDays"),
            ({"validDays": ["ma"]}, "validDays"),
            ({"validDays": ["Mon", None]}, "validDays"),
            ({"validHours": "11-13"}, "validHours"),
            ({"validHours": {"from": "11", "to": "25:00"}}, "validHours.to"),
            ({"validHours": {"from": "11:00+02:00", "to": "12:00"}}, "validHours.from"),
            ({"validHours": {"from": 11, "to": 13}}, "validHours.from"),
            ({"validHours": {"from": "11:00", "to": "11:00"}}, "validHours"),
        ],
    )
    def test_days_and_hours_that_say_nothing_are_set_aside(self, fields: dict[str, Any], field: str) -> None:
        (invalid,) = validated(CAMPAIGNS.document, [campaign(**fields)]).invalid
        assert invalid.field == field

    @pytest.mark.parametrize(
        ("fields", "unknown"),
        [
            ({}, []),
            ({"minimumQuantity": 2, "channels": ["pos"]}, ["channels", "minimumQuantity"]),
            ({"combinable": False}, ["combinable"]),
            ({"a": None, "b": "", "c": [], "d": {}, "e": " "}, []),
            ({"validHours": {"from": "11:00", "to": "13:00", "except": "12:00"}}, ["validHours.except"]),
        ],
    )
    def test_fields_that_are_not_known_are_named_when_they_say_something(
        self, fields: dict[str, Any], unknown: list[str]
    ) -> None:
        (read,) = validated(CAMPAIGNS.document, [campaign(**fields)]).documents
        assert read.unknown_fields == unknown
        assert CAMPAIGN_FEED.frame([read])["unknown_fields"].to_list() == [unknown]

    @pytest.mark.parametrize("raw", [None, 3, "p-1", [], {}, {"id": 3}])
    def test_rubbish_has_no_key(self, raw: object) -> None:
        (invalid,) = validated(ProductDocument, [raw]).invalid
        assert invalid.key is None
        assert simplejson.loads(invalid.raw) == raw

    def test_half_a_character_can_be_stored(self) -> None:
        raw = simplejson.loads('{"id": "p-\\ud83d", "name": "\\ud83d"}')
        (invalid,) = validated(ProductDocument, [raw]).invalid
        assert invalid.key == "p-\\ud83d"
        assert simplejson.loads(invalid.raw.encode()) == raw

    def test_sizes_may_be_numbers(self) -> None:
        (read,) = validated(ProductDocument, [product(attributes={"Koko": 42, "Leveys": Decimal("2.5")})]).documents
        assert read.attributes == {"Koko": "42", "Leveys": "2.5"}

    @given(st.datetimes(min_value=NAIVE, max_value=NAIVE.replace(year=2200)), st.integers(-14, 14))
    def test_instants_are_utc(self, when: datetime, hours: int) -> None:
        instant = when.replace(tzinfo=timezone(timedelta(hours=hours)))
        (read,) = validated(ProductDocument, [product(modifiedAt=instant.isoformat())]).documents
        assert read.modified_at == instant
        assert read.modified_at.tzinfo is UTC


class TestFeeds:
    def test_tokens_are_followed_through_empty_pages(self) -> None:
        answers = [page(product(), token="+a/b="), page(token="c d"), page(product(id="p-2"), token="")]
        with serving(TOKEN, *answers) as wire:
            solteq = client(wire, timezone="Europe/Tallinn")
            since = datetime(2026, 11, 23, 7, 20, 38, 5, timezone(timedelta(hours=2)))
            pages = list(solteq.read(PRODUCTS, modified_since=since, page_size=7))
        assert [[each.id for each in one.documents] for one in pages] == [["p-1"], ["p-2"]]
        asked = wire.asked[1:]
        assert {each.path for each in asked} == {"/catalog/v1-ext/products"}
        assert {each.headers["authorization"] for each in asked} == {"Bearer t-1"}
        assert asked[0].query == {
            "pageSize": ["7"],
            "timezone": ["Europe/Tallinn"],
            "modifiedSince": ["2026-11-23T05:20:38.000005Z"],
        }
        assert [each.query.get("continuationToken") for each in asked] == [None, ["+a/b="], ["c d"]]
        assert solteq.requests_made == 4
        solteq.close()

    def test_no_since_reads_everything(self) -> None:
        with serving(TOKEN, page()) as wire:
            assert list(client(wire).read(PRODUCTS)) == []
        assert "modifiedSince" not in wire.asked[1].query

    def test_a_since_without_a_zone_is_a_mistake(self) -> None:
        with serving(TOKEN) as wire, pytest.raises(ValueError, match="time zone"):
            next(client(wire).read(PRODUCTS, modified_since=NAIVE))

    @pytest.mark.parametrize("documents", [[], [product()]])
    def test_a_feed_that_runs_in_circles_is_an_error(self, documents: list[Any]) -> None:
        with serving(TOKEN, page(*documents, token="again")) as wire:
            with pytest.raises(SolteqError, match="the feed of products repeats a continuation token"):
                list(client(wire).read(PRODUCTS))
            assert len(wire.asked) < 10

    def test_a_feed_of_nothing_but_empty_pages_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "EMPTY_PAGES", 3)
        with serving(TOKEN, *[page(token=str(number)) for number in range(10)]) as wire:
            with pytest.raises(SolteqError, match="has nothing but empty pages"):
                list(client(wire).read(PRODUCTS))
            assert len(wire.asked) == 5

    @pytest.mark.parametrize(
        "body", [[], {}, {"documents": None}, {"documents": [], "continuationToken": 3}, "documents", None]
    )
    def test_what_is_no_page_is_an_error(self, body: object) -> None:
        with serving(TOKEN, json_answer(body)) as wire, pytest.raises(SolteqError, match="the answer is no page"):
            list(client(wire).read(PRODUCTS))

    def test_the_sensors_question_ends_with_the_first_answer(self) -> None:
        with serving(TOKEN, page(token="a"), page(product(), token="b"), page(product(), token="c")) as wire:
            newest = client(wire).newest_page(PRODUCTS, modified_since=START)
            assert [each.id for each in newest.documents] == ["p-1"]
            assert len(wire.asked) == 3
            assert wire.asked[1].query["pageSize"] == ["100"]

    def test_the_sensors_question_may_have_no_answer(self) -> None:
        with serving(TOKEN, page()) as wire:
            assert client(wire).newest_page(PRODUCTS, modified_since=START) == FeedPage([], [])


class TestTokens:
    def test_the_credentials_are_sent_in_the_form(self) -> None:
        with serving(TOKEN, page()) as wire:
            list(client(wire).read(PRODUCTS))
        asked = wire.asked[0]
        assert (asked.method, asked.path) == ("POST", "/connect/token")
        assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
        assert asked.body.decode() == (
            "grant_type=client_credentials&client_id=me&client_secret=do-not%2Bshow%2Fthis&scope=catalog-api"
        )
        assert "authorization" not in asked.headers

    def test_a_token_is_kept_per_scope(self) -> None:
        with serving(TOKEN, page(), TOKEN, page(), page()) as wire:
            solteq = client(wire)
            list(solteq.read(PRODUCTS))
            list(solteq.read(BALANCES))
            list(solteq.read(PRODUCTS))
        bodies = [each.body.decode() for each in wire.asked if each.path == "/connect/token"]
        assert [body.rpartition("scope=")[2] for body in bodies] == ["catalog-api", "stock-api"]

    def test_a_token_request_is_tried_again(self) -> None:
        with serving(json_answer({}, 503), TOKEN, page(product())) as wire:
            assert len(list(client(wire).read(PRODUCTS))) == 1

    def test_a_refused_token_is_renewed_once(self) -> None:
        renewed = json_answer({"access_token": "t-2", "expires_in": "60"})
        with serving(TOKEN, json_answer({"error": "unauthorized"}, 401), renewed, page(product())) as wire:
            assert len(list(client(wire).read(PRODUCTS))) == 1
        bearers = [each.headers.get("authorization") for each in wire.asked]
        assert bearers == [None, "Bearer t-1", None, "Bearer t-2"]

    def test_a_refused_new_token_is_an_error(self) -> None:
        refused = json_answer({"error": "unauthorized"}, 401)
        with serving(TOKEN, refused, TOKEN, refused) as wire:
            with pytest.raises(SolteqError, match="SOLTEQ_CLIENT_ID and SOLTEQ_CLIENT_SECRET") as caught:
                list(client(wire).read(PRODUCTS))
            assert len(wire.asked) == 4
        assert caught.value.status == 401

    @pytest.mark.parametrize("body", [{}, [], {"access_token": ""}, {"access_token": "t", "expires_in": "soon"}])
    def test_an_answer_without_a_token_is_an_error(self, body: object) -> None:
        with serving(json_answer(body)) as wire, pytest.raises(SolteqError, match="no usable access_token"):
            list(client(wire).read(PRODUCTS))

    @pytest.mark.parametrize(
        ("code", "mend"),
        [
            ("invalid_client", "Check SOLTEQ_CLIENT_ID"),
            ("invalid_scope", "Register the scope"),
            ("odd", "Check SOLTEQ_CL"),
        ],
    )
    def test_a_refusal_says_what_to_mend(self, code: str, mend: str) -> None:
        with serving(json_answer({"error": code}, 400)) as wire, pytest.raises(SolteqError, match=mend) as caught:
            list(client(wire).read(PRODUCTS))
        assert caught.value.code == code

    def test_no_secret_and_no_token_is_shown(self) -> None:
        token = "a.json.web-token"
        given = json_answer({"access_token": token})
        echo = json_answer({"error": "odd", "message": f"{SECRET} {quote_plus(SECRET)} is odd"}, 400)
        seen: list[str] = []
        for answers in ([echo], [given, echo], [given, Answer(403, f"{token} is not welcome")]):
            with serving(*answers) as wire:
                solteq = client(wire)
                with pytest.raises(SolteqError) as caught:
                    list(solteq.read(PRODUCTS))
            seen += [repr(caught.value), "".join(traceback.format_exception(caught.value))]
            seen += [repr(solteq), str(vars(solteq)), str(vars(solteq._tokens))]
        shown = "\n".join(seen)
        assert not any(secret in shown for secret in (SECRET, quote_plus(SECRET), token))
        assert "*** *** is odd" in shown
        assert "*** is not welcome" in shown

    @pytest.mark.parametrize(
        "address", ["http://api.solteqpos.com", "ftp://localhost", "api.solteqpos.com", "", "https://"]
    )
    @pytest.mark.parametrize("setting", ["SOLTEQ_API_URL", "SOLTEQ_IDENTITY_URL"])
    def test_the_secret_never_travels_in_the_clear(self, address: str, setting: str) -> None:
        good = "https://b.example"
        api, identity = (address, good) if setting == "SOLTEQ_API_URL" else (good, address)
        with pytest.raises(ConfigurationError, match=f"{setting} must begin with https://"):
            SolteqClient(api, identity, "me", SecretStr(SECRET))

    @pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "127.9.9.9:80", "[::1]:8080"])
    def test_except_on_this_machine(self, host: str) -> None:
        SolteqClient(f"http://{host}", f"http://{host}/identity", "me", SecretStr(SECRET)).close()


class TestTokenCache:
    @given(st.floats(0, 10_000), st.lists(st.floats(0, 5_000), max_size=30))
    def test_a_token_is_used_until_shortly_before_it_expires(self, life: float, steps: list[float]) -> None:
        now, issued = 0.0, [0.0]

        def renew(scope: str) -> tuple[SecretStr, float]:
            issued.append(now)
            return SecretStr(str(len(issued))), life

        cache = TokenCache(renew, lambda: now)
        for step in steps:
            now += step
            before = len(issued)
            cache.get("scope")
            margin = min(60, life * 0.1)
            was_fresh = before > 1 and now < issued[before - 1] + life - margin
            assert (len(issued) == before) == was_fresh

    def test_many_threads_renew_once(self) -> None:
        renewals: list[str] = []

        def renew(scope: str) -> tuple[SecretStr, float]:
            renewals.append(scope)
            return SecretStr(f"{len(renewals)}"), 60

        cache = TokenCache(renew)
        with ThreadPoolExecutor(8) as pool:
            refused = set(pool.map(lambda _: cache.get("a").get_secret_value(), range(50)))
            renewed = set(pool.map(lambda _: cache.get("a", instead_of=SecretStr("1")).get_secret_value(), range(50)))
        assert (refused, renewed, renewals) == ({"1"}, {"2"}, ["a", "a"])


class Sandbox:
    """Solteq's stand-in and a client of it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = SolteqClient(url, url, CLIENT_ID, SecretStr(CLIENT_SECRET), attempts=3)

    def control(self, method: str, path: str, body: object = None) -> Any:
        answer = requests.request(method, f"{self.url}/_sandbox/{path}", json=body, timeout=60)
        answer.raise_for_status()
        return answer.json() if answer.content else None


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(create_app(tmp_path_factory.mktemp("solteq") / "solteq.sqlite", seed=1)) as url:
        yield url


@pytest.fixture
def sandbox(seeded: str) -> Iterator[Sandbox]:
    made = Sandbox(seeded)
    yield made
    made.client.close()
    made.control("DELETE", "faults")
    made.control("PUT", "behaviour", {"unruly": True, "page_size_cap": 200, "token_seconds": 600})


class TestSandbox:
    @pytest.mark.parametrize("feed", [PRODUCTS, BALANCES], ids=lambda feed: feed.name)
    def test_an_unruly_feed_is_read_whole(self, sandbox: Sandbox, feed: Feed[Any]) -> None:
        keys = {
            feed.document.key_of(document.model_dump(by_alias=True)) or ""
            for page in sandbox.client.read(feed)
            for document in page.documents
        }
        sandbox.control("PUT", "behaviour", {"unruly": False, "page_size_cap": 7})
        orderly = [document for page in sandbox.client.read(feed) for document in page.documents]
        assert len(keys) == len(orderly) > 200

    def test_a_wrong_document_is_set_aside_with_its_text(self, sandbox: Sandbox) -> None:
        raw = '{"id": "wrong", "code": "W", "salesPrice": "1,50", "modifiedAt": "2026-12-24T00:00:00Z"}'
        sandbox.control("PUT", "products", {"documents": [{"raw": raw}, {"code": "R", "salesPrice": 1}]})
        pages = list(sandbox.client.read(PRODUCTS, modified_since=START))
        invalid = {each.key: each for page in pages for each in page.invalid}
        assert simplejson.loads(invalid["wrong"].raw) == simplejson.loads(raw)

    def test_only_what_changed_is_read(self, sandbox: Sandbox) -> None:
        far = datetime(2099, 1, 1, tzinfo=UTC)
        assert sandbox.client.newest_page(PRODUCTS, modified_since=far) == FeedPage([], [])
        later = product(id="p-far", salesPrice=1, vatRate=0, purchasePrice=2, modifiedAt="2099-01-01T00:00:00Z")
        sandbox.control("PUT", "products", {"documents": [later]})
        (newest,) = sandbox.client.newest_page(PRODUCTS, modified_since=far).documents
        assert newest.id == "p-far"

    def test_a_revoked_token_is_replaced_in_the_middle_of_a_run(self, sandbox: Sandbox) -> None:
        sandbox.control("PUT", "behaviour", {"page_size_cap": 50})
        pages = sandbox.client.read(PRODUCTS)
        first = next(pages)
        sandbox.control("POST", "tokens/revoke")
        rest = list(pages)
        assert len(first.documents) > 0
        assert len(rest) > 1

    def test_tokens_that_never_hold_are_an_error(self, sandbox: Sandbox) -> None:
        sandbox.control("PUT", "behaviour", {"token_seconds": 0})
        with pytest.raises(SolteqError, match="answered 401 unauthorized"):
            list(sandbox.client.read(PRODUCTS))

    def test_a_wrong_secret_is_an_error(self, sandbox: Sandbox) -> None:
        stranger = SolteqClient(sandbox.url, sandbox.url, CLIENT_ID, SecretStr("wrong"))
        with pytest.raises(SolteqError, match=r"answered 400 invalid_client\. Check SOLTEQ_CLIENT_ID"):
            list(stranger.read(PRODUCTS))

    def test_a_wrong_scope_is_an_error(self, sandbox: Sandbox) -> None:
        feed = Feed("products", PRODUCTS.path, "stock-api", ProductDocument)
        with pytest.raises(SolteqError, match=r"answered 403 forbidden: the token lacks catalog-api\. The"):
            list(sandbox.client.read(feed))

    @pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429}, {"drop": "before"}, {"drop": "after"}])
    def test_passing_trouble_goes_unnoticed(self, sandbox: Sandbox, fault: dict[str, object]) -> None:
        sandbox.control("POST", "faults", {"path": "/products", "skip": 1, "times": 2, **fault})
        assert sum(len(page.documents) for page in sandbox.client.read(PRODUCTS)) > 200
