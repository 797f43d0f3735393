"""The two ways an alert leaves: e-mail over SMTP, and a webhook that understands Slack's ``{"text": …}``.

Errors are sentences of our own. What the libraries raise is dropped: it repeats the webhook's address, which is a
secret, or what the mail server said, which may name people.
"""

import smtplib
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid, parseaddr
from http import HTTPStatus
from typing import Protocol

import requests

from solteq_woo_assets.clients.failures import CONNECT_SECONDS, diagnose
from solteq_woo_assets.errors import AlertError
from solteq_woo_assets.settings import Settings

READ_SECONDS = 10.0
SUBJECT_CHARACTERS = 150


@dataclass(frozen=True)
class Message:
    """What is said: a line, and what follows it."""

    subject: str
    text: str

    @property
    def headline(self) -> str:
        """The subject on one line, whatever it was made of: a header must not hold another."""
        return " ".join(self.subject.split())[:SUBJECT_CHARACTERS]


class Channel(Protocol):
    """A way out."""

    def send(self, message: Message) -> str | None:
        """Send it; a warning in words when only some got it.

        :raises AlertError: nobody got it, or that is not known
        """
        ...


class Email:
    """E-mail to all recipients over the shop's mail server.

    :param tls: whom to trust; the machine's certificates (``SSL_CERT_FILE``) unless given
    """

    def __init__(self, settings: Settings, tls: ssl.SSLContext | None = None) -> None:
        self._settings = settings
        self._tls = tls

    def send(self, message: Message) -> str | None:
        """See :class:`Channel`."""
        problem: AlertError | None = None
        refused: Mapping[str, object] = {}
        try:
            refused = self._deliver(self._mail(message))
        except (OSError, UnicodeError) as error:  # smtplib's and ssl's errors are among the first
            problem = AlertError(
                f"No e-mail was sent: the mail server {self._settings.smtp_host}:{self._settings.smtp_port} "
                f"{_what_failed(error)}.",
                may_have_arrived=isinstance(error, _NoAnswerError),
            )
        if problem:  # raised here, where the library's own error is not its context
            raise problem
        if refused:
            return f"{len(refused)} of the addresses in SOLTEQ_WOO_ALERT_EMAIL_TO were refused by the mail server."
        return None

    def _mail(self, message: Message) -> EmailMessage:
        settings = self._settings
        mail = EmailMessage(policy=SMTP)
        mail["Subject"] = message.headline
        mail["From"] = settings.alert_email_from
        mail["To"] = ", ".join(settings.alert_email_to)
        mail["Date"] = formatdate(localtime=True)
        mail["Message-ID"] = make_msgid(domain=parseaddr(settings.alert_email_from)[1].rpartition("@")[2])
        mail["Auto-Submitted"] = "auto-generated"  # no "I am on holiday" in return
        mail.set_content(message.text)
        return mail

    def _deliver(self, mail: EmailMessage) -> Mapping[str, object]:
        settings, tls = self._settings, self._tls or ssl.create_default_context()
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
            return _leave(server, mail)
        finally:
            with suppress(OSError):  # a bad good-bye makes nothing unsent
                server.quit()
            server.close()


class _NoAnswerError(OSError):
    """The mail left, and the server said neither yes nor no."""


def _leave(server: smtplib.SMTP, mail: EmailMessage) -> Mapping[str, object]:
    try:
        return server.send_message(mail)
    except (smtplib.SMTPServerDisconnected, TimeoutError):
        raise _NoAnswerError from None


_PROBLEMS: tuple[tuple[type[Exception], str], ...] = (
    (_NoAnswerError, "broke off before it said whether it has it"),
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
"""What went wrong with the mail server, as the end of a sentence about it; the first kind that fits."""


def _what_failed(error: Exception) -> str:
    return next(words for kind, words in _PROBLEMS if isinstance(error, kind)).format(
        code=getattr(error, "smtp_code", ""),
        certificate=getattr(error, "verify_message", "") or "it belongs to another address",
        reason=getattr(error, "strerror", None) or type(error).__name__,
    )


class Webhook:
    """One POST of ``{"text": …}``."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.alert_webhook_url.get_secret_value()

    def send(self, message: Message) -> str | None:
        """See :class:`Channel`."""
        problem: AlertError | None = None
        text = _for_slack(f"*{message.headline}*\n{message.text}")
        try:
            answer = requests.post(
                self._url, json={"text": text}, timeout=(CONNECT_SECONDS, READ_SECONDS), allow_redirects=False
            )
        except requests.RequestException as error:
            what = diagnose(error, READ_SECONDS)
            problem = _webhook_error(what.what, may_have_arrived=not what.not_done)
        else:
            if not HTTPStatus.OK <= answer.status_code < HTTPStatus.MULTIPLE_CHOICES:
                problem = _webhook_error(f"it answers {answer.status_code}")
        if problem:  # raised here, where the library's own error, which holds the address, is not its context
            raise problem
        return None


def _webhook_error(what: str, *, may_have_arrived: bool = False) -> AlertError:
    return AlertError(
        f"The webhook of SOLTEQ_WOO_ALERT_WEBHOOK_URL did not take the alert: {what}.",
        may_have_arrived=may_have_arrived,
    )


def _for_slack(text: str) -> str:
    """Slack's three special characters, lest ``<!channel>`` in a product's code call everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def channels(settings: Settings) -> dict[str, Channel]:
    """The ways out that are set, by their names in ``sync.alerts``."""
    ways: dict[str, Channel] = {}
    if settings.alert_email_to:
        ways["email"] = Email(settings)
    if settings.alert_webhook_url:
        ways["webhook"] = Webhook(settings)
    return ways


def send_test(settings: Settings) -> list[str]:
    """Send a message over each channel that is set; their names.

    :raises AlertError: what did not get through, of all channels
    """
    message = Message(
        f"[{settings.shop}] This is a test",
        "Alerts of the integration between Solteq and the web store arrive here.",
    )
    problems: list[str] = []
    ways = channels(settings)
    for channel in ways.values():
        try:
            problem = channel.send(message)
        except AlertError as error:
            problem = str(error)
        problems += [problem] if problem else []
    if problems:
        raise AlertError(" ".join(problems))
    return list(ways)
