"""What happens beside the steps of training and testing."""

from glip.engine.hooks.visualization import DetVisualizationHook

__all__ = ['DetVisualizationHook']
