"""What the pictures of a batch show, as tensors of one shape."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from glip.errors import DatasetError
from glip.ops import to_device
from glip.text import EncodedPrompt


@dataclass(frozen=True)
class GroundTruth:
    """Boxes and their words, padded to the picture with the most boxes.

    The last row of every picture is blank: it is what an anchor of the background, with
    the index -1, reads.

    Attributes:
        boxes: Inclusive boxes, shape (B, G + 1, 4).
        tokens: Tokens that stand for each box, boolean, shape (B, G + 1, T). A row
            without any is no box: padding, or words past the token budget.
        weights: How much each box counts, shape (B, G + 1); None where all count 1.
    """

    boxes: Tensor
    tokens: Tensor
    weights: Tensor | None = None

    @property
    def valid(self) -> Tensor:
        """Rows that are boxes, shape (B, G + 1)."""
        return self.tokens.any(-1)


def label_tokens(prompt: EncodedPrompt) -> list[tuple[int, ...]]:
    """Tokens of each label that a box of this prompt may have, ascending."""
    rows = prompt.prompt.by_label(prompt.entity_tokens)
    return [tuple(sorted(set(row))) for row in rows]


def collect_ground_truth(
    samples: Sequence, prompts: Sequence[EncodedPrompt]
) -> GroundTruth:
    """Boxes of a batch and the tokens that stand for them.

    Labels are read from the device in one piece, which waits for it. Called before the
    pictures are encoded it finds nothing queued to wait for; maps are then built on the
    host and go back in one copy.

    Args:
        samples: Data samples whose ``gt_instances`` have inclusive ``bboxes`` and
            ``labels``, see :func:`label_tokens`, and perhaps ``weights``.
        prompts: Prompt of each sample.

    Raises:
        DatasetError: A label that the prompt has no words for.
    """
    boxes = [sample.gt_instances.bboxes for sample in samples]
    boxes = [getattr(b, 'tensor', b).float() for b in boxes]
    device = boxes[0].device
    counts = [len(b) for b in boxes]
    labels = torch.cat([s.gt_instances.labels.long() for s in samples]).tolist()
    ones: list[tuple[int, int, int]] = []
    at = 0
    for i, (sample, prompt, count) in enumerate(
        zip(samples, prompts, counts, strict=True)
    ):
        rows = label_tokens(prompt)
        for j, label in enumerate(labels[at : at + count]):
            if not 0 <= label < len(rows):
                kind = 'names' if prompt.prompt.is_class_prompt else 'phrases'
                raise DatasetError(
                    f'{sample.get("img_path", "a picture")}: label {label} but the '
                    f'prompt has {len(rows)} {kind}; check the classes of its data set'
                )
            ones.extend((i, j, token) for token in rows[label])
        at += count
    width = max(len(prompt.input_ids) for prompt in prompts)
    tokens = torch.zeros(len(boxes), max(counts) + 1, width, dtype=torch.bool)
    if ones:
        tokens[tuple(torch.tensor(ones).t())] = True
    blank = boxes[0].new_zeros(max(counts) + 1, 4)
    padded = pad_sequence([*boxes, blank], batch_first=True)[:-1]
    weights = [sample.gt_instances.get('weights') for sample in samples]
    if all(w is None for w in weights):
        return GroundTruth(padded, to_device(tokens, device))
    rows = [b.new_ones(len(b)) if w is None else w for b, w in zip(boxes, weights)]
    all_weights = pad_sequence([*rows, blank[:, 0]], batch_first=True)[:-1]
    return GroundTruth(padded, to_device(tokens, device), all_weights)
