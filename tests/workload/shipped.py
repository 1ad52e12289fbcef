"""What shipped workloads ask for."""

from __future__ import annotations

from accelsim.workload.files import choose_file, open_document
from accelsim.workload.function import table


def without_value(name: str) -> list[str]:
    """The parameters of a shipped file or preset that must be given."""
    choice = choose_file(name)
    fields = open_document(choice.path)[0].mapping()
    preset = table(fields, "presets")[choice.preset].mapping() if choice.preset else {}
    params = table(fields, "params") | table(preset, "params")
    return [key for key, node in params.items() if node.value is None]
