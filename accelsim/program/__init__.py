"""Tile programs: loops over small tasks that claim resources for so many ticks, their text form and exact execution."""
