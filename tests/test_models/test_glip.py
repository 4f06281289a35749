"""The detector as users of mmdet call it."""

import pytest
import torch

from glip.errors import ConfigError, DatasetError, GLIPError, PromptError
from glip.models.cpu.head import Predictor
from glip.models.postprocess import select_candidates
from glip.ops import plain_path
from glip.runtime.feature_cache import FeatureCache

from .conftest import build, sample, tiny, with_boxes

SHAPE = (64, 96)


@pytest.fixture(scope='module')
def pictures():
    return torch.randn(2, 3, *SHAPE, generator=torch.Generator().manual_seed(1))


def detect(model, pictures, texts, **meta):
    with torch.no_grad():
        samples = [sample(SHAPE, text, **meta) for text in texts]
        return model(pictures, samples, mode='predict')


def assert_close(found, expected):
    torch.testing.assert_close(found.bboxes, expected.bboxes, atol=1e-3, rtol=0)
    torch.testing.assert_close(found.scores, expected.scores, atol=1e-5, rtol=0)
    assert torch.equal(found.labels, expected.labels)


def test_raw_outputs_have_the_promised_shapes(tiny_model, pictures):
    samples = [sample(SHAPE, ['cat', 'a red car'])] * 2
    logits, deltas, centerness = tiny_model(pictures, samples, mode='tensor')
    tokens = len('[CLS] cat . a red car [SEP]'.split())
    sizes = [(8, 12), (4, 6), (2, 3), (1, 2), (1, 1)]
    assert [tuple(x.shape) for x in logits] == [(2, h * w, tokens) for h, w in sizes]
    assert [tuple(x.shape) for x in deltas] == [(2, 4, h, w) for h, w in sizes]
    assert [tuple(x.shape) for x in centerness] == [(2, 1, h, w) for h, w in sizes]


def test_predictions_are_sorted_named_and_limited(tiny_model, pictures):
    texts = [['cat', 'dog'], ('a "quoted" name', 'C++ (lang)', 'cat')]
    for result, names in zip(detect(tiny_model, pictures, texts), texts, strict=True):
        found = result.pred_instances
        assert 0 < len(found) <= 20
        assert (found.scores.diff() <= 0).all()
        assert found.labels.dtype == torch.int64
        assert found.label_names == [names[i] for i in found.labels.tolist()]
        assert set(found.labels.tolist()) <= set(range(len(names)))


def test_a_batch_of_different_prompts_is_what_single_ones_give(tiny_model, pictures):
    texts = ['cat. dog', ['a long name of seven words here', 'x', 'y']]
    batch = detect(tiny_model, pictures, texts)
    for i, text in enumerate(texts):
        alone = detect(tiny_model, pictures[i : i + 1], [text])[0]
        assert_close(batch[i].pred_instances, alone.pred_instances)


@pytest.mark.parametrize('early_fuse', [False, True])
def test_padding_prompts_changes_nothing(pictures, early_fuse):
    torch.manual_seed(0)
    model = build(tiny(**{'bbox_head.early_fuse': early_fuse})).eval()
    short = detect(model, pictures, [['cat', 'dog']] * 2)
    model.language_model.pad_to_max = True
    padded = detect(model, pictures, [['cat', 'dog']] * 2)
    for one, other in zip(short, padded, strict=True):
        assert_close(one.pred_instances, other.pred_instances)


def test_many_classes_become_prompts_under_one_limit(tiny_model, pictures):
    names = [f'thing number {i}' for i in range(150)]
    found = detect(tiny_model, pictures, [names, ['cat']])
    chunks = tiny_model.prompts_of(sample(SHAPE, names))
    assert len(chunks) > 1
    assert max(len(c.input_ids) for c in chunks) <= 256
    assert len(found[0].pred_instances) == 20
    assert torch.isfinite(found[0].pred_instances.scores).all()


