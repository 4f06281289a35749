"""What a console shows of a run."""

import logging
import warnings

from glip.runtime.console import quiet_console, warnings_to_file

TRAINING = (
    'Epoch(train)  [3][ 20/140]  base_lr: 2.0000e-04 lr: 4.0000e-05  eta: 1 day, '
    '0:01:09  time: 0.5338  data_time: 0.0498  grad_norm: 34.1  loss: 2.7355  '
    'loss_cls: 0.4400  loss_bbox: 0.3186  memory: 1418'
)


def make_logger(tmp_path, stream):
    logger = logging.Logger('run', logging.INFO)
    logger.addHandler(logging.StreamHandler(stream))
    logger.addHandler(logging.FileHandler(tmp_path / 'run.log'))
    return logger


def test_console_is_short_and_the_file_is_whole(tmp_path, capsys):
    import sys

    logger = make_logger(tmp_path, sys.stderr)
    quiet_console(logger)
    quiet_console(logger)
    logger.info('Config:\na = 1')
    logger.info('paramwise_options -- x:lr=1')
    logger.info(TRAINING)
    logger.info('Evaluating\n| table |')
    logger.warning('left out 3 pictures')
    logger.error('Config: of an error')
    shown = capsys.readouterr().err.splitlines()
    assert shown == [
        'epoch 3  step 20/140  loss 2.74 (cls 0.44, bbox 0.319)  lr 2.0e-04  '
        '0.534 s/step (data 0.0498 s)  1418 MB  eta 1 day, 0:01:09',
        'Evaluating',
        '| table |',
        'warning: left out 3 pictures',
        'error: Config: of an error',
    ]
    whole = (tmp_path / 'run.log').read_text()
    assert TRAINING in whole and 'paramwise_options' in whole and 'a = 1' in whole


def test_warnings_of_libraries_go_to_the_file(tmp_path, capsys):
    import sys

    logger = make_logger(tmp_path, sys.stderr)
    with warnings.catch_warnings():
        warnings.simplefilter('always')
        with warnings_to_file(logger):
            warnings.warn('old function', DeprecationWarning, stacklevel=1)
        assert 'old function' not in capsys.readouterr().err
        assert 'old function' in (tmp_path / 'run.log').read_text()
