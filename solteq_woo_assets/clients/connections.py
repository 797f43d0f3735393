"""The clients, as the settings say."""

from typing import Unpack

from solteq_woo_assets.clients.http import Wire
from solteq_woo_assets.clients.solteq import SolteqClient
from solteq_woo_assets.clients.woo import WooClient
from solteq_woo_assets.settings import Settings


def solteq_client(settings: Settings, **wire: Unpack[Wire]) -> SolteqClient:
    """A client for Solteq or its stand-in; in shadow mode it only reads.

    :param wire: where another than the usual one is wanted
    """
    return SolteqClient(
        settings.solteq_api_url,
        settings.solteq_identity_url,
        settings.solteq_client_id,
        settings.solteq_client_secret,
        timezone=settings.timezone,
        feeds=settings.solteq_feeds,
        **_wire(settings, wire),
    )


def woo_client(settings: Settings, **wire: Unpack[Wire]) -> WooClient:
    """A client for the web store or its stand-in; ``wire`` as above."""
    return WooClient(
        settings.woo_url,
        settings.woo_consumer_key,
        settings.woo_consumer_secret,
        order_meta=list(settings.payment_meta),
        **_wire(settings, wire),
    )


def _wire(settings: Settings, told: Wire) -> Wire:
    return {"in_flight": settings.requests_in_flight, "read_only": settings.mode == "shadow", **told}