def test_chunks_equal_one_prompt_when_the_tower_does_not_read_words(pictures):
    """Without fusion and with one-token context the words are scored alone."""
    torch.manual_seed(0)
    model = build(
        tiny(
            **{
                'bbox_head.early_fuse': False,
                'test_cfg.nms_pre': -1,
                'test_cfg.max_per_img': 50,
            }
        )
    ).eval()
    # BERT itself reads neighbours; an encoder without layers' mixing does not.
    for layer in model.language_model.language_backbone.body.model.encoder.layer:
        torch.nn.init.zeros_(layer.attention.output.dense.weight)
    embeddings = model.language_model.language_backbone.body.model.embeddings
    torch.nn.init.zeros_(embeddings.position_embeddings.weight)
    names = ['cat', 'dog', 'car', 'tree', 'sky']
    whole = detect(model, pictures, [names] * 2)
    model.test_cfg.chunked_size = 2
    parts = detect(model, pictures, [names] * 2)
    for one, other in zip(whole, parts, strict=True):
        assert_close(one.pred_instances, other.pred_instances)


@pytest.mark.parametrize('size', [1, 2, 7])
def test_prompt_batch_size_changes_nothing(tiny_model, pictures, size):
    tiny_model.test_cfg.chunked_size = 1
    expected = detect(tiny_model, pictures, [['cat', 'dog', 'car'], ['x']])
    tiny_model.bbox_head.test_cfg['prompt_batch_size'] = size
    found = detect(tiny_model, pictures, [['cat', 'dog', 'car'], ['x']])
    for one, other in zip(found, expected, strict=True):
        assert_close(one.pred_instances, other.pred_instances)


def test_several_prompts_may_feed_one_class(tiny_model, pictures):
    text = {'a kitten': 'pet', 'a puppy': 'pet', 'car': 'vehicle'}
    found = detect(tiny_model, pictures, [text] * 2)[0].pred_instances
    assert set(found.label_names) <= {'pet', 'vehicle'}
    assert set(found.labels.tolist()) <= {0, 1}


def test_a_repeated_name_keeps_its_first_label(tiny_model, pictures):
    found = detect(tiny_model, pictures, [['cat', 'cat', 'dog']] * 2)
    for result in found:
        assert 1 not in result.pred_instances.labels.tolist()


def test_phrases_and_spans(tiny_model, pictures):
    caption = 'a man rides a brown horse near the old barn'
    found = detect(tiny_model, pictures, [caption] * 2)[0].pred_instances
    assert set(found.label_names) <= {'a man', 'a brown horse', 'the old barn'}
    spans = [[[6, 11]], [[12, 25]]]
    found = detect(tiny_model, pictures, [caption] * 2, tokens_positive=spans)
    assert set(found[0].pred_instances.label_names) <= {'rides', 'a brown horse'}


def test_boxes_come_back_in_pixels_of_the_original(tiny_model, pictures):
    plain = detect(tiny_model, pictures, [['cat']] * 2)[0].pred_instances
    half = detect(tiny_model, pictures, [['cat']] * 2, scale_factor=(0.5, 0.25))
    inclusive = plain.bboxes - torch.tensor([0, 0, 1, 1])
    expected = inclusive * torch.tensor([2, 4, 2, 4]) + torch.tensor([0, 0, 1, 1])
    torch.testing.assert_close(half[0].pred_instances.bboxes, expected)


def test_text_is_encoded_once_until_the_weights_change(tiny_model, pictures):
    calls = []
    tiny_model.language_model.register_forward_hook(lambda *_: calls.append(1))
    cache = FeatureCache()

    def find():
        with cache.in_use(tiny_model):
            return detect(tiny_model, pictures, [['cat']] * 2)

    first, _ = find(), find()
    assert len(calls) == 1
    with torch.no_grad():
        for parameter in tiny_model.language_model.parameters():
            parameter.mul_(1.5)
    changed = find()
    assert len(calls) == 2
    assert not torch.equal(
        first[0].pred_instances.scores, changed[0].pred_instances.scores
    )


def test_equal_prompts_go_through_bert_once(tiny_model):
    prompts = tiny_model.single_prompts(
        [sample(SHAPE, t) for t in (['cat'], ['a dog'], ['cat'])], truncate=False
    )
    rows = []
    body = tiny_model.language_model.language_backbone.body
    body.register_forward_hook(lambda _, inputs, __: rows.append(len(inputs[0])))
    text = tiny_model.language_model(prompts)
    assert rows == [2]
    assert torch.equal(text.hidden[0], text.hidden[2])
    assert text.mask.tolist() == [
        [True] * 3 + [False],
        [True] * 4,
        [True] * 3 + [False],
    ]


