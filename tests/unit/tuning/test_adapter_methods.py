"""Every method of adapting: loaded again it answers the same, merged too; the head learns; the top blocks alone."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from peft import PeftModel
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

from hfft.errors import RecipeError
from hfft.tuning.adapter_settings import peft_section
from hfft.tuning.adapters import add_adapter, added_parameters, fast_parameters, merged, merges_exactly, save_adapter
from hfft.tuning.blocks import BlockMap, blocks, plain_name
from hfft.tuning.freeze import freeze, frozen_blocks, frozen_names
from hfft.tuning.section import PASSED, REFUSED
from tests.product import spread
from tests.unit.tuning.adapter_models import KINDS, logits, made

METHODS: dict[str, dict[str, Any]] = {
    "lora": {},
    "rslora": {"rslora": True, "alpha": 4},
    "dora": {"dora": True},
    "pissa": {"init": "pissa", "rank": 4},
    "pissa+rslora": {"init": "pissa", "rank": 3, "rslora": True},
    "ia3": {},
    "loha": {"r": 2},
    "vera": {"r": 4},
    "hra": {},
    "ln_tuning": {},
    "osf": {},
    "lily": {"num_B": 2},
}
CONVOLVED = ("lora", "rslora", "dora", "ia3", "loha", "hra")  # that know convolutions
NAMES = {"rslora": "lora", "dora": "lora", "pissa": "lora", "pissa+rslora": "lora"}
CASES = [(method, kind) for method in METHODS for kind in KINDS if kind != "resnet" or method in CONVOLVED]
every_case = pytest.mark.parametrize(
    ("method", "kind"), [param for param in spread([*METHODS], [*KINDS], every=2) if param.values in CASES]
)


def adapted(method: str, kind: str, **settings: Any):
    """A model with a new adapter, and its blocks."""
    model = made(kind)
    found = blocks(model)
    places = {"targets": ["convolution"]} if kind == "resnet" else {}
    torch.manual_seed(1)
    tuned = add_adapter(model, found, NAMES.get(method, method), {**METHODS[method], **places, **settings})
    return tuned.eval(), found


def learnt(tuned: Any, kind: str) -> torch.Tensor:
    """Takes two steps of an optimizer and one at random, and returns the answers."""
    weights = [parameter for parameter in tuned.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-2)
    for _ in range(2):
        optimizer.zero_grad()
        (logits(tuned, kind) - 1).pow(2).mean().backward()
        optimizer.step()
    with torch.no_grad():
        for weight in weights:
            weight.add_(torch.randn_like(weight) * 0.02)
        return logits(tuned, kind)


@every_case
@pytest.mark.filterwarnings("ignore:Unsupported layer type:UserWarning")  # PEFT, of ln_tuning's norms
def test_what_was_learnt_is_loaded_again_on_the_plain_base_and_merged(method, kind, tmp_path):
    tuned, _ = adapted(method, kind)
    with torch.no_grad():
        first = logits(tuned, kind)
    wanted = learnt(tuned, kind)
    assert not torch.allclose(wanted, first, atol=1e-2)
    save_adapter(tuned, tmp_path, "a-base")
    torch.manual_seed(7)  # what starts at random is not to matter
    again = PeftModel.from_pretrained(made(kind), tmp_path).eval()
    with torch.no_grad():
        assert torch.allclose(logits(again, kind), wanted, atol=1e-6 * max(1.0, float(wanted.abs().max())), rtol=0)
        assert again.peft_config["default"].base_model_name_or_path == "a-base"
        state = torch.get_rng_state()
        exact = merges_exactly(tuned)
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.equal(logits(tuned, kind), wanted)
        assert exact == (method != "lily")  # which PEFT cannot merge
        if exact:
            plain = merged(tuned)
            assert torch.allclose(logits(plain, kind), wanted, atol=1e-5, rtol=1e-5)
            assert plain.state_dict().keys() == made(kind).state_dict().keys()


@every_case
def test_adapter_and_head_learn_each_parameter_has_a_name_and_a_block_of_its_own(method, kind):
    tuned, found = adapted(method, kind)
    added, head = added_parameters(tuned, found), {name for name in found[-1].parameters if found[-1].stack == "head"}
    learning = {plain_name(name) for name, parameter in tuned.named_parameters() if parameter.requires_grad}
    assert head <= learning <= head | added
    assert learning & added
    assert all(tensor.is_contiguous() for tensor in tuned.state_dict().values())  # as files of weights want them
    for weight in tuned.parameters():
        assert weight.untyped_storage().nbytes() == weight.numel() * weight.itemsize
    assert max(Counter(plain_name(name) for name, _ in tuned.named_parameters()).values()) == 1
    block_of = BlockMap(found)
    for name, _ in tuned.named_parameters():
        block = block_of[name]
        assert block.stack in ("stem", "head") or plain_name(name).startswith(f"{block.name}.")
        assert block.stack not in ("stem", "head") or plain_name(name) not in added


@every_case
def test_freezing_reaches_the_adapters_of_the_lowest_blocks(method, kind):
    tuned, found = adapted(method, kind)
    block_of, added = BlockMap(found), added_parameters(tuned, found)
    frozen = frozen_blocks(found, 1)
    before = {name for name, parameter in tuned.named_parameters() if parameter.requires_grad}
    freeze(tuned, frozen_names(tuned, block_of, frozen))
    after = {name for name, parameter in tuned.named_parameters() if parameter.requires_grad}
    assert before - after
    assert all(block_of[name] in frozen and plain_name(name) in added for name in before - after)
    assert not any(block_of[name] in frozen for name in after)


@pytest.mark.parametrize(
    ("method", "kind"), [case for case in CASES if case[0] in ("lora", "ia3", "vera", "ln_tuning")]
)
def test_only_the_top_blocks_get_an_adapter(method, kind):
    tuned, found = adapted(method, kind, blocks=1)
    block_of, added = BlockMap(found), added_parameters(tuned, found)
    places = {(block_of[name].stack, block_of[name].depth) for name in added}
    sizes = {block.stack: block.depth for block in found if block.depth}
    assert places == set(sizes.items())


def test_lora_adds_at_alpha_over_rank_and_rslora_over_its_root():
    for method, scale in (("lora", 6 / 4), ("rslora", 6 / 2)):
        tuned, _ = adapted(method, "bert", targets=["query"], alpha=6.0, rank=4)
        layer: Any = tuned.get_submodule("base_model.model.bert.encoder.layer.0.attention.self.query")
        a, b = layer.lora_A.default.weight, layer.lora_B.default.weight
        with torch.no_grad():
            b.normal_()
            x = torch.randn(5, 8)
            assert torch.allclose(layer(x), layer.base_layer(x) + scale * x @ a.T @ b.T, atol=1e-5)


def test_dora_learns_the_length_of_each_row_beside_its_direction():
    tuned, _ = adapted("dora", "bert", targets=["query"], rank=2, alpha=2.0)
    layer: Any = tuned.get_submodule("base_model.model.bert.encoder.layer.0.attention.self.query")
    weight, length = layer.base_layer.weight, layer.lora_magnitude_vector.default.weight
    assert torch.allclose(length, weight.norm(dim=1))
    with torch.no_grad():
        layer.lora_B.default.weight.normal_()
        length.mul_(2)
        direction = weight + layer.lora_B.default.weight @ layer.lora_A.default.weight
        x = torch.randn(5, 8)
        wanted = x @ (length[:, None] * direction / direction.norm(dim=1, keepdim=True)).T + layer.base_layer.bias
        assert torch.allclose(layer(x), wanted, atol=1e-5)


def test_ia3_scales_keys_values_and_what_leaves_the_feed_forward_part():
    tuned, _ = adapted("ia3", "bert", blocks=1)
    shapes = {plain_name(name).rpartition(".layer.2.")[2]: tuple(weight.shape) for name, weight in scales(tuned)}
    ends = ("attention.self.key", "attention.self.value", "output.dense")
    assert shapes == dict(zip([f"{end}.ia3_l.default" for end in ends], [(8, 1), (8, 1), (1, 12)], strict=True))
    layers: list[Any] = [tuned.get_submodule(f"base_model.model.bert.encoder.layer.2.{end}") for end in ends]
    key, _, out = layers
    x, y = torch.randn(5, 8), torch.randn(5, 12)
    with torch.no_grad():
        for _, weight in scales(tuned):
            weight.normal_()
        assert torch.allclose(key(x), key.base_layer(x) * key.ia3_l.default.T, atol=1e-6)
        assert torch.allclose(out(y), out.base_layer(y * out.ia3_l.default), atol=1e-6)


def scales(tuned: Any) -> list[tuple[str, torch.nn.Parameter]]:
    return [(name, weight) for name, weight in tuned.named_parameters() if "ia3_" in name]


def test_ia3_takes_the_layers_it_is_given():
    tuned, found = adapted("ia3", "bert", targets=["query"], feedforward=["intermediate.dense"], blocks={"encoder": 1})
    path = "bert.encoder.layer.2"
    ends = ("attention.self.query", "intermediate.dense")
    assert added_parameters(tuned, found) == {f"{path}.{end}.ia3_l.default" for end in ends}
    assert tuned.get_submodule(f"base_model.model.{path}.intermediate.dense").is_feedforward


def test_pissa_starts_with_the_largest_singular_values_and_no_other_answers():
    tuned, _ = adapted("pissa", "bert", rank=2, alpha=3.0)
    with torch.no_grad():
        assert torch.allclose(logits(tuned, "bert"), logits(made("bert"), "bert"), atol=1e-6)
    path = "bert.encoder.layer.0.attention.self.query"
    layer: Any = tuned.get_submodule(f"base_model.model.{path}")
    weight: Any = made("bert").get_submodule(path).weight
    product = 3.0 / 2 * layer.lora_B.default.weight @ layer.lora_A.default.weight
    values = torch.linalg.svdvals(weight)
    assert torch.allclose(torch.linalg.svdvals(product)[:2], values[:2], atol=1e-6)
    assert torch.allclose(torch.linalg.svdvals(layer.base_layer.weight)[:-2], values[2:], atol=1e-6)


def test_pissa_starts_alike_each_time_and_a_state_has_the_start():
    first, second = (adapted("pissa", "vit")[0] for _ in range(2))
    learnt(first, "vit")
    second.load_state_dict(first.state_dict())
    kept = [name for name in second.state_dict() if ".start_" in name]
    assert len(kept) == 2 * 12
    third, _ = adapted("pissa", "vit")
    assert all(torch.equal(second.state_dict()[name], third.state_dict()[name]) for name in kept)


def test_the_b_of_lora_alone_learns_faster():
    tuned, found = adapted("dora", "t5")
    fast = fast_parameters(tuned, 16.0)
    assert set(fast.values()) == {16.0}
    assert set(fast) == {name for name in added_parameters(tuned, found) if name.endswith("lora_B.default.weight")}
    assert fast_parameters(tuned, 1.0) == {}
    assert fast_parameters(adapted("vera", "t5")[0], 16.0) == {}


def test_methods_are_those_of_peft_each_passed_on_or_refused_with_a_reason():
    methods = {kind.value.lower() for kind in PEFT_TYPE_TO_CONFIG_MAPPING}
    assert {"lora", "ia3", *PASSED, *REFUSED} == methods
    assert not REFUSED.keys() & set(PASSED)


@pytest.mark.parametrize(
    ("name", "settings", "told"),
    [
        ("shira", {}, "PEFT cannot add shira to this model: The set rank 32 results in more shira params"),
        ("loha", {"rank_pattern": {"qurey": 4}}, r"has the key 'qurey', which matches no layer .* mean '.*query'\?"),
        ("loha", {"alpha_pattern": {"intermediate.dense": 4}}, "alpha_pattern has the key 'intermediate.dense'"),
        ("hira", {"rank_pattern": {"quer": 4}}, "rank_pattern has the key 'quer', which matches no layer"),
        ("osf", {"rank_pattern": {"qury": 4}}, "rank_pattern has the key 'qury', which matches no layer"),
        ("delora", {"lambda_pattern": {"qury": 4}}, "lambda_pattern has the key 'qury', which matches no layer"),
        ("fourierft", {"n_frequency_pattern": {"qury": 4}}, "n_frequency_pattern has the key 'qury'"),
        ("c3a", {"block_size": 4, "block_size_pattern": {"qury": 4}}, "block_size_pattern has the key 'qury'"),
        ("loha", {"rank_pattern": {".*": 2, "query": 4}}, "rank_pattern.query has no effect: keys before it match"),
        ("loha", {"rank_pattern": {"(query": 4}}, r"has the key '\(query', which is no pattern: missing \)"),
        ("loha", {"use_effective_conv2d": True}, "tune.adapter.use_effective_conv2d has no effect: none of the layers"),
        ("ia3", {"targets": ["key"], "feedforward": ["nope"]}, "tune.adapter.feedforward has the pattern 'nope'"),
        ("ln_tuning", {"targets": "attention"}, "ln_tuning trains norms"),
        ("ln_tuning", {"targets": ["query"]}, "matches no norm of this model's blocks"),
        (
            "lora",
            {"blocks": 4},
            r"tune.adapter.blocks is 4, but this model has 3 blocks \(3 in its encoder\); use 0 to 3",
        ),
        ("lora", {"init": "pissa", "rank": 9}, "attention.self.query has 8. Use 1 to 8."),
    ],
)
def test_what_does_not_fit_is_refused(name, settings, told):
    model = made("bert")
    with pytest.raises(RecipeError, match=told):
        add_adapter(model, blocks(model), name, settings)


@pytest.mark.parametrize(
    ("name", "settings", "told"),
    [
        ("lora", {}, r"the blocks of this model have none. .* such as tune.adapter.targets=\[convolution\]"),
        (
            "lora",
            {"targets": ["convolution"], "init": "pissa"},
            "only linear layers will do: init: pissa takes matrices",
        ),
        ("oft", {"targets": ["convolution"]}, "only linear layers will do: PEFT's OFT"),
        ("osf", {"targets": ["convolution"]}, "PEFT leaves .* as it is: this method does not know a Conv2d"),
        ("vera", {"targets": ["convolution"]}, "PEFT cannot add vera to this model"),
        ("ia3", {}, "give both tune.adapter.targets and tune.adapter.feedforward"),
        ("ln_tuning", {}, "have no norm it could copy"),
        (
            "loha",
            {"targets": ["shortcut.convolution"], "use_effective_conv2d": True},
            "larger than 1 x 1. Leave it out",
        ),
    ],
)
def test_what_does_not_fit_convolutions_is_refused(name, settings, told):
    model = made("resnet")
    with pytest.raises(RecipeError, match=told):
        add_adapter(model, blocks(model), name, settings)


@pytest.mark.parametrize("method", ["loha", "vera", "osf", "lily"])
def test_complete_settings_make_the_same_adapter(method):
    states = []
    complete = peft_section(method)(name=method, **METHODS[method]).model_dump(exclude={"name"})
    for settings in (METHODS[method], complete):
        model = made("bert")
        torch.manual_seed(1)
        states.append(add_adapter(model, blocks(model), method, settings).state_dict())
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_keys_that_match_and_convolutions_that_are_large_have_their_effect():
    tuned, _ = adapted("loha", "bert", rank_pattern={"query": 3, "layer.1.attention.self.key": 4})
    ranks = {
        name.split(".layer.")[1]: weight.shape[0] for name, weight in tuned.named_parameters() if "hada_w1_b" in name
    }
    assert {name: rank for name, rank in ranks.items() if rank != 2} == {
        **{f"{number}.attention.self.query.hada_w1_b.default": 3 for number in range(3)},
        "1.attention.self.key.hada_w1_b.default": 4,
    }
    tuned, _ = adapted("loha", "resnet", use_effective_conv2d=True)
    assert any("hada_t1" in name for name, _ in tuned.named_parameters())


def test_what_only_some_layers_can_merge_does_not_merge_exactly():
    assert merges_exactly(adapted("lora", "resnet")[0])
    model = made("t5")
    assert not merges_exactly(add_adapter(model, blocks(model), "beft", {}))  # adds to biases, and T5 has none
    model = made("bert")
    assert merges_exactly(add_adapter(model, blocks(model), "beft", {}))
