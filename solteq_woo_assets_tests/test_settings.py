"""Settings: named and defaulted as documented, read from the environment and .env, wrong ones named and never shown."""

from datetime import time
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from solteq_woo_assets.errors import ConfigurationError
from solteq_woo_assets.settings import FEEDS, SANDBOX, Settings, env_example, settings_texts

pytestmark = pytest.mark.usefixtures("no_settings")

REPOSITORY = Path(__file__).parents[1]
REAL_SOLTEQ = {
    "SOLTEQ_API_URL": "https://api.solteq.example",
    "SOLTEQ_IDENTITY_URL": "https://login.solteq.example",
    "SOLTEQ_CLIENT_ID": "client",
    "SOLTEQ_CLIENT_SECRET": "hush-solteq",
}
REAL_STORE = {
    "WOO_URL": "https://shop.example",
    "WOO_CONSUMER_KEY": "ck_real",
    "WOO_CONSUMER_SECRET": "hush-woo",
}


def set_all(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    """Put settings into the environment."""
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_env_example_is_what_the_settings_say() -> None:
    """Made by `python -m solteq_woo_assets.settings > .env.example`."""
    assert (REPOSITORY / ".env.example").read_text(encoding="utf-8") == env_example()


def test_every_setting_is_explained() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_env_example_with_every_line_uncommented_is_the_default(no_settings: Path) -> None:
    """Its defaults are the true ones, in a form that can be read."""
    lines = env_example().splitlines()
    names = [line.removeprefix("#") for line in lines if line.startswith("#") and not line.startswith("# ")]
    assert len(names) == len(Settings.model_fields)
    before = Settings.load()
    (no_settings / ".env").write_text("\n".join(names), encoding="utf-8")
    assert Settings.load() == before


def test_interface() -> None:
    """The names that others rely on; each read from the environment under its own name."""
    names = {
        "SOLTEQ_API_URL",
        "SOLTEQ_IDENTITY_URL",
        "SOLTEQ_CLIENT_ID",
        "SOLTEQ_CLIENT_SECRET",
        "WOO_URL",
        "WOO_CONSUMER_KEY",
        "WOO_CONSUMER_SECRET",
        *(
            f"SOLTEQ_WOO_{name}"
            for name in (
                "DATABASE",
                "SHOP",
                "WEB_STORE",
                "STOCK_STORES",
                "STOCK_BUFFER",
                "TIMEZONE",
                "END_OF_BUSINESS_DAY",
                "PRODUCTS_POLL_SECONDS",
                "PRODUCTS_CRON",
                "BALANCES_POLL_SECONDS",
                "BALANCES_CRON",
            )
        ),
    }
    offered = {line.removeprefix("#").partition("=")[0] for line in env_example().splitlines() if "=" in line}
    assert names <= offered


def test_defaults() -> None:
    settings = Settings.load()
    assert (settings.timezone, settings.end_of_business_day) == ("Europe/Helsinki", time(0, 0))
    assert (settings.stock_stores, settings.stock_buffer, settings.stock_store_changes) == ([], 0, False)
    assert settings.tax_classes == {
        Decimal("25.5"): "",
        Decimal("13.5"): "reduced-rate",
        Decimal(10): "reduced-rate-10",
        Decimal(0): "zero-rate",
    }
    assert (settings.new_product_status, settings.inactive_products, settings.binned_products) == (
        "draft",
        "draft",
        "restore",
    )
    assert settings.poll_seconds("products") == 60
    assert settings.cron("balances") == "37 * * * *"


def test_without_addresses_the_sandbox_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its own credentials, also when others are set."""
    set_all(monkeypatch, {"WOO_CONSUMER_KEY": "ck_real", "WOO_CONSUMER_SECRET": "hush-woo"})
    settings = Settings.load()
    assert (settings.solteq_is_sandbox, settings.woo_is_sandbox) == (True, True)
    assert settings.woo_url == SANDBOX["WOO_URL"]
    assert settings.woo_consumer_secret.get_secret_value() == SANDBOX["WOO_CONSUMER_SECRET"]


@pytest.mark.parametrize(
    ("real", "side", "sides"),
    [(REAL_SOLTEQ, "woo", (False, True)), (REAL_STORE, "solteq", (True, False))],
    ids=["solteq", "store"],
)
class TestOneRealSide:
    def test_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, real: dict[str, str], side: str, sides: tuple[bool, bool]
    ) -> None:
        """Made-up products do not end up in a real store because an address is missing."""
        set_all(monkeypatch, real)
        with pytest.raises(ConfigurationError) as caught:
            Settings.load()
        absent = "SOLTEQ_API_URL" if sides[0] else "WOO_URL"
        assert str(caught.value) == (
            f"set {absent} to the real address, or SOLTEQ_WOO_SANDBOX={side} to let the sandbox stand in for it"
        )

    def test_is_taken_when_the_other_is_named(
        self, monkeypatch: pytest.MonkeyPatch, real: dict[str, str], side: str, sides: tuple[bool, bool]
    ) -> None:
        set_all(monkeypatch, {**real, "SOLTEQ_WOO_SANDBOX": side})
        settings = Settings.load()
        assert (settings.solteq_is_sandbox, settings.woo_is_sandbox) == sides
        assert settings.database == Path(".sandbox/solteq_woo.duckdb")

    def test_is_refused_when_it_is_the_one_that_is_named(
        self, monkeypatch: pytest.MonkeyPatch, real: dict[str, str], side: str, sides: tuple[bool, bool]
    ) -> None:
        wrong = "solteq" if side == "woo" else "woo"
        set_all(monkeypatch, {**real, "SOLTEQ_WOO_SANDBOX": wrong})
        real_address, absent = ("WOO_URL", "SOLTEQ_API_URL") if sides[0] else ("SOLTEQ_API_URL", "WOO_URL")
        with pytest.raises(ConfigurationError) as caught:
            Settings.load()
        words = f"SOLTEQ_WOO_SANDBOX={wrong} goes with {absent} set and {real_address} not set"
        assert str(caught.value) == words


@pytest.mark.parametrize("addresses", [{}, {**REAL_SOLTEQ, **REAL_STORE}], ids=["none", "both"])
def test_a_side_for_the_sandbox_goes_with_one_address(
    monkeypatch: pytest.MonkeyPatch, addresses: dict[str, str]
) -> None:
    set_all(monkeypatch, {**addresses, "SOLTEQ_WOO_SANDBOX": "woo"})
    with pytest.raises(ConfigurationError, match="goes with SOLTEQ_API_URL set and WOO_URL not set"):
        Settings.load()


def test_the_sandbox_has_a_database_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real shop that is set later in the same folder begins with a fresh one."""
    assert Settings.load().database == Path(".sandbox/solteq_woo.duckdb")
    set_all(monkeypatch, {**REAL_SOLTEQ, **REAL_STORE})
    assert Settings.load().database == Path("solteq_woo.duckdb")


@pytest.mark.parametrize("addresses", [{}, {**REAL_SOLTEQ, **REAL_STORE}], ids=["sandbox", "real"])
def test_a_database_that_is_set_wins(monkeypatch: pytest.MonkeyPatch, addresses: dict[str, str]) -> None:
    set_all(monkeypatch, {**addresses, "SOLTEQ_WOO_DATABASE": "solteq_woo.duckdb"})
    assert Settings.load().database == Path("solteq_woo.duckdb")


@pytest.mark.parametrize("missing", [*list(REAL_SOLTEQ)[1:], *list(REAL_STORE)[1:]])
def test_an_address_needs_its_credentials(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """The sandbox's are not sent to a real system."""
    set_all(monkeypatch, {**REAL_SOLTEQ, **REAL_STORE})
    monkeypatch.delenv(missing)
    with pytest.raises(ConfigurationError) as caught:
        Settings.load()
    assert str(caught.value) == f"set {missing} in the environment or in .env"


def test_dotenv_is_read_and_the_environment_goes_before_it(no_settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (no_settings / ".env").write_text(
        'SOLTEQ_WOO_SHOP=kauppa\nSOLTEQ_WOO_STOCK_BUFFER=2\nSOLTEQ_WOO_STOCK_STORES="1, 2,verkko,"\nOTHERS=1\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("SOLTEQ_WOO_STOCK_BUFFER", "3")
    settings = Settings.load()
    assert (settings.shop, settings.stock_buffer, settings.stock_stores) == ("kauppa", 3, ["1", "2", "verkko"])


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("24=standard", {Decimal(24): ""}),
        (" 25.5 = standard , 14=reduced-rate,", {Decimal("25.5"): "", Decimal(14): "reduced-rate"}),
    ],
)
def test_tax_classes(monkeypatch: pytest.MonkeyPatch, text: str, classes: dict[Decimal, str]) -> None:
    monkeypatch.setenv("SOLTEQ_WOO_TAX_CLASSES", text)
    assert Settings.load().tax_classes == classes


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SOLTEQ_WOO_STOCK_BUFFER", "-987"),
        ("SOLTEQ_WOO_STOCK_BUFFER", "987 pcs"),
        ("SOLTEQ_WOO_STOCK_STORE_CHANGES", "sesame"),
        ("SOLTEQ_WOO_TIMEZONE", "Europe/Sesame"),
        ("SOLTEQ_WOO_TIMEZONE", "../../sesame"),
        ("SOLTEQ_WOO_END_OF_BUSINESS_DAY", "sesame"),
        ("SOLTEQ_WOO_END_OF_BUSINESS_DAY", "98:76"),
        ("SOLTEQ_WOO_NEW_PRODUCT_STATUS", "sesame"),
        ("SOLTEQ_WOO_INACTIVE_PRODUCTS", "sesame"),
        ("SOLTEQ_WOO_BINNED_PRODUCTS", "sesame"),
        ("SOLTEQ_WOO_REQUESTS_IN_FLIGHT", "987"),
        ("SOLTEQ_WOO_REQUESTS_IN_FLIGHT", "0"),
        ("SOLTEQ_WOO_PRODUCTS_POLL_SECONDS", "-987"),
        ("SOLTEQ_WOO_BALANCES_POLL_SECONDS", "9.87"),
        ("SOLTEQ_WOO_TAX_CLASSES", "sesame"),
        ("SOLTEQ_WOO_TAX_CLASSES", "sesame=standard"),
        ("SOLTEQ_WOO_TAX_CLASSES", "25.5=standard,nan=sesame"),
        ("SOLTEQ_WOO_TAX_CLASSES", "987=sesame"),
        ("SOLTEQ_WOO_TAX_CLASSES", "-9.87=sesame"),
        ("SOLTEQ_WOO_TAX_CLASSES", "25.98765=sesame"),
        ("SOLTEQ_WOO_TAX_CLASSES", ""),
        ("SOLTEQ_WOO_TAX_CLASSES", "25.5=sesame,25.5=standard"),
        ("SOLTEQ_WOO_SALE_STATUSES", ""),
        ("SOLTEQ_WOO_SALE_STATUSES", ","),
        ("SOLTEQ_WOO_SALE_STATUSES", "open sesame"),
        ("SOLTEQ_WOO_SALE_STATUSES", "processing,wc-cancelled"),
        ("SOLTEQ_WOO_STOCK_STORES", " , "),
        ("SOLTEQ_WOO_SHOP", ""),
        ("SOLTEQ_WOO_SHOP", " "),
        ("SOLTEQ_WOO_SHOP", "open:sesame"),
        ("SOLTEQ_WOO_SHOP", "open sesame"),
        ("SOLTEQ_WOO_SHOP", "sesame/987"),
        ("SOLTEQ_WOO_WEB_STORE", ""),
        ("SOLTEQ_WOO_WEB_STORE", "\t"),
        ("SOLTEQ_WOO_TAX_CODE_META", " "),
        ("SOLTEQ_WOO_STAFF_ROLES", "sesame,customer"),
        ("SOLTEQ_WOO_SALES_FIRST_DAY", "0001-01-01"),
        ("SOLTEQ_WOO_SALES_FIRST_DAY", "2010-12-31"),
        ("SOLTEQ_WOO_SALES_FIRST_DAY", "2987-01-01"),
        ("SOLTEQ_WOO_SALES_FROM", "2987-01-01"),
        ("SOLTEQ_WOO_PRODUCTS_CRON", "sesame"),
        ("SOLTEQ_WOO_PRODUCTS_CRON", "0 0 31 2 *"),
        ("SOLTEQ_WOO_RECONCILE_CRON", "* * * * * 987"),
        ("SOLTEQ_WOO_PRODUCTS_POLL_SECONDS", "98700000"),
        ("SOLTEQ_WOO_SOLTEQ_FEEDS", "products="),
        ("SOLTEQ_WOO_SOLTEQ_FEEDS", "products=sesame"),
        ("SOLTEQ_WOO_SOLTEQ_FEEDS", "products=sesame-api catalog/sesame products"),
        ("SOLTEQ_WOO_SOLTEQ_FEEDS", "sesame=sales/sesame sesame-api"),
        ("SOLTEQ_WOO_SOLTEQ_FEEDS", "sales=https://sesame.example/sales order-api"),
        ("SOLTEQ_WOO_SMTP_HOST", "open:sesame@mail.example"),
        ("SOLTEQ_WOO_DATABASE", "/"),
        *(
            (name, value)
            for name in ("SOLTEQ_API_URL", "SOLTEQ_IDENTITY_URL", "WOO_URL", "SOLTEQ_WOO_DAGSTER_URL")
            for value in (
                "https://open:sesame@shop.example",
                "https://sesame@shop.example",
                "https://shop.example/?consumer_key=sesame",
                "https://shop.example/#sesame",
                "sesame.example",
                "ftp://sesame.example",
                "https://",
                "https://[sesame",
                "https://shop.example:sesame",
                "https://shop.example/open sesame",
            )
        ),
    ],
)
def test_a_wrong_value_is_named_on_one_line_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=f"^{name}: ") as caught:
        Settings.load()
    message = str(caught.value)
    assert "\n" not in message
    assert not any(part in message for part in ("sesame", "987", "9.87", "98:76"))
    assert caught.value.__context__ is None, "no traceback that shows the value"


