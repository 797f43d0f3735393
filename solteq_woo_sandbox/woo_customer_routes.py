"""What the WooCommerce stand-in can be asked of accounts."""

from collections.abc import Callable
from typing import Any

from .woo_auth import ApiError
from .woo_calls import BATCH, EDITABLE, ID, LIST, NO_BATCH, ONE, REFUSALS, VIEW, Call, Reply, Route, paging, run_batch
from .woo_customers import (
    CUSTOMER_LIST_SCHEMA,
    CUSTOMER_SCHEMA,
    GONE,
    NEW_CUSTOMER_SCHEMA,
    Account,
    add_by_hand,
    allowed_methods,
    customer_document,
    guard_delete,
    guard_list,
    guard_role,
)
from .woo_fields import boolean, integer

_C = "/wc/v3/customers"


def _customers(call: Call) -> Reply:
    guard_list(call.params, call.site.settings["roles"])
    total, accounts = call.customers.page(call.params)
    return Reply([customer_document(each, call.site) for each in accounts], headers=paging(call, total))


def _create_customer(call: Call) -> Reply:
    return Reply(customer_document(call.customers.create(call.params), call.site), 201)


def _on_customer(handle: Callable[[Call, Account], Reply]) -> Callable[[Call], Reply]:
    """A route of one account; of one that is gone WordPress does not say what may be done with it."""

    def answer(call: Call) -> Reply:
        account = call.customers.get(call.ids[0])
        if account is None:
            return Reply(GONE.document(), GONE.status, {"Allow": ""})
        reply = handle(call, account)
        reply.headers.setdefault("Allow", ", ".join(allowed_methods(account)))
        return reply

    return answer


def _update_customer(call: Call, account: Account) -> Reply:
    guard_role(account, call.params)
    return Reply(customer_document(call.customers.update(account, call.params), call.site))


def _delete_customer(call: Call, account: Account) -> Reply:
    guard_delete(account)
    if not boolean(call.params.get("force")):
        raise ApiError(501, "woocommerce_rest_trash_not_supported", "Customers do not support trashing.")
    call.customers.delete(account)
    return Reply(customer_document(account, call.site, gone=True), headers={"Allow": ""})


def _batch_customer(call: Call, verb: str, given: Any) -> dict[str, Any]:
    body = given if isinstance(given, dict) else {"id": integer(given)}
    try:
        if verb == "create":
            return customer_document(call.customers.create(body), call.site)
        account = call.customers.get(integer(body.get("id")))
        if account is None:
            raise GONE if verb == "delete" else ApiError(400, "woocommerce_rest_invalid_id", "Invalid resource ID.")
        if verb == "delete":
            call.customers.delete(account)
            return customer_document(account, call.site, gone=True)
        guard_role(account, body)
        return customer_document(call.customers.update(account, body), call.site)
    except ApiError as error:
        return {"id": 0 if verb == "create" else body.get("id"), "error": error.document()}


def _users(call: Call) -> Reply:
    """Of WordPress's own list of users nothing is known but that WooCommerce's keys do not open it (recorded)."""
    if not call.edit:
        raise ApiError(501, "sandbox_unsupported", "The sandbox lists users in the context edit alone, and refuses it.")
    raise ApiError(401, "rest_forbidden_context", "Sorry, you are not allowed to edit users.")


def _register(call: Call) -> Reply:
    with call.store.whole():
        return Reply({"ids": add_by_hand(call.customers, call.params.get("customers") or [])})


def _edit_account(call: Call, account: Account) -> Reply:
    return Reply(customer_document(call.customers.update(account, call.params, by_hand=True), call.site))


CUSTOMER_ROUTES = [
    Route(("GET",), _C, _customers, LIST, CUSTOMER_LIST_SCHEMA),
    Route(("POST",), _C, _create_customer, LIST, NEW_CUSTOMER_SCHEMA),
    Route(EDITABLE, f"{_C}/batch", lambda c: run_batch(c, _batch_customer), BATCH, refusal=NO_BATCH),
    Route(
        ("GET",),
        _C + ID,
        _on_customer(lambda call, account: Reply(customer_document(account, call.site))),
        ONE,
        refusal=VIEW,
    ),
    Route(EDITABLE, _C + ID, _on_customer(_update_customer), ONE, CUSTOMER_SCHEMA, REFUSALS["PUT"]),
    Route(("DELETE",), _C + ID, _on_customer(_delete_customer), ONE),
    Route(("GET",), "/wp/v2/users", _users, ()),
]
CUSTOMER_CONTROLS = [
    Route(("PUT",), "/_sandbox/customers", _register, ()),
    Route(("PATCH",), f"/_sandbox/customers{ID}", _on_customer(_edit_account), ()),
]
