"""Names of Dagster that are not public. If another release moves them, this file alone changes.

``cron_string_iterator``: the ticks of a schedule, as Dagster's own daemon counts them.
"""

from dagster._utils.schedules import cron_string_iterator

__all__ = ["cron_string_iterator"]
