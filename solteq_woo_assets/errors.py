"""Every error this project raises on purpose.

IntegrationError
├── ConfigurationError     a setting is missing or makes no sense
├── StateError             the database cannot be opened or written
├── ForeignDatabaseError  the database was made with another system or shop
├── FlowBusyError          another run of the same flow is under way
├── RemoteError            the other side answered with an error, or not at all
│   ├── SolteqError
│   └── WooError
├── AlertError             an alert could not be sent
└── OutcomeUnknownError    a write left, but whether it was done is not known: read back before sending again

Messages say which record, which field and what to do. They never hold secrets or personal data.
"""


class IntegrationError(Exception):
    """The root of the tree."""


class ConfigurationError(IntegrationError):
    """A setting is missing or makes no sense."""


class StateError(IntegrationError):
    """The database cannot be opened or written."""


class ForeignDatabaseError(IntegrationError):
    """The database was made with another system or shop."""


class FlowBusyError(IntegrationError):
    """Another run of the same flow is under way."""


class RemoteError(IntegrationError):
    """The other side answered with an error, or not at all.

    :param status: the HTTP status, ``None`` when no answer came
    :param code: the other side's own error code, such as ``product_invalid_sku``
    :param body: the answer's JSON, which may hold personal data; never shown
    :param mend: what to do about it; the message ends with it
    """

    def __init__(
        self, message: str, *, status: int | None = None, code: str | None = None, body: object = None, mend: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.body = body
        self.mend = mend


class SolteqError(RemoteError):
    """Solteq Commerce Cloud, or its identity server."""


class WooError(RemoteError):
    """WooCommerce, or whatever stands in front of it."""


class AlertError(IntegrationError):
    """An alert could not be sent."""


class OutcomeUnknownError(IntegrationError):
    """A write left, but whether it was done is not known: read back before sending again."""
