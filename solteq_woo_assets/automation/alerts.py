"""Alerts: e-mail and a webhook when a run fails or an asset check does not pass, and when that is over.

Two sensors, which exist when a channel is set. They write nothing to the shop, so that they run by default:

- ``failed_runs_sensor``, Dagster's run-failure sensor, only notes what failed. Dagster goes on to the next event
  whatever becomes of it, so that nothing is sent from there.
- ``alerts_sensor`` looks at the last verdict of every asset check and whether what failed has succeeded since, and
  sends what is due (:mod:`solteq_woo_assets.automation.alert_rules`). What cannot be sent stays due: the tick fails
  and says why, the next one tries again. That a run succeeded is asked of Dagster and not heard from a run-success
  sensor: that would leave a line in the log of every run, and an event that it missed would leave a cause open.

Severity WARN alerts nobody. A run that only a blocking check stopped is the check's alert, not one of its own. Messages
hold our own sentences; of another library's exception only the class, since its words may hold anything.

When the database cannot be opened, so that nobody would be told of anything, that itself is told, once a pause.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
from dagster._core.events import DagsterEvent
from dagster._core.storage.asset_check_execution_record import COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES
from dagster_shared.error import SerializableErrorInfo

from solteq_woo_assets.automation.alert_rules import Alert, due
from solteq_woo_assets.automation.alert_state import alerts, forget, forget_channels, keep, keep_told, record_failure
from solteq_woo_assets.clients.alerts import Channel, Message, channels
from solteq_woo_assets.engine.database import Clock, StateDatabase
from solteq_woo_assets.errors import AlertError, StateError
from solteq_woo_assets.flows.tables import state_database
from solteq_woo_assets.settings import Settings

SECONDS = 15
LOCK_SECONDS = 20.0
"""How long a tick waits for the database; Dagster ends one that takes a minute."""
WORDS_CHARACTERS = 1000
STOPPED_BY_CHECK = "DagsterAssetCheckFailedError"
BY_HAND = "__ASSET_JOB"
"""Dagster's name of the job in which assets are materialized by hand."""


def alert_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """The sensors that alert, when there is a channel to do so."""
    return [_failed_runs(settings), _alerts(settings)] if channels(settings) else []


