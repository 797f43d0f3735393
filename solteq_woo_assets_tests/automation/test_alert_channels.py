"""Alerts on the wire: a real mail server and a real webhook, and what is said when they do not work."""

from pathlib import Path
from typing import Any

import pytest
import requests
import simplejson
from pydantic import SecretStr

from solteq_woo_assets.automation.alerts import Outcome, channels, send_test
from solteq_woo_assets.cli.doctor import _sent
from solteq_woo_assets.errors import ConfigurationError
from solteq_woo_assets.settings import Settings
from solteq_woo_assets_tests.clients.mail import PASSWORD, USER, Mailbox, free_port, mail_server, self_signed
from solteq_woo_assets_tests.clients.wire import Answer, serving

pytestmark = pytest.mark.usefixtures("no_settings")

HELLO = ("Hei", "Hyvää päivää <kaikille> & muille\n")
ARRIVED = (True, "")


def mail_settings(port: int, **changes: Any) -> Settings:
    """Settings of a shop whose mail server is on loopback, without encryption unless told otherwise."""
    values: dict[str, Any] = {
        "alert_email_to": ["aino@example.com", "eero@example.com"],
        "alert_email_from": "Kauppa <shop@example.com>",
        "smtp_host": "127.0.0.1",
        "smtp_port": port,
        "smtp_security": "none",
    }
    return Settings(_env_file=None, **values | changes)  # type: ignore[call-arg]


def webhook_settings(url: str) -> Settings:
    """Settings of a shop with a webhook."""
    return Settings(_env_file=None, alert_webhook_url=SecretStr(url))  # type: ignore[call-arg]


def emailed(port: int, subject: str = HELLO[0], **changes: Any) -> Outcome:
    """What becomes of an e-mail."""
    return channels(mail_settings(port, **changes))["email"](subject, HELLO[1])


def posted(url: str, subject: str = HELLO[0], text: str = HELLO[1]) -> Outcome:
    """What becomes of a message to a webhook."""
    return channels(webhook_settings(url))["webhook"](subject, text)


def test_an_email_reaches_everybody_in_their_letters() -> None:
    """One mail to all, readable as it was written, and no holiday notices in return."""
    with mail_server(Mailbox()) as mailbox:
        assert emailed(mailbox.port) == ARRIVED
    (mail,) = mailbox.mails
    assert mailbox.recipients == [["aino@example.com", "eero@example.com"]]
    assert mail["From"] == "Kauppa <shop@example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@example.com>")
    assert mail.get_content().replace("\r\n", "\n") == HELLO[1]


def test_a_subject_cannot_bring_headers_of_its_own() -> None:
    """What failed may be named after a record; a line end in it must not become a header."""
    with mail_server(Mailbox()) as mailbox:
        emailed(mailbox.port, "Oh\r\nBcc: eve@example.com\n\nno")
    (mail,) = mailbox.mails
    assert mail["Subject"] == "[shop] Oh Bcc: eve@example.com no"
    assert mail["Bcc"] is None
    assert "eve@example.com" not in mailbox.recipients[0]


def test_starttls_and_a_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password goes only where the certificate is one the machine trusts, and a wrong one is named, not shown."""
    certificate, tls = self_signed(tmp_path)
    secure: dict[str, Any] = {"smtp_security": "starttls", "smtp_user": USER}
    with mail_server(Mailbox(), tls=tls) as mailbox:
        right: dict[str, Any] = secure | {"smtp_password": SecretStr(PASSWORD)}
        distrusted = emailed(mailbox.port, **right)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert emailed(mailbox.port, **right) == ARRIVED
        arrived, wrong = emailed(mailbox.port, **secure, smtp_password=SecretStr("hush-wrong"))
        _, foreign = emailed(mailbox.port, **secure, smtp_password=SecretStr("hush-ä"))
    assert "has a certificate that is not valid: self-signed certificate" in distrusted[1]
    assert (distrusted[0], arrived) == (False, False)
    assert "SOLTEQ_WOO_SMTP_PASSWORD has a letter beyond ASCII" in foreign
    assert "ä" not in foreign
    assert wrong == (
        f"No e-mail was sent: the mail server 127.0.0.1:{mailbox.port} refuses the login (535): "
        "check SOLTEQ_WOO_SMTP_USER and SOLTEQ_WOO_SMTP_PASSWORD."
    )
    assert len(mailbox.mails) == 1


def test_a_server_without_encryption_gets_nothing() -> None:
    """Encryption is the default, and no silent fall-back takes it away."""
    with mail_server(Mailbox()) as mailbox:
        for security, words in (("starttls", "does not offer"), ("tls", "speaks another encryption")):
            arrived, problem = emailed(mailbox.port, smtp_security=security)
            assert words in problem
            assert "SOLTEQ_WOO_SMTP_SECURITY" in problem
            assert arrived is False
    assert mailbox.mails == []


def test_a_mail_server_that_is_away() -> None:
    """Certainly not sent, so that it is tried again."""
    port = free_port()
    arrived, problem = emailed(port)
    assert f"127.0.0.1:{port} cannot be reached (Connection refused): check SOLTEQ_WOO_SMTP_HOST" in problem
    assert arrived is False


def test_one_unknown_recipient_does_not_stop_the_others() -> None:
    """Those who got it must not get it again and again; who did not is said without the address."""
    with mail_server(Mailbox(refuses="eero@example.com")) as mailbox:
        warning = "1 of the addresses in SOLTEQ_WOO_ALERT_EMAIL_TO were refused by the mail server."
        assert emailed(mailbox.port) == (True, warning)
        arrived, problem = emailed(mailbox.port, alert_email_to=["eero@example.com"])
    assert "check SOLTEQ_WOO_ALERT_EMAIL_TO" in problem
    assert "eero@" not in problem
    assert arrived is False
    assert mailbox.recipients == [["aino@example.com"]]


def test_a_mail_that_is_turned_down_was_not_sent() -> None:
    """The server's own words, which may hold an address, are left out."""
    with mail_server(Mailbox(answer="554 spam from shop@example.com")) as mailbox:
        arrived, problem = emailed(mailbox.port)
    assert (problem[-13:], arrived) == (" answers 554.", False)


