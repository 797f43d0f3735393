"""The clients, as the settings say."""

from dataclasses import replace

from solteq_woo_assets.clients.solteq import CUSTOMERS, Endpoint, SolteqClient
from solteq_woo_assets.clients.woo import WooClient
from solteq_woo_assets.settings import Settings


def solteq_client(settings: Settings) -> SolteqClient:
    """A client for Solteq or its stand-in."""
    return SolteqClient(
        settings.solteq_api_url,
        settings.solteq_identity_url,
        settings.solteq_client_id,
        settings.solteq_client_secret,
        timezone=settings.timezone,
        customers=replace(CUSTOMERS, path=settings.solteq_customers_path, scope=settings.solteq_customers_scope),
        sales=Endpoint(settings.solteq_sales_path, settings.solteq_sales_scope),
        in_flight=settings.requests_in_flight,
        read_only=settings.mode == "shadow",
    )


def woo_client(settings: Settings) -> WooClient:
    """A client for the web store or its stand-in."""
    return WooClient(
        settings.woo_url,
        settings.woo_consumer_key,
        settings.woo_consumer_secret,
        in_flight=settings.requests_in_flight,
        read_only=settings.mode == "shadow",
    )
