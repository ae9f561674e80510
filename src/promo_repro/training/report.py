"""What a run tells while it runs: to the terminal, and to TensorBoard."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from promo_repro.training.loop import Mark


@contextmanager
def tensorboard(folder: Path) -> Iterator[Callable[[Mark], None]]:
    """Log each metric's mean over the seeds, and its extremes, for `tensorboard --logdir`."""
    from torch.utils.tensorboard import SummaryWriter  # here, because it loads slowly

    with SummaryWriter(str(folder)) as writer:

        def observe(mark: Mark) -> None:
            for name, values in mark.metrics.items():
                writer.add_scalar(name, float(values.mean()), mark.step)
                if values.numel() > 1:
                    writer.add_scalar(f"{name}/smallest", float(values.min()), mark.step)
                    writer.add_scalar(f"{name}/largest", float(values.max()), mark.step)
            writer.add_scalar(f"{mark.unit} per second", mark.rate, mark.step)
            writer.flush()

        yield observe


@contextmanager
def progress(console: Console, steps: int) -> Iterator[Callable[[Mark], None]]:
    """Show a bar with the means over the seeds; a terminal that is none gets one line per mark."""
    columns = (
        BarColumn(), TextColumn("{task.completed:,}/{task.total:,}"), TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=steps)

        def observe(mark: Mark) -> None:
            parts = [f"{name} {float(v.mean()):.4g}" for name, v in mark.metrics.items()]
            text = ", ".join([*parts, f"{mark.rate:,.0f} {mark.unit}/s"])
            bar.update(task, completed=mark.step, description=text)
            if not console.is_terminal:
                line = f"step {mark.step:,} of {steps:,}: {text}"
                console.print(line, highlight=False, soft_wrap=True)

        yield observe
