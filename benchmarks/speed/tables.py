"""Markdown tables of records."""

from collections.abc import Sequence
from dataclasses import dataclass

from .cases import CASES, Case
from .environment import SETTINGS
from .records import middle
from .stages import STAGES


@dataclass(frozen=True)
class Row:
    """One peer against one form of ours, in one case.

    Attributes:
        case: What was measured.
        title: What a table calls it.
        device: ``cpu`` or ``cuda``.
        peer: Label of the peer.
        ours: Label of ours.
        first: What is to be said of our first call.
        cells: Of each setting the peer's value, ours and whether the peer's and ours
            were extrapolated.
    """

    case: Case
    title: str
    device: str
    peer: str
    ours: str
    first: str
    cells: dict[str, tuple[float, float, bool, bool]]

    def ratio(self, settings: str) -> float | None:
        """How many times faster ours is, or which share of the memory it takes."""
        if settings not in self.cells:
            return None
        theirs, ours, *_ = self.cells[settings]
        return theirs / ours if self.case.unit == 's' else ours / theirs

    def target(self, settings: str) -> float | None:
        """What the ratio is meant to be, if this row has a target."""
        case = self.case
        if self.device == 'cuda':
            aims = dict(zip(('mmdet', 'mmdet, bf16'), case.gpu_targets))
            return aims.get(self.peer) if self.ours.startswith('ours, bf16') else None
        aimed = (
            'ours, checkpoint' if case.kind in ('checkpoint', 'activations') else 'ours'
        )
        if (self.peer, self.ours) != ('mmdet', aimed):
            return None
        return case.tuned_target if settings == 'tuned' else case.target

    def reached(self, settings: str) -> bool | None:
        """Whether the target was reached; None where there is none."""
        ratio, target = self.ratio(settings), self.target(settings)
        if ratio is None or target is None:
            return None
        return ratio >= target if self.case.unit == 's' else ratio <= target


def rows(records: Sequence[dict], unit: str) -> list[Row]:
    """All pairs of a peer and ours, in the order of the cases.

    Args:
        records: Of :mod:`benchmarks.speed.records`; profiles are passed over.
        unit: ``s`` or ``MB``.
    """
    found: dict[tuple, Row] = {}
    for record in records:
        case = CASES.get(record['case'])
        if 'sides' not in record or record['unit'] != unit or case is None:
            continue
        title = case.title + (', GPU' if record['device'] == 'cuda' else '')
        for peer in (side for side in record['sides'] if side['peer']):
            for ours in (side for side in record['sides'] if not side['peer']):
                key = (case.name, record['device'], peer['label'], ours['label'])
                first = ours.get('first')
                said = f' (first call {first:.0f} s)' if first else ''
                row = Row(
                    case,
                    title,
                    record['device'],
                    peer['label'],
                    ours['label'],
                    said if 'compiled' in ours['label'] else '',
                    {},
                )
                row = found.setdefault(key, row)
                row.cells[record['settings']] = (
                    middle(peer),
                    middle(ours),
                    peer['extrapolated'],
                    ours['extrapolated'],
                )
    order = list(CASES)
    return sorted(found.values(), key=lambda row: order.index(row.case.name))


def comparison(records: Sequence[dict], unit: str = 's') -> list[str]:
    """Lines of a table of seconds with ratios, or of MB with shares."""
    found = rows(records, unit)
    if not found:
        return []
    settings = [name for name in SETTINGS if any(name in row.cells for row in found)]
    what, sign = ('ratio', '≥') if unit == 's' else ('share', '≤')
    head = ['case', 'sides']
    for name in settings:
        head += [f'mmdet, {unit} ({name})', f'ours, {unit}', what, 'target']
    checks = _checks(records)
    lines = [_line([*head, 'outputs']), '|---' * (len(head) + 1) + '|']
    for row in found:
        cells = [row.title, f'{row.peer} : {row.ours}{row.first}']
        for name in settings:
            cells += _cells(row, name, sign)
        lines.append(_line([*cells, checks[row.case.name]]))
    return lines


def _cells(row: Row, settings: str, sign: str) -> list[str]:
    if settings not in row.cells:
        return [''] * 4
    theirs, ours, reckoned, ours_reckoned = row.cells[settings]
    ratio, target = row.ratio(settings), row.target(settings)
    shown = f'{ratio:.1f}' if row.case.unit == 's' else f'{ratio:.2f}'
    if row.reached(settings):
        shown = f'**{shown}**'
    return [
        '~' * reckoned + _number(theirs),
        '~' * ours_reckoned + _number(ours),
        shown,
        '' if target is None else f'{sign} {target:g}',
    ]


def _number(value: float) -> str:
    if value >= 100:
        return f'{value:.0f}'
    return f'{value:.3g}'


def _checks(records: Sequence[dict]) -> dict[str, str]:
    return {record['case']: record['check'] for record in records}


def _line(cells: Sequence[str]) -> str:
    return '| ' + ' | '.join(cells) + ' |'


def stages(record: dict) -> list[str]:
    """Lines of a table of a profile: seconds, GFLOP, and share of the roofline.

    Args:
        record: With ``profile``. The share says how much of the measured rate of
            matrix products a stage reached.
    """
    sides = record['profile']
    head = ['stage']
    for side in sides:
        label = side['label']
        head += [f'{label}, s', 'GFLOP', f'of {side["gemm"]:.0f} GFLOP/s']
    lines = [_line(head), '|---' * len(head) + '|']
    totals = [
        {name: sum(side[name].values()) for name in ('seconds', 'gflop')}
        for side in sides
    ]
    for stage in (*STAGES, 'all'):
        cells = [stage]
        for side, total in zip(sides, totals):
            whole = stage == 'all'
            seconds = total['seconds'] if whole else side['seconds'][stage]
            gflop = total['gflop'] if whole else side['gflop'][stage]
            share = gflop / (seconds * side['gemm']) if seconds else 0
            cells += [f'{seconds:.3f}', f'{gflop:.0f}', f'{share:.0%}']
        lines.append(_line(cells))
    return lines


def report(records: Sequence[dict]) -> list[str]:
    """Lines of all tables, with the machine and the versions."""
    lines = [*_environments(records), '']
    for unit, title in (('s', 'Time'), ('MB', 'Memory')):
        table = comparison(records, unit)
        if table:
            lines += [f'### {title}', '', *table, '']
    for record in records:
        if 'profile' in record:
            case = CASES[record['case']]
            place = f'{record["settings"]} settings, {record["precision"]}'
            lines += [f'### Stages: {case.title} ({place})', '', *stages(record), '']
    return lines[:-1]


def _environments(records: Sequence[dict]) -> list[str]:
    """What was the same in all records, and the range of what was not."""
    found = [record['environment'] for record in records]

    def values(name: str) -> str:
        return ', '.join(dict.fromkeys(str(one.get(name, '?')) for one in found))

    rates = [one['gemm'] for one in found]
    counts = [
        len(side['values']) for record in records for side in record.get('sides', ())
    ]
    lines = [
        f'Machine: {values("machine")}; {values("threads")} threads. torch '
        f'{values("torch")}, torchvision {values("torchvision")}, transformers '
        f'{values("transformers")}, mmdet {values("onedl-mmdetection")}, Python '
        f'{values("python")}; commit {values("commit")}, {values("date")}. Products of '
        f'float32 matrices ran at {min(rates)} to {max(rates)} GFLOP/s, with errors of '
        f'at most {max(one["matmul_error"] for one in found):.0e} of the largest entry.'
    ]
    if counts:
        lines.append(f'Medians of {min(counts)} to {max(counts)} runs.')
    return lines
