"""Candidates from the positions that can have any."""

from collections.abc import Sequence

import torch
from torch import Tensor

from glip.models import postprocess
from glip.models.postprocess import Candidates, EntityScores
from glip.ops import is_plain


def select_candidates(
    logits: Tensor,
    centerness: Tensor,
    scores_of: EntityScores,
    sizes: Sequence[int],
    *,
    score_thr: float,
    nms_pre: int,
) -> Candidates:
    """Those of :func:`glip.models.postprocess.select_candidates` that are some.

    No entity scores more than its best token, so a position whose tokens are all below
    the threshold has none; on most positions that is so. A GPU looks at all, as the
    host would have to wait for how many they are.
    """
    if logits.device.type != 'cpu' or is_plain():
        return postprocess.select_candidates(
            logits, centerness, scores_of, sizes, score_thr=score_thr, nms_pre=nms_pre
        )
    logits = logits.float()
    threshold = torch.tensor(score_thr).logit() if score_thr > 0 else -torch.inf
    rows = (logits.amax(1) > threshold - 1e-3).nonzero()[:, 0]
    scores = scores_of(logits[rows])
    row, entity = (scores > score_thr).nonzero().unbind(1)
    places = rows[row]
    joint = scores[row, entity] * centerness[places]
    if nms_pre > 0:
        ends = torch.tensor(sizes).cumsum(0)
        counts = torch.searchsorted(places, ends).diff(prepend=ends.new_zeros(1))
        parts, start = [], 0
        for count in counts.tolist():
            part = slice(start, start + count)
            if count > nms_pre:
                parts.append(joint[part].topk(nms_pre).indices + start)
            else:
                parts.append(torch.arange(start, start + count))
            start += count
        strongest = torch.cat(parts)
        places, joint, entity = places[strongest], joint[strongest], entity[strongest]
    return Candidates(places, joint, scores_of.labels[entity])
