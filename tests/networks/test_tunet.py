import pytest
import torch

from concertclean.networks.tunet import TUNet
from concertclean.train.objective import unmixed

SMALL = {"segment": 2000, "widths": (2, 3), "hidden": (8,)}


def test_published_size():
    """Layer table of the paper: five convolutions, five dense layers, 3 528 736 parameters."""
    with torch.device("meta"):
        model = TUNet().eval()
    assert sum(p.numel() for p in model.parameters()) == 3_528_736
    assert [p.numel() for p in model.encoder.parameters()][::2] == [64, 2048, 8192, 32_768, 262_144]
    assert model.head[0].in_features == 4 * 3 * 512
    assert model(torch.zeros(1, 4, 220_500, device="meta")).shape == (1, 4, 4)


@pytest.mark.parametrize("n_microphones", [2, 4, 7])
def test_any_number_of_microphones(n_microphones):
    model = TUNet(n_microphones=n_microphones, **SMALL)
    matrices = model(torch.randn(3, n_microphones, 2000))
    assert matrices.shape == (3, n_microphones, n_microphones)
    assert float(matrices.detach().min()) >= 0
    with pytest.raises(ValueError, match="must be"):
        model(torch.randn(3, n_microphones, 1999))


def test_the_level_of_the_recording_does_not_matter():
    torch.manual_seed(0)
    model = TUNet(**SMALL).eval()
    waveform = torch.randn(1, 4, 2000)
    assert torch.allclose(model(waveform), model(0.01 * waveform), atol=1e-6)
    assert torch.isfinite(model(0 * waveform)).all()


def test_every_parameter_can_learn():
    torch.manual_seed(1)
    model = TUNet(**SMALL)
    model(torch.randn(8, 4, 2000)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    assert model.encoder[0].weight.grad.any()


class TestMatrixOfARecording:
    def model(self, rows):
        """A network that always says the same."""
        model = TUNet(n_microphones=2, **SMALL).eval()
        with torch.no_grad():
            model.head[-2].weight.zero_()
            model.head[-2].bias.copy_(torch.tensor(rows).flatten())
        return model

    @pytest.mark.parametrize("n_samples", [1, 1999, 2000, 7001])
    def test_diagonal_of_one_at_any_length(self, n_samples):
        found = self.model([[0.5, 0.2], [0.1, 2.0]]).matrix(torch.randn(2, n_samples))
        assert torch.allclose(found, torch.tensor([[1.0, 0.1], [0.2, 1.0]]))

    def test_no_own_instrument_is_no_matrix(self):
        assert torch.equal(self.model([[0.0, 0.2], [0.1, 1.0]]).matrix(torch.randn(2, 3000)), torch.eye(2))


@pytest.mark.parametrize("n_microphones", [2, 4, 7])
def test_kernels_are_as_long_as_there_are_microphones(n_microphones):
    """The paper convolves with kernels (1, K)."""
    model = TUNet(n_microphones=n_microphones, **SMALL)
    kernels = [layer.kernel_size for layer in model.encoder if isinstance(layer, torch.nn.Conv1d)]
    assert kernels == [(n_microphones,)] * 2


def test_fewer_stems_than_microphones():
    """A matrix of K rows and N columns, whose pseudo-inverse gives N stems."""
    model = TUNet(n_microphones=4, n_stems=3, instruments=["bass", "drums", "vocals"], **SMALL).eval()
    found = model(torch.randn(2, 4, 2000)).detach()
    assert found.shape == (2, 4, 3)
    assert unmixed(found, torch.randn(2, 4, 50)).shape == (2, 3, 50)
    with torch.no_grad():
        model.head[-2].weight.zero_()
    matrix = model.matrix(torch.randn(4, 2500))
    assert torch.allclose(matrix[:3].diagonal(), torch.ones(3))
    assert torch.allclose(matrix[3], torch.full((3,), 0.25))
    with pytest.raises(ValueError, match="n_stems is 5, must be 1 to 4"):
        TUNet(n_stems=5, **SMALL)
    with pytest.raises(ValueError, match="instruments are bass, for 3 stems"):
        TUNet(n_stems=3, instruments=["bass"], **SMALL)


def test_published_input_is_samples_as_they_are():
    """Without biases every layer is linear above zero, so twice the samples give twice the features and the matrix."""
    torch.manual_seed(0)
    model = TUNet(divide_level=False, logarithm=False, batch_norm=False, **SMALL)
    with torch.no_grad():
        model.head[-2].bias.zero_()
    waveform = torch.randn(2, 4, 2000)
    found = model(waveform).detach()
    assert torch.allclose(model(2 * waveform), 2 * found, rtol=1e-5, atol=1e-6)
    assert torch.allclose(model(waveform[:1]), found[:1], atol=1e-6)  # another item of the batch changes nothing
    assert not any("running" in name for name in model.state_dict())
    assert found.any()


def test_too_short_a_segment():
    with pytest.raises(ValueError, match="segment is 20"):
        TUNet(segment=20, widths=(2, 2))


def test_an_instrument_for_each_microphone():
    with pytest.raises(ValueError, match="instruments are bass, drums, for 4 stems"):
        TUNet(instruments=["bass", "drums"], **SMALL)


def test_no_entry_of_the_first_matrix_is_dead():
    """ReLU is also the output: an entry that begins below zero for every band would never learn."""
    torch.manual_seed(0)
    first = TUNet(**SMALL)(torch.randn(8, 4, 2000))
    assert (first.detach().amax(dim=0) > 0).all()
    assert (first.detach() > 0).float().mean() > 0.9
