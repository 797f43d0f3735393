"""Runs of flows through Dagster: its jobs, partitions, checks and event log."""

import dagster as dg

from solteq_woo_assets.definitions import build_definitions
from solteq_woo_assets.engine.flow import Flow
from solteq_woo_assets.settings import Settings
from solteq_woo_assets_tests.engine.flows import Run

_SILENT = {"console": {"config": {"log_level": "CRITICAL"}}}


class Launcher:
    """Launches runs as the daemon does. A killed one stays under way in Dagster, as after ``kill -9``."""

    def __init__(self) -> None:
        self._instance = dg.DagsterInstance.ephemeral()
        self._loaded: tuple[Settings, dg.Definitions] | None = None

    def launch(self, flow: Flow, settings: Settings, run: Run) -> None:
        """Run the flow's job to its end.

        :raises dagster.Failure: a step failed in words, or a check stops the run
        """
        job = self._definitions(settings).resolve_job_def(flow.job)
        result = job.execute_in_process(
            run_config={
                "ops": {name: {"config": dict(given)} for name, given in run.configs.items()},
                "loggers": _SILENT,
            },
            tags=_range(run) if job.partitions_def else None,
            run_id=run.run_id,
            instance=self._instance,
            raise_on_error=False,
        )
        if failures := [event.step_failure_data for event in result.all_events if event.is_step_failure]:
            failed = failures[0]
            told = failed.user_failure_data
            if told is None and failed.error and failed.error.cls_name != "DagsterAssetCheckFailedError":
                raise AssertionError(failed.error.to_string())
            raise dg.Failure((told and told.description) or (failed.error and failed.error.message))

    def _definitions(self, settings: Settings) -> dg.Definitions:
        """What Dagster loads: anew when the settings changed."""
        if self._loaded is None or self._loaded[0] != settings:
            self._loaded = settings, build_definitions(settings)
        return self._loaded[1]


def _range(run: Run) -> dict[str, str]:
    """The tags of a run of these days."""
    ends = {"start": run.days[0], "end": run.days[-1]}
    return {f"dagster/asset_partition_range_{name}": day for name, day in ends.items()}
