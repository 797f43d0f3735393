"""What we need of Dagster that has no public name. Another release may move it: then this file alone changes.

``cron_string_iterator``: the ticks of a schedule, as Dagster's own daemon counts them.
"""

from dagster._utils.schedules import cron_string_iterator

__all__ = ["cron_string_iterator"]
