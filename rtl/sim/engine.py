"""Inside the simulator: drives the inputs of one device, takes its outputs, and records every transfer of every stream.

An edge is two steps. With the clock low all wires settle; then the monitor reads them, which is what the edge sees, and
the clock rises. One step later it falls, and at the same time inputs change. Nothing here knows what is expected,
but for the number of payloads after which a run is over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from rtl.sim.case import Beats, Case, Job, Observed
from rtl.sim.steps import Step
from rtl.sim.wire import Wire

IDLE_EDGES = 32  # edges after the last expected transfer, in which no other may come
PATIENCE = 250  # edges without any transfer after which a run counts as stuck, at least

_STEP = Step()
Port = tuple[bool, int, Wire, Wire, Wire | None]
"""Of a stream: whether it is an input, width, valid, ready, and the payload where it has any bits."""


class BrokenRunError(Exception):
    """A run cannot go on: what was seen on which wire."""


@dataclass(frozen=True)
class Wires:
    """The ports of a device."""

    clock: Wire
    reset: Wire
    streams: Mapping[str, Port]
    pins: Mapping[str, Wire]


def wires_of(top: Any, name: str, interface: Mapping[str, Any]) -> Wires:
    """Find the ports of device `name`, whose interface is plain data, at the top of the bench."""

    def wire(pin: str, width: int = 1) -> Wire:
        return Wire(getattr(top, f"{name}__{pin}"), width)

    streams = {}
    for port in interface["streams"]:
        valid, ready = wire(f"{port['name']}_valid"), wire(f"{port['name']}_ready")
        payload = wire(f"{port['name']}_payload", port["width"]) if port["width"] else None
        streams[port["name"]] = (port["direction"] == "input", port["width"], valid, ready, payload)
    pins = {pin["name"]: wire(pin["name"], pin["width"]) for pin in interface["pins"] if pin["direction"] == "input"}
    return Wires(wire("clk"), wire("rst"), streams, pins)


class Source:
    """Offers payloads on an input stream, each until it has moved; between them the payload is noise."""

    def __init__(self, wires: Port, beats: Beats, gap: float, rng: Random) -> None:
        _, self.width, self.valid, _, self.payload = wires
        self.beats, self.gap, self.rng = beats, gap, rng
        self.place = 0
        self.offered = False
        self.high = True
        self.idle()

    def idle(self) -> None:
        self.valid.write(0)
        self.high = False
        self._put(self.rng.getrandbits(self.width) if self.width else 0)

    def drive(self) -> None:
        """Before an edge, with the clock low: begin to offer the next payload, unless the gap says to wait."""
        if self.offered:
            return
        if not self.done and (not self.gap or self.rng.random() >= self.gap):
            self.offered = True
            self._put(self.beats[self.place])
            if not self.high:
                self.valid.write(1)
                self.high = True
        elif self.high:
            self.idle()

    def moved(self) -> None:
        """At an edge with a transfer."""
        self.place += 1
        self.offered = False

    @property
    def done(self) -> bool:
        return self.place == len(self.beats)

    def _put(self, value: int) -> None:
        if self.payload is not None:
            self.payload.write(value)


class Sink:
    """Takes payloads from an output stream; waits for `wanted` of them, and then takes whatever more there is."""

    def __init__(self, wires: Port, wanted: int, gap: float, rng: Random) -> None:
        self.ready = wires[3]
        self.left, self.gap, self.rng = wanted, gap, rng
        self.high = True
        self.ready.write(1)

    def drive(self) -> None:
        if self.gap and self.high != (self.done or self.rng.random() >= self.gap):
            self.high = not self.high
            self.ready.write(self.high)

    def moved(self) -> None:
        self.left -= 1

    @property
    def done(self) -> bool:
        return self.left <= 0


class Monitor:
    """Reads one stream at every edge: its transfers and stalls, and whether it keeps the rule of streams."""

    def __init__(self, name: str, wires: Port) -> None:
        self.name = name
        self.is_input, _, self.valid, self.ready, self.payload = wires
        self.transfers: list[tuple[int, int]] = []
        self.stalls: list[int] = []
        self.waiting: int | None = None

    def sample(self, edge: int) -> bool:
        """Whether a payload moves at this edge. Raises BrokenRunError for X or a payload that was taken back."""
        valid = self._read(self.valid, "valid", edge)
        ready = self._read(self.ready, "ready", edge)
        if not valid:
            if self.waiting is not None:
                raise BrokenRunError(f"{self.name}: valid was taken back at edge {edge}")
            return False
        payload = self._read(self.payload, "payload", edge) if self.payload is not None else 0
        if self.waiting not in (None, payload):
            raise BrokenRunError(f"{self.name}: the payload changed while it waited, at edge {edge}")
        self.waiting = None if ready else payload
        if ready:
            self.transfers.append((edge, payload))
        elif not self.is_input:
            self.stalls.append(edge)
        return bool(ready)

    def _read(self, wire: Wire, what: str, edge: int) -> int:
        bits = wire.read()
        try:
            return int(bits, 2)
        except ValueError:
            raise BrokenRunError(f"{self.name}: {what} is {bits.upper()} at edge {edge}") from None


class Run:
    """One device, out of reset, with the jobs offered to it one after the other."""

    def __init__(self, wires: Wires, jobs: Sequence[Job], gaps: tuple[float, float], rng: Random) -> None:
        self.clock = wires.clock
        self.monitors = {name: Monitor(name, port) for name, port in wires.streams.items()}
        self.agents: dict[str, Source | Sink] = {}
        for name, port in wires.streams.items():
            if port[0]:
                self.agents[name] = Source(port, _joined(jobs, name, "inputs"), gaps[0], rng)
            else:
                self.agents[name] = Sink(port, len(_joined(jobs, name, "outputs")), gaps[1], rng)
        longest = max(job.last for job in jobs)
        self.patience = int((PATIENCE + 4 * longest) / (1 - max(gaps)))

    async def until(self, end: int | None) -> str:
        """Run to edge `end`, or to IDLE_EDGES after all has moved; what went wrong, or nothing."""
        pairs = [(self.monitors[name], self.agents[name]) for name in self.monitors]
        edge = quiet = 0
        try:
            while edge != end:
                for _, agent in pairs:
                    agent.drive()
                await _STEP
                quiet += 1
                for monitor, agent in pairs:
                    if monitor.sample(edge):
                        agent.moved()
                        quiet = 0
                self.clock.write(1)
                await _STEP
                self.clock.write(0)
                edge += 1
                if quiet >= IDLE_EDGES and self._over(quiet, edge):
                    break
                if not quiet:
                    self._check_surplus()
        except BrokenRunError as broken:
            return str(broken)
        return ""

    def _over(self, quiet: int, edge: int) -> bool:
        """Whether all has moved. Raises BrokenRunError where nothing has for too long."""
        if all(agent.done for agent in self.agents.values()):
            return True
        if quiet >= self.patience:
            waiting = ", ".join(name for name, agent in self.agents.items() if not agent.done)
            raise BrokenRunError(f"{waiting}: nothing moved for {quiet} edges, up to edge {edge - 1}")
        return False

    def _check_surplus(self) -> None:
        """An output that never ends is broken off."""
        for name, agent in self.agents.items():
            if isinstance(agent, Sink) and agent.left < -IDLE_EDGES:
                raise BrokenRunError(f"{name}: more than {IDLE_EDGES} payloads too many")

    def transfers(self) -> dict[str, tuple[tuple[int, int], ...]]:
        return {name: tuple(monitor.transfers) for name, monitor in self.monitors.items()}

    def stalls(self) -> dict[str, tuple[int, ...]]:
        return {name: tuple(m.stalls) for name, m in self.monitors.items() if not m.is_input}


def _joined(jobs: Sequence[Job], name: str, side: str) -> Beats:
    return tuple(beat for job in jobs for beat in getattr(job, side).get(name, ()))


async def reset(wires: Wires, rng: Random) -> None:
    """Hold reset for one edge, with inputs that claim to be valid and outputs taken or not: nothing of it may count."""
    wires.reset.write(1)
    wires.clock.write(0)
    for is_input, width, valid, ready, payload in wires.streams.values():
        (valid if is_input else ready).write(1 if is_input else rng.getrandbits(1))
        if is_input and payload is not None:
            payload.write(rng.getrandbits(width))
    await _STEP
    wires.clock.write(1)
    await _STEP
    wires.clock.write(0)
    wires.reset.write(0)


async def observe(wires: Wires, case: Case) -> Observed:
    """Run one case from reset to its end."""
    rng = Random(case.seed)
    for name, pin in wires.pins.items():
        pin.write(case.pins.get(name, 0))
    await reset(wires, rng)
    before, trouble = {}, ""
    if case.cut:
        first = Run(wires, case.cut.jobs, (case.cut.gap_in, case.cut.gap_out), rng)
        trouble = await first.until(case.cut.edge)
        before = first.transfers()
        await reset(wires, rng)
    if trouble:
        return Observed({}, {}, before, f"before the reset: {trouble}")
    run = Run(wires, case.jobs, (case.gap_in, case.gap_out), rng)
    trouble = await run.until(None)
    return Observed(run.transfers(), run.stalls(), before, trouble)
