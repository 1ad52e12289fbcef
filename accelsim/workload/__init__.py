"""YAML to workload: shipped and own files, presets, layers, TeAAL files, data types."""

from accelsim.einsum.types import TYPES, DataType
from accelsim.workload.build import steps
from accelsim.workload.files import find_workloads
from accelsim.workload.load import load_workload, parameter_names
from accelsim.workload.model import Step, Workload
from accelsim.workload.origin import provenance

__all__ = [
    "TYPES",
    "DataType",
    "Step",
    "Workload",
    "find_workloads",
    "load_workload",
    "parameter_names",
    "provenance",
    "steps",
]
