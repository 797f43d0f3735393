"""Every setting, its unit, default and meaning.

Read from the environment and from a ``.env`` file in the working folder. ``.env.example`` lists them all; it is
made by ``python -m solteq_woo_assets.settings > .env.example``, and a test keeps the two alike.
"""

import os
import sys
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from solteq_woo_assets import settings_checks as checks
from solteq_woo_assets.errors import ConfigurationError
from solteq_woo_assets.settings_checks import FEEDS, Endpoint

SANDBOX = {
    "SOLTEQ_API_URL": "http://127.0.0.1:4810",
    "SOLTEQ_IDENTITY_URL": "http://127.0.0.1:4810",
    "SOLTEQ_CLIENT_ID": "sandbox",
    "SOLTEQ_CLIENT_SECRET": "sandbox-secret",
    "WOO_URL": "http://127.0.0.1:4811",
    "WOO_CONSUMER_KEY": "ck_sandbox",
    "WOO_CONSUMER_SECRET": "cs_sandbox",
}
"""The sandbox's addresses and credentials. It holds only made-up data, so they are no secret."""
SANDBOX_DATA = Path(".sandbox")
"""The folder of the sandbox's data, and of the database while the sandbox stands in."""
DATABASE = Path("solteq_woo.duckdb")

_NOT_SET = Path()

Listed = Annotated[list[str], NoDecode, BeforeValidator(checks.comma_separated)]
Address = Annotated[str, AfterValidator(checks.address)]
Named = Annotated[str, AfterValidator(checks.not_blank)]
Cron = Annotated[str, AfterValidator(checks.cron)]
PollSeconds = Annotated[int, Field(ge=0, le=86_400)]
Percent = Annotated[int, Field(ge=0, le=100)]
VatRate = Annotated[Decimal, Field(ge=0, le=100, decimal_places=3)]


def _access(name: str) -> Any:
    """A setting of a system: without the prefix, and empty when it is absent."""
    return Field("", validation_alias=name, validate_default=True)


_CREDENTIALS = {
    "SOLTEQ_API_URL": ["SOLTEQ_IDENTITY_URL", "SOLTEQ_CLIENT_ID", "SOLTEQ_CLIENT_SECRET"],
    "WOO_URL": ["WOO_CONSUMER_KEY", "WOO_CONSUMER_SECRET"],
}
"""The credentials that go with an address."""
_ADDRESS_OF = {"solteq": "SOLTEQ_API_URL", "woo": "WOO_URL"}
_FIRST_WOOCOMMERCE = date(2011, 1, 1)
"""WooCommerce is not older, and each day is a partition."""


