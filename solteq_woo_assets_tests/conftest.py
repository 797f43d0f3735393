"""A shop to test with: both sandboxes over real HTTP, a database, and the jobs."""

import gc
import os
import shutil
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import dagster as dg
import hypothesis
import pytest
import requests
import simplejson
import stamina
from click.testing import CliRunner, Result
from pydantic import SecretStr
from requests_oauthlib import OAuth1

from solteq_woo_assets.automation.jobs import today
from solteq_woo_assets.cli import main
from solteq_woo_assets.clients.connections import solteq_client, woo_client
from solteq_woo_assets.clients.woo_customers import StoreCustomer
from solteq_woo_assets.clients.woo_documents import StoreProduct
from solteq_woo_assets.definitions import build_definitions
from solteq_woo_assets.engine.database import Clock, StateDatabase, utc_now
from solteq_woo_assets.engine.flow import Flow
from solteq_woo_assets.engine.shop import Shop as OpenShop
from solteq_woo_assets.engine.shop import opened
from solteq_woo_assets.flows.all import FLOWS
from solteq_woo_assets.flows.tables import state_database
from solteq_woo_assets.settings import Settings
from solteq_woo_assets_tests.databases import make_database
from solteq_woo_assets_tests.engine.flows import Run, run_assets
from solteq_woo_assets_tests.servers import running
from solteq_woo_sandbox import solteq as solteq_sandbox
from solteq_woo_sandbox import woo as woo_sandbox

hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

CHANGED_SALES = {"ops": {"woo_sales": {"config": {"changed_only": True}}}}
"""The config of a run of the sales' job that is not for whole days."""
SESSION = requests.Session()
"""Of whoever is neither we nor the other side: connections are kept."""
SHARED = Path(__file__).parents[2] / "shared"


_ROOM_BYTES = 4 * 2**30


def pytest_configure() -> None:
    """Databases of tests are in memory where the system has a folder for that: none has to outlive a power cut."""
    memory = Path("/dev/shm")  # noqa: S108
    if memory.is_dir() and shutil.disk_usage(memory).free > _ROOM_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))


@dataclass
class Control:
    """The control endpoints of one sandbox."""

    url: str

    def get(self, path: str) -> Any:
        return simplejson.loads(self._call("GET", path, None).content, use_decimal=True)

    def put(self, path: str, body: Any) -> Any:
        return self._call("PUT", path, body).json()

    def post(self, path: str, body: Any) -> None:
        self._call("POST", path, body)

    def patch(self, path: str, body: Any) -> None:
        self._call("PATCH", path, body)

    def fault(self, **fault: Any) -> None:
        """Make requests fail; see ``solteq_woo_sandbox/server.py``."""
        self._call("POST", "faults", fault)

    def heal(self) -> None:
        """No more faults."""
        self._call("DELETE", "faults", None)

    def asked(self) -> list[dict[str, Any]]:
        """What was asked since the last look."""
        seen = self._call("GET", "requests", None).json()
        self._call("DELETE", "requests", None)
        return seen

    def writes(self) -> list[dict[str, Any]]:
        """What was written since the last look."""
        return [request for request in self.asked() if request["method"] != "GET"]

    def _call(self, method: str, path: str, body: Any) -> requests.Response:
        data = None if body is None else simplejson.dumps(body, use_decimal=True)
        headers = {"Content-Type": "application/json"}
        answer = SESSION.request(method, f"{self.url}/_sandbox/{path}", data=data, headers=headers, timeout=60)
        answer.raise_for_status()
        return answer


_BUILT: list[tuple[Settings, Sequence[Flow], dg.Definitions]] = []
"""Definitions by what they are made of: making them takes a quarter of a second."""
_ASKING: list["Shop"] = []


@dg.resource
def _shop_that_asks() -> Iterator[OpenShop]:
    with _ASKING[0].opened() as shop:
        yield shop


