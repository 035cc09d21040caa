"""Private names of PyTorch stand in one file, and layers give the right numbers in a torch that has them no more."""

import ast
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

import ostinato
from ostinato.compiler.trace import trace
from ostinato.compiler.tracer import CannotCompileError
from ostinato.core import torch_private
from ostinato.core.registry import lookup
from ostinato.core.states import HiddenState
from ostinato.kernels import native_cells
from ostinato.layers.tied import _unheld, tied_embedding

SOURCE = Path(ostinato.__file__).parent
ONLY = SOURCE / "core" / "torch_private.py"

#: What torch's classes have by private names.
_OF_OBJECTS = {
    name
    for kind in (Tensor, nn.Module(), torch.UntypedStorage, torch.autograd.Function, torch._C._FunctionBase)
    for name in dir(kind)
    if name.startswith("_") and not name.startswith("__")
}


def private_names(source: str) -> list[str]:
    """Those of torch in a file: what is below `torch`, what is imported from it, and what its objects have."""
    found = []
    nodes = list(ast.walk(ast.parse(source)))
    own = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    own |= {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
    from_torch = {"torch"} | {
        alias.asname or alias.name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch"
        for alias in node.names
    }
    for node in nodes:
        if isinstance(node, ast.ImportFrom | ast.Import):
            module = getattr(node, "module", None) or ""
            names = [f"{module}.{alias.name}" if module else alias.name for alias in node.names]
            found += [name for name in names if name.startswith("torch.") and "._" in name]
        elif isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            text = ast.unparse(node)
            of_object = node.attr in _OF_OBJECTS | {"_dynamo_marked_constant"} and node.attr not in own
            if text.split(".")[0] in from_torch or of_object:
                found.append(text)
    return found


def test_private_names_stand_in_one_file():
    found = {path: private_names(path.read_text(encoding="utf-8")) for path in SOURCE.rglob("*.py")}
    assert len(found.pop(ONLY)) > 15
    assert {str(path): names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "line",
    [
        "torch._C._get_tracing_state()",
        "from torch.utils import _pytree",
        "import torch._dynamo",
        "from torch._C import _functorch",
        "from torch.autograd import forward_ad\nforward_ad._current_level",
        "x._version",
        "self._parameters['w']",
    ],
)
def test_a_private_name_is_found(line):
    assert private_names(line)


@pytest.fixture(autouse=True)
def nothing_remembered():
    torch.manual_seed(0)
    _unheld.cache_clear()
    yield
    _unheld.cache_clear()


def leaves(layer: nn.Module) -> list[Tensor]:
    return list(layer.parameters())


def check_layers() -> None:
    """Against torch's own layer, with gradients: called plainly, and through the operators."""
    ours, theirs = ostinato.LSTM(3, 4, 2), nn.LSTM(3, 4, 2)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(5, 2, 3)
    with torch.no_grad():
        torch.testing.assert_close(ours(x)[0], theirs(x)[0])
    expected = torch.autograd.grad(theirs(x)[0].square().sum(), leaves(theirs))
    for call in (lambda: ours(x)[0], lambda: torch.jit.trace(ours, x, check_trace=False)(x)[0]):
        output = call()
        torch.testing.assert_close(output, theirs(x)[0])
        torch.testing.assert_close(torch.autograd.grad(output.square().sum(), leaves(ours)), expected)


def check_operators() -> None:
    """As a graph that was captured calls them, with gradients and without."""
    ours, theirs = ostinato.GRU(3, 4), nn.GRU(3, 4)
    theirs.load_state_dict(ours.state_dict())
    x, h = torch.randn(5, 2, 3), torch.zeros(2, 4)
    weights = [ours.weight_ih_l0, ours.weight_hh_l0, ours.bias_ih_l0, ours.bias_hh_l0]
    given = ("gru", x, *weights, None, None, None, h, None, None, None, None, None, False, False)
    output = torch.ops.ostinato.recurrence(*given)[0]
    torch.testing.assert_close(output, theirs(x)[0])
    expected = torch.autograd.grad(theirs(x)[0].square().sum(), leaves(theirs))
    torch.testing.assert_close(torch.autograd.grad(output.square().sum(), weights), expected)
    with torch.no_grad():
        torch.testing.assert_close(torch.ops.ostinato.recurrence(*given)[0], theirs(x)[0])


def check_transforms() -> None:
    layer, x = ostinato.LSTM(3, 4), torch.randn(5, 2, 3)
    p = dict(layer.named_parameters())

    def loss(p: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(layer, p, (x,))[0].square().sum()

    found = vmap(grad(loss), in_dims=(None, 1))(p, x)
    for n in range(2):
        expected = torch.autograd.grad(layer(x[:, n])[0].square().sum(), leaves(layer))
        torch.testing.assert_close([g[n] for g in found.values()], list(expected), rtol=1e-4, atol=1e-5)
    jacobian = torch.autograd.functional.jacobian(lambda x: layer(x)[0], x)
    v = torch.randn_like(x)
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(layer(forward_ad.make_dual(x, v))[0]).tangent
    torch.testing.assert_close(tangent, torch.tensordot(jacobian, v, dims=3), rtol=1e-4, atol=1e-5)
    together = torch.autograd.functional.jacobian(lambda x: layer(x)[0], x, vectorize=True)
    torch.testing.assert_close(together, jacobian, rtol=1e-4, atol=1e-5)


def check_compiled() -> None:
    torch._dynamo.reset()
    layer, theirs = ostinato.LSTM(3, 4), nn.LSTM(3, 4)
    theirs.load_state_dict(layer.state_dict())
    x = torch.randn(5, 2, 3)
    output = torch.compile(lambda x: layer(x, lengths=torch.tensor([5, 5]))[0], backend="aot_eager")(x)
    torch.testing.assert_close(output, theirs(x)[0])
    expected = torch.autograd.grad(theirs(x)[0].square().sum(), leaves(theirs))
    torch.testing.assert_close(torch.autograd.grad(output.square().sum(), leaves(layer)), expected)


def check_tied() -> None:
    weight, ids = torch.randn(7, 4, requires_grad=True), torch.tensor([[1, 2], [2, 6]])
    kept = []

    def gradient(embedded: Tensor, weight: Tensor) -> Tensor:
        weight.register_hook(lambda g: kept.append((g, g.clone())))
        loss = F.cross_entropy(F.linear(embedded.tanh(), weight).flatten(0, 1), ids.flatten())
        return torch.autograd.grad(loss, source)[0]

    source = weight
    found, expected = gradient(*tied_embedding(ids, weight)), gradient(F.embedding(ids, weight), weight)
    torch.testing.assert_close(found, expected)
    assert torch.equal(*kept[0])  # what a hook keeps is not written to


def check_stream() -> None:
    layer, x = ostinato.LSTM(3, 4), torch.randn(2, 1, 3)
    stream = layer.stream(1)
    torch.testing.assert_close(stream.step(x[0]), layer(x[:1])[0][0])
    with torch.no_grad():
        layer.weight_ih_l0.mul_(2)
    stream.reset()
    torch.testing.assert_close(stream.step(x[1]), layer(x[1:])[0][0])


def check_many() -> None:
    tensors, others = [torch.tensor([1.0, 2.0]), torch.tensor([3.0])], [torch.tensor([5.0, 6.0]), torch.tensor([7.0])]
    torch_private.multiply_all_(tensors, 2.0)
    assert [t.tolist() for t in tensors] == [[2, 4], [6]]
    torch_private.add_all_(tensors, others, -1.0)
    assert [t.tolist() for t in tensors] == [[-3, -2], [-1]]
    torch_private.interpolate_all_(tensors, others, 0.25)
    assert [t.tolist() for t in tensors] == [[-1, 0], [1]]
    torch_private.copy_all_(tensors, others)
    assert [t.tolist() for t in tensors] == [[5, 6], [7]]


def check_recorded_elsewhere() -> None:
    """Where nobody can tell, somebody might."""
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
        assert torch_private.is_recorded_elsewhere()
    assert torch_private.is_recorded_elsewhere() == (torch_private.torch is not torch)


def check_changed_in_place() -> None:
    """The gradient all the same, or torch's own refusal; never another gradient."""
    layer, theirs = ostinato.LSTM(3, 4), nn.LSTM(3, 4)
    theirs.load_state_dict(layer.state_dict())
    x = torch.randn(5, 2, 3)
    output = layer(x)[0]
    output.mul_(2)
    try:
        found = torch.autograd.grad(output.sum(), leaves(layer))
    except RuntimeError as error:
        assert "modified by an inplace operation" in str(error)  # noqa: PT017
        return
    torch.testing.assert_close(found, torch.autograd.grad(2 * theirs(x)[0].sum(), leaves(theirs)))


PLAIN = (check_layers, check_operators)
#: Names below `torch`, and what uses them.
NAMES = {
    "_C._functorch": (*PLAIN, check_tied),
    "_C._functorch.peek_interpreter_stack": (*PLAIN, check_transforms),
    "_C._functorch.CInterpreter": (*PLAIN, check_transforms),
    "_C._functorch.is_batchedtensor": (*PLAIN, check_transforms, check_tied),
    "_C._functorch.is_legacy_batchedtensor": (*PLAIN, check_transforms, check_tied),
    "autograd.forward_ad._current_level": (*PLAIN, check_transforms),
    "jit": (check_operators, check_transforms),
    "_C._len_torch_dispatch_stack": (*PLAIN, check_transforms, check_recorded_elsewhere),
    "_C._len_torch_function_stack": (*PLAIN, check_transforms),
    "_C._autograd._profiler_enabled": (*PLAIN, check_transforms),
    "_C._AutoDispatchBelowAutograd": PLAIN,
    "_C._storage_Use_Count": (check_tied,),
    "_C._autograd._top_saved_tensors_default_hooks": (check_recorded_elsewhere,),
    "_foreach_mul_": (check_many,),
    "_foreach_add_": (check_many,),
    "_foreach_lerp_": (check_many,),
    "_foreach_copy_": (check_many,),
}
#: Names that torch.compile meets.
COMPILED = ("_C._functorch.peek_interpreter_stack", "_C._functorch.CInterpreter", "_C._AutoDispatchBelowAutograd",
            "_assert_async")  # fmt: skip
#: The same for those of objects, by their class.
OF_OBJECTS = {
    (torch.autograd.function.BackwardCFunction, "_raw_saved_tensors"): (*PLAIN, check_changed_in_place),
    (torch.UntypedStorage, "_cdata"): (check_tied,),
    (Tensor, "_use_count"): (check_tied,),
    (Tensor, "_base"): (check_tied,),
    (Tensor, "_version"): (check_stream,),
}


class Without:
    """What another object has, one name aside: that is gone, or asks for what nobody gives."""

    def __init__(self, whole, name, gone):
        self._whole, self._gone = whole, gone
        self._name, _, self._rest = name.partition(".")

    def __getattr__(self, name):
        found = getattr(self._whole, name)
        if name != self._name:
            return found
        if self._rest:
            return Without(found, self._rest, self._gone)
        if self._gone:
            raise AttributeError(name)
        return lambda *arguments, of_another_torch, **more: None


@pytest.mark.parametrize("gone", [True, False], ids=["gone", "other arguments"])
@pytest.mark.parametrize("name", NAMES)
def test_without_a_name(name, gone, monkeypatch):
    if not gone and not callable(attrgetter(name)(torch)):
        gone = True
    monkeypatch.setattr(torch_private, "torch", Without(torch, name, gone))
    for check in NAMES[name]:
        check()


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPILED)
def test_compiled_without_a_name(name, monkeypatch):
    monkeypatch.setattr(torch_private, "torch", Without(torch, name, gone=True))
    check_compiled()


@pytest.mark.parametrize(("kind", "name"), OF_OBJECTS)
def test_without_a_name_of_objects(kind, name, monkeypatch):
    for check in OF_OBJECTS[kind, name]:
        with monkeypatch.context() as without:
            without.setattr(kind, name, property(lambda _: getattr(object(), name)), raising=False)
            check()


@pytest.mark.parametrize("name", ["_register_namedtuple", "SUPPORTED_SERIALIZED_TYPES"])
def test_states_without_a_name_in_saved_graphs(name, monkeypatch):
    monkeypatch.delattr(torch.utils._pytree, name)
    torch_private.register_namedtuple(HiddenState, "a name")
    check_layers()


def test_parameters_of_a_module_without_a_table():
    weight = nn.Parameter(torch.ones(2))
    module = SimpleNamespace(named_parameters=lambda recurse, remove_duplicate: [("weight", weight)])
    assert torch_private.own_parameters(module) == {"weight": weight}


@pytest.mark.slow
def test_a_mark_that_the_compiler_no_longer_reads(monkeypatch):
    monkeypatch.delattr(native_cells._no_kernel, "_dynamo_marked_constant")
    check_compiled()


def test_a_torch_that_hides_its_operations_compiles_no_cell(monkeypatch):
    monkeypatch.setattr(torch_private, "dispatch_mode", lambda: object)
    with pytest.raises(CannotCompileError, match="does not show its operations"):
        trace(lookup("gru")(2, 3))


def test_tensors_share_memory():
    whole, other = torch.zeros(4, device="meta"), torch.zeros(4, device="meta")
    assert torch_private.memory_of(whole) == torch_private.memory_of(whole[1:]) != torch_private.memory_of(other)
    without = SimpleNamespace(untyped_storage=lambda: SimpleNamespace(data_ptr=lambda: 7))
    assert torch_private.memory_of(without) == 7
