"""The scripts, by the commands that the page of the data sets gives."""

import importlib.util
import json
import os
import pickle
import re
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coco_folder
import converted
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / 'tools' / 'dataset_converters'
PAGE = ROOT / 'docs' / 'datasets.md'
XML = (
    '<annotation><size><width>64</width><height>48</height></size><object>'
    '<name>{name}</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax>'
    '<ymax>9</ymax></bndbox></object></annotation>'
)


def load(name: str) -> Any:
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(f'tool_{name}', TOOLS / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def commands() -> Iterator[tuple[str, list[str]]]:
    """Scripts and arguments of the page, in order."""
    blocks = re.findall(r'```bash\n(.*?)```', PAGE.read_text(), flags=re.DOTALL)
    text = '\n'.join(blocks).replace('\\\n', ' ')
    for line in filter(None, text.splitlines()):
        python, script, *arguments = shlex.split(line)
        assert python == 'python'
        yield script, arguments


@pytest.fixture
def data(tmp_path: Path, mdetr, monkeypatch) -> Path:
    """What the page has one download, in miniature."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / 'data'

    def put(name: str, content: Any) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text)

    def picture(name: str) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (64, 48)).save(path)

    coco = coco_folder.content()
    for category, name in zip(coco['categories'], ('cat', 'dog', 'horse')):
        category['name'] = name
    captions = [
        {'id': i, 'image_id': image['id'], 'caption': 'A cat, a dog and a horse.'}
        for i, image in enumerate(coco['images'])
    ]
    put('coco/annotations/instances_train2017.json', coco)
    put('coco/annotations/captions_train2017.json', {'annotations': captions})
    put('objects365v1/objects365_train.json', coco)
    put('objects365v2/annotations/zhiyuan_objv2_train.json', coco)
    put('lvis/annotations/lvis_v1_train.json', coco)
    put('mine/train.json', coco)
    put('mine/xml/a.xml', XML.format(name='cat'))
    put(
        'openimages/annotations/oidv6-train-annotations-bbox.csv',
        'ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,'
        'IsTruncated,IsGroupOf,IsDepiction,IsInside\nab,x,/m/1,1,0,1,0,1,0,0,0,0,0\n',
    )
    put('openimages/annotations/class-descriptions-boxable.csv', '/m/1,Cat\n')
    picture('openimages/train/ab.jpg')
    thing = {'x': 1, 'y': 1, 'w': 9, 'h': 9, 'names': ['cat']}
    put('visual_genome/objects.json', [{'image_id': 1, 'objects': [thing]}])
    put(
        'visual_genome/image_data.json',
        [{'image_id': 1, 'width': 64, 'height': 48, 'url': 'https://a/VG_100K/1.jpg'}],
    )
    put('imagenet_od/LOC_synset_mapping.txt', 'n01440764 tench, Tinca tinca\n')
    put('imagenet_od/annotations/n01440764/a.xml', XML.format(name='n01440764'))
    for name in (
        'flickr30k_entities/final_flickr_separateGT_train.json',
        'gqa/final_mixed_train_no_coco.json',
        'refcoco/finetune_refcoco_train.json',
        'cc3m/cc3m_train.json',
    ):
        put(name, mdetr)
    picture('cc12m/train/1.jpg')
    put('flickr30k_entities/Sentences/1.txt', '[/EN#1/animals A cat] sits .\n')
    put(
        'flickr30k_entities/Annotations/1.xml',
        XML.format(name='1').replace('<size>', '<filename>1.jpg</filename><size>'),
    )
    put('flickr30k_entities/train.txt', '1\n')
    put('flickr30k_entities/UNRELATED_CAPTIONS', '2 1\n')
    put('refcoco/refcocog/instances.json', coco)
    reference = {'image_id': 1, 'ann_id': 1, 'split': 'train'}
    reference['sentences'] = [{'sent': 'the cat'}]
    pickled = pickle.dumps([reference], protocol=2)
    (root / 'refcoco/refcocog/refs(umd).p').write_bytes(pickled)
    (root / 'refcoco/refcocog/refs(google).p').write_bytes(pickled)
    region = {'bbox': [1, 1, 9, 9], 'phrase': 'a cat', 'tokens_positive': [[0, 5]]}
    record = {'filename': '1.jpg', 'width': 64, 'height': 48}
    record['grounding'] = {'caption': 'a cat', 'regions': [region]}
    put('mine/captions_odvg.jsonl', record)
    put('cc12m/cc12m_train_odvg.jsonl', record)
    return root


RESULTS = """
coco/annotations/instances_train2017_od.json
coco/annotations/coco2017_label_map.json
coco/annotations/captions_train2017_odvg.jsonl
objects365v1/objects365_train_od.json
objects365v1/o365v1_label_map.json
objects365v2/annotations/zhiyuan_objv2_train_od.json
objects365v2/annotations/o365v2_label_map.json
openimages/openimages_train.json
visual_genome/visual_genome_train.json
imagenet_od/imagenet_od_train.json
lvis/annotations/lvis_v1_train_od.json
lvis/annotations/lvis_v1_label_map.json
flickr30k_entities/final_flickr_separateGT_train_vg.json
flickr30k_entities/flickr30k_train_odvg.jsonl
gqa/final_mixed_train_no_coco_vg.json
refcoco/finetune_refcoco_train_vg.json
refcoco/refcocog/refcocog_train_vg.json
cc3m/cc3m_train_odvg.jsonl
cc12m/shards/cc12m-000000.tar
mine/train.json
mine/two.json
mine/captions_mdetr.json
""".split()


@pytest.mark.skipif(not PAGE.is_file(), reason='docs/ is not beside the tests')
def test_every_command_of_the_page_makes_what_it_says(data: Path, capsys):
    used = set()
    for script, arguments in commands():
        path = ROOT / script
        assert path.parent == TOOLS, script
        used.add(path.name)
        if arguments[:1] == ['data/mine/train.json']:
            # In the page these are another user's classes than the XML before.
            coco = data / 'coco/annotations/instances_train2017.json'
            (data / 'mine/train.json').write_bytes(coco.read_bytes())
        assert load(path.name).main(arguments) == 0, capsys.readouterr().err
        out, err = capsys.readouterr()
        assert 'wrote' in out and 'left out' in out
        assert 'ETA' in err
    assert used == {path.name for path in TOOLS.glob('*.py')}
    assert [name for name in RESULTS if not (data / name).is_file()] == []
    for name in RESULTS:
        if name.endswith(('.jsonl', '_od.json', '_vg.json')):
            assert converted.lines(data / name)
        elif name.endswith('.json'):
            assert json.loads((data / name).read_text())
        assert Path(name).parts[0] in PAGE.read_text()
    with tarfile.open(data / 'cc12m/shards/cc12m-000000.tar') as tar:
        assert tar.getnames() == ['000000000.jpg', '000000000.json']
    made = json.loads((data / 'mine/two.json').read_text())
    assert [c['name'] for c in made['categories']] == ['cat', 'dog', 'horse']
    leftovers = [path for path in data.rglob('*') if path.name.endswith('.part')]
    assert leftovers == []


@pytest.mark.skipif(not PAGE.is_file(), reason='docs/ is not beside the tests')
def test_page_lists_every_converter():
    text = PAGE.read_text()
    for path in TOOLS.glob('*.py'):
        assert f'| `{path.name} ' in text


@pytest.mark.parametrize('name', sorted(path.name for path in TOOLS.glob('*.py')))
def test_help(name: str, capsys):
    with pytest.raises(SystemExit) as stop:
        load(name).main(['--help'])
    assert stop.value.code == 0
    assert 'usage' in capsys.readouterr().out


def test_errors_are_one_line(tmp_path: Path, coco: Path, capsys):
    main = load('coco2odvg.py').main
    assert main([str(tmp_path / 'absent.json')]) == 1
    out, err = capsys.readouterr()
    assert out == ''
    assert err == f'error: file not found: {tmp_path}/absent.json\n'
    assert main([str(coco), '-o', str(coco)]) == 1
    assert 'is read by this command' in capsys.readouterr().err
    assert main([str(coco), '-d', 'coco']) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith('error: ')
    with pytest.raises(SystemExit) as stop:
        main([str(coco), '-d', 'pets'])
    assert stop.value.code == 2


def test_interrupted_leaves_nothing(coco: Path, monkeypatch, capsys):
    def interrupt(*args: Any) -> None:
        raise KeyboardInterrupt

    tool = load('coco2odvg.py')
    monkeypatch.setattr('glip.datasets.converters.write.write_line', interrupt)
    before = set(os.listdir(coco.parent))
    assert tool.main([str(coco)]) == 130
    assert 'nothing was written' in capsys.readouterr().err
    assert set(os.listdir(coco.parent)) == before


@pytest.mark.slow
def test_as_a_process(coco: Path, tmp_path: Path):
    command = [sys.executable, str(TOOLS / 'coco2odvg.py'), str(coco), '-o', 'a.jsonl']
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('a.jsonl: wrote 4 pictures, 8 boxes, 3 classes')
    assert '4/4' in done.stderr
    assert len(converted.lines(tmp_path / 'a.jsonl')) == 4
