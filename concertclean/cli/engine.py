"""Where `concertclean denoise` restores: in this process, or on the machines of a Ray cluster."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from concertclean.cli.screen import Screen
from concertclean.errors import ConfigError

if TYPE_CHECKING:
    from concertclean.config.denoise import DenoiseSettings
    from concertclean.restore.execution import Executor, Work

ENGINES: Final = ("threads", "ray")


@dataclass(frozen=True)
class Engine:
    """What was asked for.

    Args:
        name: one of `ENGINES`.
        address: of a Ray cluster; None: one is started on this machine.
        settings: of the run.
        is_stream: the recording comes from standard input, or the result goes to standard output.

    Raises:
        ConfigError: it makes no sense.
    """

    name: str
    address: str | None
    settings: "DenoiseSettings"
    is_stream: bool

    def __post_init__(self) -> None:
        if self.name not in ENGINES:
            raise ConfigError(f"--engine {self.name}: choose {' or '.join(ENGINES)}")
        if self.address is not None and self.name != "ray":
            raise ConfigError("--address is that of a Ray cluster; add --engine ray")
        if self.name == "ray" and self.is_stream:
            raise ConfigError("--engine ray is for files; leave it out with -")
        if self.name == "ray" and self.settings.device.startswith("cuda:"):
            raise ConfigError(f"--device {self.settings.device}: Ray gives each worker a GPU; choose cuda")

    @property
    def _cores(self) -> int:
        """Of a worker."""
        return self.settings.threads or 1

    def work(self, screen: Screen, *, overwrite: bool, skip_existing: bool, is_hashed: bool) -> "Work":
        """What restores one recording; no network is loaded before there is something to do."""
        from concertclean.restore.build import Hooks
        from concertclean.restore.denoise import build_denoiser, check
        from concertclean.restore.execution import Work

        bars: dict[str, Any] = {}
        if self.name == "ray":  # what travels knows no terminal
            make = partial(build_denoiser, self.settings.model_copy(update={"threads": self._cores}))
        else:
            make = partial(build_denoiser, self.settings, Hooks(screen.note, screen.fetching, screen.built))
            bars = {"progress": screen.bar.advance, "first_pass": screen.bar.advance_first_pass}
        return Work(
            make,
            overwrite=overwrite,
            skip_existing=skip_existing,
            check=partial(check, settings=self.settings),
            is_hashed=is_hashed,
            **bars,
        )

    def executor(self, n_jobs: int) -> "Executor":
        """What does the work: as many recordings at once as there are cores, or workers of a cluster."""
        from concertclean.restore import execution
        from concertclean.runtime.parallel import usable_cores

        if self.name == "ray" and n_jobs:
            from concertclean.restore.chain import needs_network
            from concertclean.restore.ray_engine import Ray

            device = self.settings.device
            gpus = device in ("auto", "cuda") and needs_network(self.settings.model)
            return Ray(
                self.address, most=n_jobs, cores=self._cores, gpus=gpus, must_have_gpus=gpus and device == "cuda"
            )
        at_once = min(n_jobs, self.settings.threads or usable_cores())
        return execution.Threads(at_once) if at_once > 1 else execution.Serial()
