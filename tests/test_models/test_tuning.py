"""What each tuning mode trains, and that everything else stays as it is."""

import copy

import official
import pytest
import torch
from torch import nn

from glip.checkpoints import load_into
from glip.errors import ConfigError
from glip.models.detectors import is_tuned
from glip.models.language import TextFeatures
from glip.runtime.feature_store import FeatureStore

from .conftest import build, sample, tiny, with_boxes

HEAD = 'bbox_head.head.'
LAYERS = ('bbox_pred', 'centerness', 'dot_product_projection_text')
LINEAR_PROBE = {
    *(f'{HEAD}{layer}.{kind}' for layer in LAYERS for kind in ('weight', 'bias')),
    *(f'{HEAD}{name}' for name in ('log_scale', 'bias_lang', 'bias0')),
}
FUSED = pytest.mark.parametrize('fused', [False, True], ids=['A', 'B'])
STOCHASTIC = {
    'backbone.drop_path_rate': 0.5,
    'backbone.drop_rate': 0.3,
    'bbox_head.fusion.dropout': 0.3,
}


def tuned(mode, fused, **changes) -> nn.Module:
    torch.manual_seed(0)
    return build(tiny(**{'tuning': mode, 'bbox_head.early_fuse': fused}, **changes))


def batch():
    torch.manual_seed(1)
    pictures = torch.rand(2, 3, 64, 96)
    boxes = [[[4.0, 4, 40, 40]], [[30.0, 10, 80, 60], [2, 2, 20, 30]]]
    samples = [
        with_boxes(sample((64, 96), ('cat', 'big dog')), each, [0, 1][: len(each)])
        for each in boxes
    ]
    return pictures, samples


def losses(model) -> dict[str, torch.Tensor]:
    pictures, samples = batch()
    return model(pictures, samples, mode='loss')


def trained(model) -> set[str]:
    return {name for name, p in model.named_parameters() if p.requires_grad}


@FUSED
@pytest.mark.parametrize('mode', ['full', 'linear_probe', 'prompt', 'language'])
def test_parameter_sets_are_those_of_the_original(mode, fused):
    model = tuned(mode, fused)
    everything = {name for name, _ in model.named_parameters()}
    expected = {
        'full': everything,
        'linear_probe': LINEAR_PROBE,
        'prompt': {'language_prompt.weight'},
        'language': {n for n in everything if n.startswith('language_model.')},
    }[mode]
    assert trained(model) == expected
    assert expected <= everything


def test_numbers_of_trained_parameters_of_the_published_shapes(original):
    names = official.parameters('P')
    ours = [name for name, _ in original.model('B').named_parameters()]
    language = {name for name in names if name.startswith('language_backbone.')}
    assert sum(is_tuned(name, 'language') for name in ours) == len(language)
    assert sum(is_tuned(name, 'linear_probe') for name in ours) == 9


@FUSED
@pytest.mark.parametrize('mode', ['linear_probe', 'prompt', 'language'])
def test_only_the_tuned_changes_and_every_tuned_one_has_a_gradient(mode, fused):
    model = tuned(mode, fused, **STOCHASTIC).train()
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad], lr=0.01, weight_decay=0.5
    )
    for _ in range(2):
        optimizer.zero_grad()
        sum(losses(model).values()).backward()
        # Distributed training waits for every one of them.
        assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
        optimizer.step()
    changed = {
        name
        for name, tensor in model.state_dict().items()
        if not torch.equal(tensor, before[name])
    }
    assert changed and changed <= trained(model)


@FUSED
@pytest.mark.parametrize('mode', ['linear_probe', 'prompt'])
def test_nothing_random_acts_in_frozen_parts(mode, fused):
    model = tuned(mode, fused, **STOCHASTIC).train()
    assert model.training and not model.backbone.training and not model.neck.training
    first = losses(model)
    for name, value in losses(model).items():
        assert torch.equal(value, first[name]), name
    model.eval()
    assert not any(part.training for part in model.modules())


def test_statistics_of_norms_stay_as_they_are():
    model = tuned('prompt', True)
    model.backbone.extra = nn.BatchNorm2d(3)
    model.backbone.register_forward_pre_hook(lambda part, x: (part.extra(x[0]),))
    model.train()
    before = model.backbone.extra.running_mean.clone()
    losses(model)
    assert torch.equal(model.backbone.extra.running_mean, before)


def test_the_tuned_language_model_has_its_dropout():
    model = tuned('language', True).train()
    assert model.language_model.training and not model.bbox_head.training
    _, samples = batch()
    prompts = model.single_prompts(samples, truncate=True)
    first, second = (model.encode_text(prompts).hidden for _ in range(2))
    assert not torch.allclose(first, second)