def train_sample(text, boxes, labels):
    return with_boxes(sample(SHAPE, text), boxes, labels)


def test_losses_fall_when_it_trains(pictures):
    torch.manual_seed(0)
    model = build(tiny()).train()
    samples = [
        train_sample(['cat', 'dog'], [[8, 8, 39, 39], [40, 20, 90, 60]], [0, 1]),
        train_sample('tree. sky', [[0, 0, 63, 31]], [1]),
    ]
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    history = []
    for _ in range(12):
        losses = model(pictures, samples, mode='loss')
        assert set(losses) == {'loss_cls', 'loss_bbox', 'loss_centerness'}
        total = sum(losses.values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        history.append(total.item())
    assert history[-1] < 0.75 * history[0]
    unused = [n for n, p in model.named_parameters() if p.grad is None]
    assert unused == []


def test_pictures_without_boxes_give_finite_losses(tiny_model, pictures):
    tiny_model.train()
    samples = [train_sample(['cat'], [], []), train_sample(['dog'], [], [])]
    losses = tiny_model(pictures, samples, mode='loss')
    assert losses['loss_cls'] > 0
    assert losses['loss_bbox'] == 0
    assert losses['loss_centerness'] == 0
    sum(losses.values()).backward()
    missing = [n for n, p in tiny_model.named_parameters() if p.grad is None]
    assert missing == []


def test_names_past_the_budget_lose_their_boxes(pictures):
    torch.manual_seed(0)
    model = build(tiny(**{'language_model.max_tokens': 8})).train()
    names = [f'name{i}' for i in range(9)]
    boxes = [[8, 8, 39, 39], [40, 20, 90, 60]]
    for module in model.modules():
        module.training = module is model
    both = [train_sample(names, boxes, [0, 8])]
    first = [train_sample(names, boxes[:1], [0])]
    found = model(pictures[:1], both, mode='loss')
    expected = model(pictures[:1], first, mode='loss')
    for key in expected:
        torch.testing.assert_close(found[key], expected[key])


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (None, 'return_classes=True'),
        ('', 'names nothing to find'),
        (['', 'cat'], 'class name 1 of 2'),
        ('...', 'names nothing to find'),
    ],
)
def test_missing_words_are_said_plainly(tiny_model, pictures, text, message):
    with pytest.raises(PromptError, match=message):
        detect(tiny_model, pictures[:1], [text])


def test_a_name_over_the_budget_is_named(pictures):
    model = build(tiny(**{'language_model.max_tokens': 8})).eval()
    with pytest.raises(PromptError, match='far too many words'):
        detect(model, pictures[:1], [['cat', 'far too many words ' * 3]])


def test_a_label_without_a_name_is_said_plainly(tiny_model, pictures):
    with pytest.raises(DatasetError, match='label 3 but the prompt has 2 names'):
        tiny_model(
            pictures[:1], [train_sample(['a', 'b'], [[0, 0, 9, 9]], [3])], mode='loss'
        )


def test_levels_and_widths_are_free(pictures):
    model = build(
        tiny(
            **{
                'neck.num_outs': 4,
                'bbox_head.anchor_generator': dict(
                    type='AnchorGenerator',
                    ratios=[1.0],
                    octave_base_scale=8,
                    scales_per_octave=1,
                    strides=[8, 16, 32, 64],
                    center_offset=0.5,
                ),
                'language_model.max_tokens': 32,
                'language_model.pad_to_max': True,
            }
        )
    ).eval()
    logits, *_ = model(pictures, [sample(SHAPE, ['cat'])] * 2, mode='tensor')
    assert len(logits) == 4
    assert logits[0].shape[-1] == 32


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'language_model.name': 'no/such-folder'}, "no tokenizer 'no/such-folder'"),
        ({'language_model.max_tokens': 1000}, '512 positions'),
        ({'language_model.config': dict(vocab_size=100)}, '30522 tokens'),
        ({'bbox_head.feat_channels': 7}, 'must equal in_channels'),
        ({'language_model.use_sub_sentence_represent': True}, 'Grounding DINO'),
    ],
)
def test_impossible_configs_are_said_plainly(changes, message):
    with pytest.raises(GLIPError, match=message):
        build(tiny(**changes))


