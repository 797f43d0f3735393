"""The doctor's findings, as lines or as JSON."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict

import click
from rich.table import Table
from rich.text import Text

from solteq_woo_assets.automation.alerts import send_test
from solteq_woo_assets.cli.sandbox import standing_in
from solteq_woo_assets.cli.terminal import console
from solteq_woo_assets.doctor.examination import examine
from solteq_woo_assets.doctor.findings import Finding, is_ill
from solteq_woo_assets.errors import ConfigurationError
from solteq_woo_assets.settings import Settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout instead of the lines.")
@click.option("--send-alert", is_flag=True, help="Send a test alert over each channel that is set.")
def doctor(as_json: bool, send_alert: bool) -> None:
    """Look at both systems, the settings and the database, and say what to mend. Changes nothing anywhere.

    Exits with 1 when anything is red.
    """
    findings: list[Finding] = []
    for finding in _findings(send_alert):
        findings.append(finding)
        if not as_json:
            _print_finding(finding)
    if as_json:
        document = {"healthy": not is_ill(findings), "findings": [asdict(finding) for finding in findings]}
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
    sys.exit(1 if is_ill(findings) else 0)


def _findings(send_alert: bool) -> Iterator[Finding]:
    try:
        settings = Settings.load()
    except ConfigurationError as error:
        yield Finding("settings", "red", str(error), "Mend them in the environment or in .env; .env.example lists all.")
        return
    with standing_in(settings):
        yield from examine(settings)
    if send_alert:
        yield _sent(settings)


def _sent(settings: Settings) -> Finding:
    """A test alert has been sent, or what kept it."""
    sent = send_test(settings)
    problems = " ".join(filter(None, sent.values()))
    if problems:
        return Finding("test alert", "red", problems, "Mend the settings of alerts, or what they lead to.")
    if not sent:
        mend = "Set SOLTEQ_WOO_ALERT_EMAIL_TO or SOLTEQ_WOO_ALERT_WEBHOOK_URL."
        return Finding("test alert", "yellow", "nobody would be told of anything", mend)
    return Finding("test alert", "green", f"was sent by {' and '.join(sent)}")


def _print_finding(finding: Finding) -> None:
    line = Table.grid(padding=(0, 2))
    line.add_column(width=6, style=finding.level)
    line.add_column(width=22)
    line.add_column(overflow="fold")
    line.add_row(finding.level, Text(finding.check), Text(finding.words))
    if finding.mend:
        line.add_row("", "", Text(f"→ {finding.mend}", style="bold"))
    console.print(line)