NAMES = [setting.name for setting in settings_texts()]
_SHAPES = """{}| {} |,{},|{0}={0}|{0}=1,{0}=2|wc-{}|-{}|1{}|2026-{}-01|{}:00|* * * * {}|{}@|{}.example/{}|http://{}
https://{}:{}@shop.example|https://shop.example/{}?key={}|https://[{}"""
SHAPES = [shape for line in _SHAPES.splitlines() for shape in line.split("|")]


@given(
    name=st.sampled_from(NAMES), shape=st.sampled_from(SHAPES), more=st.text(max_size=8), other=st.sampled_from(NAMES)
)
@example(name="WOO_URL", shape=SHAPES[12], more="", other="WOO_CONSUMER_SECRET")
def test_no_message_repeats_a_value(name: str, shape: str, more: str, other: str) -> None:
    """Whatever the setting, and whatever is wrong: a secret may be in the wrong place."""
    assume("\0" not in more and more.isprintable())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(other, "sesame")
        patch.setenv(name, shape.format(f"sesame{more}", f"sesame{more}"))
        told = ""
        try:
            Settings.load()
        except ConfigurationError as error:
            told = f"{error!r}"
        assert "sesame" not in told
        assert "\\n" not in told


def test_the_spelling_of_the_stores_database_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its table of orders says wc-processing where the REST API says processing."""
    monkeypatch.setenv("SOLTEQ_WOO_SALE_STATUSES", "wc-processing, Completed,wc-shipped")
    assert Settings.load().sale_statuses == ["processing", "completed", "shipped"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://shop.example/", "https://shop.example"),
        (" https://shop.example/fi ", "https://shop.example/fi"),
        ("https://shop.example/fi/wp-json/", "https://shop.example/fi"),
        ("https://shop.example/wp-json/wc/v3", "https://shop.example"),
        ("https://shop.example/wp-admin/index.php", "https://shop.example"),
    ],
)
def test_an_address_copied_from_the_stores_pages_is_the_stores(
    monkeypatch: pytest.MonkeyPatch, given: str, kept: str
) -> None:
    set_all(monkeypatch, {**REAL_SOLTEQ, **REAL_STORE, "WOO_URL": given})
    assert Settings.load().woo_url == kept


def test_the_first_day_is_not_after_the_day_that_sales_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Days before the first cannot be backfilled, and orders of them would be booked."""
    monkeypatch.setenv("SOLTEQ_WOO_SALES_FROM", "2023-05-01")
    with pytest.raises(ConfigurationError, match=r"^SOLTEQ_WOO_SALES_FIRST_DAY: set it to SOLTEQ_WOO_SALES_FROM or"):
        Settings.load()
    monkeypatch.setenv("SOLTEQ_WOO_SALES_FIRST_DAY", "2023-05-01")
    assert Settings.load()


