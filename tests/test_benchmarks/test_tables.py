import copy
import json

import pytest
from PIL import Image

from benchmarks import report
from benchmarks.speed import chart, records, tables
from benchmarks.speed.stages import STAGES
from glip.errors import ConfigError

ENVIRONMENT = dict(
    machine='Some CPU, 2 cores',
    threads=2,
    python='3.11',
    commit='abc',
    date='2026-01-02',
    gemm=200,
    matmul_error=4e-7,
    torch='2.14',
    torchvision='0.29',
    transformers='5.24',
)


def side(label, *values, extrapolated=False):
    return dict(
        label=label,
        peer=label.startswith('mmdet'),
        extrapolated=extrapolated,
        values=values,
    )


def record(case, *sides, settings='default', device='cpu', unit='s', **fields):
    return (
        dict(
            case=case,
            settings=settings,
            device=device,
            precision='fp32',
            unit=unit,
            check='logits 1e-05, 60/60 boxes',
            environment=ENVIRONMENT,
            sides=list(sides),
        )
        | fields
    )


SINGLE = record('single-A-480', side('mmdet', 4, 20, 5), side('ours', 0.5, 9, 1))
TUNED = record('single-A-480', side('mmdet', 3.0), side('ours', 1.0), settings='tuned')
LVIS = record('lvis-A-800', side('mmdet', 230, extrapolated=True), side('ours', 2.5))
MEMORY = record('memory-A-800', side('mmdet', 700), side('ours', 350), unit='MB')
CHECKPOINT = record(
    'activations-B-480',
    side('mmdet', 2000),
    side('ours', 4000),
    side('ours, checkpoint', 500),
    unit='MB',
)
PROFILE = record('single-B-480') | dict(
    profile=[
        dict(
            label='ours',
            peer=False,
            gemm=200.0,
            seconds=dict.fromkeys(STAGES, 0.5) | dict(language=0),
            gflop=dict.fromkeys(STAGES, 10) | dict(language=0),
        )
    ]
)
del PROFILE['sides']


def cells(line):
    return [cell.strip() for cell in line.strip('|').split('|')]


def test_medians_ratios_and_targets_of_both_settings():
    head, _, row = map(cells, tables.comparison([TUNED, SINGLE]))
    assert len(head) == len(row)
    # 5 : 1 reaches 5, 3 : 1 does not reach 3.5.
    assert row[2:6] == ['5', '1', '**5.0**', '≥ 5']
    assert row[6:10] == ['3', '1', '3.0', '≥ 3.5']
    assert row[-1] == SINGLE['check']


def test_one_setting_needs_no_columns_of_the_other():
    head, _, row = map(cells, tables.comparison([SINGLE]))
    assert len(head) == len(row) == 7
    assert 'tuned' not in ' '.join(head)


def test_a_setting_that_is_missing_leaves_cells_empty():
    rows = [cells(line) for line in tables.comparison([SINGLE, TUNED, LVIS])]
    assert rows[-1][0].startswith('A, LVIS')
    assert rows[-1][6:10] == [''] * 4
    assert len({len(row) for row in rows}) == 1


def test_extrapolated_values_are_marked():
    row = cells(tables.comparison([LVIS])[-1])
    assert row[2:5] == ['~230', '2.5', '**92.0**']


def test_memory_is_a_share():
    row = cells(tables.comparison([MEMORY, SINGLE], 'MB')[-1])
    assert row[2:6] == ['700', '350', '**0.50**', '≤ 0.5']


def test_targets_are_for_the_form_of_ours_that_they_name():
    plain, checkpointed = map(cells, tables.comparison([CHECKPOINT], 'MB')[2:])
    assert plain[4:6] == ['2.00', '']
    assert checkpointed[4:6] == ['**0.25**', '≤ 0.4']


