"""What we need of Dagster that has no public name. Another release may move it: then this file alone changes.

``cron_string_iterator``: the ticks of a schedule, as Dagster's own daemon counts them.
``COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES``: which records of a check have a verdict.
"""

from dagster._core.storage.asset_check_execution_record import COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES
from dagster._utils.schedules import cron_string_iterator

__all__ = ["COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES", "cron_string_iterator"]
