"""The training loop: one, plain, the same on a CPU, a GPU and several of either.

A run is a folder: `log.jsonl` (always), `state.pt` (to go on from), `NAME.safetensors` (the moving average of the
weights, best at validation) and `settings.json`. Everything random hangs on the seed and the number of a step, so an
resumed run ends with the bytes of an uninterrupted one.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from concertclean.config.training import Recipe, TrainingSettings
from concertclean.errors import TrainingError
from concertclean.networks.architectures import ARCHITECTURES
from concertclean.networks.layers.kan_conv import compile_expansions
from concertclean.runtime.devices import choose_precision
from concertclean.runtime.memory import tame_allocator
from concertclean.train.adversary import Adversary
from concertclean.train.checkpoint import damaged, export_weights, load_state, recipe_hash, save_state
from concertclean.train.losses import gain_db
from concertclean.train.means import Means
from concertclean.train.objective import Objective
from concertclean.train.schedule import learning_rate

Batch = tuple[Tensor, Tensor, list[str]]
Batches = Callable[[int, int], Iterator[Batch]]
Judge = Callable[[nn.Module], dict[str, Any]]
Log = Callable[[dict[str, Any]], None]

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_MOST_BAD_STEPS = 20


@dataclass
class Environment:
    """What a run gets from outside.

    Attributes:
        folder: of the run; exists.
        batches: returns batches from one number to before another, this device's share of each.
        judge: validates a network; None: there is nothing to validate on.
        log: receives every line of the log.
        stop: says whether to save and end now.
        rank: of this process.
        world_size: number of processes.
        facts: topics for the header of the weights.
    """

    folder: Path
    batches: Batches
    judge: Judge | None = None
    log: Log = lambda line: None
    stop: Callable[[], bool] = lambda: False
    rank: int = 0
    world_size: int = 1
    facts: dict[str, str] = field(default_factory=dict)


class Run:
    """One training run.

    Args:
        settings: of the run.
        network: with its first weights, on the CPU.
        device: where it is trained.
        around: what it gets from outside.
        resume: go on with the run in the folder.

    Raises:
        ConfigError: there is no run to go on with, or one of other settings.

    Attributes:
        step: steps done.
        average: moving average of the weights.
    """

    def __init__(
        self,
        settings: Recipe,
        network: nn.Module,
        device: torch.device,
        around: Environment,
        *,
        resume: bool,
    ) -> None:
        tame_allocator("training")
        self.settings, self.device, self.around = settings, device, around
        self.recipe = recipe_hash(settings)
        self.network = network.to(device).train()
        self.average = AveragedModel(self.network, avg_fn=self._averaged, use_buffers=True)
        optimizer = settings.optimizer
        self.optimizer = torch.optim.Adam(
            network.parameters(), optimizer.learning_rate, optimizer.betas, weight_decay=optimizer.weight_decay
        )
        self.adversary = None
        if isinstance(settings, TrainingSettings) and settings.adversarial.weight:
            self.adversary = Adversary(settings.adversarial, device, around.world_size)
        precision = choose_precision(settings.run.precision, device)
        self.dtype = _DTYPES[precision]
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
        self.step, self._bad_steps, self._best = 0, 0, -math.inf
        self._means = Means()
        if resume:
            self._resume()

    def train(self) -> bool:
        """Train to the last step; False if it was stopped before.

        Raises:
            TrainingError: the gradient was not finite twenty steps in a row.
        """
        more = self.adversary.term if self.adversary is not None else None
        self.objective = self._prepared(Objective(self.network, self._loss_name(), self.settings.loss, more))
        try:
            return self._take_steps()
        finally:
            # Spread over processes it holds their group, whose threads have to end before the interpreter does.
            del self.objective

    def _loss_name(self) -> str:
        """The loss of the recipe, or of the architecture if the recipe names none."""
        return self.settings.loss.name or ARCHITECTURES[self.settings.network.architecture].default_loss

    def _take_steps(self) -> bool:
        """What `train` does, with the objective in place."""
        run, accumulate = self.settings.run, self.settings.optimizer.accumulate
        batches = self.around.batches(self.step * accumulate, run.steps * accumulate)
        while self.step < run.steps:
            self._take_step([next(batches) for _ in range(accumulate)])
            self.step += 1
            if self.step % run.log_every == 0 or self.step == run.steps:
                self._log({"step": self.step, "done": self.step / run.steps, **self._means.flush()})
            is_last = self.step == run.steps
            if is_last or (run.validate_every and self.step % run.validate_every == 0):
                self._validate()
            stopped = self.around.stop()
            if is_last or stopped or self.step % run.save_every == 0:
                self._save()
            if stopped and not is_last:
                return False
        return True

    def _take_step(self, batches: list[Batch]) -> None:
        """One step of the optimizer; nothing changes if the gradient is not finite."""
        optimizer, run = self.settings.optimizer, self.settings.run
        self._set_norms()
        rate = learning_rate(optimizer, self.step, run.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        pairs = []
        for number, (degraded, clean, _) in enumerate(batches):
            is_last = number == len(batches) - 1
            pairs.append(self._accumulate(degraded, clean, 1 / len(batches), is_last=is_last))
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), optimizer.clip_norm or math.inf)
        if not torch.isfinite(norm):
            self._refuse(batches)
        else:
            self._bad_steps = 0
            self.scaler.step(self.optimizer)
            self.average.update_parameters(self.network)
            self._means.add(norm=float(norm), learning_rate=rate)
            self._step_adversary(pairs, rate / optimizer.learning_rate)
        self.scaler.update()

    def _step_adversary(self, pairs: list[tuple[Tensor, Tensor | None]], rate: float) -> None:
        """The discriminators' step, on the estimates of the network's."""
        if self.adversary is None:
            return
        loss = self.adversary.step([(clean, estimate) for clean, estimate in pairs if estimate is not None], rate)
        if loss is not None:
            self._means.add(discriminator_loss=loss)

    def _accumulate(
        self, degraded: Tensor, clean: Tensor, weight: float, *, is_last: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Adds the gradient of one batch; returns its truth and the estimate without gradient."""
        degraded, clean = (each.to(self.device, non_blocking=True) for each in (degraded, clean))
        done = self.step / self.settings.run.steps
        hold = nullcontext() if is_last or self.around.world_size == 1 else self.objective.no_sync()
        with hold:
            enabled = self.dtype != torch.float32
            with torch.autocast(self.device.type, self.dtype, enabled=enabled):
                loss, estimate = self.objective(degraded, clean, self.step, done)
            self.scaler.scale(loss * weight).backward()
        self._means.add(loss=float(loss.detach()))
        if estimate is not None:
            heard = degraded[:, : clean.shape[1]]  # microphones beyond the stems have none of their own
            self._means.add(gain=float(gain_db(clean, estimate, heard).mean()))
        return clean, estimate

    def _refuse(self, batches: list[Batch]) -> None:
        """Logs the items of a gradient that is not finite; gives up after twenty in a row."""
        self._bad_steps += 1
        descriptions = [description for _, _, descriptions in batches for description in descriptions]
        self._log({"step": self.step, "skipped": "the gradient is not finite", "items": descriptions})
        if self._bad_steps >= _MOST_BAD_STEPS:
            raise TrainingError(
                f"{self.around.folder}: the gradient was not finite {_MOST_BAD_STEPS} steps in a row, last with "
                f"{'; '.join(descriptions)}; lower optimizer.learning_rate or use run.precision=fp32"
            )

    def _set_norms(self) -> None:
        """Statistics of the normalisation follow the batches, or stay as they are from `freeze_norm` on."""
        optimizer = self.settings.optimizer
        frozen = bool(optimizer.freeze_norm) and self.step >= optimizer.freeze_norm
        for module in self.network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.train(not frozen)
                module.momentum = optimizer.norm_momentum

    def _validate(self) -> None:
        """Judges the average, and exports it if it is the best so far."""
        if self.around.rank:
            return
        judged: dict[str, Any] = {}
        if self.around.judge is not None:
            judged = self.around.judge(self.average.module.eval())
            self.average.module.train()
            self._log({"step": self.step, "validation": judged})
        # Without validation the last weights are the best that is known.
        score = judged.get("score", self.step)
        if score > self._best:
            self._best = score
            self.export(self.around.folder / f"{self.settings.name}.safetensors")

    def export(self, path: Path) -> None:
        """Write the average of the weights with everything known about them."""
        facts = {"steps": str(self.step), **self.around.facts}
        export_weights(path, self.settings, self.average.module.state_dict(), facts)

    def _averaged(self, old: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
        """Exponential mean, quicker at the start; integers, which count batches, are copied."""
        if not old.is_floating_point():
            return new
        decay = min(self.settings.run.ema_decay, (1 + float(count)) / (10 + float(count)))
        return old + (new - old) * (1 - decay)

    def _prepared(self, objective: Objective) -> Any:
        """The objective, compiled and spread over devices as the settings ask."""
        if self.settings.run.compile != "off":
            objective.compile() if self.settings.run.compile == "network" else compile_expansions(self.network)
        if self.around.world_size == 1:
            return objective
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(objective, device_ids=ids)

    def _save(self) -> None:
        if self.around.rank:
            return
        state = {
            "recipe": self.recipe,
            "step": self.step,
            "best": self._best,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "torch_rng": torch.get_rng_state(),
        }
        if self.adversary is not None:
            state["adversary"] = self.adversary.state()
        save_state(self.around.folder, state)
        self.export(self.around.folder / f"{self.settings.name}-last.safetensors")

    def _resume(self) -> None:
        """Goes on where the run in the folder stopped."""
        state = load_state(self.around.folder, self.recipe)
        try:
            self._restore(state)
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise damaged(self.around.folder) from error

    def _restore(self, state: dict[str, Any]) -> None:
        self.step, self._best = int(state["step"]), float(state["best"])
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        if self.adversary is not None:
            self.adversary.restore(state["adversary"])
        torch.set_rng_state(state["torch_rng"])

    def _log(self, line: dict[str, Any]) -> None:
        if self.around.rank:
            return
        with (self.around.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"time": round(time.time(), 1), **line}) + "\n")
        self.around.log(line)