class Shop:
    """Solteq and the store, and this integration between them."""

    def __init__(self, folder: Path, solteq_url: str, woo_url: str) -> None:
        self.folder = folder
        self.settings_type: type[Settings] = Settings
        self.flows: Sequence[Flow] = FLOWS
        self.solteq = Control(solteq_url)
        self.woo = Control(woo_url)
        self.settings = self.with_settings()
        self.clock: Clock = utc_now
        self._edits = 0
        self._opened: StateDatabase | None = None
        self._instance: dg.DagsterInstance | None = None
        self._closing = ExitStack()

    @property
    def database(self) -> StateDatabase:
        """The database, wherever the settings say that it is."""
        if self._opened is None or self._opened.path != self.settings.database:
            self._opened = state_database(self.settings.database, self.flows)
        return self._opened

    @property
    def instance(self) -> dg.DagsterInstance:
        """Dagster's storage, from when it is asked for."""
        if self._instance is None:
            self._instance = self._closing.enter_context(dg.DagsterInstance.ephemeral())
        return self._instance

    @instance.setter
    def instance(self, instance: dg.DagsterInstance | None) -> None:
        self._instance = instance

    def close(self) -> None:
        """Give back what is its own."""
        self._closing.close()

    def with_settings(self, **changes: Any) -> Settings:
        """Settings of this shop, with changes; they hold for the runs that follow."""
        values: Mapping[str, Any] = {
            "SOLTEQ_API_URL": self.solteq.url,
            "SOLTEQ_IDENTITY_URL": self.solteq.url,
            "SOLTEQ_CLIENT_ID": solteq_sandbox.CLIENT_ID,
            "SOLTEQ_CLIENT_SECRET": SecretStr(solteq_sandbox.CLIENT_SECRET),
            "WOO_URL": self.woo.url,
            "WOO_CONSUMER_KEY": woo_sandbox.CONSUMER_KEY,
            "WOO_CONSUMER_SECRET": SecretStr(woo_sandbox.CONSUMER_SECRET),
            "database": self.folder / "state.duckdb",
            "tax_classes": {"25.5": "", "13.5": "reduced-rate", "10": "reduced-rate", "0": "zero-rate"},
            **changes,
        }
        self.settings = self.settings_type(_env_file=None, **values)  # type: ignore[call-arg]
        return self.settings

    def set_clock(self, instant: datetime) -> None:
        """Let it be this instant, UTC without a zone, for campaigns and in the store, until it is set again."""
        self.clock = lambda: instant
        self.woo.put("settings", {"clock": f"{instant.isoformat()}Z"})

    def campaign(self, code: str, *targets: str, **fields: Any) -> None:
        """A campaign document of Solteq, put there: a percentage off products, unless told otherwise."""
        self.solteq.put("campaigns", {"documents": [campaign_document(code, *targets, **fields)]})

    def product(self, code: str, **fields: Any) -> dict[str, Any]:
        """A product document of Solteq, put there."""
        document = product_document(code, **fields)
        self.solteq.put("products", {"documents": [document]})
        return document

    def balance(self, code: str, free: Any, store: str = "1", **fields: Any) -> None:
        """A balance document of Solteq, put there."""
        self.solteq.put("balances", {"documents": [balance_document(code, free, store, **fields)]})

    def customer(self, number: int, **fields: Any) -> None:
        """A customer document of Solteq, put there; what is not told stays as it was."""
        self.solteq.put("customers", {"documents": [customer_document(number) | fields]})

    def edit_customer(self, number: int, **fields: Any) -> None:
        """What a shop assistant does at the till."""
        self.solteq.put("customers", {"documents": [{"id": f"C-{number}", **fields}]})

    def customer_in_solteq(self, identifier: str) -> dict[str, Any]:
        """What Solteq holds of a customer."""
        return self.solteq.get(f"customers?id={identifier}")

    def solteq_customers(self, email: str) -> list[dict[str, Any]]:
        """The customers with this e-mail address, as Solteq's own API tells."""
        client = solteq_client(self.settings)
        try:
            found = client.customers.by_email(email)
        finally:
            client.close()
        return [simplejson.loads(found.raw, use_decimal=True)] if found else []

    def account(self, email: str, **fields: Any) -> int:
        """Somebody registers in the store; the account's id."""
        return self.woo.put("customers", {"customers": [{"email": email, **fields}]})["ids"][0]

    def edit_account(self, identifier: int, **fields: Any) -> None:
        """What a customer does on the page "My account"."""
        self.woo.patch(f"customers/{identifier}", fields)

    def accounts(self) -> dict[int, StoreCustomer]:
        """The store's accounts by id, as its own API tells."""
        client = woo_client(self.settings)
        try:
            return {account.id: account for page in client.customers.read() for account in page.rows}
        finally:
            client.close()

    def sync_customers(self, *, full: bool = True) -> list[dict[str, Any]]:
        """Both directions, the store's accounts read in full."""
        return [self.sync_job(job, full=full) for job in ("customers_to_woo", "customers_to_solteq")]

    def sync_job(self, job: str, *, full: bool = False) -> dict[str, Any]:
        """Run a customer job that must succeed; its metadata."""
        return self._sync(job, woo_customer_accounts={"full": full})

    def definitions(self) -> dg.Definitions:
        """Everything that Dagster loads, for this shop until another asks for its own."""
        _ASKING[:] = [self]
        elsewhere = self.settings.model_copy(update={"database": Path("nowhere")})
        for settings, flows, built in _BUILT:
            if settings == elsewhere and flows is self.flows:
                return built
        told = build_definitions(elsewhere, flows=self.flows)
        parts = {name: getattr(told, name) for name in ("assets", "asset_checks", "jobs", "schedules", "sensors")}
        built = dg.Definitions(**parts, resources={"shop": _shop_that_asks}, executor=told.executor)
        _BUILT.append((elsewhere, self.flows, built))
        return built

    @contextmanager
    def opened(self) -> Iterator[OpenShop]:
        """As a run has it."""
        with opened(self.settings, self.database, self._now) as shop:
            yield shop

    def _now(self) -> datetime:
        return self.clock()

    def run(self, job: str, **arguments: Any) -> dg.ExecuteInProcessResult:
        """Run a job to its end, whatever it is."""
        definition = self.definitions().resolve_job_def(job)
        if "tags" not in arguments:
            key = today(self.settings, self.clock()) if definition.partitions_def else None
            arguments.setdefault("partition_key", key)
        return definition.execute_in_process(instance=self.instance, raise_on_error=False, **arguments)

    def order(self, *lines: dict[str, Any], **fields: Any) -> int:
        """Somebody orders, and pays; the order's id. Lines as ``order_line`` makes them."""
        return self.woo.put("orders", {"orders": [order_document(*lines, **fields)]})["ids"][0]

    def delete_order(self, identifier: int) -> None:
        """The store's people delete an order for good."""
        self._ask_store("DELETE", f"orders/{identifier}", params={"force": "true"})

    def edit_order(self, identifier: int, *lines: dict[str, Any], **fields: Any) -> None:
        """The order as it is now, with another second of modification."""
        self._edits += 1
        modified = (datetime.now(UTC) + timedelta(seconds=self._edits)).strftime("%Y-%m-%dT%H:%M:%S")
        given = {"date_modified_gmt": modified, **fields, "id": identifier}
        self.woo.put("orders", {"orders": [order_document(*lines, **given)]})

    def sync_sales(self, *days: str, **config: Any) -> dict[str, Any]:
        """Book what changed, or these days; the metadata by asset."""
        return self._sync("sales_to_solteq", *days, woo_sales={"changed_only": not days, **config})

    def booked(self) -> list[dict[str, Any]]:
        """All that Solteq has booked, oldest first."""
        return self.solteq.get("sales")

    def sync(self, *jobs: str) -> list[dict[str, Any]]:
        """Run jobs that must succeed; the metadata of their materializations, by asset, one dict a job."""
        return [self._sync(job) for job in jobs or ("campaigns_to_woo", "products_to_woo", "balances_to_woo")]

    def _sync(self, job: str, *days: str, **configs: Mapping[str, Any]) -> dict[str, Any]:
        """Run a flow's assets without Dagster around them, which would take twice as long: ``run`` is for what the
        checks after the delivery, the run's events or its history are to show.
        """
        flow = next((flow for flow in FLOWS if flow.job == job), None)
        if flow is None:
            result = self.run(job)
            assert result.success, [event.message for event in result.all_events if event.is_failure]
            return metadata(result)
        days = days or (today(self.settings, self.clock()),)
        names = [name for name in flow.assets if name != flow.delivery or self.settings.mode == "live"]
        with self.opened() as shop:
            told = run_assets(names, shop, Run(str(uuid4()), list(days), configs, self._instance))
        return {name: _shown(numbers) for name, numbers in told.items()}

    def tick(self, flow: str) -> tuple[bool, str]:
        """Whether the flow's sensor requests a run now, and what it says about it."""
        definitions = self.definitions()
        job = "sales_to_solteq" if flow == "sales" else flow if "_to_" in flow else f"{flow}_to_woo"
        sensor = definitions.resolve_sensor_def(f"{job}_sensor")
        with dg.build_sensor_context(
            instance=self.instance,
            repository_def=definitions.get_repository_def(),
            resources=dict(definitions.resources or {}),
        ) as context:
            evaluation = sensor.evaluate_tick(context)
        if not evaluation.run_requests:
            assert evaluation.skip_message, "a sensor says why it skips"
            return False, evaluation.skip_message
        (request,) = evaluation.run_requests
        return True, request.tags["solteq_woo/why"]

    def store(self, status: str = "any") -> dict[str, StoreProduct]:
        """What the store holds, by SKU, as its own API tells."""
        client = woo_client(self.settings)
        try:
            pages = [*client.read_products(status=status), *client.read_variations()]
        finally:
            client.close()
        return {product.sku: product for page in pages for product in page.rows}

    def make(self, *, of: StoreProduct | None = None, **fields: Any) -> None:
        """What the store's people do when they make a product of their own, or a variation of one."""
        self._ask_store("POST", f"products/{of.id}/variations" if of else "products", json=fields)

    def edit(self, product: StoreProduct, **fields: Any) -> None:
        """What the store's people do when they edit a product by hand."""
        self._ask_store("PUT", f"products/{product.id}", json=fields)

    def delete(self, product: StoreProduct) -> None:
        """What the store's people do when they delete for good."""
        self._ask_store("DELETE", f"products/{product.id}", params={"force": "true"})

    def _ask_store(self, method: str, path: str, **arguments: Any) -> None:
        secret = OAuth1(woo_sandbox.CONSUMER_KEY, woo_sandbox.CONSUMER_SECRET, signature_method="HMAC-SHA256")
        url = f"{self.woo.url}/wp-json/wc/v3/{path}"
        SESSION.request(method, url, auth=secret, timeout=60, **arguments).raise_for_status()

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of the database."""
        with self.database.transaction() as connection:
            return connection.execute(query, parameters).fetchall()


def product_document(code: str, **fields: Any) -> dict[str, Any]:
    """A sound product document; the sandbox sets ``modifiedAt``."""
    return {
        "id": f"p-{code}",
        "code": code,
        "name": f"Tuote {code}",
        "productType": "Basic",
        "vatRate": 25.5,
        "categories": [],
        "salesPrice": 10,
        "attributes": {},
        "active": True,
        "deleted": False,
        **fields,
    }


def without(document: Mapping[str, Any], taken: Collection[str], *, null: bool = False) -> dict[str, Any]:
    """A document without these fields, or with null in them."""
    return {name: None if name in taken else value for name, value in document.items() if null or name not in taken}


def customer_document(number: int) -> dict[str, Any]:
    """A sound customer document."""
    return {
        "id": f"C-{number}",
        "customerNumber": str(number),
        "type": "Private",
        "firstName": "Aino",
        "lastName": "Esimerkki",
        "email": f"aino{number}@example.com",
        "phone": "+358401234567",
        "addresses": [
            {"type": "Billing", "street": "Mallitie 1", "postalCode": "00100", "city": "Helsinki", "country": "FI"}
        ],
        "customerGroups": [],
        "identifiers": [{"type": "CustomerCard", "value": f"70{number}"}],
        "marketingPermission": {"email": True, "mobile": False},
        "deleted": False,
    }


def campaign_document(code: str, *targets: str, **fields: Any) -> dict[str, Any]:
    """A sound campaign document."""
    return {
        "id": code,
        "name": f"Kampanja {code}",
        "type": "Simple",
        "level": "Product",
        "targets": list(targets),
        "discountType": "Percentage",
        "value": 20,
        "storeIds": [],
        "customerGroups": [],
        "priority": 0,
        "active": True,
        "deleted": False,
        **fields,
    }


VAT = {Decimal("25.5"): (1, ""), Decimal("13.5"): (2, "reduced-rate"), Decimal(0): (3, "zero-rate")}
"""The rates of the stand-in: their ids and tax classes."""


def order_line(sku: str, gross: str, quantity: int = 1, *, rate: str = "25.5", **fields: Any) -> dict[str, Any]:
    """A line of an order at a price with VAT in all, as the store splits it."""
    net, vat = split_vat(Decimal(gross), Decimal(rate))
    amounts = {"subtotal": str(net), "subtotal_tax": str(vat), "total": str(net), "total_tax": str(vat)}
    taxes = [{"id": VAT[Decimal(rate)][0], "total": str(vat), "subtotal": str(vat)}]
    meta = [{"id": 1, "key": "_reduced_stock", "value": str(quantity)}]
    return {
        "name": f"Tuote {sku}",
        "sku": sku,
        "quantity": quantity,
        **amounts,
        "taxes": taxes,
        "meta_data": meta,
    } | fields


def split_vat(gross: Decimal, rate: Decimal) -> tuple[Decimal, Decimal]:
    """Without VAT, and the VAT."""
    vat = (gross * rate / (100 + rate)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return gross - vat, vat


def order_document(*lines: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A paid order, as the store would show it; the stand-in adds an id and the time."""
    lines = tuple({"id": 100 + place} | line for place, line in enumerate(lines))
    vat: defaultdict[int, Decimal] = defaultdict(Decimal)
    for line in lines:
        vat[line["taxes"][0]["id"]] += Decimal(line["total_tax"])
    percents = {number: rate for rate, (number, _) in VAT.items()}
    taxes = [
        {
            "rate_id": number,
            "rate_percent": float(percents[number]),
            "tax_total": str(tax),
            "shipping_tax_total": "0.00",
        }
        for number, tax in vat.items()
    ]
    total = sum((Decimal(line["total"]) + Decimal(line["total_tax"]) for line in lines), Decimal(0))
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return {
        "status": "processing",
        "currency": "EUR",
        "date_paid_gmt": fields.get("date_created_gmt", now),
        "total": str(total),
        "total_tax": str(sum(vat.values(), Decimal(0))),
        "customer_id": 0,
        "billing": {"first_name": "Aino", "last_name": "Esimerkki", "email": "aino@example.com"},
        "payment_method": "paytrail",
        "payment_method_title": "Paytrail",
        "transaction_id": "tx-1",
        "line_items": [line for line in lines if "sku" in line],
        "shipping_lines": [],
        "fee_lines": [],
        "coupon_lines": [],
        "tax_lines": taxes,
        "refunds": [],
        **fields,
    }