class Settings(BaseSettings):
    """All settings. Names without a prefix are those of the two systems; the rest begin with ``SOLTEQ_WOO_``."""

    model_config = SettingsConfigDict(
        env_prefix="SOLTEQ_WOO_",
        env_file=".env",
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
        str_strip_whitespace=True,
        use_attribute_docstrings=True,
    )

    solteq_api_url: Address = _access("SOLTEQ_API_URL")
    """Address of the Solteq API, such as https://api.solteqpos.com. Without it and WOO_URL the sandbox stands in for
    both."""
    solteq_identity_url: Address = _access("SOLTEQ_IDENTITY_URL")
    """Address of Solteq's identity server, such as https://login.smartretail.cloud."""
    solteq_client_id: str = _access("SOLTEQ_CLIENT_ID")
    """OAuth2 client id, made in Solteq's back office."""
    solteq_client_secret: SecretStr = _access("SOLTEQ_CLIENT_SECRET")
    """OAuth2 client secret."""
    woo_url: Annotated[str, AfterValidator(checks.shop_address)] = _access("WOO_URL")
    """Address of the web store, such as https://shop.example."""
    woo_consumer_key: str = _access("WOO_CONSUMER_KEY")
    """REST API key with read and write permission (WooCommerce > Settings > Advanced > REST API)."""
    woo_consumer_secret: SecretStr = _access("WOO_CONSUMER_SECRET")
    """The key's secret."""

    sandbox: Literal["", "solteq", "woo"] = ""
    """The one side without an address that the sandbox stands in for, while the other side is real. Empty: both sides
    are real, or none."""
    mode: Literal["live", "shadow"] = "live"
    """Shadow: everything runs up to the deltas and nothing is sent, to run beside another connector for some weeks."""
    database: Annotated[Path, AfterValidator(checks.file)] = _NOT_SET
    """The DuckDB file that holds snapshots, deltas and the ledger. Empty: solteq_woo.duckdb in the working folder; in
    the folder .sandbox while the sandbox stands in for a side."""
    shop: Annotated[str, AfterValidator(checks.part_of_external_ids)] = "shop"
    """Name of the web store in external ids, such as woo:<shop>:order:<id>. Never change it on a running shop."""
    web_store: Named = "verkko"
    """Solteq store id that web sales are booked on."""
    stock_stores: Listed = []
    """Solteq store ids whose free balance is sold online, comma-separated. Empty: all stores. The doctor says which
    ids have balances."""
    stock_buffer: int = Field(default=0, ge=0, le=1_000_000)
    """Pieces held back per product, so that the last ones are not sold twice."""
    stock_store_changes: bool = False
    """Send the per-store balances also when only they changed and the sellable quantity did not."""
    timezone: Annotated[str, AfterValidator(checks.time_zone)] = "Europe/Helsinki"
    """The shop's time zone, a TZ database name."""
    end_of_business_day: time = time(0, 0)
    """Local time at which a business day ends; 04:00 books a sale at 03:59 on the day before."""

    new_product_status: Literal["draft", "pending", "private", "publish"] = "draft"
    """Status of a product that this integration creates. Draft: images and texts are added in the store first."""
    inactive_products: Literal["draft", "out_of_stock", "leave"] = "draft"
    """What happens to a store product that is inactive or deleted in Solteq, or may not be sold online any more. It is
    never deleted. With out_of_stock, a product without stock, such as a service, becomes a draft."""
    binned_products: Literal["restore", "leave"] = "restore"
    """What happens to a product that is in the store's bin and active in Solteq; leave reports it."""
    attribute_separator: str = Field(default="/", pattern=r"^[^|\\<>&%]+$")
    """The text sent for | and \\ in attributes of variants, as in Black|White: WooCommerce splits or cuts there."""
    tax_classes: Annotated[dict[VatRate, str], NoDecode, BeforeValidator(checks.tax_classes)] = {
        Decimal("25.5"): "",
        Decimal("13.5"): "reduced-rate",
        Decimal("10"): "reduced-rate-10",
        Decimal("0"): "zero-rate",
    }
    """WooCommerce tax class (slug) of each VAT rate, RATE=CLASS, comma-separated; standard is the standard class."""
    campaign_choice: Literal["lowest", "priority"] = "lowest"
    """Which of several campaigns sets the price: the lowest price; or the highest priority, and then the lowest."""
    harmless_campaign_fields: Listed = [
        "description",
        "translations",
        "notes",
        "comment",
        "imageUrl",
        "externalId",
        "createdAt",
        "createdBy",
        "updatedAt",
        "updatedBy",
        "modifiedBy",
        "version",
        "_etag",
        "_ts",
        "_rid",
        "_self",
        "_attachments",
    ]
    """Fields of Solteq's campaigns that restrict nothing, comma-separated. One with another unknown field is held."""
    guard_rail_hours: int = Field(default=24, ge=1, le=168)
    """Guard rails add the writes of this number of last hours to the coming ones, over all runs."""
    price_cut_percent: Percent = 50
    """Price cuts by more than this, in percent, are stopped when they concern too many products."""
    price_cut_products_percent: Percent = 20
    """Too many: more than this share of the store's products, in percent. 100 never stops any. One product may
    always be cut."""
    mind_purchase_price: bool = False
    """Stop prices below the purchase price."""
    out_of_stock_products_percent: Percent = 20
    """Products that go out of stock are stopped when they are more than this share of those in stock, in percent, and
    more than ten."""
    unpublished_products_percent: Percent = 5
    """Products that leave the shelf because Solteq has them no more are stopped when they are more than this share of
    the published ones, in percent, and more than ten."""
    customer_accounts: Literal["existing", "groups", "all"] = "existing"
    """The Solteq customers who get an account in the store: only those who have one already; those with an e-mail
    address in one of SOLTEQ_WOO_CUSTOMER_ACCOUNT_GROUPS; or all with an e-mail address."""
    customer_account_groups: Listed = []
    """Names of Solteq customer groups, comma-separated, whose customers get an account."""
    guest_customers: bool = False
    """Make a Solteq customer of each guest who ordered in the store, and paid."""
    customer_conflicts: Literal["solteq", "woocommerce", "newest"] = "solteq"
    """The side whose value counts when both changed the same field of a customer."""
    deleted_customers: Literal["keep", "remove"] = "keep"
    """What happens to the store account of a customer who is deleted in Solteq. Removed is for good."""
    customer_removals_percent: Percent = 5
    """Removals of accounts are stopped when they are more than this share of the store's accounts, in percent, and more
    than three; so are partings of customers from their accounts when they are more than this share of the linked ones
    and more than ten."""
    staff_roles: Annotated[Listed, AfterValidator(checks.staff_roles)] = []
    """Roles of the store whose accounts are of people who run it, comma-separated, beside WordPress's and WooCommerce's
    own (administrator, editor, author, contributor, shop_manager). Such an account is never linked, written or removed,
    also if the person is a customer, too."""
    tax_code_meta: Named = Field(default="vat_number", pattern="^[^_]")
    """Meta key in which the store keeps a company's VAT number, by the plugin that asks for it. Not with an underscore:
    WooCommerce hides those."""
    sale_statuses: Annotated[Listed, AfterValidator(checks.statuses)] = ["processing", "completed"]
    """Statuses of the store's orders that are sales, comma-separated, with or without the database's wc-. Refunded
    orders that were paid are sales, too."""
    payment_types: Annotated[dict[str, str], NoDecode, BeforeValidator(checks.payments)] = {
        "paytrail": "Card",
        "stripe": "Card",
        "woocommerce_payments": "Card",
        "klarna_payments": "Invoice",
        "bacs": "Invoice",
        "cod": "Cash",
    }
    """Solteq's payment type of each payment method of the store, METHOD=TYPE, comma-separated. Others go as Other."""
    payment_fees: Annotated[dict[str, str], NoDecode, BeforeValidator(checks.payments)] = {}
    """Fees of the store's orders that are means of payment, by their names: NAME=TYPE with Solteq's payment type,
    comma-separated, such as Gift card=GiftCard. Other negative fees are lines of the sale, a discount."""
    payment_meta: Annotated[dict[str, str], NoDecode, BeforeValidator(checks.payments)] = {}
    """Meta keys of the store's orders in which a plugin keeps what was paid by gift card, VAT included: KEY=TYPE,
    comma-separated, such as _gift_card_amount=GiftCard. The order's method paid the rest."""
    sales_from: Annotated[date | None, BeforeValidator(lambda value: value or None)] = None
    """Orders made and paid before this day are booked only when their day is backfilled. Empty: the day of the first
    run."""
    sales_first_day: date = date(2024, 1, 1)
    """The first day of sales that can be backfilled in the Dagster UI."""
    sales_recheck_days: int = Field(default=7, ge=0, le=366)
    """The number of last days whose orders each scheduled run reads whole, even if the store reports no change."""
    deleted_orders: Literal["keep", "reverse"] = "keep"
    """What happens to a booked sale whose order is deleted in the store: kept and reported, or refunded in full."""
    old_order_refunds: Literal["report", "book"] = "report"
    """What happens to a refund or cancellation of an order whose sale was booked before the first day, not from here:
    reported in quarantine, or booked as a refund that names the order's number."""
    reversals_at_once: int = Field(default=20, ge=0, le=1_000_000)
    """The number of booked sales that may always be reversed within SOLTEQ_WOO_GUARD_RAIL_HOURS, because their orders
    were cancelled, edited or deleted."""
    reversals_percent: Percent = 10
    """More reversals than SOLTEQ_WOO_REVERSALS_AT_ONCE are stopped when they are also more than this share of the sales
    booked meanwhile, in percent."""
    requests_in_flight: int = Field(default=2, ge=1, le=16)
    """Requests under way at once per system. As many as the store's server has cores."""

    products_poll_seconds: PollSeconds = 60
    """Seconds between two looks at Solteq's product feed. 0 switches the sensor off."""
    products_cron: Cron = "7 * * * *"
    """When products are compared in any case, as cron in the shop's time zone. Empty switches the schedule off."""
    balances_poll_seconds: PollSeconds = 30
    """Seconds between two looks at Solteq's balance feed. 0 switches the sensor off."""
    balances_cron: Cron = "37 * * * *"
    """When balances are compared in any case, as cron in the shop's time zone. Empty switches the schedule off."""
    campaigns_poll_seconds: PollSeconds = 60
    """Seconds between two looks at Solteq's campaign feed and at the campaign calendar. 0 switches the sensor off."""
    campaigns_cron: Cron = "22 * * * *"
    """When campaign prices are compared in any case, as cron in the shop's time zone. Empty switches it off."""
    customers_to_woo_poll_seconds: PollSeconds = 60
    """Seconds between two looks at Solteq's customer feed. 0 switches the sensor off."""
    customers_to_woo_cron: Cron = "12 * * * *"
    """When the store is told of customers in any case, as cron in the shop's time zone. Empty switches it off."""
    customers_to_solteq_poll_seconds: PollSeconds = 60
    """Seconds between two looks at the store's newest accounts. 0 switches the sensor off."""
    customers_to_solteq_cron: Cron = "42 * * * *"
    """When Solteq is told of customers in any case, as cron in the shop's time zone. Empty switches it off."""
    customer_accounts_cron: Cron = "52 */2 * * *"
    """When all accounts of the store are read, to find those that were changed or removed: a request per 100 accounts.
    Empty switches it off."""
    sales_poll_seconds: PollSeconds = 60
    """Seconds between two looks at the store's changed orders. 0 switches the sensor off."""
    sales_cron: Cron = "2 * * * *"
    """When sales are compared in any case, as cron in the shop's time zone. Empty switches the schedule off."""
    reconcile_cron: Cron = "30 3 * * *"
    """When both sides are read in full and compared. Empty switches the schedule off."""

    keep_price_history_days: int = Field(default=396, ge=120, le=36_500)
    """Days for which past prices are kept; the lowest price of the last 30 days and what shoppers were shown go by
    them."""
    keep_sales_days: int = Field(default=3653, ge=2192, le=36_500)
    """Days for which the documents that Solteq was sent and their ledger are kept: ten years, at least six."""
    keep_history_days: int = Field(default=90, ge=35, le=36_500)
    """Days for which the ledger of other writes, values that lost a conflict and reconciliations are kept. The newest
    write of each field is always kept."""

    alert_email_to: Annotated[Listed, AfterValidator(checks.mail_addresses)] = []
    """Addresses that get an e-mail when something is wrong, and when it is over, comma-separated. Empty: none."""
    alert_email_from: Annotated[str, AfterValidator(checks.mail_address)] = ""
    """Sender of these e-mails."""
    smtp_host: Annotated[str, AfterValidator(checks.host)] = "localhost"
    """Mail server that takes the e-mails."""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    """Its port."""
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection is encrypted."""
    smtp_user: str = ""
    """User name at the mail server. Empty: without logging in."""
    smtp_password: SecretStr = SecretStr("")
    """The user's password."""
    alert_webhook_url: Annotated[SecretStr, AfterValidator(checks.secret_address)] = SecretStr("")
    """Address that gets {"text": …} by POST when something is wrong, such as a Slack incoming webhook. Empty: none."""
    alert_pause_minutes: int = Field(default=60, ge=1, le=44_640)
    """The same cause sends at most one alert in this number of minutes."""
    dagster_url: Address = "http://127.0.0.1:3000"
    """Address of the Dagster UI, for links in alerts."""

    solteq_feeds: Annotated[dict[str, Endpoint], NoDecode, BeforeValidator(checks.feeds)] = FEEDS
    """Paths and scopes of Solteq's feeds: FEED=PATH SCOPE, comma-separated, with the path below the API address and the
    OAuth2 scope. A feed that is not named keeps its default. Customers and sales are written there, too."""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        today = datetime.now(ZoneInfo(self.timezone)).date()
        if not _FIRST_WOOCOMMERCE <= self.sales_first_day <= today:
            raise ValueError("SOLTEQ_WOO_SALES_FIRST_DAY: choose a day from 2011-01-01 to today")
        if self.sales_from and self.sales_from > today + timedelta(days=366):
            raise ValueError("SOLTEQ_WOO_SALES_FROM: more than a year ahead")
        if self.sales_from and self.sales_from < self.sales_first_day:
            raise ValueError("SOLTEQ_WOO_SALES_FIRST_DAY: set it to SOLTEQ_WOO_SALES_FROM or a day before")
        if self.customer_accounts == "groups" and not self.customer_account_groups:
            raise ValueError("SOLTEQ_WOO_CUSTOMER_ACCOUNT_GROUPS: name a group, or change SOLTEQ_WOO_CUSTOMER_ACCOUNTS")
        if self.alert_email_to and not self.alert_email_from:
            raise ValueError("set SOLTEQ_WOO_ALERT_EMAIL_FROM, the sender of the alerts to SOLTEQ_WOO_ALERT_EMAIL_TO")
        return self

    @model_validator(mode="after")
    def _sandbox_stands_in(self) -> Self:
        """Either both sides have an address, or none has, unless ``sandbox`` names the one that has none."""
        absent = [name for name in _CREDENTIALS if self._text(name) in ("", SANDBOX[name])]
        if self.sandbox and absent != [_ADDRESS_OF[self.sandbox]]:
            address = _ADDRESS_OF[self.sandbox]
            other = next(name for name in _CREDENTIALS if name != address)
            raise ValueError(f"SOLTEQ_WOO_SANDBOX={self.sandbox} goes with {other} set and {address} not set")
        if len(absent) == 1 and not self.sandbox:
            side = next(side for side, name in _ADDRESS_OF.items() if name == absent[0])
            raise ValueError(
                f"set {absent[0]} to the real address, or SOLTEQ_WOO_SANDBOX={side} to let the sandbox stand in for it"
            )
        for address in absent:
            self._use_sandbox(address)
        missing = [name for names in _CREDENTIALS.values() for name in names if not self._text(name)]
        if missing:
            raise ValueError(f"set {', '.join(missing)} in the environment or in .env")
        if self.database == _NOT_SET:
            object.__setattr__(self, "database", SANDBOX_DATA / DATABASE if absent else DATABASE)
        return self

    def _use_sandbox(self, address: str) -> None:
        """Its credentials go with its address: real ones are never sent to it."""
        for name in (address, *_CREDENTIALS[address]):
            value = SecretStr(SANDBOX[name]) if name.endswith("SECRET") else SANDBOX[name]
            object.__setattr__(self, name.lower(), value)

    def _text(self, name: str) -> str:
        value = getattr(self, name.lower())
        return value.get_secret_value() if isinstance(value, SecretStr) else value

    @property
    def solteq_is_sandbox(self) -> bool:
        return self.solteq_api_url == SANDBOX["SOLTEQ_API_URL"]

    @property
    def woo_is_sandbox(self) -> bool:
        return self.woo_url == SANDBOX["WOO_URL"]

    def poll_seconds(self, flow: str) -> int:
        """Seconds between two ticks of a flow's sensor; 0 is off."""
        return getattr(self, f"{flow}_poll_seconds")

    def cron(self, flow: str) -> str:
        """A flow's schedule; empty is off."""
        return getattr(self, f"{flow}_cron")

    @classmethod
    def load(cls) -> Self:
        """Read the environment and ``.env``.

        :raises ConfigurationError: naming each setting that makes no sense or does not exist, never its value
        """
        environment = {**checks.dotenv(Path(".env")), **os.environ}
        problems = [*checks.unknown_names(environment, [setting.name for setting in settings_texts()])]
        settings = None
        try:
            settings = cls()
        except ValidationError as error:
            problems += [
                ": ".join(filter(None, (_environment_name(each["loc"]), each["msg"].removeprefix("Value error, "))))
                for each in error.errors(include_input=False, include_url=False)
            ]
        if settings is None or problems:
            # Outside of the block, so that the error with the values in it is not carried along as its context.
            raise ConfigurationError("; ".join(problems))
        return settings


