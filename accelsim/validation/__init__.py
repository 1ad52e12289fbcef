"""Published and measured numbers, and our error against them: the one place that names publications."""

from accelsim.validation.check import Check
from accelsim.validation.report import Report
from accelsim.validation.suites import suites, validate
from accelsim.validation.table import Table

__all__ = ["Check", "Report", "Table", "suites", "validate"]
