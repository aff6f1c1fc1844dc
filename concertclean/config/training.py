"""Settings of `concertclean train`: the network, the data, the mixing law, the loss and the run."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from concertclean.config.mixing import BleedLaw, DetectLaw, MixingLaw, SeparateLaw, Share
from concertclean.config.reading import STRICT, read_toml, validated, with_assignments

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
CountOrNone = Annotated[int, Field(ge=0)]


LossName = Literal[
    "spectral", "two_stage", "si_snr", "complex", "relative", "waveform_mse", "waveform_l1", "spectrogram_mse",
    "detection", "scene", "matrix", "magnitude", "windows",
]  # fmt: skip


class NetworkSettings(BaseModel):
    """Which network is trained.

    Attributes:
        architecture: key of the registry's table of networks.
        config: keyword arguments of its constructor.
        init: weights to start from: a model's name or a weights file; None starts from random ones.
    """

    model_config = STRICT

    architecture: str
    config: dict[str, Any] = {}
    init: str | None = None


class DataSettings(BaseModel):
    """What it is trained on.

    Attributes:
        dataset: folder that `concertclean dataset build` made.
        seconds: length of an item.
        batch: items a step, over all devices.
        workers: processes that mix; 0 mixes between the steps.
    """

    model_config = STRICT

    dataset: Path
    seconds: Positive = 2.0
    batch: Count = 4
    workers: CountOrNone = 1


class LossSettings(BaseModel):
    """What is made small; `concertclean.train.losses` has the equations.

    Attributes:
        name: "spectral" (Zhang), "two_stage" (Moliner and Välimäki), "si_snr" (Hu et al.), "complex" (Li et al.),
            "waveform_mse" and "waveform_l1" (Stoller), "spectrogram_mse" (Li, Y.; Open-Unmix) or "relative" (own);
            "detection" (Sehgal and Kehtarnavaz) for noise_detector, "scene" for scene_classifier; for bleed "matrix"
            (t-UNet), "magnitude" or, as published, "windows" (CAE); None: the one of the architecture.
        alpha: weight of the magnitude error of "spectral".
        beta: weight of its complex error.
        gamma: weight of its waveform and multi-resolution error.
        unscaled: alpha and beta weigh errors of ordinary spectrograms, as published; else of ones divided by the sum
            of the window, 512 for a Hann window of 1024 samples. The multi-resolution error is never divided.
        caution: weight of the error in dB of "relative" at the end of the run; it grows from zero.
        hole_weight: how many times as much "relative" counts a magnitude below the truth as one above.
        one_resolution: "spectral" and "relative" take one resolution a step instead of all, in turn.
    """

    model_config = STRICT

    name: LossName | None = None
    alpha: NotNegative = 1.0
    beta: NotNegative = 1.0
    gamma: NotNegative = 1.0
    unscaled: bool = False
    caution: NotNegative = 0.02
    hole_weight: Positive = 1.0
    one_resolution: bool = False


class AdversarialSettings(BaseModel):
    """Discriminators of spectrograms that a network is trained against; `concertclean.train.adversary`.

    Attributes:
        weight: lambda, of their verdict in the network's loss; 0: there are none.
        scales: discriminators, each on half the rate of the one before.
        n_fft: samples of their frames.
        hop_length: samples between frames.
        widths: channels of their seven levels.
        code: channels of their output.
        learning_rate: of their Adam, at its peak; it follows the schedule of the network's.
        betas: of their Adam.
    """

    model_config = STRICT

    weight: NotNegative = 0.0
    scales: Count = 1
    n_fft: Count = 2048
    hop_length: Count = 512
    widths: Annotated[tuple[Count, ...], Field(min_length=7, max_length=7)] = (32, 64, 64, 128, 128, 256, 512)
    code: Count = 128
    learning_rate: Positive = 1e-4
    betas: tuple[Share, Share] = (0.5, 0.9)


class OptimizerSettings(BaseModel):
    """How it is made small.

    Attributes:
        learning_rate: its peak.
        betas: of Adam.
        schedule: "constant"; "step": multiplied by `step_factor` every `step_every` steps; "cosine": down to zero;
            "cycles": half a cosine down to `cycle_floor` of the peak, again and again.
        warmup: steps of linear rise at the start.
        step_every: steps.
        step_factor: factor.
        cycle_steps: steps of a cycle.
        cycle_floor: part of the peak at the end of a cycle.
        weight_decay: times a weight is added to its gradient.
        clip_norm: largest norm of the gradient; 0 or None: any.
        accumulate: batches whose gradients are summed for one step.
        freeze_norm: step from which normalisation keeps its statistics; 0: never. A batch of few items would
            otherwise hide each item's level.
        norm_momentum: how fast those statistics follow before.
    """

    model_config = STRICT

    learning_rate: Positive = 5e-4
    betas: tuple[Share, Share] = (0.9, 0.999)
    schedule: Literal["constant", "step", "cosine", "cycles"] = "cosine"
    warmup: CountOrNone = 150
    step_every: Count = 100_000
    step_factor: Positive = 0.1
    cycle_steps: Count = 1000
    cycle_floor: Share = 0.05
    weight_decay: NotNegative = 0.0
    clip_norm: NotNegative | None = 1.0
    accumulate: Count = 1
    freeze_norm: CountOrNone = 0
    norm_momentum: Share = 0.1


class RunSettings(BaseModel):
    """How the run goes.

    Attributes:
        steps: of the optimizer.
        seed: of weights and items.
        device: as for denoising.
        precision: of the network's inner layers under autocast.
        compile: "network" compiles all of it, "expansions" only the KAN layers' basis functions, which takes seconds.
        ema_decay: of the moving average of the weights that is validated and exported; 0: the weights themselves.
        save_every: steps between checkpoints.
        validate_every: steps between validations; 0: only at the end.
        validation_items: fixed mixtures a validation takes of each ratio.
        log_every: steps between lines of the log.
        threads: CPU cores of the network; 0: all.
    """

    model_config = STRICT

    steps: Count
    seed: int = 0
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    compile: Literal["off", "expansions", "network"] = "off"
    ema_decay: Share = 0.997
    save_every: Count = 200
    validate_every: CountOrNone = 1000
    validation_items: Count = 8
    log_every: Count = 50
    threads: CountOrNone = 0


class Recipe(BaseModel):
    """What every training run is made of.

    Attributes:
        name: of the model that comes out; weights are called so.
        description: for its card.
        license: of the weights.
        network: the network.
        data: what it is trained on.
        loss: what is made small.
        optimizer: how.
        run: how long, where.
    """

    model_config = STRICT

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    description: str = ""
    license: str = "not stated"
    network: NetworkSettings
    data: DataSettings
    loss: LossSettings = LossSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    run: RunSettings

    @model_validator(mode="after")
    def _warm_up_ends(self) -> Self:
        if self.optimizer.warmup >= self.run.steps:
            raise ValueError(f"optimizer.warmup is {self.optimizer.warmup}, run.steps only {self.run.steps}")
        return self


class TrainingSettings(Recipe):
    """A run of a network that takes noise away.

    Attributes:
        mixing: the law of the items.
        adversarial: discriminators to train it against.
    """

    mixing: MixingLaw
    adversarial: AdversarialSettings = AdversarialSettings()


class BleedTrainingSettings(Recipe):
    """A run of a network that reduces bleed.

    Attributes:
        mixing: the law of the items.
    """

    mixing: BleedLaw


class DetectTrainingSettings(Recipe):
    """A run of a classifier of scenes.

    Attributes:
        mixing: the law of the items.
    """

    mixing: DetectLaw


class SeparateTrainingSettings(Recipe):
    """A run of a network that separates songs into stems.

    Attributes:
        mixing: the law of the items.
    """

    mixing: SeparateLaw


AnySettings = TrainingSettings | BleedTrainingSettings | DetectTrainingSettings | SeparateTrainingSettings
_BY_TASK: dict[str, type[AnySettings]] = {
    "bleed": BleedTrainingSettings,
    "detect": DetectTrainingSettings,
    "separate": SeparateTrainingSettings,
}


def read_recipe(path: Path, assignments: list[str]) -> AnySettings:
    """Settings of a TOML file of any task; see `read_training_settings`."""
    values = with_assignments(read_toml(path), assignments)
    mixing = values.get("mixing")
    task = mixing.get("task") if isinstance(mixing, dict) else None
    return validated(_BY_TASK.get(str(task), TrainingSettings), values, str(path))


def read_training_settings(path: Path, assignments: list[str]) -> TrainingSettings:
    """Settings of a TOML file with some of them changed.

    Args:
        path: TOML file; a relative `data.dataset` in it is relative to the working folder.
        assignments: words such as `run.steps=100`.

    Returns:
        The validated settings.

    Raises:
        ConfigError: the file cannot be read, or settings are unknown or out of range; all are listed.
    """
    return validated(TrainingSettings, with_assignments(read_toml(path), assignments), str(path))