def test_a_mode_that_leaves_nothing_to_train_is_refused():
    with pytest.raises(ConfigError, match='nothing to train'):
        tuned('language', True, **{'language_model.frozen': True})
    with pytest.raises(ConfigError, match='linear_probe'):
        tuned('linear_prob', True)


def test_the_gradient_of_a_prompt_does_not_depend_on_what_else_trains():
    model, whole = tuned('prompt', True).train(), tuned('full', True).eval()
    load_into(whole, model.state_dict())
    for each in (model, whole):
        sum(losses(each).values()).backward()
    gradient = model.language_prompt.weight.grad
    torch.testing.assert_close(whole.language_prompt.weight.grad, gradient)
    tokens = len(model.single_prompts(batch()[1], truncate=True)[0].input_ids)
    assert gradient[:tokens].abs().amax(1).min() > 0
    assert not gradient[tokens:].any()


@FUSED
@pytest.mark.parametrize('mode', ['linear_probe', 'prompt', 'language'])
def test_features_from_disk_change_nothing(mode, fused, tmp_path, monkeypatch):
    model = tuned(mode, fused, **STOCHASTIC | {'language_model.pretrained': False})
    model.train()
    for part in model.language_model.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    plain = losses(model)
    sum(plain.values()).backward()
    gradients = {
        n: p.grad.clone() for n, p in model.named_parameters() if p.requires_grad
    }
    pictures, samples = batch()
    model.eval()
    with torch.no_grad():
        expected = [s.pred_instances for s in model(pictures, samples, mode='predict')]
    for computes in (True, False):
        model.zero_grad()
        with (
            FeatureStore(tmp_path, lambda: 'weights', 1.0).in_use(),
            monkeypatch.context() as m,
        ):
            if not computes:  # all is there
                m.setattr(model.backbone, 'forward', None)
                m.setattr(model.bbox_head.head, 'encode_levels', None)
            model.train()
            for name, value in losses(model).items():
                torch.testing.assert_close(value, plain[name], msg=name)
            sum(losses(model).values()).backward()
            for name, gradient in gradients.items():
                torch.testing.assert_close(model.get_parameter(name).grad, gradient)
            model.eval()
            with torch.no_grad():
                pictures, samples = batch()
                results = model(pictures, samples, mode='predict')
        for result, detections in zip(results, expected, strict=True):
            torch.testing.assert_close(result.pred_instances.scores, detections.scores)
            torch.testing.assert_close(result.pred_instances.bboxes, detections.bboxes)


@FUSED
@torch.no_grad()
def test_an_untrained_prompt_changes_nothing(fused):
    plain, prompted = tuned('full', fused).eval(), tuned('prompt', fused).eval()
    load_into(prompted, plain.state_dict())
    pictures, samples = batch()
    for ours, theirs in zip(
        plain(pictures, samples), prompted(pictures, samples), strict=True
    ):
        for level, other in zip(ours, theirs, strict=True):
            assert torch.equal(level, other)


@torch.no_grad()
def test_without_fusion_only_the_tokens_change():
    model = tuned('prompt', False).eval()
    pictures, samples = batch()
    logits, *boxes = model(pictures, samples)
    model.language_prompt.weight.normal_()
    other_logits, *other_boxes = model(pictures, samples)
    assert not torch.allclose(logits[0], other_logits[0])
    for ours, theirs in zip(boxes, other_boxes, strict=True):
        assert all(map(torch.equal, ours, theirs))


@torch.no_grad()
def test_row_t_is_added_to_token_t_of_both_features():
    model = tuned('prompt', True).eval()
    model.language_prompt.weight.normal_()
    text = TextFeatures(
        torch.rand(2, 5, 16), torch.rand(2, 5, 16), torch.ones(2, 5, dtype=torch.bool)
    )
    moved = model.language_prompt(text)
    rows = model.language_prompt.weight[:5]
    for token in range(5):
        torch.testing.assert_close(
            moved.hidden[1, token], text.hidden[1, token] + rows[token]
        )
        torch.testing.assert_close(
            moved.embedded[0, token], text.embedded[0, token] + rows[token]
        )


def test_weights_with_a_prompt_bring_it_along_and_others_take_it_away():
    model, plain = tuned('prompt', True), tuned('full', True)
    nn.init.normal_(model.language_prompt.weight)
    load_into(plain, model.state_dict())
    assert torch.equal(plain.language_prompt.weight, model.language_prompt.weight)
    load_into(model, tuned('full', True).state_dict())
    assert not model.language_prompt.weight.any()
