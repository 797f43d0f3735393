"""The command line, ``solteq-woo``."""

import click

from solteq_woo_assets.cli.doctor import doctor
from solteq_woo_assets.cli.erase import erase
from solteq_woo_assets.cli.explain import explain
from solteq_woo_assets.cli.flows import preview, retry, sync
from solteq_woo_assets.cli.quarantine import quarantine
from solteq_woo_assets.cli.rebind import rebind
from solteq_woo_assets.cli.same_product import same_product
from solteq_woo_assets.cli.sandbox import run, sandbox
from solteq_woo_assets.errors import IntegrationError


class _Commands(click.Group):
    """Our errors are one line on the terminal, without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except IntegrationError as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=_Commands)
@click.version_option(package_name="solteq-woo-assets")
def main() -> None:
    """Keeps Solteq Commerce Cloud and WooCommerce in step."""


for command in (sync, preview, explain, doctor, retry, quarantine, same_product, erase, rebind, sandbox, run):
    main.add_command(command)
