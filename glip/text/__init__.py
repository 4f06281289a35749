"""Words only, no pixels: prompts, tokens, and which token stands for what."""

from glip.text.names import clean_name
from glip.text.noun_phrases import noun_phrases
from glip.text.parse import dataset_classes, parse_text
from glip.text.prompt import TextPrompt
from glip.text.split import split_prompt
from glip.text.tokenizer import EncodedPrompt, Tokenizer

__all__ = [
    'EncodedPrompt',
    'TextPrompt',
    'Tokenizer',
    'clean_name',
    'dataset_classes',
    'noun_phrases',
    'parse_text',
    'split_prompt',
]
