"""Calls and results of glip's pipeline, beside those of transformers' own."""

import pytest
import torch
import transformers
from PIL import Image

import glip
from glip.adapters import pipeline
from glip.errors import ConfigError, ImageError, PromptError

TASK = 'zero-shot-object-detection'


@pytest.fixture(scope='module')
def ours(detector):
    return pipeline(TASK, detector, threshold=0.05)


@pytest.fixture(scope='module')
def theirs():
    """A random OWL-ViT of one layer, which gives a box of any kind for any label."""
    words = ['[UNK]', 'red', 'blue', 'green']
    backend = transformers.PreTrainedTokenizerFast(
        tokenizer_object=_word_tokenizer(words), unk_token='[UNK]', pad_token='[UNK]'
    )
    small = dict(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        projection_dim=16,
    )
    config = transformers.OwlViTConfig(
        text_config=dict(small, vocab_size=len(words), max_position_embeddings=16),
        vision_config=dict(small, image_size=32, patch_size=16),
        projection_dim=16,
    )
    torch.manual_seed(0)
    return transformers.pipeline(
        TASK,
        model=transformers.OwlViTForObjectDetection(config).eval(),
        tokenizer=backend,
        image_processor=transformers.OwlViTImageProcessor(
            size=dict(height=32, width=32), crop_size=dict(height=32, width=32)
        ),
        device='cpu',
        threshold=0.0,
    )


def _word_tokenizer(words):
    from tokenizers import Tokenizer, models, pre_tokenizers

    model = models.WordLevel({word: i for i, word in enumerate(words)}, '[UNK]')
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def _form(result):
    """What a result consists of, whatever the numbers and however many boxes."""
    if isinstance(result, dict):
        return {key: _form(value) for key, value in result.items()}
    if isinstance(result, list):
        forms = [_form(item) for item in result]
        if forms and isinstance(result[0], dict):
            assert all(form == forms[0] for form in forms)
            return forms[:1]
        return forms
    return type(result)


def _calls(picture, path):
    question = {'image': picture, 'candidate_labels': ['red', 'blue']}
    return {
        'picture': ((picture, ['red', 'blue']), {}),
        'keyword': ((picture,), {'candidate_labels': ['red', 'blue']}),
        'path': ((path,), {'candidate_labels': ['red', 'blue']}),
        'one string': ((picture,), {'candidate_labels': 'red'}),
        'commas': ((picture,), {'candidate_labels': 'red,blue'}),
        'best': ((picture, ['red', 'blue']), {'top_k': 1}),
        'mapping': ((question,), {}),
        'mappings': (([question, question],), {}),
        'pictures': (([picture, picture], ['red', 'blue']), {}),
        'labels for each': (([picture, picture], [['red'], ['blue']]), {}),
        'old name': ((picture,), {'text_queries': ['red', 'blue']}),
        'batch': (
            ([picture, picture], ['red', 'blue']),
            {'batch_size': 2, 'num_workers': 0},
        ),
        'seconds': ((path, ['red']), {'timeout': 3.0}),
        'impossible score': ((picture, ['red']), {'threshold': 1.0}),
    }


@pytest.mark.parametrize('name', _calls(None, None))
def test_calls_and_results_have_the_form_of_transformers(
    name, ours, theirs, picture, picture_file
):
    args, options = _calls(picture, picture_file)[name]
    expected = _form(theirs(*args, **options))
    assert _form(ours(*args, **options)) == expected
    assert expected == [] or expected[0]


