"""Which precision "auto" takes: bf16 only where it is faster, whatever the processor says of itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import concertclean
from concertclean.runtime import devices

CODE = """
import torch
from concertclean.runtime.devices import choose_precision
print(choose_precision("auto", torch.device("cpu")))
"""


def chosen(**environment: str) -> str:
    paths = {"PYTHONPATH": str(Path(concertclean.__file__).parents[1])}
    command = [sys.executable, "-c", CODE]
    return subprocess.run(
        command, env=os.environ | paths | environment, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.parametrize("instructions", ["AVX2", "AVX512_CORE"])
def test_no_bf16_where_it_is_emulated(instructions: str) -> None:
    assert chosen(ONEDNN_MAX_CPU_ISA=instructions) == "fp32"


def test_bf16_where_the_processor_multiplies_matrices_in_it() -> None:
    flags = torch.cpu.get_capabilities()
    if not flags.get("amx_bf16"):
        pytest.skip("the processor has no AMX")
    assert {chosen() for _ in range(2)} == {"bf16"}


@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
def test_what_is_named_is_taken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_is_bf16_fast", lambda: pytest.fail("nobody asked"))
    assert devices.choose_precision(name, torch.device("cpu")) == name
