from .bert import BertModel
from .bert_config import BertConfig, resolve_bert_config
from .bert_layer import BertLayer
from .features import TextFeatures, joined
from .prompt import LanguagePrompt, TunedPrompt, add_tuned

__all__ = [
    'BertConfig',
    'BertLayer',
    'BertModel',
    'LanguagePrompt',
    'TextFeatures',
    'TunedPrompt',
    'add_tuned',
    'joined',
    'resolve_bert_config',
]
