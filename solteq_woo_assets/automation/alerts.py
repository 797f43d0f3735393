"""Alerts: e-mail and a webhook when a run fails or an asset check does not pass, and when that is over.

Two sensors, which exist when a channel is set. They write nothing to the shop, so that they run by default:

- ``failed_runs_sensor``, Dagster's run-failure sensor, only notes what failed. Dagster goes on to the next event
  whatever becomes of it, so that nothing is sent from there.
- ``alerts_sensor`` looks at the last verdict of every asset check and whether what failed has succeeded since, and
  sends the messages that are due. A message that cannot be sent stays due: the tick fails and says why, and the next
  one tries again. A run-success
  sensor would leave a line in the log of every run, and an event that it missed would leave a cause open for ever.

Severity WARN alerts nobody. Messages hold our own sentences, and only the class of another library's exception: its
words may hold the webhook's address, which is a secret, or words of the mail server, which may name people. A message
is also sent when the database cannot be opened, so that nothing can be noted.
"""

import smtplib
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid, parseaddr
from functools import partial
from http import HTTPStatus
from typing import Literal, NamedTuple, Self
from zoneinfo import ZoneInfo

import dagster as dg
import requests
from dagster_shared.error import SerializableErrorInfo

from solteq_woo_assets.clients.failures import CONNECT_SECONDS, diagnose
from solteq_woo_assets.engine.database import Clock, StateDatabase
from solteq_woo_assets.errors import AlertError, StateError
from solteq_woo_assets.flows.tables import state_database
from solteq_woo_assets.settings import Settings

SECONDS = 15
LOCK_SECONDS = 20.0  # that a tick waits for the database; Dagster ends one that takes a minute
READ_SECONDS = 10.0
WORDS_CHARACTERS = 1000
SUBJECT_CHARACTERS = 150
BY_HAND = "__ASSET_JOB"  # Dagster's name of the job in which assets are materialized by hand


