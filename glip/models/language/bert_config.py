"""Shape of a BERT from its name, without a network."""

from pathlib import Path

from transformers import BertConfig

from glip.errors import ConfigError

# bert-base-uncased is what BertConfig() describes; its vocabulary is in the package.
PACKAGED = 'bert-base-uncased'


def resolve_bert_config(name: str = PACKAGED, **overrides) -> BertConfig:
    """Configuration of the BERT called ``name``.

    Args:
        name: 'bert-base-uncased', a directory made by ``save_pretrained``, or the id
            of a model hub.
        overrides: Fields of ``transformers.BertConfig`` that differ, for instance
            ``num_hidden_layers=3``.

    Returns:
        The configuration.

    Raises:
        ConfigError: If the name is neither packaged nor a directory with a
            ``config.json`` nor reachable on the hub, or if it is not a BERT.
    """
    if name == PACKAGED:
        return BertConfig(**overrides)
    folder = Path(name)
    if folder.is_dir() and not (folder / 'config.json').is_file():
        raise ConfigError(
            f"language model directory '{name}' has no config.json; make one with "
            'tools/misc/save_bert.py'
        )
    try:
        config = BertConfig.from_pretrained(name, **overrides)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"language model '{name}' is neither a local directory nor on a "
            f"reachable hub; use '{PACKAGED}' or a directory made by "
            f'tools/misc/save_bert.py ({str(error).splitlines()[0]})'
        ) from None
    if config.model_type != 'bert':
        raise ConfigError(
            f"language model '{name}' is a {config.model_type}, not a BERT"
        )
    return config