def _environment_name(location: tuple[int | str, ...]) -> str:
    name = str(location[0]) if location else ""
    return name if not name or name.isupper() else f"SOLTEQ_WOO_{name.upper()}"


@dataclass(frozen=True)
class SettingText:
    """A setting as the documentation shows it.

    :param name: in the environment
    :param default: as it would be written in ``.env``
    """

    field: str
    name: str
    default: str
    meaning: str


def settings_texts() -> list[SettingText]:
    return [
        SettingText(
            field,
            str(info.validation_alias or _environment_name((field,))),
            _default_text(info.default),
            info.description or "",
        )
        for field, info in Settings.model_fields.items()
    ]


def env_example() -> str:
    """Every setting with its meaning and default, as a ``.env`` file in which nothing is set."""
    lines = ["# Copy to .env and set what you need. Everything has a default; without addresses the sandbox stands in."]
    for setting in settings_texts():
        lines += ["", "# " + setting.meaning.replace("\n", "\n# "), f"#{setting.name}={setting.default}"]
    return "\n".join(lines) + "\n"


def _default_text(default: object) -> str:
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    if isinstance(default, dict):
        texts = {name: " ".join(value) if isinstance(value, tuple) else value for name, value in default.items()}
        return ",".join(f"{name}={text or 'standard'}" for name, text in texts.items())
    if isinstance(default, list):
        return ",".join(default)
    if isinstance(default, time):
        return f"{default:%H:%M}"
    if default is None or default == _NOT_SET:
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


if __name__ == "__main__":
    sys.stdout.write(env_example())
