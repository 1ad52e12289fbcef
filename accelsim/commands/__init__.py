"""The verbs of the command line, one module each: what a verb takes, and the reply that it gives."""

from accelsim.commands import analyze, check, compare, explore, report, show, simulate, validate, whatif
from accelsim.commands import list as list_verb
from accelsim.commands.reply import Reply, Verb

VERBS: dict[str, Verb] = {
    "list": list_verb,
    "show": show,
    "check": check,
    "analyze": analyze,
    "simulate": simulate,
    "compare": compare,
    "whatif": whatif,
    "explore": explore,
    "report": report,
    "validate": validate,
}

__all__ = ["VERBS", "Reply", "Verb"]
