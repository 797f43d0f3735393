"""Settings: named and defaulted as documented, read from the environment and .env, wrong ones named and never shown."""

from datetime import time
from decimal import Decimal
from pathlib import Path

import pytest

from solteq_woo_assets.errors import ConfigurationError
from solteq_woo_assets.settings import SANDBOX, Settings, env_example

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
        ("", {}),
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


def test_all_wrong_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {"SOLTEQ_WOO_STOCK_BUFFER": "many", "SOLTEQ_WOO_TIMEZONE": "here"})
    with pytest.raises(ConfigurationError, match=r"SOLTEQ_WOO_STOCK_BUFFER: .*; SOLTEQ_WOO_TIMEZONE: "):
        Settings.load()


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {**REAL_SOLTEQ, **REAL_STORE})
    settings = Settings.load()
    assert "hush" not in f"{settings!r} {settings} {settings.model_dump_json()}"