def test_accounts_by_group_need_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOLTEQ_WOO_CUSTOMER_ACCOUNTS", "groups")
    with pytest.raises(ConfigurationError, match=r"^SOLTEQ_WOO_CUSTOMER_ACCOUNT_GROUPS: name a group"):
        Settings.load()
    monkeypatch.setenv("SOLTEQ_WOO_CUSTOMER_ACCOUNT_GROUPS", "Kanta-asiakkaat")
    assert Settings.load()


def test_a_feed_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """One is named, with its scope; the others stay where they are."""
    monkeypatch.setenv("SOLTEQ_WOO_SOLTEQ_FEEDS", " sales = /order/v2/sales/ orders ,")
    assert Settings.load().solteq_feeds == {**FEEDS, "sales": ("order/v2/sales", "orders")}


# Names that are none


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SOLTEQ_WOO_SHOPP", "SOLTEQ_WOO_SHOP"),
        ("SOLTEQ_WOO_STOCK_STORE", "SOLTEQ_WOO_STOCK_STORES"),
        ("solteq_woo_modus", "SOLTEQ_WOO_MODE"),
        ("SOLTEQ_API_URI", "SOLTEQ_API_URL"),
        ("WOO_CONSUMER_KEYS", "WOO_CONSUMER_KEY"),
    ],
)
@pytest.mark.parametrize("place", ["environment", ".env"])
def test_a_misspelled_name_is_refused_with_the_one_that_is_meant(
    no_settings: Path, monkeypatch: pytest.MonkeyPatch, name: str, meant: str, place: str
) -> None:
    """It would count for nothing, and nobody would be told."""
    if place == ".env":
        (no_settings / ".env").write_text(f"{name}=sesame\n", encoding="utf-8")
    else:
        monkeypatch.setenv(name, "sesame")
    with pytest.raises(ConfigurationError) as caught:
        Settings.load()
    assert str(caught.value) == f"{name.upper()}: there is no such setting; did you mean {meant}?"


