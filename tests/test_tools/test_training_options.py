"""What a training run shows and how it ends, by the command line."""

import json
from pathlib import Path

import pytest
from PIL import Image

from glip.registry import HOOKS


def last_log(work_dir: Path) -> tuple[list[dict], str]:
    """Scalars and text of the newest run."""
    run = max(work_dir.glob('*/'), key=lambda path: path.stat().st_mtime)
    scalars = (run / 'vis_data' / 'scalars.json').read_text().splitlines()
    text = next(run.glob('*.log')).read_text()
    return [json.loads(line) for line in scalars], text


def test_half_precision_checkpointing_and_the_original_groups(tiny, train_tool):
    work_dir = tiny / 'amp'
    config = tiny / 'original.py'
    text = (
        (tiny / 'tiny.py').read_text().replace('schedule_2x', 'schedule_glip_pretrain')
    )
    config.write_text(text)
    arguments = ['--amp', str(config), '--work-dir', str(work_dir)]
    options = ['use_checkpoint=True', 'optim_wrapper.accumulative_counts=2']
    assert train_tool([*arguments, '--cfg-options', *options]) == 0
    logged, text = last_log(work_dir)
    steps = [entry for entry in logged if 'loss' in entry]
    assert [entry['iter'] for entry in steps] == [1, 2]
    assert all(0 < entry['loss'] < 100 for entry in steps)
    rates = {name: v for name, v in steps[0].items() if name.endswith('_lr')}
    assert rates == pytest.approx(
        dict(
            base_lr=1e-4,
            norm_lr=1e-4,
            bias_lr=2e-4,
            language_model_lr=1e-5,
            language_model_norm_lr=1e-5,
            language_model_bias_lr=2e-5,
        )
    )
    assert steps[0]['memory'] > 100
    assert 'eta: ' in text and 'language_model_bias_lr: 2.0000e-05' in text
    assert 'optimizer group language_model_bias' in text
    saved = (work_dir / 'original.py').read_text()
    assert "type='AmpOptimWrapper'" in saved and "dtype='bfloat16'" in saved
    assert 'with_cp=True' in saved and saved.count('use_checkpoint=True') == 2
    assert Image.open(work_dir / 'curves.png').size[1] > 500


def test_a_loss_that_is_no_number_ends_it(tiny, train_tool, capsys):
    work_dir = tiny / 'nan'
    arguments = [str(tiny / 'tiny.py'), '--work-dir', str(work_dir), '--cfg-options']
    assert train_tool([*arguments, 'optim_wrapper.optimizer.lr=1e30']) == 1
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith('error: loss')
    assert 'iteration 2' in message and '.png' in message
    assert (work_dir / 'curves.png').is_file()  # up to where it stopped


def test_full_memory_ends_it_with_what_to_lower(tiny, train_tool, capsys):
    hungry = HOOKS.get('EmptyCacheHook')

    @HOOKS.register_module(force=True)
    class HungryHook(hungry):
        def before_train_iter(self, runner, *args, **kwargs):
            raise MemoryError

    arguments = [str(tiny / 'tiny.py'), '--work-dir', str(tiny / 'full')]
    options = ['--cfg-options', "default_hooks.hungry.type='HungryHook'"]
    assert train_tool([*arguments, *options]) == 1
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith('error: ') and 'memory' in message
    assert 'batch_size (now 2' in message


@pytest.mark.parametrize('arguments', [['--amp', 'int8'], ['--amp=fp32']])
def test_precisions_that_are_not_known(tiny, train_tool, capsys, arguments):
    with pytest.raises(SystemExit):
        train_tool([str(tiny / 'tiny.py'), *arguments])
    assert 'usage' in capsys.readouterr().err
