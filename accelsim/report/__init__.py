"""Figures, tables and one self-contained HTML page from what a sweep left in a folder."""
