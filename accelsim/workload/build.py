"""The steps of a workload: cascades parsed, sizes bound, data types resolved, tensors named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from accelsim.einsum.cascade import Cascade, Shapes
from accelsim.einsum.types import DataType, data_type
from accelsim.errors import AccelsimError, Mark, nearest
from accelsim.overrides import given_by_set
from accelsim.workload.function import Form, Function, is_layer, read_function, read_inline, table
from accelsim.workload.model import Step, Workload
from accelsim.workload.params import bind_parameters, evaluate_parameter
from accelsim.workload.tables import read_maps, with_statistics
from accelsim.yamlfile import Node

USE_KEYS = ("cascade", "params", "tensors")


@dataclass(frozen=True)
class _Call:
    """A function with what one step says about it; `types` are those of the layer, by names in the workload."""

    name: str
    function: Function
    cascade: Node | None
    params: Mapping[str, Node]
    tensors: Mapping[str, Node]
    types: Mapping[str, Node]
    node: Node


def steps(
    workload: Workload,
    choose: Callable[[str], str | None] = lambda function: None,
    given: Callable[[str], Mapping[str, int]] = lambda function: {},
) -> tuple[Step, ...]:
    """The function calls of a workload in their order; a single one unless it is a layer.

    Args:
        choose: function to the cascade wanted for it where neither the step nor the workload fixed one; None takes the
            first of its file.
        given: function to values of parameters of its cascade (`M0`), which hold unless `--set` gave one.

    Raises:
        AccelsimError: an unknown cascade, parameter, tensor or type, or steps whose tensors do not fit each other.
    """
    built = tuple(_build(call, workload, choose, given) for call in _calls(workload))
    if is_layer(workload.resolved):
        _check_tensors(built)
        _check_types(table(workload.resolved.mapping(), "types"), {t for s in built for t in s.tensors.values()})
    return built


def _calls(workload: Workload) -> tuple[_Call, ...]:
    document = workload.resolved
    if not is_layer(document):
        function = read_function(document)
        return (_Call(function.name, function, None, {}, {}, {}, document),)
    fields = document.mapping()
    calls = tuple(_step_call(node, workload.uses, table(fields, "types")) for node in fields["steps"].sequence())
    for at, call in enumerate(calls):
        if call.name in [earlier.name for earlier in calls[:at]]:
            raise call.node.error(f'a step named "{call.name}" exists already')
    return calls


def _step_call(node: Node, uses: Mapping[str, Node], types: Mapping[str, Node]) -> _Call:
    inline = "use" not in node.mapping()
    fields = node.mapping() if inline else node.fields(("name", "use"), USE_KEYS)
    function = read_inline(node) if inline else read_function(uses[fields["use"].string()])
    params = {} if inline else table(fields, "params")
    for name, value in params.items():
        if name not in function.params:
            raise AccelsimError(
                f'{value.path}: no parameter "{name}" of {function.name}{nearest(name, function.params)}', value.mark
            )
    return _Call(fields["name"].name(), function, fields.get("cascade"), params, table(fields, "tensors"), types, node)


def _build(
    call: _Call,
    workload: Workload,
    choose: Callable[[str], str | None],
    given: Callable[[str], Mapping[str, int]],
) -> Step:
    form = _form(call, workload.cascade, choose)
    values = _values(call, workload.params)
    own = {name: n for name, n in given(call.function.name).items() if name in form.params}
    outer = values | {name: n for name, n in own.items() if not given_by_set(form.params[name])}
    shapes = _shapes(call.function, form, outer | bind_parameters(form.params, outer))
    tensors = _names(call, shapes.cascade)
    return Step(call.name, call.function.name, form.name, shapes, _types(call, form, shapes.cascade, tensors), tensors)


def _form(call: _Call, fixed: str | None, choose: Callable[[str], str | None]) -> Form:
    """The step's own choice, else the workload's where the function has that form, else the mapping's."""
    if call.cascade is not None:
        return call.function.form(call.cascade.string(), call.cascade.mark)
    if fixed in call.function.forms:
        return call.function.form(fixed)
    return call.function.form(choose(call.function.name))


def _values(call: _Call, outer: Mapping[str, int]) -> dict[str, int]:
    """Parameters of the function: what the step says, else the workload's of the same name, else the function's own."""
    said = {name: evaluate_parameter(node, outer) for name, node in call.params.items()}
    same = {name: outer[name] for name in call.function.params if name in outer}
    inline = {} if "use" in call.node.mapping() else dict(outer)
    path = f"workload.steps.{call.name}.params."
    return inline | bind_parameters(call.function.params, inline | same | said, path)


@dataclass(frozen=True)
class _Signature:
    """All that a cascade is made from, free of sizes."""

    einsums: tuple[Node, ...]
    inputs: tuple[tuple[str, tuple[str, ...]], ...]
    outputs: tuple[tuple[str, tuple[str, ...]], ...]
    ranks: tuple[tuple[str, Node], ...]
    params: frozenset[str]
    maps: tuple[tuple[str, tuple[int, ...]], ...]
    mark: Mark


