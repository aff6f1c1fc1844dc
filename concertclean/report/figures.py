"""Figures of matplotlib, which is installed only for them."""

from typing import TYPE_CHECKING

from concertclean.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def empty_figure(width: float, height: float, *, dpi: int) -> "Figure":
    """A figure that is drawn without a screen.

    Args:
        width: inches.
        height: inches.
        dpi: pixels an inch.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError("pictures need matplotlib; pip install 'concertclean[plots]'") from error
    figure = Figure((width, height), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    return figure
