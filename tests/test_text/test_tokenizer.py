import copy
import json
import logging
import pickle
import random
import shutil
from pathlib import Path

import official
import pytest

import glip.text.tokenizer as module
from glip.errors import GLIPError, PromptError
from glip.text import TextPrompt, Tokenizer, parse_text

VOCAB = Path(module.__file__).parent / 'vocab' / 'bert-base-uncased.txt'


def small_vocab(folder: Path, *words: str) -> Path:
    path = folder / 'vocab.txt'
    specials = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
    path.write_text('\n'.join([*specials, *words]) + '\n')
    return path


class TestLoading:
    def test_packaged(self, bert):
        assert bert.vocab_size == 30522
        assert (bert.pad_id, bert.unk_id, bert.cls_id, bert.sep_id) == (
            0,
            100,
            101,
            102,
        )
        ids, offsets = bert.tokenize('Unaffable cat')
        assert ids == [14477, 20961, 3468, 4937]
        assert offsets == [(0, 3), (3, 6), (6, 9), (10, 13)]

    def test_vocab_file(self, tmp_path):
        tokenizer = Tokenizer(str(small_vocab(tmp_path, '.', 'cat', '##s')))
        assert tokenizer.vocab_size == 8
        assert tokenizer.encode(TextPrompt.from_classes(['cats'])).input_ids == (
            (2, 6, 7, 3)
        )

    def test_windows_line_ends(self, tmp_path):
        path = small_vocab(tmp_path, 'cat')
        path.write_bytes(path.read_bytes().replace(b'\n', b'\r\n'))
        assert Tokenizer(str(path)).tokenize('cat')[0] == [5]

    def test_cased_folder(self, tmp_path):
        small_vocab(tmp_path, 'Cat', 'cat')
        assert Tokenizer(str(tmp_path)).tokenize('Cat')[0] == [6]
        (tmp_path / 'tokenizer_config.json').write_text('{"do_lower_case": false}')
        cased = Tokenizer(str(tmp_path))
        assert cased.tokenize('Cat cat')[0] == [5, 6]

    def test_changed_file_is_read_again(self, tmp_path):
        path = small_vocab(tmp_path, 'cat')
        assert Tokenizer(str(path)).vocab_size == 6
        small_vocab(tmp_path, 'cat', 'dog')
        assert Tokenizer(str(path)).vocab_size == 7

    @pytest.mark.parametrize('name', ['bert-large-uncased', 'roberta-base', ''])
    def test_other_names_are_not_looked_up(self, name, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(GLIPError, match=r'tokenizer|save_pretrained'):
            Tokenizer(name)

    def test_damaged_files(self, tmp_path):
        (tmp_path / 'vocab.txt').write_text('cat\ndog\n')
        with pytest.raises(GLIPError, match='PAD'):
            Tokenizer(str(tmp_path))
        (tmp_path / 'tokenizer.json').write_text('{"model"')
        with pytest.raises(GLIPError, match='damaged'):
            Tokenizer(str(tmp_path))
        (tmp_path / 'tokenizer.json').write_text('{"model": {"type": "BPE"}}')
        with pytest.raises(GLIPError, match='BPE'):
            Tokenizer(str(tmp_path))
        binary = tmp_path / 'weights.bin'
        binary.write_bytes(b'\xff\xfe\x80\x00')
        with pytest.raises(GLIPError, match='not a text file'):
            Tokenizer(str(binary))

    def test_pickled_and_copied(self, bert, tmp_path):
        assert len(pickle.dumps(bert)) < 1000
        folder = tmp_path / 'bert'
        folder.mkdir()
        small_vocab(folder, 'cat')
        small = Tokenizer(str(folder))
        blob = pickle.dumps(small)
        shutil.rmtree(folder)
        for clone in (pickle.loads(blob), copy.deepcopy(small), copy.copy(small)):
            assert clone.tokenize('a cat') == small.tokenize('a cat')
        assert pickle.loads(pickle.dumps(bert)).tokenize('a cat')[0] == [1037, 4937]


@pytest.fixture(scope='module')
def reference(tmp_path_factory):
    transformers = pytest.importorskip('transformers')
    folder = tmp_path_factory.mktemp('bert')
    shutil.copy(VOCAB, folder / 'vocab.txt')
    config = {'tokenizer_class': 'BertTokenizer', 'do_lower_case': True}
    (folder / 'tokenizer_config.json').write_text(json.dumps(config))
    (folder / 'config.json').write_text('{"model_type": "bert"}')
    return transformers.AutoTokenizer.from_pretrained(folder, use_fast=True)


def test_same_ids_and_offsets_as_transformers(bert, reference, chars, tmp_path):
    reference.save_pretrained(tmp_path)
    saved = Tokenizer(str(tmp_path))
    rng = random.Random(0)
    texts = ['', 'a' * 150, 'say [SEP] or [MASK]', 'naïve café', '\x00\ufffd']
    texts += [''.join(rng.choices(chars, k=25)) for _ in range(500)]
    for text in texts:
        expected = reference(
            text, add_special_tokens=False, return_offsets_mapping=True
        )
        offsets = [tuple(pair) for pair in expected['offset_mapping']]
        assert bert.tokenize(text) == (expected['input_ids'], offsets)
        assert saved.tokenize(text) == (expected['input_ids'], offsets)


class TestEncode:
    def test_tokens_of_classes(self, bert):
        encoded = bert.encode(TextPrompt.from_classes(['person', 'hair drier']))
        assert encoded.input_ids[0] == 101
        assert encoded.input_ids[-1] == 102
        assert encoded.entity_tokens == ((1,), (3, 4, 5))
        assert bert.decode([encoded.input_ids[i] for i in (3, 4, 5)]) == 'hair drier'

    def test_spans_may_begin_or_end_on_spaces(self, bert):
        caption = 'a   cat   sat'
        prompt = TextPrompt(
            caption,
            (((1, 7),), ((4, 9),), ((0, 13),), ((2, 3),), ((4, 7), (0, 1))),
            tuple(range(5)),
            tuple('vwxyz'),
        )
        rows = bert.encode(prompt).entity_tokens
        assert rows == ((2,), (2,), (1, 2, 3), (), (1, 2))

    def test_part_of_a_word_takes_the_pieces_it_touches(self, bert):
        prompt = TextPrompt.from_spans('unaffable', [[[0, 2]], [[2, 4]], [[6, 9]]])
        assert bert.encode(prompt).entity_tokens == ((1,), (1, 2), (3,))

    def test_as_recorded_from_the_original(self):
        recorded = official.figures('data')
        small = Tokenizer(str(official.FOLDER / 'vocab.txt'))
        for case in recorded['positive_map_cases']:
            spans = tuple(tuple(map(tuple, entity)) for entity in case['spans'])
            labels = tuple(range(len(spans)))
            names = tuple(map(str, labels))
            prompt = TextPrompt(case['caption'], spans, labels, names)
            encoded = small.encode(prompt)
            assert list(encoded.input_ids) == case['input_ids']
            assert [list(row) for row in encoded.entity_tokens] == case['nonzero']
        for query in recorded['queries']:
            names = query['categories']
            overrides = dict(zip(names, query.get('prompt', []), strict=False))
            prompt = TextPrompt.from_classes(names, caption_prompt=overrides)
            rows = small.encode(prompt).entity_tokens
            expected = {int(label) - 1: row for label, row in query['map'].items()}
            assert {i: list(row) for i, row in enumerate(rows)} == expected

    @pytest.mark.parametrize('seed', range(10))
    def test_random_names(self, bert, random_names, seed):
        prompt = TextPrompt.from_classes(random_names(seed, 20))
        encoded = bert.encode(prompt, max_tokens=1000)
        for ((begin, end),), row in zip(
            prompt.spans, encoded.entity_tokens, strict=True
        ):
            assert row
            own = bert.tokenize(prompt.caption[begin:end])[0]
            ids = [encoded.input_ids[i] for i in row]
            # Letters that decompose leave their last pieces to the first one.
            assert ids == own[: len(ids)]
            if prompt.caption[begin:end].isascii():
                assert ids == own
        flat = [i for row in encoded.entity_tokens for i in row]
        assert flat == sorted(set(flat))

    def test_unknown_words_are_kept_and_told(self, bert, caplog):
        module._warn_unknown.cache_clear()
        with caplog.at_level(logging.WARNING):
            for _ in range(2):
                encoded = bert.encode(TextPrompt.from_classes(['🦡', 'cat']))
        assert encoded.entity_tokens == ((1,), (3,))
        assert encoded.input_ids[1] == bert.unk_id
        assert len(caplog.records) == 1
        assert '🦡' in caplog.text
        with caplog.at_level(logging.WARNING):
            bert.encode(TextPrompt.from_classes(['🦡' * 2000]))
        assert len(caplog.records) == 2 and len(caplog.records[-1].getMessage()) < 300

    def test_budget_counts_cls_and_sep(self, bert):
        prompt = TextPrompt.from_classes(['cat', 'dog'])
        assert len(bert.encode(prompt, max_tokens=5).input_ids) == 5
        with pytest.raises(PromptError, match='5 tokens, more than the 4'):
            bert.encode(prompt, max_tokens=4)
        with pytest.raises(PromptError, match='no room'):
            bert.encode(prompt, max_tokens=2)

    def test_long_caption_names_count_and_budget(self, bert):
        prompt = parse_text('a man with a dog ' * 60)
        with pytest.raises(PromptError, match=r'the caption has 302 tokens.* 256'):
            bert.encode(prompt)

    def test_truncated_entities_get_no_tokens(self, bert):
        prompt = TextPrompt.from_classes(['cat', 'hair drier', 'dog'])
        encoded = bert.encode(prompt, max_tokens=6, truncate=True)
        assert len(encoded.input_ids) == 6
        assert encoded.input_ids[-1] == bert.sep_id
        assert encoded.entity_tokens == ((1,), (), ())
        whole = bert.encode(prompt, max_tokens=7, truncate=True)
        assert whole.entity_tokens == ((1,), (3, 4, 5), ())

    def test_encoded_is_a_value(self, bert):
        prompt = TextPrompt.from_classes(['cat'])
        assert bert.encode(prompt) == bert.encode(prompt)
        assert hash(bert.encode(prompt)) == hash(bert.encode(prompt))