def _cascade(function: Function, form: Form, values: Mapping[str, int]) -> Cascade:
    ranks = {**function.ranks, **form.ranks}
    inputs, outputs = tuple(function.inputs.items()), tuple(function.outputs.items())
    maps = tuple(read_maps(function.maps, values).items())
    params = frozenset(values)
    return _resolved(_Signature(form.einsums, inputs, outputs, tuple(ranks.items()), params, maps, function.mark))


@lru_cache(maxsize=256)
def _resolved(signature: _Signature) -> Cascade:
    """Memoised: a sweep over sizes builds the same cascade again and again."""
    from accelsim.einsum.parse import parse_cascade
    from accelsim.einsum.resolve import Declarations, resolve

    statements = tuple(statement for text in signature.einsums for statement in parse_cascade(text))
    declarations = Declarations(
        inputs=dict(signature.inputs),
        outputs=dict(signature.outputs),
        ranks=dict(signature.ranks),
        params=signature.params,
        maps=dict(signature.maps),
        mark=signature.mark,
    )
    return resolve(statements, declarations)


def _shapes(function: Function, form: Form, values: Mapping[str, int]) -> Shapes:
    from accelsim.einsum.sizes import bind

    cascade = _cascade(function, form, values)
    try:
        return with_statistics(bind(cascade, values), function.statistics, values)
    except AccelsimError as error:
        raise AccelsimError(f"{function.name}: {error.message}", error.mark or function.mark) from None


def _names(call: _Call, cascade: Cascade) -> dict[str, str]:
    for name, node in call.tensors.items():
        if name not in cascade.tensors:
            known = nearest(name, cascade.tensors)
            raise AccelsimError(f'{node.path}: no tensor "{name}" of {call.function.name}{known}', node.mark)
    return {name: call.tensors[name].name() if name in call.tensors else name for name in cascade.tensors}


def _types(call: _Call, form: Form, cascade: Cascade, tensors: Mapping[str, str]) -> dict[str, DataType]:
    """Type of every tensor: by the layer, under its names, else by the cascade, else by the function."""
    _check_types({**call.function.types, **form.types}, _every_tensor(call.function, form, cascade))
    renamed = {name: call.types[new] for name, new in tensors.items() if new in call.types}
    default = {"default": call.types["default"]} if "default" in call.types else {}
    said = {**call.function.types, **form.types, **default, **renamed}
    for name in cascade.tensors:
        if name not in said and "default" not in said:
            raise call.node.error(f'tensor "{name}" has no data type: types needs a default')
    return {name: data_type(said[name] if name in said else said["default"]) for name in cascade.tensors}


def _every_tensor(function: Function, form: Form, cascade: Cascade) -> set[str]:
    """Tensors of any form of the function: its types may name what only another form has."""
    from accelsim.einsum.parse import parse_cascade

    known = set(cascade.tensors)
    if not (set(function.types) - {"default"} <= known):
        known |= {s.target.tensor for f in function.forms.values() for text in f.einsums for s in parse_cascade(text)}
    return known


def _check_types(types: Mapping[str, Node], tensors: set[str]) -> None:
    for name, node in types.items():
        data_type(node)
        if name != "default" and name not in tensors:
            raise AccelsimError(f'{node.path}: no tensor "{name}"{nearest(name, [*tensors, "default"])}', node.mark)


def _check_tensors(built: tuple[Step, ...]) -> None:
    """Refuse a tensor that two steps see with different shapes or types, or that is read before it is written."""
    seen: dict[str, tuple[str, tuple[int, ...], DataType]] = {}
    writers = {step.tensors[name]: at for at, step in enumerate(built) for name in step.shapes.cascade.outputs}
    for at, step in enumerate(built):
        cascade = step.shapes.cascade
        for local in (*cascade.inputs, *cascade.outputs):
            name = step.tensors[local]
            first = seen.setdefault(name, (step.name, step.shapes.shapes[local], step.types[local]))
            if first[1:] != (step.shapes.shapes[local], step.types[local]):
                raise AccelsimError(f"{_shown(name, first)}, but {_shown(name, (step.name, *_seen(step, local)))}")
            if local in cascade.inputs and writers.get(name, -1) >= at:
                raise AccelsimError(
                    f"step {step.name} reads {name}, which step {built[writers[name]].name} writes later"
                )
            if local in cascade.outputs and writers[name] != at:
                raise AccelsimError(f"steps {step.name} and {built[writers[name]].name} both write {name}")


def _seen(step: Step, tensor: str) -> tuple[tuple[int, ...], DataType]:
    return step.shapes.shapes[tensor], step.types[tensor]


def _shown(name: str, seen: tuple[str, tuple[int, ...], DataType]) -> str:
    step, shape, kind = seen
    return f"step {step} has {name} as {kind.name} {list(shape)}"