def test_unknown_aggregation_is_said_plainly(tiny_model, pictures):
    tiny_model.bbox_head.test_cfg['score_agg'] = 'SUM'
    with pytest.raises(ConfigError, match="score_agg 'SUM'"):
        detect(tiny_model, pictures[:1], [['cat']])


@pytest.fixture
def computed(tiny_model):
    """Grows by the number of pictures that the backbone computes."""
    calls = []
    tiny_model.backbone.register_forward_hook(
        lambda _, inputs, __: calls.extend(inputs[0])
    )
    return calls


def test_captions_of_one_picture_compute_it_once(tiny_model, pictures, computed):
    captions = ['a cat', 'the dog', 'a cat', 'it']
    batch = pictures[[0, 0, 0, 1]]
    with torch.no_grad():
        samples = [
            sample(SHAPE, text, img_path=f'{int(i == 3)}.jpg')
            for i, text in enumerate(captions)
        ]
        found = tiny_model(batch, samples, mode='predict')
    assert len(computed) == 2
    unnamed = detect(tiny_model, batch, captions)
    assert len(computed) == 6  # nothing tells that these are the same picture
    for one, other in zip(found, unnamed, strict=True):
        assert torch.equal(one.pred_instances.bboxes, other.pred_instances.bboxes)
        assert torch.equal(one.pred_instances.scores, other.pred_instances.scores)


def change_in_place(model):
    with torch.no_grad():
        next(model.backbone.parameters()).mul_(2)


def reload(model):
    model.load_state_dict(model.state_dict())


@pytest.mark.parametrize(
    'change',
    [change_in_place, reload, lambda m: m.bfloat16().float()],
    ids=['in place', 'loaded', 'rounded'],
)
def test_features_of_other_weights_are_forgotten(
    tiny_model, pictures, computed, change
):
    cache = FeatureCache()

    def find():
        with cache.in_use(tiny_model):
            detect(tiny_model, pictures[:1], ['a cat'], img_path='a.jpg')

    find()
    find()
    assert len(computed) == 1
    change(tiny_model)
    find()
    assert len(computed) == 2


def test_outside_of_a_region_nothing_is_kept(tiny_model, pictures, computed):
    words = []
    tiny_model.language_model.register_forward_hook(lambda *_: words.append(1))
    for _ in range(2):
        detect(tiny_model, pictures[:1], ['a cat'], img_path='a.jpg')
    assert len(computed) == len(words) == 2


def test_features_are_kept_apart_by_precision_and_kernels(
    tiny_model, pictures, computed
):
    def find():
        return detect(tiny_model, pictures[:1], ['a cat'], img_path='a.jpg')

    with FeatureCache().in_use():
        find()
        with plain_path():
            find()
        assert len(computed) == 2
        with plain_path(), torch.autocast('cpu', torch.bfloat16):
            find()
        assert len(computed) == 3
        tiny_model.reuse_features = False
        find()
        find()
        assert len(computed) == 5


@pytest.mark.parametrize('early_fuse', [False, True])
def test_under_autocast_what_follows_the_tower_is_in_full_precision(
    pictures, early_fuse, monkeypatch
):
    seen = []

    def noted(logits, centerness, *args, **fields):
        seen.extend((logits, centerness))
        return select_candidates(logits, centerness, *args, **fields)

    monkeypatch.setattr(Predictor, 'select', staticmethod(noted))
    torch.manual_seed(0)
    model = build(tiny(**{'bbox_head.early_fuse': early_fuse})).eval()
    with torch.autocast('cpu', torch.bfloat16):
        found = detect(model, pictures[:1], [['cat', 'dog', 'cow']])
    assert len(seen) == 2
    for values in seen:  # float32, and not rounded on the way
        assert values.dtype is torch.float32
        assert not torch.equal(values, values.bfloat16().float())
    scores = found[0].pred_instances.scores
    usual = detect(model, pictures[:1], [['cat', 'dog', 'cow']])
    torch.testing.assert_close(
        scores, usual[0].pred_instances.scores, atol=0.02, rtol=0
    )
    assert len(scores.unique()) == len(scores)
