"""The script that runs mmcv's and mmdetection's tests, on a checkout made up."""

from peers.run import main, on_the_cpu

_OPS = """
import pytest

IS_CUDA_AVAILABLE = False


@pytest.mark.parametrize('device', [
    'cpu',
    pytest.param('cuda', marks=pytest.mark.skipif(
        not IS_CUDA_AVAILABLE, reason='requires CUDA support')),
])
def test_passes(device):
    assert device == 'cpu'


def test_fails():
    assert not 'so it is'


def test_is_left_out():
    pytest.skip('for a reason')
"""
_THROUGH_GLIP = """
def test_fails_in_glip():
    from glip.text import parse_text
    parse_text('')
"""


def write(folder, **files):
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / f'{name}.py').write_text(text)


def test_counts_by_group(tmp_path, capsys):
    write(
        tmp_path / 'tests' / 'test_ops',
        test_nms=_OPS,
        test_roi_pool=_THROUGH_GLIP,
        test_carafe='assert False, "not one of ours"',
    )
    written = tmp_path / 'table.md'
    assert main([str(tmp_path), '--table', str(written)]) == 1
    rows = {
        cells[0]: list(map(int, cells[1:]))
        for line in written.read_text().splitlines()[2:]
        if line.startswith('|')
        for cells in [[cell.strip() for cell in line.strip('|').split('|')]]
    }
    assert rows['nms, soft_nms, nms_match'] == [2, 1, 0, 1]
    assert rows['roi_pool'] == [0, 1, 1, 0]
    assert rows['focal_loss'] == [0, 0, 0, 0]
    assert 'so it is' in capsys.readouterr().out


def test_failures_of_others_are_no_error(tmp_path):
    write(tmp_path / 'tests' / 'test_evaluation', test_a='def test_a(): assert False')
    write(tmp_path / 'tests' / 'test_models' / 'test_necks', test_b='def test_b(): ...')
    assert main([str(tmp_path), '--only', 'e']) == 0


def test_a_group_that_kills_its_process_is_one_failure(tmp_path, capsys):
    killed = 'import os, signal\n\ndef test_a(): os.kill(os.getpid(), signal.SIGKILL)'
    write(
        tmp_path / 'tests' / 'test_ops',
        test_roi_align=killed,
        test_roi_pool='def test_b(): ...',
    )
    main([str(tmp_path), '--only', 'roi'])
    table = capsys.readouterr().out
    assert '| roi_align | 0 | 1 | 0 | 0 |' in table
    assert '| roi_pool | 1 | 0 | 0 | 0 |' in table


def test_the_checkout_stays(tmp_path):
    write(tmp_path / 'a' / 'tests' / 'test_ops', test_nms='x = "cuda"')
    copy = on_the_cpu(tmp_path / 'a', tmp_path)
    assert (copy / 'tests/test_ops/test_nms.py').read_text() == 'x = "cpu"'
    assert (tmp_path / 'a/tests/test_ops/test_nms.py').read_text() == 'x = "cuda"'


def test_a_folder_without_tests_is_one_line(tmp_path, capsys):
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().err.count('\n') == 1
