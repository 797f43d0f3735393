"""How commands run the jobs of Dagster."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import click
import dagster as dg

from solteq_woo_assets.automation.jobs import today
from solteq_woo_assets.cli.terminal import terminal_logger
from solteq_woo_assets.clients.connections import solteq_client, woo_client
from solteq_woo_assets.definitions import build_definitions
from solteq_woo_assets.engine.database import StateDatabase, utc_now
from solteq_woo_assets.engine.flow import Flow
from solteq_woo_assets.flows.tables import state_database
from solteq_woo_assets.settings import Settings

UNDELIVERED = ("refused", "retried_next_run", "waiting", "stopped")


def load_settings() -> Settings:
    """The settings, once they are seen to make sense: before anything starts, and not run by run."""
    settings = Settings.load()
    with closing(solteq_client(settings)), closing(woo_client(settings)):
        return settings


@contextmanager
def dagster_instance() -> Iterator[dg.DagsterInstance]:
    """The instance of ``DAGSTER_HOME``, so that the runs are in its UI, or one that is gone afterwards."""
    if home := os.environ.get("DAGSTER_HOME"):
        settle_home(Path(home))
        with dg.DagsterInstance.get() as instance:
            yield instance
    else:
        with dg.DagsterInstance.ephemeral() as instance:
            yield instance


def settle_home(home: Path) -> None:
    """Make ``DAGSTER_HOME``, with settings of Dagster: those of the working folder, else ours, without telemetry."""
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        own = Path("dagster.yaml")
        shutil.copy(own if own.exists() else Path(__file__).with_name("dagster.yaml"), home)


def existing_database(settings: Settings) -> StateDatabase:
    """The database, for commands that only look: they make none.

    :raises ClickException: there is none
    """
    if not settings.database.exists():
        raise click.ClickException(f"There is no database yet: {settings.database}. Run solteq-woo sync first.")
    return state_database(settings.database)


def configuration(flow: Flow, settings: Settings, let_pass: bool) -> Mapping[str, Any]:
    rails = flow.guard_rails.names if let_pass and flow.guard_rails else []
    passes = {flow.delta: {"config": {"let_pass": rails}}} if rails else {}
    return flow.ops_of("sensor", settings) | passes


def up_to_delta(job: dg.JobDefinition, flow: Flow) -> list[dg.AssetKey]:
    delivery = dg.AssetKey(flow.delivery)
    return [key for key in job.asset_layer.executable_asset_keys if key != delivery]


def metadata_of(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, object]:
    for event in result.get_asset_materialization_events():
        if event.asset_key == dg.AssetKey(asset):
            return {name: value.value for name, value in event.materialization.metadata.items()}
    return {}


def all_delivered(result: dg.ExecuteInProcessResult, flow: Flow) -> bool:
    metadata = metadata_of(result, flow.delivery)
    return not any(metadata.get(name) for name in UNDELIVERED)


def count_quarantined(settings: Settings, flows: Sequence[Flow]) -> int:
    with state_database(settings.database).transaction() as connection:
        return connection.execute(
            "SELECT (SELECT count(*) FROM sync.quarantine WHERE list_contains($flows, flow) AND dismissed_at IS NULL) "
            "+ (SELECT count(*) FROM sync.failures WHERE list_contains($flows, flow))",
            {"flows": [flow.name for flow in flows]},
        ).fetchall()[0][0]


def run_job(
    settings: Settings,
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    ops: Mapping[str, object],
    selection: Sequence[dg.AssetKey] | None = None,
) -> dg.ExecuteInProcessResult:
    """Run a job of ``definitions_of`` in this process, telling the terminal how it goes; for today, if it is by day."""
    return job.execute_in_process(
        run_config={"loggers": {"console": {}}, "ops": ops},
        partition_key=today(settings, utc_now()) if job.partitions_def else None,
        instance=instance,
        asset_selection=selection,
        raise_on_error=False,
    )


def definitions_of(settings: Settings) -> dg.Definitions:
    """Everything that Dagster loads, with a logger that tells the terminal."""
    terminal = dg.Definitions(loggers={"console": dg.LoggerDefinition(terminal_logger)})
    return dg.Definitions.merge(build_definitions(settings), terminal)
