"""Whole systems that run language models: processors, units in their memory, links, batches of requests."""

from accelsim.cluster.capacity import Room, room
from accelsim.cluster.decode import Decoding, closed_loop, decode
from accelsim.cluster.load import load_system
from accelsim.cluster.model import Model, System
from accelsim.cluster.models import load_model
from accelsim.cluster.part import Batch
from accelsim.cluster.serve import Served, Traffic, serve
from accelsim.cluster.step import StepCost, step_cost

__all__ = [
    "Batch",
    "Decoding",
    "Model",
    "Room",
    "Served",
    "StepCost",
    "System",
    "Traffic",
    "closed_loop",
    "decode",
    "load_model",
    "load_system",
    "room",
    "serve",
    "step_cost",
]
