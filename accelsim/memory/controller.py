"""What a memory controller does, tick by tick: the definition that the kernel must equal.

One channel. At every tick, in this order:

1. The next request enters its queue (of reads or of writes) if it has arrived and there is room: at most one.
2. Writes go first once they fill more than `drain_above` of their queue or no read waits; reads again once writes fill
   less than `drain_below` and a read waits, or no write waits.
3. At multiples of the interval a refresh falls due.
4. Each free bus, columns before rows, takes the first command that may issue: of refreshes that are due; of requests
   that have opened their row, oldest first; of the requests that wait in the queue whose turn it is, oldest first.

A request that opens a row (ACT) leaves its queue and waits at its bank, which nobody closes before it has been served:
so a queue holds the requests that have not begun. A row is not closed for a request while an older one waits for it.
To a part that is due for refresh only requests that have opened their row still go. Under the closed page a row closes
with the last access that waits for it (RDA, WRA).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from accelsim.memory.model import COMMANDS, TABLED, Device, Outcome, Policy, Requests

Choice = tuple[str, int, int]
"""A command, its bank (the first of the part that it concerns) and the request that it is for, or -1."""
NOBODY = -1


def simulate(device: Device, policy: Policy, requests: Requests) -> Outcome:
    """Serve all requests, with every command in the log."""
    controller = Controller(device, policy, requests)
    while controller.served < len(requests.bank):
        controller.step()
    return controller.outcome()


class Controller:
    """A channel and its queues, which `step` carries one tick further."""

    def __init__(self, device: Device, policy: Policy, requests: Requests) -> None:
        self.device, self.policy = device, policy
        self.bank, self.row, self.write, self.arrival = (part.tolist() for part in requests)
        self.size = device.organisation.banks_in
        banks = self.size["channel"]
        self.tick = self.accepted = self.served = self.last_accepted = 0
        self.waiting: tuple[list[int], list[int]] = ([], [])  # reads, writes
        self.draining = False
        self.open: list[int | None] = [None] * banks
        self.owner = [NOBODY] * banks
        self.earliest = {command: [0] * banks for command in TABLED}
        self.times: dict[tuple[int, int], list[int]] = {}  # of the commands that a window counts
        self.free = [0] * len(device.buses)
        self.part = self.size[device.refresh.scope]
        self.due = [0] * (banks // self.part)
        self.turn = [0] * (banks // self.part)  # the bank that is refreshed next, where each has its own
        self.kept = [0] * len(self.bank)  # 1: had to open a row; 2: had to close one
        self.done = [0] * len(self.bank)
        self.entered = [0] * len(self.bank)
        self.open_since = [0] * (banks // self.size["rank"])
        self.open_ticks = 0
        self.log: list[tuple[int, int, int, int]] = []

    def step(self) -> None:
        self.accept()
        self.choose_queue()
        if self.policy.refresh != "none" and self.tick and self.tick % self.interval() == 0:
            self.due = [count + 1 for count in self.due]
        for bus in range(len(self.free)):
            if self.free[bus] <= self.tick:
                self.use(bus)
        self.tick += 1

    def interval(self) -> int:
        """Ticks between refreshes: of a part, or of its banks one after the other."""
        whole = self.device.refresh.interval
        return whole // self.part if self.policy.refresh == "per-bank" else whole

    def accept(self) -> None:
        if self.accepted == len(self.bank) or self.arrival[self.accepted] > self.tick:
            return
        queue = self.waiting[self.write[self.accepted]]
        if len(queue) < (self.policy.write_queue if self.write[self.accepted] else self.policy.queue):
            queue.append(self.accepted)
            self.entered[self.accepted] = self.last_accepted = self.tick
            self.accepted += 1

    def choose_queue(self) -> None:
        reads, writes = map(len, self.waiting)
        filled, places = 100 * writes, self.policy.write_queue
        if not self.draining:
            self.draining = filled > self.policy.drain_above * places or (reads == 0 and writes > 0)
        elif writes == 0 or (filled < self.policy.drain_below * places and reads > 0):
            self.draining = False

    def use(self, bus: int) -> None:
        """Issue the first command for this bus that may issue."""
        for offered in (self.refreshes(), self.opened(), self.begun()):
            for command, bank, request in offered:
                if self.device.commands[command].bus == bus and self.may_issue(command, bank):
                    self.issue(command, bank, request)
                    return

    def may_issue(self, command: str, bank: int) -> bool:
        if self.device.commands[command].rising and self.tick % 2:
            return False
        return all(self.earliest[command][at] <= self.tick for at in self.concerned(command, bank))

    def concerned(self, command: str, bank: int) -> range:
        return range(bank, bank + self.part) if command in ("PREA", "REFab") else range(bank, bank + 1)

    def refreshes(self) -> Iterator[Choice]:
        for part, count in enumerate(self.due):
            banks = self.refreshed(part)
            if count == 0 or any(self.owner[bank] != NOBODY for bank in banks):
                continue
            is_open = any(self.open[bank] is not None for bank in banks)
            if self.policy.refresh == "per-bank":
                yield ("PRE" if is_open else "REFpb"), banks[0], NOBODY
            else:
                yield ("PREA" if is_open else "REFab"), banks[0], NOBODY

    def refreshed(self, part: int) -> range:
        """The banks that the next refresh of a part concerns."""
        first = part * self.part
        if self.policy.refresh == "per-bank":
            return range(first + self.turn[part], first + self.turn[part] + 1)
        return range(first, first + self.part)

    def opened(self) -> Iterator[Choice]:
        for request in sorted(owner for owner in self.owner if owner != NOBODY):
            yield self.access(request), self.bank[request], request

    def begun(self) -> Iterator[Choice]:
        queue = self.waiting[self.draining]
        for place, request in enumerate(queue):
            bank = self.bank[request]
            part = bank // self.part
            if self.due[part] and bank in self.refreshed(part):
                continue
            if self.open[bank] is None:
                yield "ACT", bank, request
            elif self.is_hit(request):
                yield self.access(request), bank, request
            elif self.owner[bank] == NOBODY and not any(
                self.bank[older] == bank and self.is_hit(older) for older in queue[:place]
            ):
                yield "PRE", bank, request

    def access(self, request: int) -> str:
        return "WR" if self.write[request] else "RD"

    def is_hit(self, request: int) -> bool:
        return bool(self.open[self.bank[request]] == self.row[request])

    def issue(self, command: str, bank: int, request: int) -> None:
        if command in ("RD", "WR"):
            self.leave(request)
            command += "A" if self.policy.page == "closed" and not self.wanted(bank) else ""
        self.constrain(command, bank)
        if command in ("RD", "WR", "RDA", "WRA"):
            ticks = self.device.write_ticks if self.write[request] else self.device.read_ticks
            self.done[request] = self.tick + ticks
            self.served += 1
        if command == "ACT":
            self.kept[request] = max(self.kept[request], 1)
            self.leave(request)
            self.owner[bank] = request
        if command == "PRE" and request != NOBODY:
            self.kept[request] = 2
        if command in ("REFab", "REFpb"):
            part = bank // self.part
            self.due[part] -= 1
            self.turn[part] = (self.turn[part] + 1) % self.part
        self.change_rows(command, bank, request)
        tabled = self.device.commands[command.removesuffix("A") if command in ("RDA", "WRA") else command]
        self.free[tabled.bus] = self.tick + tabled.ticks
        self.log.append((self.tick, COMMANDS.index(command), bank, request))

    def leave(self, request: int) -> None:
        """Its queue, or its bank when it had opened the row."""
        if self.owner[self.bank[request]] == request:
            self.owner[self.bank[request]] = NOBODY
        else:
            self.waiting[self.write[request]].remove(request)

    def wanted(self, bank: int) -> bool:
        """Whether a request waits for the open row of a bank, or has opened it."""
        queued = (request for queue in self.waiting for request in queue if self.bank[request] == bank)
        return self.owner[bank] != NOBODY or any(self.is_hit(request) for request in queued)

    def change_rows(self, command: str, bank: int, request: int) -> None:
        banks = self.concerned(command, bank)
        ranks = {at // self.size["rank"] for at in banks}
        before = {rank for rank in ranks if self.has_open(rank)}
        if command == "ACT":
            self.open[bank] = self.row[request]
        elif command in ("PRE", "PREA", "RDA", "WRA"):
            self.open[banks.start : banks.stop] = [None] * len(banks)
        for rank in ranks:
            if rank not in before and self.has_open(rank):
                self.open_since[rank] = self.tick
            if rank in before and not self.has_open(rank):
                self.open_ticks += self.tick - self.open_since[rank]

    def has_open(self, rank: int) -> bool:
        size = self.size["rank"]
        return any(row is not None for row in self.open[rank * size : rank * size + size])

    def constrain(self, command: str, bank: int) -> None:
        """Move the earliest ticks of what must wait for this command."""
        for number, constraint in enumerate(self.device.constraints):
            if command not in constraint.after:
                continue
            scope = self.within(constraint.scope, bank)
            if not scope:
                continue
            times = self.times.setdefault((number, scope[0]), []) if constraint.window > 1 else []
            times.append(self.tick)
            if len(times) < constraint.window:
                continue
            tick = times[-constraint.window] + constraint.ticks
            for following in constraint.next:
                earliest = self.earliest[following]
                for at in scope:
                    earliest[at] = max(earliest[at], tick)

    def within(self, scope: str, bank: int) -> list[int]:
        if scope == "other_rank":
            own = self.within("rank", bank)
            return [at for at in self.within("pseudo_channel", bank) if at not in own]
        size = self.size[scope]
        return list(range(bank // size * size, bank // size * size + size))

    def outcome(self) -> Outcome:
        cycles = max(self.done, default=0)
        still = sum(cycles - since for rank, since in enumerate(self.open_since) if self.has_open(rank))
        issued = [command for _, command, _, _ in self.log]
        return Outcome(
            cycles=cycles,
            accepted_cycles=self.last_accepted,
            hits=self.kept.count(0),
            misses=self.kept.count(1),
            conflicts=self.kept.count(2),
            commands={command: issued.count(at) for at, command in enumerate(COMMANDS)},
            read_latency=sum(d - e for d, e, w in zip(self.done, self.entered, self.write, strict=True) if not w),
            open_ticks=self.open_ticks + still,
            log=tuple(self.log),
            done=np.array(self.done, np.int64),
        )
