"""The documentation: it builds, its links lead somewhere, and what it names is there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from solteq_woo_assets.definitions import build_definitions
from solteq_woo_assets.engine.problems import PROBLEMS
from solteq_woo_assets.settings import Settings, settings_texts
from solteq_woo_assets_tests.test_house import FILES, imported, room

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """As ``make docs`` does."""
    return subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "-n", "--keep-going", "-E", "-q", str(source), str(target)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The documentation's folder, without what was generated before."""
    ignored = shutil.ignore_patterns("problems", "settings.md", "__pycache__")
    return Path(shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=ignored))


def test_the_documentation_builds_without_a_warning_and_has_every_setting_and_problem(
    source: Path, tmp_path: Path
) -> None:
    """A setting or a problem that nobody can look up, and every broken link of our own pages."""
    done = build(source, tmp_path / "html")
    assert (done.returncode, done.stderr) == (0, "")
    settings = (tmp_path / "html" / "settings.html").read_text(encoding="utf-8")
    assert [text.name for text in settings_texts() if text.name not in settings] == []
    assert [code for code in PROBLEMS if not (tmp_path / "html" / "problems" / f"{code}.html").exists()] == []


def test_broken_links_fail_the_build(source: Path, tmp_path: Path) -> None:
    """A check for broken links that finds none, whatever is broken: a page, an anchor, one elsewhere, an image."""
    small = tmp_path / "small"
    small.mkdir()
    for name in ("conf.py", "generated.py"):
        shutil.copy(source / name, small / name)
    (small / "other.md").write_text("# Other\n", encoding="utf-8")
    (small / "index.md").write_text(
        "# Title\n\n[a](missing-page.md) [b](#missing-here) [c](other.md#missing-there) ![d](missing.png)\n\n"
        "```{toctree}\nother\nsettings\nproblems/index\n```\n",
        encoding="utf-8",
    )
    done = build(small, tmp_path / "html")
    assert done.returncode != 0
    for broken in ("missing-page.md", "missing-here", "missing-there", "missing.png"):
        assert broken in done.stderr


def test_links_of_the_readme_lead_to_files() -> None:
    """The README is no page of the build, so its links are looked at here; generated pages it may not link to."""
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []
    assert [link for link in links if "settings.md" in link or "problems/" in link] == []


def test_jobs_sensors_schedules_and_deltas_that_are_named_exist(tmp_path: Path) -> None:
    """A page that sends somebody to a job or a sensor that is not there (any more)."""
    settings = Settings(_env_file=None, database=tmp_path / "d.duckdb", alert_webhook_url="http://127.0.0.1:9")  # type: ignore[call-arg]
    definitions = build_definitions(settings)
    repository = definitions.get_repository_def()
    names = {job.name for job in repository.get_all_jobs()}
    names |= {sensor.name for sensor in repository.sensor_defs} | {one.name for one in repository.schedule_defs}
    names |= {key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()}
    pattern = r"`((?:full_refresh|retry|reconcile|erase)_[a-z_]+|[a-z_]+_(?:sensor|schedule|delta|to_woo|to_solteq))`"
    named = {(page.name, name) for page in PAGES for name in re.findall(pattern, page.read_text(encoding="utf-8"))}
    assert len(named) > 10
    assert {(page, name) for page, name in named if name not in names} == set()


def test_settings_that_are_named_exist() -> None:
    """A page that tells somebody to set what nothing reads."""
    known = {text.name for text in settings_texts()}
    pattern = r"\b((?:SOLTEQ_WOO|WOO|SOLTEQ)_[A-Z_]*[A-Z])\b"
    named = {(page.name, name) for page in PAGES for name in re.findall(pattern, page.read_text(encoding="utf-8"))}
    families = re.compile(r"SOLTEQ_WOO(_SMTP)?|SOLTEQ_WOO_SOLTEQ")
    assert {(page, name) for page, name in named if name not in known and not families.fullmatch(name)} == set()


def test_the_diagram_shows_the_imports() -> None:
    """A picture of the house as it once was."""
    drawn = re.findall(r"^    (\w+) --> (\w+)$", (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"), re.M)
    ours = {
        (room(path), name.split(".")[1])
        for path in FILES
        for name in imported(path)
        if name.startswith("solteq_woo_assets.")
    }
    assert sorted(drawn) == sorted((above, below) for above, below in ours if above != below)


def test_tests_that_prove_a_guarantee_exist() -> None:
    """A promise whose test was renamed or removed."""
    written = "\n".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8"))
    assert len(named) > 10
    assert [name for name in named if f"def {name}(" not in written] == []


def test_what_the_code_cites_of_the_contract_is_written_down() -> None:
    """A rule whose source nobody can look up: comments cite docs/contract.md by number or name."""
    page = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
    known = {*re.findall(r"^\| (\d+) \|", page, re.M), *re.findall(r"^\*\*([A-Z][\w ]+)\.\*\*", page, re.M)}
    files = [path for package in ("solteq_woo_assets", "solteq_woo_sandbox") for path in (ROOT / package).rglob("*.py")]
    cited = {
        (path.name, name)
        for path in files
        for names in re.findall(r"contract, ((?:\d+|[A-Z]\w+(?: \w+)?)(?:, \d+)*)\b", path.read_text(encoding="utf-8"))
        for name in names.split(", ")
    }
    assert len(cited) > 20
    assert {(file, name) for file, name in cited if name not in known} == set()
