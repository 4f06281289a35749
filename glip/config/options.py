"""``KEY=VALUE`` of a command line: read as written, and checked to have an effect."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from glip.errors import ConfigError

_BRACKETS = {'(': ')', '[': ']'}
_QUOTES = '\'"'
# What mmengine's runner and this package read of a config; all else are variables.
_READ = frozenset(
    'model work_dir train_dataloader val_dataloader test_dataloader train_cfg val_cfg '
    'test_cfg auto_scale_lr optim_wrapper param_scheduler val_evaluator test_evaluator '
    'default_hooks custom_hooks data_preprocessor load_from resume launcher env_cfg '
    'log_processor log_level visualizer default_scope randomness experiment_name '
    'runner_type model_wrapper_cfg find_unused_parameters sync_bn compile custom_data '
    'custom_imports use_checkpoint load_strict loggers tta tta_model tta_pipeline '
    'default_threshold cfg tuning epochs verbose self_training few_shot '
    'cache_features'.split()
)


class OptionsAction(argparse.Action):
    """Collects ``KEY=VALUE`` as mmengine's ``DictAction``, and keeps the blanks.

    ``KEY=[V1,V2]`` and ``KEY=V1,V2`` are lists, ``KEY=(V1,V2)`` is a tuple, nested ones
    too. Commas within quotes separate nothing.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Add the options to those that came before.

        Raises:
            ConfigError: One has no ``=``.
        """
        options = dict(getattr(namespace, self.dest, None) or {})
        for option in values or ():
            key, sign, value = option.partition('=')
            if not sign or not key.strip():
                raise ConfigError(
                    f'{option_string} takes KEY=VALUE, not {option!r:.60}; put quotes '
                    'around what has a blank in it'
                )
            options[key.strip()] = parse_value(value)
        setattr(namespace, self.dest, options)


def parse_value(text: str) -> Any:
    """A number, truth value, None, string, list or tuple."""
    text = text.strip()
    if len(text) > 1 and text[0] in _QUOTES and text[0] == text[-1]:
        inner = text[1:-1]
        if text[0] not in inner:
            return parse_value(inner) if inner[:1] in _BRACKETS else _scalar(inner)
    bracket = text[:1]
    if bracket in _BRACKETS and text.endswith(_BRACKETS[bracket]):
        parts = list(_parts(text[1:-1]))
        if parts and not parts[-1].strip():  # a comma at the end
            parts.pop()
        values = [parse_value(part) for part in parts]
        return tuple(values) if bracket == '(' else values
    parts = list(_parts(text))
    if len(parts) == 1:
        return _scalar(text)
    if not parts[-1].strip():
        parts.pop()
    return [parse_value(part) for part in parts]


def _parts(text: str) -> Iterator[str]:
    """What stands between commas that are in no brackets and no quotes."""
    depth, quote, begin = 0, '', 0
    for place, char in enumerate(text):
        if quote:
            quote = '' if char == quote else quote
        elif char in _QUOTES and not text[begin:place].strip('([ '):
            quote = char
        elif char in '([':
            depth += 1
        elif char in ')]':
            depth -= 1
        elif char == ',' and depth <= 0:
            yield text[begin:place]
            begin = place + 1
    yield text[begin:]


def _scalar(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    if text.lower() in ('true', 'false'):
        return text.lower() == 'true'
    return None if text == 'None' else text


def warn_of_unread(cfg: Config, options: Mapping[str, Any]) -> None:
    """Name options that change nothing but a variable of the config.

    Args:
        cfg: Before the options are put in.
        options: ``{'a.b': value}``.
    """
    for option in options:
        root, dot, rest = option.partition('.')
        if root in _READ:
            continue
        near = _place_of(cfg, root, cfg.get(root))
        hint = f'; did you mean {near}{dot}{rest}?' if near else ''
        print_log(
            f'the option {option} has no effect: nothing reads {root!r} of the config '
            f'once its files are read{hint}',
            'current',
            logging.WARNING,
        )


def _place_of(cfg: Config, name: str, value: Any) -> str | None:
    """Where something read has this name, or this value of more than one part."""
    plain = cfg.to_dict()
    places = [
        place
        for root in sorted(_READ & plain.keys())
        for place, part in _walk(plain[root], root)
        if place.rpartition('.')[2] == name
        or (isinstance(value, (dict, list)) and value and part == value)
    ]
    return min(places, key=_order, default=None)


def _order(place: str) -> tuple[bool, int]:
    """Training first, then what is nearer to the top."""
    return not place.startswith('train'), place.count('.')


def _walk(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    yield place, value
    pairs: Sequence[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        pairs = list(value.items())
    elif isinstance(value, (list, tuple)):
        pairs = list(enumerate(value))
    for key, inner in pairs:
        yield from _walk(inner, f'{place}.{key}')
