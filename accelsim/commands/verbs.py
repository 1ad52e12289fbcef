"""The table of verbs: adding one means a module of this package and a line here."""

from __future__ import annotations

from accelsim.commands import (
    analyze,
    check,
    cluster,
    compare,
    explore,
    fidelity,
    memory,
    report,
    rtl,
    show,
    simulate,
    topk,
    unit,
    validate,
    whatif,
)
from accelsim.commands import list as list_verb
from accelsim.commands import map as map_verb
from accelsim.commands.reply import Verb

VERBS: dict[str, Verb] = {
    "list": list_verb,
    "show": show,
    "check": check,
    "analyze": analyze,
    "fidelity": fidelity,
    "simulate": simulate,
    "map": map_verb,
    "compare": compare,
    "whatif": whatif,
    "explore": explore,
    "report": report,
    "validate": validate,
    "unit": unit,
    "topk": topk,
    "memory": memory,
    "cluster": cluster,
    "rtl": rtl,
}