def alert_sensors(settings: Settings, clock: Clock) -> list[dg.SensorDefinition]:
    """The sensors that alert, when there is a channel to do so."""
    if not channels(settings):
        return []
    database = state_database(settings.database, lock_seconds=LOCK_SECONDS)

    @dg.run_failure_sensor(
        name="failed_runs_sensor",
        description="Notes which runs failed and why; alerts_sensor tells people.",
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def note(context: dg.RunFailureSensorContext) -> None:
        run = context.dagster_run
        record = context.instance.get_run_record_by_id(run.run_id)
        failure = Failure(why_failed(context), run.run_id, _naive(record and record.end_time))
        with remembered(database) as known:
            fail(known, channels(settings), f"run:{run.job_name}", failure)

    @dg.sensor(
        name="alerts_sensor",
        description=(
            "Tells people over the channels that are set (SOLTEQ_WOO_ALERT_EMAIL_TO, SOLTEQ_WOO_ALERT_WEBHOOK_URL) of "
            f"failed runs and checks, and when it is over; each at most once in {settings.alert_pause_minutes} minutes."
        ),
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def tell(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        tick = Tick(settings, database, context, clock(), timedelta(minutes=settings.alert_pause_minutes))
        checks = failing_checks(context)
        try:
            tick.look(checks)
            return tick.tell_of_database() if context.cursor else tick.tell()
        except StateError as error:
            unusable = str(error)
        return tick.tell_of_database(unusable)

    return [note, tell]


@dataclass(frozen=True)
class Tick:
    settings: Settings
    database: StateDatabase
    context: dg.SensorEvaluationContext
    now: datetime
    pause: timedelta

    def look(self, checks: Mapping[str, "Failure"]) -> None:
        """Note the checks that fail, and the causes that recovered."""
        with remembered(self.database) as known:
            failing = [(alert.cause, alert.run_id) for alert in known.values() if not alert.over_at]
        over = {(cause, run_id) for cause, run_id in failing if cause not in checks and self._is_over(cause, run_id)}
        ways = channels(self.settings)
        with remembered(self.database) as known:
            for cause, failure in checks.items():
                fail(known, ways, cause, failure)
            for key, alert in [*known.items()]:
                if alert.channel not in ways:
                    del known[key]  # nobody is told over it any more
                elif not alert.over_at and (alert.cause, alert.run_id) in over:
                    known[key] = replace(alert, over_at=self.now)

    def _is_over(self, cause: str, run_id: str) -> bool:
        """Whether a run of the job succeeded after this one failed, or this one is deleted."""
        failed = self.context.instance.get_run_record_by_id(run_id)
        if failed is None or cause.startswith("check:"):
            return True
        job = dg.RunsFilter(job_name=cause.removeprefix("run:"), statuses=[dg.DagsterRunStatus.SUCCESS])
        succeeded = self.context.instance.get_run_records(job, limit=1, order_by="end_time")
        return bool(succeeded) and (succeeded[0].end_time or 0.0) > (failed.end_time or 0.0)

    def tell(self) -> dg.SkipReason:
        """Send the messages that are due; a channel that does not work is left alone until the next tick.

        :raises AlertError: what could not be sent
        """
        with remembered(self.database) as known:
            dues = [(alert, due(alert, self.now, self.pause)) for alert in known.values()]
            for alert, what in dues:
                if what == "forget":
                    del known[alert.cause, alert.channel]
        problems: dict[str, str] = {}
        for alert, what in dues:
            if what in ("failing", "over") and not problems.get(alert.channel):
                problems[alert.channel] = self._send(alert)
        if any(problems.values()):
            raise AlertError(" ".join(filter(None, problems.values())))
        failing = len({alert.cause for alert, _ in dues if not alert.over_at})
        return dg.SkipReason(f"{failing} causes of alerts at present; what was due is sent.")

    def _send(self, alert: "Alert") -> str:
        """Send it, stored first as perhaps told: a crash must not send it at every tick. The problem, in words."""
        perhaps = alert.told(self.now, may_have_arrived=True)
        keep_told(self.database, alert if alert.over_at else perhaps)
        arrived, words = channels(self.settings)[alert.channel](*message(alert, self.settings))
        keep_told(self.database, {True: alert.told(self.now), None: perhaps, False: alert}[arrived])
        if arrived and words:
            self.context.log.warning(words)
        return "" if arrived else words

    def tell_of_database(self, reason: str = "") -> dg.SkipReason:
        """Say that no other alert can be sent and why, once in a pause, or that they can; the cursor has the last time.

        :raises AlertError: no channel took it; one that does is enough, since there is nowhere to note which did
        """
        said = datetime.fromisoformat(self.context.cursor) if self.context.cursor else None
        if reason and said and said <= self.now < said + self.pause:
            return dg.SkipReason(f"People were told already: {reason}")
        subject, text = "The database cannot be used", f"Runs fail and no other alert can be sent.\nReason: {reason}\n"
        if said and not reason:
            subject, text = "The database can be used again", f"It could not since {_local(said, self.settings)}.\n"
        outcomes = [send(subject, text) for send in channels(self.settings).values()]
        if all(arrived is False for arrived, _ in outcomes):
            raise AlertError(" ".join(words for _, words in outcomes))
        self.context.update_cursor(self.now.isoformat() if reason else "")
        return dg.SkipReason(f"People were told: {subject}. {reason}".strip())


class Failure(NamedTuple):
    """A run that failed, or the last verdict of a check that did not pass."""

    words: str
    run_id: str
    at: datetime


def why_failed(context: dg.RunFailureSensorContext) -> str:
    steps = context.get_step_failure_events()
    if steps:
        failure = steps[0].step_failure_data
        described = failure.user_failure_data.description if failure.user_failure_data else None
        return (described or _in_words(failure.error))[:WORDS_CHARACTERS]
    error = getattr(context.failure_event.event_specific_data, "error", None)
    return (_in_words(error) if error else context.failure_event.message or "")[:WORDS_CHARACTERS]


def _in_words(error: SerializableErrorInfo | None) -> str:
    """The sentences of our own errors; the class of any other, below those in which Dagster wraps it."""
    while error and error.cause and (error.cls_name or "").startswith("Dagster"):
        error = error.cause
    if error is None:
        return "It failed without saying why. See the run."
    name, _, words = error.message.partition(": ")
    if name.startswith("solteq_woo_assets.errors."):
        return words.strip()
    return f"An error that was not foreseen ({error.cls_name}). See the run."


def _naive(timestamp: float | None) -> datetime:
    """Naive UTC; now, when Dagster does not know."""
    return (datetime.fromtimestamp(timestamp, UTC) if timestamp else datetime.now(UTC)).replace(tzinfo=None)


def failing_checks(context: dg.SensorEvaluationContext) -> dict[str, Failure]:
    """The asset checks of this code location whose last verdict is an error, by their causes."""
    assert context.repository_def is not None  # noqa: S101  Dagster gives it to every sensor
    graph = context.repository_def.asset_graph
    failing: dict[str, Failure] = {}
    summaries = context.instance.event_log_storage.get_asset_check_summary_records(list(graph.asset_check_keys))
    for key, summary in summaries.items():
        # A run that is under way or broke off before the check came to no verdict.
        record = summary.last_completed_check_execution_record
        verdict = record.evaluation if record else None
        if record and verdict and not verdict.passed and verdict.severity == dg.AssetCheckSeverity.ERROR:
            words = verdict.description or graph.get_check_spec(key).description or "It did not pass."
            at = _naive(record.event and record.event.timestamp)
            cause = f"check:{key.asset_key.to_user_string()}:{key.name}"
            failing[cause] = Failure(words.strip()[:WORDS_CHARACTERS], record.run_id, at)
    return failing


# When a message is due:
# - A failure is told unless the same cause was told less than a pause ago. While it lasts it is told again when it has
#   failed again, once a pause at most.
# - Its end is told at once, if its beginning was told.
# - Failed again within the pause: told when the pause ends, if it still lasts.

UNCERTAIN = ""  # stands for the run that was told of when nobody knows whether the message arrived


@dataclass(frozen=True)
class Alert:
    """A cause on a channel, so that a channel that is down neither stops the other nor makes it tell twice.

    A row of ``sync.alerts``. Times are naive UTC. The run that failed says whether it was told, not the clock.
    """

    cause: str
    channel: str
    words: str
    run_id: str
    since: datetime
    told_at: datetime | None = None
    told_run_id: str | None = None
    over_at: datetime | None = None

    def failed(self, failure: Failure) -> Self:
        """It failed, once more or anew. A known run changes nothing."""
        words, run_id, at = failure
        if run_id == self.run_id:
            return self
        return replace(self, words=words, run_id=run_id, since=at if self.over_at else self.since, over_at=None)

    def told(self, at: datetime, *, may_have_arrived: bool = False) -> Self:
        """The due message was sent; ``may_have_arrived``: no answer came."""
        if self.over_at:
            return replace(self, told_run_id=None)
        return replace(self, told_at=at, told_run_id=UNCERTAIN if may_have_arrived else self.run_id)


def due(alert: Alert, now: datetime, pause: timedelta) -> Literal["failing", "over", "forget"] | None:
    """The action that is due now, or ``None``."""
    if alert.over_at and alert.told_run_id is not None:
        return "over"
    if alert.told_at is not None and alert.told_at <= now < alert.told_at + pause:
        return None
    if alert.over_at:
        return "forget"
    return "failing" if alert.told_run_id != alert.run_id else None


Known = dict[tuple[str, str], Alert]


@contextmanager
def remembered(database: StateDatabase) -> Iterator[Known]:
    """Alerts by cause and channel, the oldest first. Changes in the block are stored at its end."""
    columns = ", ".join(field.name for field in fields(Alert))
    with database.transaction() as connection:
        rows = connection.execute(f"SELECT {columns} FROM sync.alerts ORDER BY since, cause, channel").fetchall()
        before: Known = {row[:2]: Alert(*row) for row in rows}
        known = dict(before)
        yield known
        for key in before.keys() - known.keys():
            connection.execute("DELETE FROM sync.alerts WHERE cause = ? AND channel = ?", key)
        for key, alert in known.items():
            if alert != before.get(key):
                places = ", ".join("?" for _ in fields(Alert))
                connection.execute(f"INSERT OR REPLACE INTO sync.alerts ({columns}) VALUES ({places})", astuple(alert))


def fail(known: Known, channels: Iterable[str], cause: str, failure: Failure) -> None:
    """A cause failed, once more or for the first time."""
    for channel in channels:
        alert = known.get((cause, channel))
        known[cause, channel] = alert.failed(failure) if alert else Alert(cause, channel, *failure)


def keep_told(database: StateDatabase, alert: Alert) -> None:
    """Store who was told, and leave the rest: it may have failed again while the message was under way."""
    with remembered(database) as known:
        if now := known.get((alert.cause, alert.channel)):
            known[now.cause, now.channel] = replace(now, told_at=alert.told_at, told_run_id=alert.told_run_id)


def message(alert: Alert, settings: Settings) -> tuple[str, str]:
    """The subject and the text of a message."""
    kind, _, what = alert.cause.partition(":")
    fails, works = "failed", "works again"
    if kind == "check":
        asset, _, check = what.rpartition(":")
        what, fails, works = f"The check {check} of {asset}", "did not pass", "passes again"
    elif what == BY_HAND:
        what = "Materializing by hand"
    run, since = f"{settings.dagster_url}/runs/{alert.run_id}", _local(alert.since, settings)
    if alert.over_at:
        over = _local(alert.over_at, settings)
        return f"{what} {works}", f"{what} {works} since {over}.\nIt did not since {since}: {run}\n"
    return f"{what} {fails}", f"{what} {fails}.\nSince: {since}\nReason: {alert.words}\nRun: {run}\n"


def _local(instant: datetime, settings: Settings) -> str:
    return f"{instant.replace(tzinfo=UTC).astimezone(ZoneInfo(settings.timezone)):%Y-%m-%d %H:%M} {settings.timezone}"


Outcome = tuple[bool | None, str]
"""Whether a message arrived, ``None`` when it is not known, and words about it."""


def channels(settings: Settings) -> dict[str, Callable[[str, str], Outcome]]:
    """The channels that are set, by their names in ``sync.alerts``: each sends a subject and a text."""
    ways: dict[str, Callable[[str, str], Outcome]] = {}
    if settings.alert_email_to:
        ways["email"] = partial(_send_email, settings)
    if settings.alert_webhook_url:
        ways["webhook"] = partial(_send_to_webhook, settings)
    return ways


def send_test(settings: Settings) -> dict[str, str]:
    """Send a message over each channel that is set; the problem by the channel's name, or nothing."""
    test = ("This is a test", "Alerts of the integration between Solteq and the web store arrive here.")
    return {name: send(*test)[1] for name, send in channels(settings).items()}


def _headline(settings: Settings, subject: str) -> str:
    """A subject on one line: a header must not hold another."""
    return " ".join(f"[{settings.shop}] {subject}".split())[:SUBJECT_CHARACTERS]


def _send_to_webhook(settings: Settings, subject: str, text: str) -> Outcome:
    """One POST of ``{"text": …}``, without Slack's special characters: ``<!channel>`` in a code must call nobody."""
    said = f"*{_headline(settings, subject)}*\n{text}"
    said = said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    url = settings.alert_webhook_url.get_secret_value()
    arrived: bool | None = False
    try:
        answer = requests.post(url, json={"text": said}, timeout=(CONNECT_SECONDS, READ_SECONDS), allow_redirects=False)
    except requests.RequestException as error:
        diagnosis = diagnose(error, READ_SECONDS)
        arrived, what = (False if diagnosis.not_done else None), diagnosis.what
    else:
        if HTTPStatus.OK <= answer.status_code < HTTPStatus.MULTIPLE_CHOICES:
            return True, ""
        what = f"it answers {answer.status_code}"
    return arrived, f"The webhook of SOLTEQ_WOO_ALERT_WEBHOOK_URL did not take the alert: {what}."


def _send_email(settings: Settings, subject: str, text: str) -> Outcome:
    """E-mail to all recipients over the shop's mail server; it has arrived when one of them got it."""
    is_leaving = False
    try:
        with _mail_server(settings) as server:
            is_leaving = True
            refused = server.send_message(_mail(settings, subject, text))
    except (OSError, UnicodeError) as error:  # smtplib's and ssl's errors are among the first
        unanswered = is_leaving and isinstance(error, smtplib.SMTPServerDisconnected | TimeoutError)
        what = "broke off before it said whether it has it" if unanswered else _what_failed(error)
        words = f"No e-mail was sent: the mail server {settings.smtp_host}:{settings.smtp_port} {what}."
        return None if unanswered else False, words
    words = f"{len(refused)} of the addresses in SOLTEQ_WOO_ALERT_EMAIL_TO were refused by the mail server."
    return True, words if refused else ""


def _mail(settings: Settings, subject: str, text: str) -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = _headline(settings, subject)
    mail["From"] = settings.alert_email_from
    mail["To"] = ", ".join(settings.alert_email_to)
    mail["Date"] = formatdate(localtime=True)
    mail["Message-ID"] = make_msgid(domain=parseaddr(settings.alert_email_from)[1].rpartition("@")[2])
    mail["Auto-Submitted"] = "auto-generated"  # no "I am on holiday" in return
    mail.set_content(text)
    return mail


@contextmanager
def _mail_server(settings: Settings) -> Iterator[smtplib.SMTP]:
    """The mail server, signed in. It must have a certificate that the machine trusts (``SSL_CERT_FILE``)."""
    tls = ssl.create_default_context()
    place = (settings.smtp_host, settings.smtp_port)
    if settings.smtp_security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(*place, timeout=READ_SECONDS, context=tls)
    else:
        server = smtplib.SMTP(*place, timeout=READ_SECONDS)
    try:
        if settings.smtp_security == "starttls":
            server.starttls(context=tls)
        if settings.smtp_user:
            server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
        yield server
    finally:
        with suppress(OSError):  # the mail is sent by then
            server.quit()
        server.close()


_PROBLEMS: tuple[tuple[type[Exception], str], ...] = (
    (
        smtplib.SMTPAuthenticationError,
        "refuses the login ({code}): check SOLTEQ_WOO_SMTP_USER and SOLTEQ_WOO_SMTP_PASSWORD",
    ),
    (smtplib.SMTPSenderRefused, "refuses the sender ({code}): check SOLTEQ_WOO_ALERT_EMAIL_FROM"),
    (smtplib.SMTPRecipientsRefused, "refuses every recipient: check SOLTEQ_WOO_ALERT_EMAIL_TO"),
    (smtplib.SMTPResponseException, "answers {code}"),
    (
        smtplib.SMTPNotSupportedError,
        "does not offer what is asked of it: check SOLTEQ_WOO_SMTP_SECURITY and SOLTEQ_WOO_SMTP_USER",
    ),
    (ssl.SSLCertVerificationError, "has a certificate that is not valid: {certificate}"),
    (ssl.SSLError, "speaks another encryption: check SOLTEQ_WOO_SMTP_SECURITY and SOLTEQ_WOO_SMTP_PORT"),
    (TimeoutError, f"does not answer within {READ_SECONDS:g} s"),
    (smtplib.SMTPException, "broke off: check SOLTEQ_WOO_SMTP_SECURITY, SOLTEQ_WOO_SMTP_PORT and the login"),
    (UnicodeError, "was not asked: SOLTEQ_WOO_SMTP_USER or SOLTEQ_WOO_SMTP_PASSWORD has a letter beyond ASCII"),
    (OSError, "cannot be reached ({reason}): check SOLTEQ_WOO_SMTP_HOST and SOLTEQ_WOO_SMTP_PORT"),
)
"""The problem with the mail server, as the end of a sentence about it. The first kind that fits counts."""


def _what_failed(error: Exception) -> str:
    return next(words for kind, words in _PROBLEMS if isinstance(error, kind)).format(
        code=getattr(error, "smtp_code", ""),
        certificate=getattr(error, "verify_message", "") or "it belongs to another address",
        reason=getattr(error, "strerror", None) or type(error).__name__,
    )
