"""Markdown tables of records."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from .cases import CASES, Case
from .environment import SETTINGS
from .records import middle
from .stages import STAGES
from .timing import markdown


@dataclass(frozen=True)
class Row:
    """One peer against one form of ours, in one case.

    Attributes:
        case: What was measured.
        device: ``cpu`` or ``cuda``.
        peer: Label of the peer.
        ours: Label of ours.
        check: What the comparison of outputs saw.
        cells: Of each setting the records of both sides, the peer's first.
    """

    case: Case
    device: str
    peer: str
    ours: str
    check: str
    cells: dict[str, tuple[dict, dict]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What a table calls the case."""
        return self.case.title + (', GPU' if self.device == 'cuda' else '')

    @property
    def first_call(self) -> str:
        """What the first call of ours took, if it was compiled in it."""
        _, ours = next(iter(self.cells.values()))
        is_told = 'compiled' in self.ours and ours.get('first')
        return f' (first call {ours["first"]:.0f} s)' if is_told else ''

    def ratio(self, settings: str) -> float:
        """How many times faster ours is, or which share of the memory it takes."""
        theirs, ours = map(middle, self.cells[settings])
        return theirs / ours if self.case.unit == 's' else ours / theirs

    def target(self, settings: str) -> float | None:
        """What the ratio is meant to be, if this row has a target."""
        case = self.case
        if self.device == 'cuda':
            aims = dict(zip(('mmdet', 'mmdet, bf16'), case.gpu_targets))
            return aims.get(self.peer) if self.ours.startswith('ours, bf16') else None
        preset = case.kind in ('checkpoint', 'activations')
        aimed = 'ours, checkpoint' if preset else 'ours'
        if (self.peer, self.ours) != ('mmdet', aimed):
            return None
        return case.tuned_target if settings == 'tuned' else case.target

    def texts(self, settings: str) -> list[str]:
        """Cells of a setting: both values, their ratio, and its target."""
        if settings not in self.cells:
            return [''] * 4
        ratio, target = self.ratio(settings), self.target(settings)
        faster = self.case.unit == 's'
        shown = f'{ratio:.1f}' if faster else f'{ratio:.2f}'
        if target is not None and (ratio >= target if faster else ratio <= target):
            shown = f'**{shown}**'
        return [
            *map(_value, self.cells[settings]),
            shown,
            '' if target is None else f'{"≥" if faster else "≤"} {target:g}',
        ]


def rows(records: Sequence[dict], unit: str) -> list[Row]:
    """All pairs of a peer and ours, in the order of the cases.

    Args:
        records: Of :mod:`benchmarks.speed.records`; profiles are passed over.
        unit: ``s`` or ``MB``.
    """
    table: dict[tuple, Row] = {}
    for record in records:
        case = CASES.get(record['case'])
        if 'sides' not in record or record['unit'] != unit or case is None:
            continue
        for peer in (side for side in record['sides'] if side['peer']):
            for ours in (side for side in record['sides'] if not side['peer']):
                key = (case.name, record['device'], peer['label'], ours['label'])
                row = table.setdefault(key, Row(case, *key[1:], record['check']))
                row.cells[record['settings']] = peer, ours
    order = list(CASES)
    return sorted(table.values(), key=lambda row: order.index(row.case.name))


def comparison(records: Sequence[dict], unit: str = 's') -> list[str]:
    """Lines of a table of seconds with ratios, or of MB with shares."""
    table = rows(records, unit)
    if not table:
        return []
    settings = [name for name in SETTINGS if any(name in row.cells for row in table)]
    what = 'ratio' if unit == 's' else 'share'
    head = ['case', 'sides']
    for name in settings:
        head += [f'mmdet, {unit} ({name})', f'ours, {unit}', what, 'target']
    lines = []
    for row in table:
        cells = [row.title, f'{row.peer} : {row.ours}{row.first_call}']
        cells += [text for name in settings for text in row.texts(name)]
        lines.append([*cells, row.check])
    return markdown([*head, 'outputs'], lines)


def _value(side: dict) -> str:
    value = middle(side)
    number = f'{value:.0f}' if value >= 100 else f'{value:.3g}'
    return '~' * side['extrapolated'] + number


def stages(record: dict) -> list[str]:
    """Lines of a table of a profile: seconds, GFLOP, and share of the roofline.

    Args:
        record: With ``profile``. The share says how much of the measured rate of
            matrix products a stage reached.
    """
    head, lines = ['stage'], [[stage] for stage in (*STAGES, 'all')]
    for side in record['profile']:
        rate = side['gemm']
        head += [f'{side["label"]}, s', 'GFLOP', f'of {rate:.0f} GFLOP/s']
        for cells in lines:
            seconds, gflop = (
                sum(side[name].values()) if cells[0] == 'all' else side[name][cells[0]]
                for name in ('seconds', 'gflop')
            )
            share = gflop / (seconds * rate) if seconds else 0
            cells += [f'{seconds:.3f}', f'{gflop:.0f}', f'{share:.0%}']
    return markdown(head, lines)


def report(records: Sequence[dict]) -> list[str]:
    """Lines of all tables, with the machine and the versions."""
    lines = [*_environments(records), '']
    for unit, title in (('s', 'Time'), ('MB', 'Memory')):
        if table := comparison(records, unit):
            lines += [f'### {title}', '', *table, '']
    for record in records:
        if 'profile' in record:
            case = CASES[record['case']]
            how = f'{record["settings"]} settings, {record["precision"]}'
            lines += [f'### Stages: {case.title} ({how})', '', *stages(record), '']
    return lines[:-1]


def _environments(records: Sequence[dict]) -> list[str]:
    """What was the same in all records, and the range of what was not."""
    environments = [record['environment'] for record in records]

    def values(name: str) -> str:
        return ', '.join(dict.fromkeys(str(one.get(name, '?')) for one in environments))

    rates = [one['gemm'] for one in environments]
    error = max(one['matmul_error'] for one in environments)
    counts = [
        len(side['values']) for record in records for side in record.get('sides', ())
    ]
    lines = [
        f'Machine: {values("machine")}; {values("threads")} threads. torch '
        f'{values("torch")}, torchvision {values("torchvision")}, transformers '
        f'{values("transformers")}, mmdet {values("onedl-mmdetection")}, Python '
        f'{values("python")}; commit {values("commit")}, {values("date")}. Products of '
        f'float32 matrices ran at {min(rates)} to {max(rates)} GFLOP/s, with errors of '
        f'at most {error:.0e} of the largest entry.'
    ]
    if counts:
        lines.append(f'Medians of {min(counts)} to {max(counts)} runs.')
    return lines
