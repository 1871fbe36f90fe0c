"""One file per family of encoders; `FAMILIES` lists what they define."""

from maskjax.models.families.albert import ALBERT
from maskjax.models.families.bert import BERT
from maskjax.models.families.deberta import DEBERTA_V2
from maskjax.models.families.distilbert import DISTILBERT
from maskjax.models.families.electra import ELECTRA
from maskjax.models.families.eurobert import EUROBERT
from maskjax.models.families.gemma3 import GEMMA3
from maskjax.models.families.modernbert import MODERNBERT
from maskjax.models.families.mpnet import MPNET
from maskjax.models.families.roberta import CAMEMBERT, ROBERTA, XLM_ROBERTA

FAMILIES = (
    BERT,
    ROBERTA,
    XLM_ROBERTA,
    CAMEMBERT,
    DISTILBERT,
    ELECTRA,
    MPNET,
    ALBERT,
    DEBERTA_V2,
    MODERNBERT,
    EUROBERT,
    GEMMA3,
)
