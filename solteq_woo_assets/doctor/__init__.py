"""``solteq-woo doctor``: whether both systems, the settings and the database are fit to work together."""

from solteq_woo_assets.doctor.examination import examine
from solteq_woo_assets.doctor.findings import Finding, Level, is_ill

__all__ = ["Finding", "Level", "examine", "is_ill"]
