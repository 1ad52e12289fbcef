"""Programs with a DRAM: what the executor and the channels do together is what the channels do by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from math import ceil
from pathlib import Path
from random import Random

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.memory import Requests, make_stream, serve_all
from accelsim.memory.bursts import Run as Stretch
from accelsim.memory.bursts import bursts_of, places_of
from accelsim.memory.model import Integers
from accelsim.memory.setup import device_of
from accelsim.program.execute import Run, execute
from accelsim.program.model import Memory, Program
from accelsim.program.read import read_program
from accelsim.program.text import render_program
from accelsim.program.unroll import unrolled

POLICY = "queue 4 write_queue 6 drain_above 80 drain_below 20 page open refresh per-bank"
HBM3 = "memory dram HBM3 HBM3_8Gb_8hi HBM3_6400Mbps channels 2 {policy} period {period} map ro ba ra co bg pc ch"
RANDOM = """\
program drawn at 1000000000 per s
resource u 100 oldest
resource dram 1 oldest
{memory}
places A [{count}] {loads}
places B [{count}] {stores}
loop i < {count}
  body 30
    load L on dram moves 64 at A[i] latency 5
    task R on u busy 1 after L
    task T on u busy GAP[i] after L
    store S on dram moves 64 at B[i] after T
    task D on u busy 1 after S i:2
