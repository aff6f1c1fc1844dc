"""Folders of files by name, and which programs there are."""

import shutil

import numpy as np
import pytest
import soundfile


def facts(sources, *names):
    """The named attributes of each source."""
    return [tuple(getattr(source, name) for name in names) for source in sources]


@pytest.fixture
def put(tmp_path):
    """Writes files by name into the test's folder: text as given, a number as so many seconds of silence."""

    def make(files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                path.write_text(content, encoding="utf-8")
            else:
                soundfile.write(path, np.zeros(round(8000 * content)), 8000)
        return tmp_path

    return make


@pytest.fixture
def set_tools(monkeypatch):
    """Pretend that only these programs are installed."""
    return lambda *names: monkeypatch.setattr(shutil, "which", lambda name: name if name in names else None)