def test_targets_on_a_gpu_are_for_half_precision():
    sides = [
        side('mmdet', 0.62),
        side('mmdet, bf16', 0.24),
        side('ours, bf16', 0.1),
        side('ours, bf16, compiled', 0.05) | dict(first=61.2),
    ]
    gpu = record('single-B-800', *sides, device='cuda', precision='bf16')
    found = [cells(line) for line in tables.comparison([gpu])[2:]]
    assert [(row[1], row[4], row[5]) for row in found] == [
        ('mmdet : ours, bf16', '**6.2**', '≥ 6'),
        ('mmdet : ours, bf16, compiled (first call 61 s)', '**12.4**', '≥ 6'),
        ('mmdet, bf16 : ours, bf16', '2.4', '≥ 3'),
        ('mmdet, bf16 : ours, bf16, compiled (first call 61 s)', '**4.8**', '≥ 3'),
    ]
    assert all(row[0].endswith(', GPU') for row in found)


def test_report_has_all_tables():
    text = '\n'.join(tables.report([SINGLE, TUNED, MEMORY, PROFILE]))
    assert text.count('###') == 3
    assert 'Some CPU, 2 cores; 2 threads' in text
    assert 'Medians of 1 to 3 runs' in text
    assert '| fusion | 0.500 | 10 | 10% |' in text
    assert '| language | 0.000 | 0 | 0% |' in text
    assert '| all | 3.500 | 70 | 10% |' in text


def test_a_record_of_the_same_measurement_is_replaced(tmp_path):
    path = tmp_path / 'deep' / 'speed.json'
    for one in (SINGLE, TUNED, SINGLE | dict(check='newer'), PROFILE):
        records.add(path, one)
    found = records.load(path)
    assert [one['check'] for one in found] == [TUNED['check'], 'newer'] + [
        PROFILE['check']
    ]
    assert records.load(tmp_path / 'none.json') == []


@pytest.mark.parametrize('text', ['{', '{}', '[1]', '[{"case": "single-A-480"}]'])
def test_a_file_of_something_else_is_refused(tmp_path, text, capsys):
    path = tmp_path / 'other.json'
    path.write_text(text)
    with pytest.raises(ConfigError):
        records.load(path)
    assert report.main(['--results', str(path)]) == 1
    assert capsys.readouterr().err.startswith('error: ')
    assert path.read_text() == text


def test_sides_of_two_processes_are_joined():
    one, other = copy.deepcopy(MEMORY), copy.deepcopy(MEMORY)
    one['sides'], other['sides'] = MEMORY['sides'][:1], MEMORY['sides'][1:]
    assert records.joined([one, other]) == MEMORY


def test_chart(tmp_path):
    path = tmp_path / 'pictures' / 'speed.png'
    chart.draw([SINGLE, TUNED, LVIS, MEMORY, PROFILE], path)
    with Image.open(path) as picture:
        width, height = picture.size
    chart.draw([SINGLE], path)
    with Image.open(path) as picture:
        assert picture.size[0] == width and picture.size[1] < height


def test_tables_of_a_page_are_replaced(tmp_path):
    results, page = tmp_path / 'speed.json', tmp_path / 'page.md'
    results.write_text(json.dumps([SINGLE]))
    page.write_text(f'# Top\n\n{report.BEGIN}\nold\n{report.END}\n\nBelow.\n')
    for _ in range(2):
        assert report.main(['--results', str(results), '--page', str(page)]) == 0
    text = page.read_text()
    assert text.startswith('# Top\n') and text.endswith('\n\nBelow.\n')
    assert 'old' not in text and text.count('| **5.0** |') == 1


def test_a_page_without_marks_is_left_alone(tmp_path, capsys):
    results, page = tmp_path / 'speed.json', tmp_path / 'page.md'
    results.write_text(json.dumps([SINGLE]))
    page.write_text('# Top\n')
    for target in (page, tmp_path / 'none.md'):
        assert report.main(['--results', str(results), '--page', str(target)]) == 1
        assert capsys.readouterr().err.count('\n') == 1
    assert page.read_text() == '# Top\n'


def test_nothing_measured_yet(tmp_path, capsys):
    assert report.main(['--results', str(tmp_path / 'none.json')]) == 1
    assert 'no results yet' in capsys.readouterr().err
