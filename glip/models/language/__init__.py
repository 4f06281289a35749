from .bert import BertModel
from .bert_config import resolve_bert_config
from .bert_layer import BertLayer
from .features import TextFeatures

__all__ = ['BertLayer', 'BertModel', 'TextFeatures', 'resolve_bert_config']
