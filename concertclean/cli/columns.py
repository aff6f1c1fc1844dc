"""Columns of progress bars; apart, because rich loads its bars slowly and most commands show none."""

from rich.progress import ProgressColumn, Task
from rich.text import Text

from concertclean.cli.console import visible


class DescriptionColumn(ProgressColumn):
    """What a bar is about, such as the name of a recording."""

    def render(self, task: Task) -> Text:
        """The description of a task."""
        return Text(visible(task.description))
