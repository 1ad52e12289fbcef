"""Attention of a step: of the next tokens where the policy has it, of prompts on the processor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil

from accelsim.cluster.kernels import Kernel
from accelsim.cluster.model import Commands, Near
from accelsim.cluster.part import Batch, Part
from accelsim.cluster.units import NOTHING, Spent, near_energy, on_near, on_processor
from accelsim.memory.pim_run import run_attention
from accelsim.memory.pim_stream import Attention
from accelsim.units.roofline import Product


def attention_costs(part: Part, batch: Batch, projection: Spent) -> dict[str, Spent]:
    """`projection`, `attention`, `transfer` and `prompts` of a device; those that are hidden count for what is seen."""
    prompts = _prompts(part, batch) if batch.prompts else NOTHING
    choices = _decoding(part, batch) if batch.sequences else [(NOTHING, NOTHING)]
    costs = (_together(part, projection, attention, transfer, prompts) for attention, transfer in choices)
    return min(costs, key=lambda parts: sum(spent.seconds for spent in parts.values()))


def _together(part: Part, projection: Spent, attention: Spent, transfer: Spent, prompts: Spent) -> dict[str, Spent]:
    parts = {"projection": projection, "attention": attention, "transfer": transfer}
    if part.system.policy.overlap == "heads":
        parts = overlapped(parts, _scores(part).copies)
    parts["prompts"] = _seen(part, prompts, attention)
    return {name: spent for name, spent in parts.items() if spent != NOTHING}


def _seen(part: Part, prompts: Spent, attention: Spent) -> Spent:
    """Prompts run behind the next tokens, or beside them where those are near the memory.

    Source: Duplex (MICRO 2024), section V-B (attention on both units).
    """
    runs_beside = part.system.policy.prompts == "beside" and "near memory" in attention.energy_pj
    return prompts.lasting(max(0.0, prompts.seconds - attention.seconds)) if runs_beside else prompts


def overlapped(parts: Mapping[str, Spent], pieces: int) -> dict[str, Spent]:
    """Work of several units that is cut into equal pieces, so that each unit works on another piece.

    The longest is seen in full; of the others the first or last piece only. Source: AttAcc (ASPLOS 2024), section 5.3
    (pipelining heads).
    """
    longest = max(parts, key=lambda name: parts[name].seconds)
    return {name: spent if name == longest else spent.lasting(spent.seconds / pieces) for name, spent in parts.items()}


def _decoding(part: Part, batch: Batch) -> list[tuple[Spent, Spent]]:
    """Attention of the next tokens and the way to it, on each unit that the policy leaves a choice of."""
    near, place = part.system.near, part.system.policy.place.get("attention", "processor")
    kernels = part.attention_kernels(batch.sequences, batch.length)
    high = sum((on_processor(part.system.processor, kernel) for kernel in kernels), NOTHING)
    if near is None or place == "processor":
        return [(high, NOTHING)]
    low = _near(part, near, batch), _transfer(part, near, batch)
    return [(high, NOTHING), low] if place == "fastest" else [low]


def _near(part: Part, near: Near, batch: Batch) -> Spent:
    fused = part.fused_attention(batch.sequences, batch.length)
    if near.commands is None:
        return on_near(near, fused)
    seconds = _command_seconds(part, near.commands, batch)
    return Spent(seconds, near_energy(near, fused.bytes, fused.flops))


def _command_seconds(part: Part, commands: Commands, batch: Batch) -> float:
    """Pairs of key head and sequence are dealt to the stacks of a node; the queries of a pair share its keys."""
    product = _scores(part)
    pairs = ceil(batch.sequences * product.copies * part.system.devices / commands.stacks)
    work = Attention(pairs, batch.length, product.depth, int(product.element_bytes), group=product.rows)
    return run_attention(commands.stack, work).cycles * commands.stack.period_ps * 1e-12


def _transfer(part: Part, near: Near, batch: Batch) -> Spent:
    """Queries, new keys and values to memory that is not the processor's, and results back."""
    if near.link_bytes_per_s is None:
        return NOTHING
    fused = part.fused_attention(batch.sequences, batch.length)
    size = fused.bytes - part.cache_bytes(batch.sequences, batch.length) + part.new_cache_bytes(batch.sequences)
    each = part.system.link.energy
    return Spent(size / near.link_bytes_per_s, {} if each is None else {"link": size * each})


def _scores(part: Part) -> Product:
    """Of one query: its copies are the heads of keys on a device, its rows the queries of a head."""
    return next(kernel.product for kernel in part.attention_kernels(1, 1) if kernel.product)


def _prompts(part: Part, batch: Batch) -> Spent:
    """A query for every token of a prompt, half of the scores masked; prompt after prompt."""
    kernels = (_of_prompt(kernel, batch.prompt) for kernel in part.attention_kernels(1, ceil(batch.prompt / 2)))
    each = sum((on_processor(part.system.processor, kernel) for kernel in kernels), NOTHING)
    return each.times(batch.prompts)


def _of_prompt(kernel: Kernel, tokens: int) -> Kernel:
    product = kernel.product and replace(kernel.product, rows=kernel.product.rows * tokens, split=True)
    return replace(
        kernel,
        product=product,
        read_bytes=kernel.read_bytes * tokens,
        written_bytes=kernel.written_bytes * tokens,
        flops=kernel.flops * tokens,
    )
