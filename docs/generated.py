"""The pages that are made from the code when the documentation is built, and never committed."""

from pathlib import Path

from solteq_woo_assets.engine.problems import PROBLEMS, Problem
from solteq_woo_assets.settings import SettingText, settings_texts

GROUPS = {
    "solteq_api_url": "The two systems",
    "mode": "The shop",
    "stock_stores": "Stock",
    "timezone": "Time",
    "new_product_status": "Products",
    "campaign_choice": "Prices",
    "out_of_stock_products_percent": "Guard rails for stock and products",
    "customer_accounts": "Customers",
    "sale_statuses": "Sales",
    "requests_in_flight": "Load",
    "products_poll_seconds": "When flows run",
    "alert_email_to": "Alerts",
    "dagster_url": "The Dagster UI",
    "solteq_feeds": "Solteq's feeds",
}
"""Headings of the settings page, by the setting with which each begins."""


def write_pages(folder: Path) -> None:
    """Write the settings page and the catalogue of problems into the documentation's folder."""
    (folder / "settings.md").write_text(settings_page(), encoding="utf-8")
    problems = folder / "problems"
    problems.mkdir(exist_ok=True)
    for left in problems.glob("*.md"):
        left.unlink()
    (problems / "index.md").write_text(problems_page(), encoding="utf-8")
    for problem in PROBLEMS.values():
        (problems / f"{problem.code}.md").write_text(problem_page(problem), encoding="utf-8")


def settings_page() -> str:
    """Every setting: its name in the environment, its default and its meaning."""
    settings = settings_texts()
    if gone := GROUPS.keys() - {setting.field for setting in settings}:
        raise ValueError(f"GROUPS begins groups with settings that are not there: {', '.join(gone)}")
    lines = [
        "# Settings",
        "",
        "Set them in the environment, or in a `.env` file in the folder where the program is started.",
        "Made from `solteq_woo_assets/settings.py`.",
    ]
    for setting in settings:
        if setting.field in GROUPS:
            lines += ["", f"## {GROUPS[setting.field]}"]
        lines += ["", *_setting(setting)]
    return "\n".join(lines) + "\n"


def _setting(setting: SettingText) -> list[str]:
    default = f"Default: `{setting.default}`" if setting.default else "Default: empty"
    # Angle brackets are examples, not HTML.
    meaning = " ".join(setting.meaning.split()).replace("<", "\\<")
    return [f"### `{setting.name}`", "", meaning, "", default]


def problems_page() -> str:
    """All problems, each with a link to its own page."""
    lines = [
        "# Problems",
        "",
        "Why a record is held back, and what to do. `solteq-woo quarantine list` names each by its code.",
        "Made from `solteq_woo_assets/engine/problems.py`.",
        "",
        "| code | problem |",
        "| --- | --- |",
        *(f"| [`{problem.code}`]({problem.code}.md) | {problem.title} |" for problem in PROBLEMS.values()),
        "",
        "```{toctree}",
        ":hidden:",
        "",
        *PROBLEMS,
        "```",
    ]
    return "\n".join(lines) + "\n"


def problem_page(problem: Problem) -> str:
    """One problem: what is wrong, what it means, what to do."""
    mend = problem.mend[:1].upper() + problem.mend[1:]
    return (
        "\n\n".join(
            [
                f"# {problem.title}",
                f"Code: `{problem.code}`",
                f"**What it means.** {problem.meaning}",
                f"**What to do.** {mend}.",
                "[All problems](index.md)",
            ]
        )
        + "\n"
    )
