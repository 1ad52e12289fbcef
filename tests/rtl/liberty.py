"""Liberty files so small that area and delay of what is mapped to them are known by hand."""

from __future__ import annotations

INVERTER, BUFFER, NAND2, FLIP_FLOP = 1, 2, 2, 9
NAND2_NS, INVERTER_NS = 2, 1


def arc(pin: str, sense: str, ns: float) -> str:
    """A delay that depends on neither load nor slope."""
    values = (("cell_rise", ns), ("cell_fall", ns), ("rise_transition", 0), ("fall_transition", 0))
    tables = " ".join(f'{table}(scalar) {{ values ("{value}"); }}' for table, value in values)
    return f'timing () {{ related_pin : "{pin}"; timing_sense : {sense}; {tables} }}'


def gate(name: str, area: float, function: str, pins: str, ns: float | None) -> str:
    """A cell with one output, Y; without delays where `ns` is None."""
    sense = "positive_unate" if function == "A" else "negative_unate"
    inputs = "\n".join(f"    pin ({pin}) {{ direction : input; capacitance : 0.001; }}" for pin in pins)
    arcs = " ".join(arc(pin, sense, ns) for pin in pins) if ns is not None else ""
    output = f'    pin (Y) {{ direction : output; function : "{function}"; {arcs} }}'
    return f"  cell ({name}) {{\n    area : {area};\n{inputs}\n{output}\n  }}"


def cells(timed: bool) -> dict[str, str]:
    """Inverter, buffer, NAND of two and flip-flop, by what they are; not all are called what they are."""
    ns = (INVERTER_NS, 1.5, NAND2_NS) if timed else (None, None, None)
    store = 'ff (IQ, IQN) { clocked_on : "C"; next_state : "D"; }'
    return {
        "inverter": gate("INV", INVERTER, "!A", "A", ns[0]),
        "buffer": gate("BUF", BUFFER, "A", "A", ns[1]),
        "nand2": gate("GATE", NAND2, "!(A B)", "AB", ns[2]),
        "flip-flop": f"""  cell (DFF) {{
    area : {FLIP_FLOP};
    {store}
    pin (C) {{ direction : input; clock : true; capacitance : 0.001; }}
    pin (D) {{ direction : input; capacitance : 0.001; }}
    pin (Q) {{ direction : output; function : "IQ"; }}
  }}""",
    }


def liberty(found: dict[str, str]) -> str:
    """The file with these cells."""
    head = 'library (tiny) {\n  time_unit : "1ns";\n  capacitive_load_unit (1, pf);\n'
    return head + "\n".join(found.values()) + "\n}\n"


def tiny(timed: bool = True) -> str:
    return liberty(cells(timed))