"""


def tile(rng: Random) -> tuple[Stretch, ...]:
    size, count = rng.choice([16, 64, 200, 2048]), rng.choice([1, 1, 3])
    return ((rng.randrange(1 << 22), size, size + rng.choice([0, 64, 8192]), count),)


def drawn(seed: int, period: str = "3/7", policy: str = POLICY) -> Program:
    """A program that loads a tile, works on it for a while and stores another, again and again."""
    rng, count = Random(seed), 25
    tiles = [[tile(rng) for _ in range(count)] for _ in range(2)]
    shown = [" ".join(",".join(f"{a}+{n}/{d}*{c}" for a, n, d, c in one) for one in some) for some in tiles]
    memory = HBM3.format(policy=policy, period=period)
    text = RANDOM.format(memory=memory, count=count, loads=shown[0], stores=shown[1])
    gaps = " ".join(str(rng.choice([1, 20, 300, 4000])) for _ in range(count))
    return read_program(text.replace("places A", f"table GAP [{count}] {gaps}\nplaces A", 1))


def results(program: Program, run: Run) -> dict[tuple[str, int], int]:
    """When the data of each transfer had passed, where every channel serves by itself what came when it came."""
    (memory,) = [resource.memory for resource in program.resources if resource.memory]
    device, places = device_of(memory.setup), {one.name: one.tiles for one in program.places}
    columns, arrivals = [], dict[tuple[str, int], int]()
    for start in run.trace:
        if start.task in "LS":
            at = dict(start.coordinates)["i"]
            arrivals[start.task, at] = ceil(start.start / memory.period)
            bursts = bursts_of(places["A" if start.task == "L" else "B"][at], device.organisation.burst_bytes)
            for channel, bank, row in zip(*places_of(device, bursts), strict=True):
                columns.append(
                    (len(arrivals) - 1, arrivals[start.task, at], int(start.task == "S"), channel, bank, row)
                )
    number, arrival, write, channel, bank, row = (np.array(part, np.int64) for part in zip(*columns, strict=True))
    ends = [0] * len(arrivals)
    for one in range(memory.setup.channels):
        own: Integers = np.flatnonzero(channel == one)
        asked = Requests(bank[own], row[own], write[own], arrival[own])
        done = serve_all(device, memory.setup.policy, asked).done
        for who, tick in zip(number[own].tolist(), done.tolist(), strict=True):
            ends[who] = max(ends[who], ceil(tick * memory.period))
    return dict(zip(arrivals, ends, strict=True))


@pytest.mark.parametrize("period", ["1", "3/7", "19/2"])
@pytest.mark.parametrize("seed", range(3))
def test_results_come_when_the_channels_alone_say(seed: int, period: str) -> None:
    """Whoever waits for a transfer starts at the tick that follows from all arrivals, later ones included."""
    program = drawn(seed, period)
    run = execute(program, trace=10**6)
    wanted = results(program, run)
    seen = {(start.task, dict(start.coordinates)["i"]): start.start for start in run.trace}
    for at in range(25):
        assert seen["R", at] == wanted["L", at] + 5, "its latency comes on top"
        if at >= 2:
            assert seen["D", at] == wanted["S", at - 2]
    assert sorted(at for name, at in seen if name == "L") == list(range(25))


def test_nothing_is_skipped_and_everything_recurs() -> None:
    """The same numbers again, with or without leave to skip; paths and idle ticks add up."""
    program = drawn(5)
    run, again, full = execute(program), execute(program), execute(program, skip=False)
    assert run == again == full
    assert run.executed == sum(run.starts.values())
    assert sum(run.path.values()) == run.ticks
    assert run.busy["dram"] + sum(run.idle["dram"].values()) == run.ticks


def test_the_text_comes_back() -> None:
    program = drawn(2)
    assert render_program(read_program(render_program(program))) == render_program(program)
    assert execute(read_program(render_program(program))) == execute(program)


@pytest.mark.parametrize(("stream", "order"), [("seq_RoBaBgCo", "ro ba bg co"), ("seq_RoBaCoBg", "ro ba co bg")])
def test_a_load_like_a_stream_takes_as_long(stream: str, order: str) -> None:
    """Many loads, one behind another, of bytes in a row: the ticks of `accelsim memory` for the same requests."""
    policy = POLICY.replace("queue 4", "queue 32")
    head = f"memory dram LPDDR5 LPDDR5_16Gb_x16 LPDDR5_6400 channels 1 {policy} period 1 map {order}"
    tiles = " ".join(f"{2048 * at}+2048" for at in range(50))
    body = f"places A [50] {tiles}\nloop i < 50\n  body 1\n    load L on dram moves 2048 at A[i]\n"
    program = read_program(f"program p at 1 per s\nresource dram 1 oldest\n{head}\n{body}")
    (memory,) = [resource.memory for resource in program.resources if resource.memory]
    device = device_of(memory.setup)
    alone = serve_all(device, memory.setup.policy, make_stream(stream, device.organisation, 50 * 64))
    run = execute(program)
    assert 0 <= run.ticks - alone.cycles <= device.read_ticks
    (outcome,) = run.channels["dram"]
    assert (outcome.hits, outcome.misses, outcome.conflicts) == (alone.hits, alone.misses, alone.conflicts)


def test_nothing_is_faster_than_the_pins() -> None:
    for seed in range(6):
        program = drawn(seed, "1", POLICY.replace("per-bank", "none"))
        (memory,) = [resource.memory for resource in program.resources if resource.memory]
        device, run = device_of(memory.setup), execute(program)
        moved = sum(n * c for one in program.places for tile in one.tiles for _, n, _, c in tile)
        per_tick = device.pins_bytes_per_s * device.tick_ps / 10**12
        assert run.ticks * per_tick >= moved
        bursts = sum(o.hits + o.misses + o.conflicts for o in run.channels["dram"])
        assert bursts * device.organisation.burst_bytes >= moved


def test_a_refresh_costs_what_it_costs() -> None:
    """All banks of a rank at once: about nRFC of every nREFI."""
    tiles = " ".join(f"{65536 * at}+65536" for at in range(64))
    body = f"places A [64] {tiles}\nloop i < 64\n  body 1\n    load L on dram moves 65536 at A[i]\n"
    ticks = {}
    for refresh in ("none", "all-bank"):
        policy = POLICY.replace("per-bank", refresh).replace("queue 4", "queue 32")
        memory = HBM3.format(policy=policy, period="1")
        program = read_program(f"program p at 1 per s\nresource dram 1 oldest\n{memory}\n{body}")
        ticks[refresh] = execute(program).ticks
    lost = 1 - ticks["none"] / ticks["all-bank"]
    assert lost == pytest.approx(260_000 / (6240 * 625), rel=0.5), "nRFC is 260 ns, nREFI 6240 clocks of 625 ps"


def test_reads_wait_for_neither_writes_nor_each_other() -> None:
    """A load enters as soon as what came before is in the queues: two of them overlap, and are sooner than in turn."""
    one, two = (
        execute(
            read_program(
                f"program p at 1 per s\nresource dram 1 oldest\n{HBM3.format(policy=POLICY, period='1')}\n"
                f"places A [2] 0+4096 4096+4096\nloop i < {count}\n  body 1\n    load L on dram moves 4096 at A[i]\n"
            )
        ).ticks
        for count in (1, 2)
    )
    assert one < two < 1.8 * one


WRONG: Mapping[str, tuple[str, str, str]] = {
    "no memory": (
        "1 oldest\nmemory",
        "1 oldest rate 4\n#",
        "task L has a place, but no resource that it claims is a DRAM",
    ),
    "a place that is missing": (" at A[i]", "", "task L claims dram, so it must move bytes at a place, all in one"),
    "a chunk": ("moves 64 at A[i]", "moves 64 by 32 at A[i]", "task L claims dram, so it must move bytes at a place"),
    "a task": ("load L", "task L", "task L claims dram, so it must be a load, which reads it, or a store"),
    "unknown places": ("at A[i]", "at C[i]", 'task L: unknown places "C"; known: A, B'),
    "no places": ("at A[i]", "at 4096", "task L: its place must be an entry of places, such as A[m1]"),
    "an unknown loop": ("at A[i]", "at A[j]", 'task L: unknown loop "j"'),
    "two servers": (
        "resource dram 1",
        "resource dram 2",
        "resource dram is a DRAM, so it must be one port without a rate",
    ),
    "a period of nothing": ("period 1", "period 0", "resource dram: its period must be positive, not 0"),
    "another standard": ("HBM3 HBM3_8Gb", "HBM9 HBM3_8Gb", 'no DRAM standard named "HBM9"'),
    "another organisation": ("HBM3_8Gb_8hi HBM3_6400", "HBM3_9Gb HBM3_6400", 'no "HBM3_9Gb" in organisations'),
    "a queue of nothing": ("queue 4 ", "queue 0 ", 'queue: must be an integer from 1 to 4096, got "0"'),
    "a word too few": ("page open ", "", 'expected "memory RESOURCE STANDARD ORG TIMING channels N queue ..'),
    "another resource": ("memory dram", "memory dran", 'no resource named "dran" stands above'),
    "a map with a hole": ("ro ba ra co bg pc ch", "ro ba co", "does not cover the address"),
    "stretches without bytes": ("0+64", "0+0", "places A: 1 stretches of 0 B from 0, 0 apart, are no bytes"),
    "stretches that are no such": (
        "0+64",
        "64@0",
        'expected stretches of bytes such as 4096+64 or 4096+64/1024*16, got "64@0"',
    ),
    "too few tiles": ("places A [2]", "places A [3]", "places A: shape [3] needs 3 tiles, got 2"),
    "no shape": ("places A [2]", "places A [x]", 'expected "places NAME [SHAPE] TILES"'),
    "an entry too many": ("i < 2", "i < 3", "places A have the shape [2]; they have no entry [2]"),
    "an empty tile": ("64+64", "-", "L[i=1]: no place in dram for its 64 B"),
    "beyond the DRAM": (
        "64+64",
        "4294967296+64",
        "resource dram: tiles lie up to byte 4294967360, but the DRAM has 1073741824 B",
    ),
}
SMALL = (
    f"program p at 1 per s\nresource dram 1 oldest\n{HBM3.format(policy=POLICY, period='1')}\nplaces A [2] 0+64 64+64\n"
    "places B [1] 0+64\nloop i < 2\n  body 1\n    load L on dram moves 64 at A[i]\n"
)


@pytest.mark.parametrize("what", WRONG)
def test_what_is_refused(what: str) -> None:
    old, new, message = WRONG[what]
    assert old in SMALL
    with pytest.raises(AccelsimError) as error:
        execute(read_program(SMALL.replace(old, new, 1)))
    assert message in error.value.message


def test_a_dram_is_not_simulated_for_ever() -> None:
    """Every refresh on the way is gone through, so that there must be an end to them."""
    idle = SMALL.replace("resource dram", "resource u 1 oldest\nresource dram").replace(
        "    load L", f"    task T on u busy {1 << 41} after L i:1\n    load L"
    )
    with pytest.raises(
        AccelsimError, match=f"dram, L.i=0.: asked for bytes at its tick .*; it is simulated up to tick {1 << 40}"
    ):
        execute(read_program(idle.replace("at A[i]", "at A[i] after T")))


def test_two_drams_and_an_unrolled_one_are_refused() -> None:
    program = read_program(SMALL)
    assert execute(program).starts == {"L": 2}
    first = program.resources[0]
    twice = replace(program, resources=(first, replace(first, name="other")))
    with pytest.raises(AccelsimError, match="resources dram and other are both DRAMs; a program has one at most"):
        execute(twice)
    with pytest.raises(AccelsimError, match="program p cannot be unrolled: dram is a DRAM by its commands"):
        unrolled(program)


def quick(folder: Path) -> str:
    """A standard whose rows and turns cost next to nothing, and its data what they cost."""
    path = folder / "quick.yaml"
    short = [
        "nCL",
        "nRCD",
        "nRP",
        "nRPab",
        "nRAS",
        "nRC",
        "nWR",
        "nRTP",
        "nCWL",
        "nPPD",
        "nRRDS",
        "nRRDL",
        "nWTRS",
        "nWTRL",
        "nFAW",
        "nPBR2PBR",
        "nPBR2ACT",
    ]
    pins = (
        "rate: 6400 Mbit/s, clock_period: 1250 ps, nBL_min: 2, nBL_max: 2, nCCDS: 2, nCCDL: 2, nCCDS_WR: 2, nCCDL_WR: 2"
    )
    path.write_text(
        "schema: accelsim/dram/1\nname: quick\ndescription: LPDDR5 that never waits\nsource: a test\nbase: LPDDR5\n"
        f"set:\n  timings: {{quick: {{{pins}, nREFI: 3125, nCS: 0, {', '.join(f'{name}: 1' for name in short)}}}}}\n"
    )
    return str(path)


def test_without_delays_only_the_pins_are_left(tmp_path: Path) -> None:
    """Loads of a tile each, in a row: bytes over the bandwidth, and a latency of a few clocks."""
    memory = f"memory dram {quick(tmp_path)} LPDDR5_16Gb_x16 quick channels 1 queue 32 write_queue 32 drain_above 80 "
    memory += "drain_below 20 page open refresh none period 1 map ro co ba bg ra pc ch"
    tiles = " ".join(f"{8192 * at}+4096" for at in range(64))
    body = f"places A [64] {tiles}\nloop i < 64\n  body 1\n    load L on dram moves 4096 at A[i]\n"
    run = execute(read_program(f"program p at 800000000 per s\nresource dram 1 oldest\n{memory}\n{body}"))
    plain = execute(
        read_program(f"program p at 800000000 per s\nresource dram 1 oldest rate 16\n{body.replace(' at A[i]', '')}")
    )
    assert plain.ticks == 64 * 4096 // 16
    assert plain.ticks < run.ticks < 1.02 * plain.ticks


def test_a_faster_dram_makes_no_slower_program() -> None:
    """An eighth of the time for each of its ticks."""
    program = drawn(4, "1")
    (memory,) = [resource.memory for resource in program.resources if resource.memory]
    slow = replace(
        program,
        resources=tuple(
            replace(r, memory=Memory(memory.setup, Fraction(1, 8))) if r.memory else r for r in program.resources
        ),
    )
    assert execute(slow).ticks <= execute(program).ticks
