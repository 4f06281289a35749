"""``glip train``: on a config, or on a folder of data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from glip.errors import ConfigError, GLIPError


def train(
    config: Annotated[str | None, typer.Argument(help='config file')] = None,
    data: Annotated[
        Path | None,
        typer.Option(help='instead of a config: a COCO file, or a folder with train/'),
    ] = None,
    model: Annotated[
        str, typer.Option('--model', '-m', help='with --data: what to start from')
    ] = 'glip-nano',
    epochs: Annotated[
        int | None, typer.Option(help='instead of those of the config')
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help='with --data: pictures per step and GPU')
    ] = None,
    work_dir: Annotated[
        Path | None, typer.Option(help='folder of logs and checkpoints')
    ] = None,
    tuning: Annotated[
        str | None,
        typer.Option(help='what is trained: full, linear_probe, prompt or language'),
    ] = None,
    resume: Annotated[
        bool, typer.Option('--resume', help='go on from the last checkpoint')
    ] = False,
    amp: Annotated[
        bool, typer.Option('--amp', help='automatic mixed precision')
    ] = False,
    options: Annotated[
        list[str] | None,
        typer.Option('--cfg-option', help='key=value to merge; may be repeated'),
    ] = None,
    verbose: Annotated[
        bool, typer.Option('--verbose', help='all that goes into the log file')
    ] = False,
) -> None:
    """Train or fine-tune, by a config or on a folder of data."""
    if (config is None) == (data is None):
        raise GLIPError('give either a config file or --data FOLDER')
    if config is None:
        assert data is not None
        config = str(write_config(data, model, epochs, batch_size, work_dir))
        epochs = None
    elif batch_size is not None:
        raise GLIPError('--batch-size goes with --data; a config has its own')

    # Heavy, and not needed for --help.
    from glip.config.arguments import read_options
    from glip.config.flags import prepare_config, set_training_options
    from glip.engine.run import run_training

    cfg = prepare_config(
        config,
        work_dir=None if work_dir is None else str(work_dir),
        cfg_options=read_options(options or []),
        tuning=tuning,
        verbose=verbose,
    )
    if epochs is not None:
        cfg.epochs = epochs
    set_training_options(cfg, amp=amp, resume='auto' if resume else None)
    run_training(cfg)


def write_config(
    data: Path,
    model: str,
    epochs: int | None,
    batch_size: int | None,
    work_dir: Path | None,
) -> Path:
    """Write the config of a training on a folder, to keep and to change.

    Args:
        data: Has ``train/`` and, for evaluation, ``valid/`` or ``test/``; or a COCO
            file, whose pictures are named from its folder on and which nothing
            evaluates.
        model: Zoo name or config file to start from.
        epochs: Of the training; None leaves the model's own.
        batch_size: Likewise.
        work_dir: Where the config goes; by default ``work_dirs/<name of the folder>``.

    Returns:
        The config.

    Raises:
        ConfigError: There is no such model, or the config cannot be written.
        DatasetError: The folder has no training data.
    """
    from glip.config.coco_folders import find_sets
    from glip.config.names import training_config_of
    from glip.runtime.writing import write_text

    custom: dict[str, Any]
    if data.is_file():
        custom = dict(data_root=str(data.resolve().parent))
        custom['train'] = dict(ann_file=data.name)
    else:
        sets = find_sets(data, 'train')
        if not any(each.split for each in sets):
            raise ConfigError(
                f'{data}: no training data in COCO format; looked for '
                f'{sets[0].path} and the like'
            )
        custom = dict(folder=str(data.resolve()), train_split='train')
        custom['split'] = ['val', 'test']
    base, start = training_config_of(model)
    if batch_size is not None:
        custom['batch_size'] = batch_size
    lines = [f'_base_ = {str(base.resolve())!r}', f'custom_data = {custom!r}']
    if epochs is not None:
        lines.append(f'epochs = {epochs}')
    if start is not None:
        lines.append(f'load_from = {start!r}')
    home = data.resolve().parent if data.is_file() else data.resolve()
    folder = work_dir or Path('work_dirs', home.name or 'data')
    path = folder / f'{folder.name}.py'
    write_text(path, '\n'.join(lines) + '\n')
    typer.echo(f'config: {path}')
    return path
