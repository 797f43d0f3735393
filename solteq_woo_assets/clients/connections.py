"""The clients, as the settings say."""

from typing import Any

from solteq_woo_assets.clients.solteq import CustomerDocument, Feed, SolteqClient
from solteq_woo_assets.clients.woo import WooClient
from solteq_woo_assets.settings import Settings


def solteq_client(settings: Settings, **wire: Any) -> SolteqClient:
    """A client for Solteq or its stand-in; in shadow mode it only reads.

    :param wire: ``attempts``, ``read_seconds``, ``read_only`` and ``most_clock_skew``, where others than the usual
        ones are wanted
    """
    return SolteqClient(
        settings.solteq_api_url,
        settings.solteq_identity_url,
        settings.solteq_client_id,
        settings.solteq_client_secret,
        timezone=settings.timezone,
        customers=Feed("customers", *settings.solteq_feeds["customers"], CustomerDocument),
        sales=settings.solteq_feeds["sales"],
        in_flight=settings.requests_in_flight,
        **{"read_only": settings.mode == "shadow", **wire},
    )


def woo_client(settings: Settings, **wire: Any) -> WooClient:
    """A client for the web store or its stand-in; ``wire`` as above."""
    return WooClient(
        settings.woo_url,
        settings.woo_consumer_key,
        settings.woo_consumer_secret,
        in_flight=settings.requests_in_flight,
        order_meta=list(settings.payment_meta),
        **{"read_only": settings.mode == "shadow", **wire},
    )
