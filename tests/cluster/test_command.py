"""`accelsim cluster`: its documents and texts, what it asks for and what it refuses; and clusters in other verbs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from accelsim.cli import main
from accelsim.cluster import Traffic, decode, room, serve
from accelsim.shipped import data_dir
from tests.cluster.named import MODELS, SYSTEMS, model, system

MIXTRAL = ["--model", "mixtral-8x7b"]
DECODE = ["cluster", "duplex", *MIXTRAL, "--set", "sequences=8", "--set", "length=300"]
ANSWER = ["cluster", "duplex", *MIXTRAL, "--set", "sequences=4", "--set", "prompt=50", "--set", "output=10"]
SERVE = [*ANSWER, "--set", "requests=6"]
COMMON = (
    *("schema", "kind", "cluster", "model", "sequences", "weights_bytes", "cache_bytes", "capacity_bytes"),
    *("sequences_that_fit", "energy_unknown", "seconds", "tokens_per_s"),
)
DECODED = (*COMMON, "seconds_by", "energy_pj", "energy_pj_per_token", "energy_by", "bound_by")
SERVED = (
    *(*COMMON, "stages", "mixed_stages", "between_tokens_s", "first_token_s", "request_s"),
    *("energy_pj_per_token", "energy_by"),
)


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main(list(words))
    return (status, *capsys.readouterr())


def document(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    status, text, error = answer(capsys, *words, "--json")
    assert (status, error) == (0, "")
    found: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)
    assert found["schema"] == 1
    return found


def test_the_document_of_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, *DECODE)
    assert tuple(found) == DECODED
    expected = decode(system("duplex"), model("mixtral-8x7b"), 8, (300, 300))
    assert (found["kind"], found["cluster"], found["model"]) == ("cluster", "duplex", "mixtral-8x7b")
    assert (found["seconds"], found["tokens_per_s"]) == (expected.seconds, expected.tokens_per_s)
    assert (found["seconds_by"], found["energy_by"]) == (expected.seconds_by, expected.energy_by)
    assert found["energy_pj_per_token"] == expected.energy_pj / 8
    assert found["bound_by"] == max(expected.seconds_by, key=lambda name: expected.seconds_by[name])
    there = room(system("duplex"), model("mixtral-8x7b"), 300)
    assert (found["weights_bytes"], found["cache_bytes"]) == (there.weights, 8 * there.cache)
    assert (found["capacity_bytes"], found["sequences_that_fit"]) == (there.capacity, there.most)
    assert found["energy_unknown"] == ["shared cache", "core caches", "registers", "link"]


def test_prompt_and_output_are_the_mean_over_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """The prompt gives the first token; the nine others have caches of 51 to 59."""
    found = document(capsys, *ANSWER)
    assert tuple(found) == DECODED
    assert found["seconds"] == decode(system("duplex"), model("mixtral-8x7b"), 4, (51, 59)).seconds
    one = document(capsys, *ANSWER, "--set", "output=1")
    assert one["seconds"] == decode(system("duplex"), model("mixtral-8x7b"), 4, (51, 51)).seconds


def test_the_document_of_a_service(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*SERVE, "--set", "spread=0.2", "--set", "per_s=500", "--set", "seed=3"]
    found = document(capsys, *words)
    assert tuple(found) == SERVED
    expected = serve(system("duplex"), model("mixtral-8x7b"), Traffic(4, 50, 10, 0.2, 500.0, 6, 3))
    assert (found["seconds"], found["tokens_per_s"]) == (expected.seconds, expected.tokens_per_s)
    assert (found["stages"], found["mixed_stages"]) == (expected.stages, expected.mixed_stages)
    for name in ("between_tokens_s", "first_token_s", "request_s"):
        waits = found[name]
        assert isinstance(waits, dict)
        assert list(waits) == ["mean", "p50", "p90", "p99"]
        assert 0 < waits["p50"] <= waits["p90"] <= waits["p99"]
    assert document(capsys, *words) == found


def test_a_service_without_later_tokens_has_no_wait_between_them(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, *SERVE, "--set", "output=1")
    assert found["between_tokens_s"] == {"mean": None, "p50": None, "p90": None, "p99": None}


@pytest.mark.parametrize("words", [DECODE, SERVE])
def test_against_another_system(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    ours, theirs = document(capsys, *words), document(capsys, words[0], "h100-node", *words[2:])
    found = document(capsys, *words, "--against", "h100-node")
    against = found.pop("against")
    assert found == ours
    energies = [each["energy_pj_per_token"] for each in (ours, theirs)]
    assert against == {
        "cluster": "h100-node",
        "tokens_per_s": theirs["tokens_per_s"],
        "energy_pj_per_token": energies[1],
        "speedup": ours["tokens_per_s"] / theirs["tokens_per_s"],
        "energy_ratio": energies[0] / energies[1],
    }


def test_against_itself(capsys: pytest.CaptureFixture[str]) -> None:
    against = document(capsys, *DECODE, "--against", "duplex")["against"]
    assert isinstance(against, dict)
    assert (against["speedup"], against["energy_ratio"]) == (1.0, 1.0)


def test_energies_that_leave_out_different_things_are_not_compared(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*DECODE, "--against", "dgx-a100"]
    against = document(capsys, *words)["against"]
    assert isinstance(against, dict)
    assert against["energy_ratio"] is None
    assert answer(capsys, *words)[1].endswith(" the tokens a second, energies that leave out different things\n")


def test_the_text_of_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    status, text, _ = answer(capsys, *DECODE, "--against", "h100-node")
    assert status == 0
    lines = text.splitlines()
    assert lines[0] == "mixtral-8x7b on duplex, 8 sequences at once"
    starts = ("", "", "a step takes ", "energy, mJ: memory ", "memory, GiB: weights 86.5, caches 0.3 of 298.0; ")
    assert all(line.startswith(start) for line, start in zip(lines, starts, strict=False))
    assert lines[1].endswith(" mJ a token")
    assert lines[3].endswith("; without shared cache, core caches, registers, link")
    assert lines[5].startswith("against h100-node: ")
    assert lines[5].endswith(" times the energy a token")
    assert len(lines) == 6


def test_the_text_of_a_service(capsys: pytest.CaptureFixture[str]) -> None:
    lines = answer(capsys, *SERVE)[1].splitlines()
    said = ["between tokens, ms: mean ", "to the first token, ms: mean ", "to the last token, ms: mean "]
    assert all(line.startswith(start) for line, start in zip(lines[2:5], said, strict=True))


def test_paths_in_the_file_of_the_system(capsys: pytest.CaptureFixture[str]) -> None:
    """Twice the rounds of an all-reduce take twice the time; the system beside it stays as it is."""
    words = [*DECODE, "--against", "duplex"]
    links = [document(capsys, *words, "--set", f"link.rounds={rounds}") for rounds in (2, 4)]
    seconds = [found["seconds_by"]["link"] for found in links]
    assert seconds[1] == 2 * seconds[0]
    assert links[0]["against"]["tokens_per_s"] == links[1]["against"]["tokens_per_s"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["length=3"], "--set:1:1: sequences: must be given: how many run at once: --set sequences=64"),
        (["sequences=3"], "--set:1:1: give one of length (of the caches) and prompt (with output)"),
        (
            ["sequences=3", "length=5", "prompt=3", "output=4"],
            "--set:1:1: give one of length (of the caches) and prompt (with output)",
        ),
        (["sequences=3", "prompt=3"], "--set:1:1: prompt and output go together"),
        (["sequences=3", "length=5", "output=3"], "--set:1:1: prompt and output go together"),
        (["sequences=3", "length=5", "requests=3"], "--set:1:1: requests: need prompt and output"),
        (
            ["sequences=3", "length=5", "seed=3"],
            "--set:1:1: seed: says something of requests, of which none are asked for",
        ),
        (
            ["sequences=3", "prompt=3", "output=4", "per_s=2"],
            "--set:1:1: per_s: says something of requests, of which none are asked for",
        ),
        (
            ["sequences=3", "prompt=3", "output=4", "requests=2", "spread=1"],
            "spread must be from 0 to below 1, per_s above 0",
        ),
        (
            ["sequences=3", "prompt=3", "output=4", "requests=2", "per_s=0"],
            "spread must be from 0 to below 1, per_s above 0",
        ),
        (["sequences=0", "length=5"], '--set sequences:1:1: must be a positive integer, got "0"'),
        (["sequences=many", "length=5"], '--set sequences:1:1: must be a positive integer, got "many"'),
        (["sequences=3", "length=1.5"], '--set length:1:1: must be a positive integer, got "1.5"'),
        (["sequences=3", "prompt=3", "output=4", "spread=x"], '--set spread:1:1: must be a number, got "x"'),
        (["sequences=3", "length=5", "devces=3"], '"devces": no "devces"; did you mean "devices"?'),
        (["sequences=3", "length=5", "devices=0"], 'devices: must be a positive integer, got "0"'),
    ],
)
def test_refusals(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    sets = [word for pair in words for word in ("--set", pair)]
    status, text, error = answer(capsys, "cluster", "duplex", *MIXTRAL, *sets)
    assert (status, text) == (2, "")
    assert error.startswith("accelsim: ")
    assert error.endswith(f"{message}\n")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["duplex"], "accelsim: the following arguments are required: --model; see accelsim cluster --help\n"),
        (["duplx", *MIXTRAL], 'accelsim: no cluster named "duplx"; did you mean "duplex"?\n'),
        (["duplex", "--model", "mixtral"], 'accelsim: no model named "mixtral"; did you mean "mixtral-8x7b"?\n'),
        (["duplex", *MIXTRAL, "--against", "h100"], 'accelsim: no cluster named "h100"; did you mean "h100-node"?\n'),
    ],
)
def test_names_that_are_not_there(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    sets = ("--set", "sequences=3", "--set", "length=4")
    assert answer(capsys, "cluster", *words, *sets) == (2, "", message)


def test_a_model_that_does_not_fit_cannot_be_served(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["cluster", "h100-node", "--model", "grok-1", *SERVE[4:], "--json"]
    status, text, _ = answer(capsys, *words)
    found = json.loads(text)
    assert (status, found["kind"]) == (2, "error")
    assert "grok-1 does not fit h100-node" in found["message"]
    assert document(capsys, *words[:4], *DECODE[4:])["sequences_that_fit"] == 0


# Clusters and models in other verbs.


@pytest.mark.parametrize(("what", "names"), [("clusters", SYSTEMS), ("models", MODELS)])
def test_list(capsys: pytest.CaptureFixture[str], what: str, names: tuple[str, ...]) -> None:
    found = document(capsys, "list", what)[what]
    assert isinstance(found, list)
    assert [entry["name"] for entry in found] == list(names)
    assert all(entry["description"] for entry in found)


@pytest.mark.parametrize(("name", "file"), [("duplex", "clusters/duplex.yaml"), ("glam", "clusters/models/glam.yaml")])
def test_show(capsys: pytest.CaptureFixture[str], name: str, file: str) -> None:
    path = data_dir("clusters").parent / file
    assert answer(capsys, "show", name)[1].rstrip("\n") == path.read_text().rstrip("\n")


def test_show_resolved(capsys: pytest.CaptureFixture[str]) -> None:
    """With what its base says, and with what is set; a model has neither."""
    text = answer(capsys, "show", "duplex", "--resolved", "--set", "devices=2")[1]
    assert "\nbase:" not in text
    assert "\ndevices: 2\n" in text
    assert "peak: 989.4e12 flop/s" in text
    assert answer(capsys, "show", "glam", "--resolved")[0] == 0
    refused = answer(capsys, "show", "glam", "--resolved", "--set", "shard=[h]")
    assert refused == (2, "", "accelsim: --set does not apply to a model\n")


def test_check(capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(data_dir("clusters") / name) for name in ("duplex.yaml", "models/glam.yaml")]
    found = ["ok (cluster, 1 node of 4 devices)", "ok (model, 32 layers)"]
    text = "".join(f"{path}: {says}\n" for path, says in zip(files, found, strict=True))
    assert answer(capsys, "check", *files) == (0, text, "")