@pytest.mark.parametrize("part", ["PATH", "SCOPE"])
def test_a_setting_that_another_took_over_is_refused_with_what_to_write(
    monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setenv(f"SOLTEQ_WOO_SOLTEQ_SALES_{part}", "sesame")
    words = f"SOLTEQ_WOO_SOLTEQ_SALES_{part}: it is in SOLTEQ_WOO_SOLTEQ_FEEDS now; write sales=PATH SCOPE there"
    with pytest.raises(ConfigurationError) as caught:
        Settings.load()
    assert str(caught.value) == words


def test_a_name_like_none_of_ours_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOLTEQ_WOO_", "1")
    monkeypatch.setenv("SOLTEQ_WOO_STOCK_BUFFER", "many")
    with pytest.raises(ConfigurationError, match=r"SOLTEQ_WOO_: .*; SOLTEQ_WOO_STOCK_BUFFER:"):
        Settings.load()


def test_variables_of_other_programs_are_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that is like a setting of ours, when ours is set: then nobody misspelled it."""
    set_all(monkeypatch, {**REAL_SOLTEQ, **REAL_STORE, "SOLTEQ_POS_PORT": "1", "WOO_HOME": "1", "WOO_URLS": "1"})
    assert Settings.load()


def test_a_dotenv_that_is_no_text_is_named_and_not_shown(no_settings: Path) -> None:
    (no_settings / ".env").write_bytes("SOLTEQ_WOO_SHOP=sesamé".encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"^\.env cannot be read") as caught:
        Settings.load()
    assert caught.value.__context__ is None


def test_all_wrong_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {"SOLTEQ_WOO_STOCK_BUFFER": "many", "SOLTEQ_WOO_TIMEZONE": "here"})
    with pytest.raises(ConfigurationError, match=r"SOLTEQ_WOO_STOCK_BUFFER: .*; SOLTEQ_WOO_TIMEZONE: "):
        Settings.load()


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {**REAL_SOLTEQ, **REAL_STORE})
    settings = Settings.load()
    assert "hush" not in f"{settings!r} {settings} {settings.model_dump_json()}"
