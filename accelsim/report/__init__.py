"""Figures, tables and one self-contained HTML page from what a sweep left in a folder."""

from accelsim.report.page import headlines, write_report

__all__ = ["headlines", "write_report"]
