"""Mappings: how a cascade runs on an architecture, as a description."""

from accelsim.mapping.bind import Placement, place
from accelsim.mapping.load import default_mapping, find_mappings, load_mapping, mappings_for
from accelsim.mapping.model import Mapping

__all__ = ["Mapping", "Placement", "default_mapping", "find_mappings", "load_mapping", "mappings_for", "place"]
