"""The settings under which SpAtten runs here: its two models, dense or as their traces prune them, and its engines."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from accelsim.result import Result
from accelsim.shipped import data_dir
from accelsim.validation.runs import Overrides, Runs
from accelsim.validation.table import read_table

FOLDER = Path(__file__).parent
FULL, EIGHTH = "spatten", "spatten-eighth"
DECODE = "pruned-decode"
PROMPT, TOKENS = 992, 32
FETCHED = ("KM", "KL", "V")
"""Keys, their low bits, and values: what a new token fetches."""

ENGINES = tuple(f"arch.units.{unit}.ops.argtopk.engine" for unit in ("local", "global"))
HIDDEN: Overrides = tuple(f"{engine}.{change}" for engine in ENGINES for change in ("overlap=all", "overhead=3"))
"""Engines that read scores while they select, 3 cycles beside each pass: as the published simulation has them."""

NEVER: Overrides = ("workload.statistics.RF={by: [t, n], chance: 0, seed: 0}",)
RELEASED: Overrides = (
    "workload.statistics.RF={by: [t, n], chance: 1, seed: 0}",
    *("workload.types.KM=int8", "workload.types.V=int8"),
)
"""What the released RTL makes of 12 bit: 8 bit of every key and then 4 more, 8 bit of every value."""

WIDE: Overrides = (
    *("workload.types.KM=int32", "workload.types.V=int32", *NEVER),
    *("arch.levels.sram.capacity=2 MiB", "mapping.keep.sram.limit=2 MiB"),
)
"""Keys and values of 32 bit in DRAM. They stay so on chip, which is enlarged: 12 bit there would cost less energy."""

UNCUT: Overrides = (
    "workload.maps.kept={ramp: {whole: M, flat: LAYERS, first: 0, last: 0, per: PER}, length: LAYERS, times: TOKENS}",
    "workload.maps.values={share: {of: kept, part: PER, per: PER}}",
)
"""All tokens and all values, of the heads that a trace leaves."""


@dataclass(frozen=True)
class Model:
    """A language model whose traces were released, 32 tokens after a prompt of 992; types of its keys and values."""

    name: str
    layers: int
    heads: int
    keys: str
    values: str

    @property
    def preset(self) -> str:
        """The workload that prunes as the trace has it."""
        return f"{self.name}-pruned"

    @property
    def dense(self) -> Overrides:
        """`pruned-decode` without any pruning."""
        return (f"LAYERS={self.layers}", f"H={self.heads}", f"PROMPT={PROMPT}", f"TOKENS={TOKENS}")

    @property
    def rows(self) -> list[dict[str, str]]:
        """The shipped trace, a row for each token and layer."""
        return _trace(self.preset)

    @property
    def heads_left(self) -> float:
        """The part of its heads that the trace leaves."""
        return sum(int(row["heads"]) for row in self.rows) / (TOKENS * self.layers * self.heads)

    def token(self, token: int, *, dense: bool) -> Overrides:
        """`pruned-decode` of one of the tokens alone: dense, or as the trace prunes it."""
        sizes = (f"LAYERS={self.layers}", f"H={self.heads}", f"PROMPT={PROMPT + token}", "TOKENS=1")
        if dense:
            return sizes
        rows = [row for row in self.rows if int(row["token"]) == token]
        columns = {"kept": "keys", "heads": "heads", "values": "values"}
        tables = {name: ", ".join(row[column] for row in rows) for name, column in columns.items()}
        return (*sizes, *(f"workload.maps.{name}=[{table}]" for name, table in tables.items()))

    def refetched(self, token: int) -> Overrides:
        """Heads of a token that fetch low bits as the trace has it, and the types of keys and values."""
        listed = ", ".join(row["refetched"] for row in self.rows if int(row["token"]) == token)
        refetch = f"workload.statistics.RF={{by: [t], along: n, values: [{listed}]}}"
        return (refetch, f"workload.types.KM={self.keys}", f"workload.types.V={self.values}")


SMALL, MEDIUM = Model("gpt2-small", 12, 12, "int6", "int6"), Model("gpt2-medium", 24, 16, "int12", "int8")
MODELS = {model.name: model for model in (SMALL, MEDIUM)}


@lru_cache
def _trace(preset: str) -> list[dict[str, str]]:
    return read_table(data_dir("workloads") / "traces" / f"{preset}.csv")


@lru_cache
def published(claim: str) -> float:
    """A number of `published.csv`."""
    (found,) = (row["published"] for row in read_table(FOLDER / "published.csv") if row["claim"] == claim)
    return float(found)


def fetched_bytes(result: Result) -> float:
    """Bytes of keys and values from DRAM."""
    table = result.traffic["dram"]
    return float(sum(table[name].read for name in FETCHED if name in table))


def busy(result: Result, unit: str) -> float:
    """Cycles for which a unit is busy."""
    return float(result.units[unit].busy_cycles)


def flops(runs: Runs, model: Model, *, dense: bool) -> float:
    """Of Q x K and P x V, each score once: what is fetched again for its low bits does not count as work."""
    settings = (model.dense if dense else ()) + WIDE
    return 2.0 * runs.named(FULL, DECODE if dense else model.preset, settings).macs


def milliseconds(result: Result) -> float:
    return float(result.seconds) * 1e3
