"""Register-transfer units and their generator."""
