"""Figures, tables and one self-contained HTML page from what a sweep left in a folder.

What draws and reads sweeps is loaded when it is first asked for, so that the texts of other verbs cost nothing.
"""

from pathlib import Path

__all__ = ["headlines", "write_report"]


def write_report(out: Path) -> Path:
    """Write report.html and figures/ into a folder that a sweep left; the path of the page. See `page.write_report`."""
    from accelsim.report import page

    return page.write_report(out)


def headlines(out: Path) -> list[str]:
    """Lines with our means beside published numbers, from a folder that a sweep left. See `page.headlines`."""
    from accelsim.report import page

    return page.headlines(out)