def _failed_runs(settings: Settings) -> dg.SensorDefinition:
    @dg.run_failure_sensor(
        name="failed_runs_sensor",
        description="Notes which runs failed and why; alerts_sensor tells people.",
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def note(context: dg.RunFailureSensorContext) -> None:
        words = why_failed(context)
        if words is None:
            return
        with _database(settings).transaction() as connection:
            record_failure(
                connection,
                channels(settings),
                cause=f"run:{context.dagster_run.job_name}",
                words=words,
                run_id=context.dagster_run.run_id,
                at=_ended_at(context.instance, context.dagster_run.run_id),
            )

    return note


def _alerts(settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(
        name="alerts_sensor",
        description=(
            "Tells people over the channels that are set (SOLTEQ_WOO_ALERT_EMAIL_TO, SOLTEQ_WOO_ALERT_WEBHOOK_URL) of "
            f"failed runs and checks, and when it is over; each at most once in {settings.alert_pause_minutes} minutes."
        ),
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def tell(context: dg.SensorEvaluationContext, clock: dg.ResourceParam[Clock]) -> dg.SkipReason:
        teller = Teller(settings, _database(settings), channels(settings), clock)
        checks = failing_checks(context)
        try:
            if teller.database_is_back(context):
                return dg.SkipReason("People were told that the database can be used again.")
            teller.look(context.instance, checks)
            return teller.tell(context)
        except StateError as error:
            unusable = str(error)
        return teller.tell_without_database(context, unusable)

    return tell


def _database(settings: Settings) -> StateDatabase:
    return state_database(settings.database, lock_seconds=LOCK_SECONDS)


def why_failed(context: dg.RunFailureSensorContext) -> str | None:
    """Why a run failed, in words; ``None`` when a blocking check stopped it and nothing else was wrong."""
    steps = context.get_step_failure_events()
    broken = [step for step in steps if not _is_stopped_by_check(step)]
    if steps and not broken:
        return None
    if broken:
        failure = broken[0].step_failure_data
        described = failure.user_failure_data.description if failure.user_failure_data else None
        return (described or _in_words(failure.error))[:WORDS_CHARACTERS]
    data = context.failure_event.event_specific_data
    error = getattr(data, "error", None)
    return (_in_words(error) if error else context.failure_event.message or "")[:WORDS_CHARACTERS]


def _is_stopped_by_check(step: DagsterEvent) -> bool:
    error = step.step_failure_data.error
    return error is not None and error.cls_name == STOPPED_BY_CHECK


def _in_words(error: SerializableErrorInfo | None) -> str:
    """Our own errors' sentences; of any other error its class, below those in which Dagster wraps it."""
    while error and error.cause and (error.cls_name or "").startswith("Dagster"):
        error = error.cause
    if error is None:
        return "It failed without saying why. See the run."
    name, _, words = error.message.partition(": ")
    if name.startswith("solteq_woo_assets.errors."):
        return words.strip()
    return f"An error that was not foreseen ({error.cls_name}). See the run."


def _ended_at(instance: dg.DagsterInstance, run_id: str) -> datetime:
    record = instance.get_run_record_by_id(run_id)
    ended = record.end_time if record else None
    return _naive(ended) if ended else datetime.now(UTC).replace(tzinfo=None)


def _naive(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class FailingCheck:
    """The last verdict of a check that did not pass."""

    words: str
    run_id: str
    at: datetime


def failing_checks(context: dg.SensorEvaluationContext) -> dict[str, FailingCheck]:
    """The asset checks of this code location whose last verdict is an error, by their causes."""
    assert context.repository_def is not None  # noqa: S101  Dagster gives it to every sensor
    graph = context.repository_def.asset_graph
    failing: dict[str, FailingCheck] = {}
    for key in graph.asset_check_keys:
        # The last one that came to a verdict: a run that is under way or broke off before it has none.
        records = context.instance.event_log_storage.get_asset_check_execution_history(
            key, limit=1, status=COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES
        )
        record = records[0] if records else None
        verdict = record.evaluation if record else None
        if not record or not verdict or verdict.passed or verdict.severity != dg.AssetCheckSeverity.ERROR:
            continue
        words = verdict.description or graph.get_check_spec(key).description or "It did not pass."
        at = _naive(record.event.timestamp if record.event else record.create_timestamp)
        cause = f"check:{key.asset_key.to_user_string()}:{key.name}"
        failing[cause] = FailingCheck(words.strip()[:WORDS_CHARACTERS], record.run_id, at)
    return failing


def has_succeeded_since(instance: dg.DagsterInstance, job: str, run_id: str) -> bool:
    """Whether a run of the job succeeded after this one failed, or nobody knows of this one any more."""
    failed = instance.get_run_record_by_id(run_id)
    if failed is None:
        return True
    succeeded = instance.get_run_records(
        dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS]), limit=1, order_by="end_time"
    )
    return bool(succeeded) and (succeeded[0].end_time or 0.0) > (failed.end_time or 0.0)


@dataclass(frozen=True)
class Teller:
    """One tick of ``alerts_sensor``."""

    settings: Settings
    database: StateDatabase
    channels: Mapping[str, Channel]
    clock: Clock

    @property
    def pause(self) -> timedelta:
        """The same cause is told at most once in it."""
        return timedelta(minutes=self.settings.alert_pause_minutes)

    def look(self, instance: dg.DagsterInstance, checks: Mapping[str, FailingCheck]) -> None:
        """Note which checks fail, and what fails no more."""
        with self.database.transaction() as connection:
            forget_channels(connection, but=self.channels)
            runs = {(alert.cause, alert.run_id) for alert in alerts(connection, "run:") if not alert.over_at}
        succeeded = {
            (cause, run_id) for cause, run_id in runs if has_succeeded_since(instance, cause.partition(":")[2], run_id)
        }
        with self.database.transaction() as connection:
            for cause, check in checks.items():
                record_failure(
                    connection, self.channels, cause=cause, words=check.words, run_id=check.run_id, at=check.at
                )
            for alert in alerts(connection):
                passes = alert.cause.startswith("check:") and alert.cause not in checks
                if not alert.over_at and (passes or (alert.cause, alert.run_id) in succeeded):
                    keep(connection, alert.ended(self.clock()))

    def tell(self, context: dg.SensorEvaluationContext) -> dg.SkipReason:
        """Send what is due; a channel that does not work is left alone until the next tick.

        :raises AlertError: what could not be sent
        """
        now = self.clock()
        with self.database.transaction() as connection:
            known = [(alert, due(alert, now, self.pause)) for alert in alerts(connection)]
            for alert, what in known:
                if what == "forget":
                    forget(connection, alert)
        problems: dict[str, str] = {}
        told = 0
        for alert, what in known:
            if what and what != "forget" and alert.channel not in problems:
                problem = self._tell(context, alert, now)
                problems |= {alert.channel: problem} if problem else {}
                told += not problem
        if problems:
            raise AlertError(" ".join(problems.values()))
        failing = len({alert.cause for alert, _ in known if not alert.over_at})
        return dg.SkipReason(f"Sent {told} messages; {failing} causes of alerts at present.")

    def _tell(self, context: dg.SensorEvaluationContext, alert: Alert, now: datetime) -> str | None:
        """Send one alert, stored first as perhaps told: a crash or a full disk must not tell it at every tick.

        :return: the problem in words
        """
        self._keep_told(alert if alert.over_at else alert.told(now, may_have_arrived=True))
        try:
            warning = self.channels[alert.channel].send(message(alert, self.settings))
        except AlertError as error:
            self._keep_told(alert.told(now, may_have_arrived=True) if error.may_have_arrived else alert)
            return str(error)
        self._keep_told(alert.told(now))
        if warning:
            context.log.warning(warning)
        return None

    def _keep_told(self, alert: Alert) -> None:
        with self.database.transaction() as connection:
            keep_told(connection, alert)

    def tell_without_database(self, context: dg.SensorEvaluationContext, reason: str) -> dg.SkipReason:
        """Say that nobody can be told of anything else; the cursor, which Dagster keeps, knows when it was said.

        :raises AlertError: no channel took it
        """
        now = self.clock()
        if context.cursor and _instant(context.cursor) <= now < _instant(context.cursor) + self.pause:
            return dg.SkipReason(f"People were told already: {reason}")
        what = Message(
            f"[{self.settings.shop}] The database cannot be used",
            f"Runs fail and no other alert can be sent.\nReason: {reason}\n",
        )
        self._send_to_any(what)
        context.update_cursor(now.isoformat())
        return dg.SkipReason(f"People were told: {reason}")

    def database_is_back(self, context: dg.SensorEvaluationContext) -> bool:
        """Say so, when it was said that it cannot be used; whether that was said now.

        :raises AlertError: no channel took it
        """
        if not context.cursor:
            return False
        with self.database.transaction():
            pass
        since = _local(_instant(context.cursor), self.settings)
        self._send_to_any(
            Message(f"[{self.settings.shop}] The database can be used again", f"It could not since {since}.\n")
        )
        context.update_cursor("")
        return True

    def _send_to_any(self, what: Message) -> None:
        """Over every channel; one that takes it is enough, since there is nowhere to note which did."""
        problems: list[str] = []
        for channel in self.channels.values():
            try:
                channel.send(what)
            except AlertError as error:
                problems += [] if error.may_have_arrived else [str(error)]
        if len(problems) == len(self.channels):
            raise AlertError(" ".join(problems))


def _instant(cursor: str) -> datetime:
    return datetime.fromisoformat(cursor)


def message(alert: Alert, settings: Settings) -> Message:
    """What people read."""
    run = f"{settings.dagster_url}/runs/{alert.run_id}"
    since = _local(alert.since, settings)
    fails, works = _headlines(alert.cause)
    if alert.over_at:
        over = _local(alert.over_at, settings)
        return Message(f"[{settings.shop}] {works}", f"{works} since {over}.\nIt did not since {since}: {run}\n")
    return Message(f"[{settings.shop}] {fails}", f"{fails}.\nSince: {since}\nReason: {alert.words}\nRun: {run}\n")


def _headlines(cause: str) -> tuple[str, str]:
    """What is said when it begins, and when it is over."""
    kind, _, name = cause.partition(":")
    if kind == "check":
        asset, _, check = name.rpartition(":")
        return f"The check {check} of {asset} did not pass", f"The check {check} of {asset} passes again"
    job = "Materializing by hand" if name == BY_HAND else name
    return f"{job} failed", f"{job} works again"


def _local(instant: datetime, settings: Settings) -> str:
    return f"{instant.replace(tzinfo=UTC).astimezone(ZoneInfo(settings.timezone)):%Y-%m-%d %H:%M} {settings.timezone}"
