"""Answers to batches: 200 with failures inside, item by item (contract, 10)."""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from solteq_woo_assets.clients.failures import shown
from solteq_woo_assets.clients.http import JsonResponse, JsonSession
from solteq_woo_assets.clients.woo_documents import Batch
from solteq_woo_assets.clients.woo_pages import R, Read, Unreadable, read_row
from solteq_woo_assets.errors import OutcomeUnknownError, WooError


@dataclass(frozen=True)
class ItemRefused:
    """An item of a batch that the store refused; the others are not touched by it.

    :param resource_id: the product that holds the SKU or GTIN already
    """

    code: str
    message: str
    resource_id: int | None
    status: int | None


def send_batch(session: JsonSession, path: str, batch: Batch[Any], what: str, read: Read[R]) -> list[R | ItemRefused]:
    """Send a batch: what became of each item, creates first, in the order given.

    :param what: an item is, such as ``product``
    :raises WooError: nothing was done; status 413 means that the store takes fewer items
    :raises OutcomeUnknownError: any of it may have been done
    """
    sent = {"create": batch.creates, "update": batch.updates}
    body = {verb: [write.to_wire() for write in writes] for verb, writes in sent.items() if writes}
    if not body:
        return []
    response = session.send("POST", path, body)
    try:
        return _outcomes(batch, response, what, read)
    except WooError as error:
        raise OutcomeUnknownError(f"{error} The batch left: read back before sending it again.") from error


def _outcomes(batch: Batch[Any], response: JsonResponse, what: str, read: Read[R]) -> list[R | ItemRefused]:
    """:raises WooError: the answer does not tell"""
    body = response.body if isinstance(response.body, dict) else {}
    found: list[R | ItemRefused] = []
    for verb, writes in (("create", batch.creates), ("update", batch.updates)):
        items = body.get(verb, [])
        if not isinstance(items, list) or len(items) != len(writes):
            raise WooError(
                f"WooCommerce: the answer to a batch of {len(writes)} to {verb} does not list as many.",
                status=response.status,
            )
        for write, raw in zip(writes, items, strict=True):
            if not isinstance(raw, dict) or (write.id is not None and raw.get("id") != write.id):
                raise WooError(
                    f"WooCommerce: the answer to a batch does not have number {write.id} in its place.",
                    status=response.status,
                )
            row = _refused(raw) or read_row(read, raw)
            if isinstance(row, Unreadable):
                raise WooError(f"WooCommerce: {what} {row.id or '(no id)'}: {row.field}: {row.problem}")
            found.append(row)
    return found


def takes_writes(session: JsonSession, path: str) -> bool:
    """Whether the store takes a batch without items, which needs the rights of any other."""
    try:
        session.send("POST", path, {"update": []})
    except (WooError, OutcomeUnknownError):
        return False
    return True


def _refused(item: Mapping[str, Any]) -> ItemRefused | None:
    error: Any = item.get("error")
    if error is None:
        return None
    error = error if isinstance(error, dict) else {"message": error}
    data = error.get("data")
    data = data if isinstance(data, dict) else {}
    return ItemRefused(
        code=str(error.get("code", "")),
        message=shown(html.unescape(str(error.get("message", ""))), []),
        resource_id=_positive(data.get("resource_id")),
        status=_positive(data.get("status")),
    )


def _positive(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
