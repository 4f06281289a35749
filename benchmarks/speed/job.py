"""One measurement as it is handed to a process of its own."""

from dataclasses import dataclass

from .cases import CASES, Case

PRECISIONS = ('fp32', 'bf16')
PEERS = ('mmdet', 'plain', 'float32')
# The second one records CUDA graphs.
MODES = ('default', 'reduce-overhead')


@dataclass(frozen=True)
class Job:
    """What to measure and how.

    Attributes:
        case: Name of the case.
        settings: ``default`` or ``tuned``, see :mod:`benchmarks.speed.environment`.
        device: ``cpu`` or ``cuda``.
        precision: Of ours, ``fp32`` or ``bf16`` (autocast); mmdet runs in float32, and
            in bf16 as well where ours does.
        compile: Also measure ours under ``torch.compile`` in this mode.
        peers: Whom ours is measured against: mmdet, ours without fast kernels, or ours
            in float32.
        runs: Rounds; None for as many as the case says.
        threads: Of torch; None for its default.
        quick: Reckon ours on LVIS from some of the chunks, as the peer is.
        side: Measure this side only (peak memory wants a process for each).
        profile: Take the stages apart instead.
    """

    case: str
    settings: str = 'default'
    device: str = 'cpu'
    precision: str = 'fp32'
    compile: str | None = None
    peers: tuple[str, ...] = ('mmdet',)
    runs: int | None = None
    threads: int | None = None
    quick: bool = False
    side: str | None = None
    profile: bool = False

    @property
    def what(self) -> Case:
        """The case itself."""
        return CASES[self.case]

    @property
    def ours(self) -> str:
        """Label of ours in tables."""
        return 'ours, bf16' if self.precision == 'bf16' else 'ours'