def balance_document(code: str, free: Any, store: str = "1", **fields: Any) -> dict[str, Any]:
    """A sound balance document."""
    return {
        "productCode": code,
        "storeId": store,
        "storeName": f"Myymälä {store}",
        "freeBalance": free,
        "reservedBalance": 0,
        "unit": "kpl",
        "deleted": False,
        **fields,
    }


def _shown(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as Dagster keeps them."""
    return {name: value.value for name, value in dg.AssetMaterialization("any", metadata=numbers).metadata.items()}


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """The metadata of a run's materializations by asset."""
    return {
        event.asset_key.to_user_string(): {name: value.value for name, value in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop with nothing in it."""
    with (
        running(solteq_sandbox.create_app(tmp_path / "solteq.sqlite", seed=0)) as solteq,
        running(woo_sandbox.create_app(tmp_path / "woo.sqlite")) as woo,
        closing(Shop(tmp_path, solteq, woo)) as made,
    ):
        make_database(made.settings.database)
        yield made


def pytest_collection_finish() -> None:
    """What is imported by now stays: no search for garbage has to look at it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """As many tries as asked for, without the pauses between them."""
    with stamina.set_testing(True, attempts=10, cap=True):
        yield


@pytest.fixture
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder and an environment in which nothing of ours is set."""
    for name in os.environ:
        if name.startswith(("SOLTEQ_", "WOO_", "DAGSTER_HOME")):
            monkeypatch.delenv(name)
    folder = tmp_path / "working"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def environment_of(shop: Shop) -> dict[str, str]:
    """The shop's settings as the environment holds them."""
    settings = shop.settings
    return {
        "SOLTEQ_API_URL": settings.solteq_api_url,
        "SOLTEQ_IDENTITY_URL": settings.solteq_identity_url,
        "SOLTEQ_CLIENT_ID": settings.solteq_client_id,
        "SOLTEQ_CLIENT_SECRET": settings.solteq_client_secret.get_secret_value(),
        "WOO_URL": settings.woo_url,
        "WOO_CONSUMER_KEY": settings.woo_consumer_key,
        "WOO_CONSUMER_SECRET": settings.woo_consumer_secret.get_secret_value(),
        "SOLTEQ_WOO_DATABASE": str(settings.database),
        "SOLTEQ_WOO_TAX_CLASSES": ",".join(
            f"{rate}={slug or 'standard'}" for rate, slug in settings.tax_classes.items()
        ),
    }


class CommandLine(Protocol):
    """``solteq-woo`` with these arguments, in this process."""

    def __call__(self, *arguments: str, input: str | None = None) -> Result: ...


@pytest.fixture
def solteq_woo(shop: Shop, no_settings: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The command line, set for the shop."""
    for name, value in environment_of(shop).items():
        monkeypatch.setenv(name, value)
    return lambda *arguments, **options: CliRunner().invoke(main, arguments, **options)


@pytest.fixture
def shared() -> Path:
    """The folder beside the clone that holds recordings and real data."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared beside this clone")
    return SHARED