def test_generators_and_data_sets_give_iterators(ours, theirs, picture):
    class Pictures(torch.utils.data.Dataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return {'image': picture, 'candidate_labels': [['red'], ['blue']][index]}

    for make in (Pictures, lambda: (Pictures()[i] for i in range(2))):
        results = ours(make())
        assert not isinstance(results, list)
        results = list(results)
        assert _form(results) == _form(list(theirs(make())))
        assert [result[0]['label'] for result in results] == ['red', 'blue']


def test_a_generator_is_read_as_it_goes(ours, picture):
    read = []

    def pictures():
        for number in range(3):
            read.append(number)
            yield {'image': picture, 'candidate_labels': ['red']}

    next(iter(ours(pictures())))
    assert len(read) < 3


def test_boxes_are_where_the_things_are(ours, picture, pixels, boxes):
    best, second = ours(picture, candidate_labels=['red', 'blue'])
    assert best['label'] == 'blue' and second['label'] == 'red'
    assert best['box'] == dict(zip(('xmin', 'ymin', 'xmax', 'ymax'), boxes['blue']))
    assert best['score'] == 3 / 16
    assert ours(pixels, ['red', 'blue']) == [best, second]  # arrays are in RGB
    assert ours(picture, ['red', 'blue'], top_k=1) == [best]
    assert ours(picture, ['red', 'blue'], threshold=0.16) == [best]
    assert ours(picture, ['green']) == []
    assert ours([], ['red']) == []


def test_corners_are_cut_off_to_whole_pixels(detector):
    # Seen at half the size, so edges at odd pixels lie between two.
    odd = Image.new('RGB', (640, 320), 'gray')
    odd.paste((255, 0, 0), (33, 21, 301, 151))
    call = pipeline(TASK, detector, threshold=0)
    (record,) = call(odd, 'red')
    (box,) = detector(odd, ['red'], threshold=0).boxes
    assert tuple(record['box'].values()) == tuple(int(value) for value in box)


def test_defaults_come_from_the_pipeline(detector, picture):
    labels = ['red', 'blue']
    assert len(pipeline(TASK, detector)(picture, labels)) == 2  # 0.1, as theirs
    assert len(pipeline(TASK, detector, threshold=0.16)(picture, labels)) == 1
    assert len(pipeline(TASK, detector, top_k=1)(picture, labels)) == 1
    assert len(pipeline(TASK, detector, top_k=1)(picture, labels, top_k=0)) == 2
    own = detector.default_threshold
    call = pipeline(TASK, detector, threshold='default')
    assert call(picture, labels) == call(picture, labels, threshold=own)


def test_from_a_name_and_a_number_of_a_device(standin_files, picture):
    config, weights = standin_files
    call = glip.pipeline(TASK, config, weights=weights, device=-1)
    assert call.device == torch.device('cpu') and call.task == TASK
    assert len(call(picture, ['red', 'blue'])) == 2


@pytest.mark.parametrize(
    'options',
    [
        dict(task='object-detection'),
        dict(task=None),
        dict(threshold='high'),
        dict(threshold=None),
        dict(top_k=1.5),
        dict(batch_size=0),
        dict(model='nonsense'),
        dict(model=5),
    ],
    ids=str,
)
def test_pipelines_that_cannot_be(options, detector):
    with pytest.raises(ConfigError):
        pipeline(**{'task': TASK, 'model': detector, **options})


@pytest.mark.parametrize('labels', [None, [], '', ' , ', ['red', 3], 7], ids=repr)
def test_labels_that_cannot_be(labels, ours, picture):
    with pytest.raises(PromptError):
        ours(picture, labels)


@pytest.mark.parametrize(
    'options',
    [
        dict(threshold=2),
        dict(threshold='high'),
        dict(top_k=-1),
        dict(batch_size='two'),
        dict(timeout=0),
        dict(timeout='long'),
    ],
    ids=str,
)
def test_numbers_that_cannot_be(options, ours, picture):
    with pytest.raises(ConfigError):
        ours(picture, ['red'], **options)


def test_lists_that_do_not_fit(ours, picture):
    with pytest.raises(PromptError):
        ours([picture, picture], [['red']])
    with pytest.raises(PromptError):
        ours([picture], [['red', 'blue'], 'red'])
    with pytest.raises(ImageError):
        ours({'picture': picture, 'candidate_labels': ['red']})
    for wrong in (7, None, 'nowhere.jpg', [picture, 7]):
        with pytest.raises(ImageError):
            ours(wrong, ['red'])
