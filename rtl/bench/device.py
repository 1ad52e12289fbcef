"""A device under test: its Verilog and its ports; several are put side by side into one model that is built once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from amaranth.lib import wiring

from accelsim.errors import AccelsimError
from rtl.ports import CLOCK, RESET, Interface, Pin, interface_of
from rtl.verilog import verilog_text

TOP = "bench"
_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


@dataclass(frozen=True)
class Device:
    """`verilog` holds the module `dut_<name>` and all below it."""

    name: str
    verilog: str
    interface: Interface

    def wire(self, pin: str) -> str:
        """What the bench calls a port of this device: two underscores keep names of devices and ports apart."""
        return f"{self.name}__{pin}"


def device(name: str, component: wiring.Component) -> Device:
    """The device for a component. `name` is lower case: letters and digits, joined by single underscores."""
    check_device_name(name)
    return Device(name, verilog_text(component, f"dut_{name}"), interface_of(component))


def check_device_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise AccelsimError(f'device: must be lower-case letters and digits joined by _, got "{name[:80]}"')


def with_pin(found: Device, verilog: str, pin: Pin) -> Device:
    """The same device with other Verilog that has one more pin."""
    interface = Interface(found.interface.streams, (*found.interface.pins, pin))
    return replace(found, verilog=verilog, interface=interface)


def bench_verilog(devices: Sequence[Device]) -> str:
    """All devices side by side, each with its own clock and reset, all ports led through to the top `bench`."""
    names = [found.name for found in devices]
    for name in names:
        if names.count(name) > 1:
            raise AccelsimError(f'device "{name}": is there twice')
    ports = ",\n  ".join(_declaration(found, pin) for found in devices for pin in _pins(found))
    body = "\n".join(_instance(found) for found in devices)
    return "\n".join([*(found.verilog for found in devices), f"module {TOP}(\n  {ports}\n);\n{body}\nendmodule\n"])


def _pins(found: Device) -> list[Pin]:
    return [Pin(CLOCK, "input", 1), Pin(RESET, "input", 1), *found.interface.all_pins()]


def _declaration(found: Device, pin: Pin) -> str:
    """One bit is declared as a scalar, which the bench reads three times as fast; the comment makes it readable."""
    bits = f"[{pin.width - 1}:0] " if pin.width > 1 else ""
    return f"{pin.direction} {bits}{found.wire(pin.name)} /* verilator public_flat_rw */"


def _instance(found: Device) -> str:
    links = ",\n    ".join(f".{pin.name}({found.wire(pin.name)})" for pin in _pins(found))
    return f"  dut_{found.name} under_test_{found.name} (\n    {links}\n  );"