def test_a_mail_server_that_breaks_off_may_have_it() -> None:
    """Nobody knows, so that it is not sent again at once."""
    with mail_server(Mailbox(answer="")) as mailbox:
        arrived, _ = emailed(mailbox.port)
    assert arrived is None


def test_a_webhook_gets_text_that_calls_nobody() -> None:
    """Slack reads <!channel> as a call to everybody, wherever it came from."""
    with serving(Answer(body="ok")) as wire:
        assert posted(f"{wire.url}/hush-hook", "A\nB", "<!channel> & more") == ARRIVED
    (asked,) = wire.asked
    assert (asked.method, asked.path) == ("POST", "/hush-hook")
    assert simplejson.loads(asked.body) == {"text": "*[shop] A B*\n&lt;!channel&gt; &amp; more"}


@pytest.mark.parametrize(
    ("answer", "words", "arrived"),
    [
        (Answer(404, "no_service"), "it answers 404", False),
        (Answer(302, headers={"Location": "/elsewhere"}), "it answers 302", False),
        (Answer(drop=True), "the connection broke off (ConnectionError)", None),
    ],
)
def test_a_webhook_that_does_not_take_it(answer: Answer, words: str, arrived: bool | None) -> None:
    """Its address is a secret: who has it can write into the shop's channel."""
    with serving(answer) as wire:
        outcome = posted(f"{wire.url}/hush-hook")
    assert outcome == (arrived, f"The webhook of SOLTEQ_WOO_ALERT_WEBHOOK_URL did not take the alert: {words}.")
    assert len(wire.asked) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/hush-hook", "http://hush hook/", "http://"])
def test_a_webhook_that_cannot_be_reached_stays_secret(url: str) -> None:
    """The words of requests hold the whole address."""
    address = url.format(port=free_port())
    with pytest.raises(requests.RequestException):
        requests.get(address, timeout=1)
    arrived, problem = posted(address)
    assert "hush" not in problem
    assert arrived is False


def test_a_test_message_goes_over_every_channel() -> None:
    """What `doctor` asks: all that does not work is said at once."""
    with mail_server(Mailbox()) as mailbox, serving(Answer(), Answer(500)) as wire:
        both = mail_settings(mailbox.port, alert_webhook_url=SecretStr(wire.url))
        assert send_test(both) == {"email": "", "webhook": ""}
        problems = send_test(both)
    assert (problems["email"], problems["webhook"][-16:]) == ("", " it answers 500.")
    assert mailbox.subjects == ["[shop] This is a test"] * 2
    problems = send_test(both)
    assert "No e-mail was sent" in problems["email"]
    assert "The webhook of" in problems["webhook"]


def test_the_doctor_says_what_became_of_the_test_message() -> None:
    """Sent, not sent and why, or that nobody would be told of anything."""
    with serving(Answer(), Answer(500)) as wire:
        findings = [_sent(webhook_settings(wire.url)) for _ in range(2)]
    findings.append(_sent(Settings()))
    assert [finding.level for finding in findings] == ["green", "red", "yellow"]
    assert (findings[0].words, findings[1].words[-16:]) == ("was sent by webhook", " it answers 500.")


def test_without_a_channel_nothing_is_sent() -> None:
    assert channels(Settings()) == {}
    assert send_test(Settings()) == {}


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"ALERT_EMAIL_TO": "aino@example.com"}, "SOLTEQ_WOO_ALERT_EMAIL_FROM"),
        ({"ALERT_EMAIL_TO": "aino", "ALERT_EMAIL_FROM": "shop@example.com"}, "SOLTEQ_WOO_ALERT_EMAIL_TO"),
        ({"ALERT_EMAIL_FROM": "shop@"}, "SOLTEQ_WOO_ALERT_EMAIL_FROM"),
        ({"ALERT_EMAIL_FROM": "shop@example.com\nBcc: eve@example.com"}, "SOLTEQ_WOO_ALERT_EMAIL_FROM"),
        ({"ALERT_WEBHOOK_URL": "hooks.example/hush-hook"}, "SOLTEQ_WOO_ALERT_WEBHOOK_URL"),
    ],
)
def test_settings_that_could_not_work_are_named(
    values: dict[str, str], names: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found when the settings are read, and not when the first alert is due."""
    for name, value in values.items():
        monkeypatch.setenv(f"SOLTEQ_WOO_{name}", value)
    with pytest.raises(ConfigurationError, match=names) as raised:
        Settings.load()
    assert "hush" not in str(raised.value)
